"""The Python files of a zip as syntax trees; they are parsed here, never imported."""

from __future__ import annotations

import ast
import codecs
import importlib.util
import io
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import Archive

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
Function = ast.FunctionDef | ast.AsyncFunctionDef
SLOW_ENCODINGS = ("punycode", "idna")  # of hosts' names: four megabytes take hours
MOST_MODULES = 300  # of Python; a participant has ten
DYNAMIC = frozenset(("import_module", "__import__", "spec_from_file_location", "exec", "run_path"))


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
    def aliases(self) -> dict[str, str]:
        """Names that imports bind anywhere in the file -> what they stand for, as `np` -> `numpy`."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        return found

    @cached_property
    def stores(self) -> dict[str, int]:
        """How often each name is bound, in any scope."""
        counts: dict[str, int] = {}
        for node in self.nodes:
            for name in _bound(node):
                counts[name] = counts.get(name, 0) + 1
        return counts

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
        """What a dotted expression stands for, as `numpy.random.normal`; "" for other expressions."""
        name = dotted(node)
        first, _, rest = name.partition(".")
        first = self.aliases.get(first, first)
        name = f"{first}.{rest}" if rest else first
        return "keras." + name.removeprefix("tensorflow.keras.") if name.startswith("tensorflow.keras.") else name  # fmt: skip

    def line(self, node: ast.AST) -> str:
        """Where a node is, as `model.py line 12`."""
        return f"{self.file} line {getattr(node, 'lineno', 1)}"


def parsed(text: str, version: tuple[int, int] | None = None) -> ast.Module:
    """The syntax tree by Python's grammar of that version; raises one of `UNPARSABLE`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's texts
        return ast.parse(text, feature_version=version)


def dotted(node: ast.AST) -> str:
    """A chain of names such as `np.random.normal`; "" for other expressions."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def read_module(archive: Archive, file: str) -> Module:
    """A Python file of the zip, decoded as Python does it."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    try:
        data = archive.read(file)
        if _encoding(data) in SLOW_ENCODINGS:
            return Module(file, name, None, "is in an encoding that is not meant for text")
        return Module(file, name, importlib.util.decode_source(data))
    except SubmissionError as error:
        large = "larger than" in str(error)
        return Module(file, name, None, "is too large for a module" if large else "")
    except (UnicodeError, SyntaxError, LookupError):
        return _undecoded(file, name, archive.read(file))


def _encoding(data: bytes) -> str:
    """Python's name of the encoding that a file says it is in."""
    found, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return codecs.lookup(found).name


def _undecoded(file: str, name: str, data: bytes) -> Module:
    """Python itself passes over a stray byte in a comment, and over nothing else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, file, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except UNPARSABLE:
        return Module(file, name, None, "is not text in UTF-8")
    return Module(file, name, data.decode("utf-8", "replace"))


def imports(module: Module) -> Iterator[tuple[ast.stmt, str, str]]:
    """Each import: the statement, the module's absolute name, and the name taken from it or ""."""
    package = _package(module)
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(package, node)
            yield from ((node, base, alias.name) for alias in node.names)


def _package(module: Module) -> list[str]:
    parts = module.name.split(".")
    return parts if PurePosixPath(module.file).name == "__init__.py" else parts[:-1]


def _absolute(package: list[str], node: ast.ImportFrom) -> str:
    kept = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*kept, *([node.module] if node.module else [])])


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
