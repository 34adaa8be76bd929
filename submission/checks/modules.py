"""The Python files of a zip as syntax trees, indexed; they are parsed here, never imported."""

from __future__ import annotations

import ast
import codecs
import importlib.util
import io
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
Function = ast.FunctionDef | ast.AsyncFunctionDef
REGISTER = "register_keras_serializable"  # the decorator that gives Keras a class
SLOW_ENCODINGS = ("punycode", "idna")  # of hosts' names: four megabytes take hours


@dataclass(frozen=True, eq=False)
class Module:
    """One Python file. name: as it is imported. text is None where it is no text.

    problem: why it is none; "" where the zip itself is at fault, which other checks tell.
    """

    file: str
    name: str
    text: str | None
    problem: str = ""

    @cached_property
    def tree(self) -> ast.Module | None:
        """Its syntax tree, or None if there is no text or it does not parse."""
        try:
            return None if self.text is None else parsed(self.text)
        except UNPARSABLE:
            return None

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, outer ones first."""
        return tuple(ast.walk(self.tree)) if self.tree else ()

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Node -> the node that holds it."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def definitions(self) -> dict[str, list[Function | ast.ClassDef]]:
        """Name -> the functions and classes of that name at the module's own level."""
        found: dict[str, list[Function | ast.ClassDef]] = {}
        for node in self.tree.body if self.tree else []:
            if isinstance(node, Function | ast.ClassDef):
                found.setdefault(node.name, []).append(node)
        return found

    @cached_property
    def imports(self) -> tuple[tuple[ast.Import | ast.ImportFrom, str, str], ...]:
        """Each import: the statement, the module's absolute name, the name taken from it or ""."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[tuple[ast.Import | ast.ImportFrom, str, str]]:
        parts = self.name.split(".")
        package = parts if self.is_package else parts[:-1]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield from ((node, base, alias.name) for alias in node.names)

    @property
    def is_package(self) -> bool:
        """Whether it is a folder's `__init__.py`."""
        return PurePosixPath(self.file).name == "__init__.py"

    @cached_property
    def has_stars(self) -> bool:
        """Whether it takes in all names of another module."""
        return any(taken == "*" for _, _, taken in self.imports)

    @property
    def has_future_annotations(self) -> bool:
        """Whether its annotations are not evaluated."""
        return self.aliases.get("annotations", "").startswith("__future__")

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Names that imports bind anywhere -> what they stand for, as `np` -> `numpy`."""
        found: dict[str, str] = {}
        for node in self.nodes:
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                if isinstance(node, ast.ImportFrom):
                    found[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
                else:
                    top = alias.name.split(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
        return found

    @cached_property
    def stores(self) -> Counter[str]:
        """How often each name is bound, in any scope; attributes as `.name`."""
        return Counter(name for node in self.nodes for name in bound_names(node))

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """Names bound once, attributes bound once as `.name` -> their values.

        What loops bind stands for the thing that they go over.
        """
        values: dict[str, ast.expr] = {}
        counts = Counter(self.stores)
        for node in self.nodes:
            for target, value in _bindings(node):
                attribute = isinstance(target, ast.Attribute)
                values[f".{last_name(target)}" if attribute else last_name(target)] = value
                if isinstance(target, ast.Name) and isinstance(
                    self.parents.get(node), ast.ClassDef
                ):
                    values[f".{target.id}"] = value
                    counts[f".{target.id}"] += 1
        return {name: value for name, value in values.items() if counts[name] == 1}

    @cached_property
    def name_messages(self) -> list[Any]:
        """What pyflakes says of undefined names, by place."""
        from pyflakes import checker, messages

        wanted = (messages.UndefinedName, messages.UndefinedLocal)
        try:
            found = checker.Checker(self.tree, builtins={"__file__", "WindowsError"}).messages
        except RecursionError:
            return []
        return sorted((m for m in found if isinstance(m, wanted)), key=lambda m: (m.lineno, m.col))

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node lies in, from the inside outwards."""
        while (node := self.parents.get(node, node)) in self.parents:
            yield node
        yield node

    def function_of(self, node: ast.AST) -> Function | None:
        """The function that a node lies in."""
        return next((n for n in self.above(node) if isinstance(n, Function)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class that a node lies in."""
        return next((n for n in self.above(node) if isinstance(n, ast.ClassDef)), None)

    def full_name(self, node: ast.AST) -> str:
        """What a dotted expression stands for, as `numpy.random.normal`; "" for others."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        name = ".".join([self.aliases.get(node.id, node.id), *reversed(parts)])
        own = name.removeprefix("tensorflow.keras.")
        return name if own == name else f"keras.{own}"

    def registered_key(self, decorator: ast.expr, name: str) -> str:
        """The key under which a decorator registers an object with Keras; "" where it does not.

        `package>name`, the package `*` where it is computed.
        """
        call = decorator if isinstance(decorator, ast.Call) else None
        if self.full_name(call.func if call else decorator).rpartition(".")[2] != REGISTER:
            return ""
        given = dict(zip(("package", "name"), call.args if call else (), strict=False))
        given |= {word.arg: word.value for word in (call.keywords if call else ()) if word.arg}
        package = constant(given["package"]) if "package" in given else "Custom"
        return f"{'*' if package is None else package}>{constant(given.get('name')) or name}"

    def line(self, node: ast.AST) -> str:
        """Where a node is, as `model.py line 12`."""
        return f"{self.file} line {getattr(node, 'lineno', 1)}"


def module_of(file: str, data: bytes) -> Module:
    """A Python file by its path in the zip and its bytes, decoded as Python does it."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if codecs.lookup(encoding).name in SLOW_ENCODINGS:
            return Module(file, name, None, "is in an encoding that is not meant for text")
        return Module(file, name, importlib.util.decode_source(data))
    except (UnicodeError, SyntaxError, LookupError):
        # Python itself passes over a stray byte in a comment, and over nothing else.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(data, file, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        except UNPARSABLE:
            return Module(file, name, None, "is not text in UTF-8")
        return Module(file, name, data.decode("utf-8", "replace"))


def parsed(text: str, version: tuple[int, int] | None = None) -> ast.Module:
    """The syntax tree by Python's grammar of that version; raises one of `UNPARSABLE`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's texts
        return ast.parse(text, feature_version=version)


def words(text: str) -> frozenset[str]:
    """The names in a text, between blanks."""
    return frozenset(text.split())


def last_name(node: ast.AST | None) -> str:
    """The last part of a dotted name, `predict` of `self.net.predict`; "" for others."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def called(node: ast.AST | None) -> str:
    """The last name of what an expression calls; "" for what is no call."""
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def argument(call: ast.Call, name: str, place: int = -1) -> ast.expr | None:
    """What a call is given by that keyword, else at that place."""
    found = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return call.args[place] if found is None and 0 <= place < len(call.args) else found


def constant(node: ast.AST | None) -> Any:
    """The value of a constant; None for what is none."""
    return node.value if isinstance(node, ast.Constant) else None


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that a node binds by itself; attributes as `.name`."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield f".{node.attr}"
    elif isinstance(node, Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield node.target, node.iter
