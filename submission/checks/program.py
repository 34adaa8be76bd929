"""The zip's program: the modules that the platform imports, and which parts of them run.

What runs is told by names alone, and generously: a function counts as soon as anything that runs
has its name. The main block does not run, nor do functions that nobody names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from typing import NamedTuple

from submission.checks.modules import Function, Module, constant, last_name, words

MOST_MODULES = 300  # of Python; a participant has ten
LONGEST_NAME = 200
DYNAMIC = words("import_module __import__ spec_from_file_location exec run_path")
PATHS = words("sys.path site.addsitedir sys.meta_path sys.path_hooks")


class Asked(NamedTuple):
    """The names that a platform asks for; more: further ones, of functions and methods."""

    module: str
    class_name: str
    method: str
    more: tuple[str, ...] = ()


class Program:
    """The Python code of a zip. names: all its files; read: one as a module; asked: of it."""

    def __init__(self, names: frozenset[str], read: Callable[[str], Module], asked: Asked) -> None:
        self.names, self.read, self.asked = names, cache(read), asked

    @property
    def module_file(self) -> str:
        """The file that the platform imports, `model.py` in most challenges."""
        return f"{self.asked.module.replace('.', '/')}.py"

    @cached_property
    def main_file(self) -> str:
        """The file that an import of the module runs: a package of that name comes first."""
        return self.file_of(self.asked.module) or self.module_file

    @cached_property
    def main(self) -> Module | None:
        """The module that the platform imports, or None if it is not in the zip."""
        return self.read(self.main_file) if self.main_file in self.names else None

    @cached_property
    def python_files(self) -> tuple[str, ...]:
        """The Python files of the zip that could be imported."""
        names = sorted(name for name in self.names if name.endswith(".py"))
        found = [name for name in names if not name.startswith(("__MACOSX", "."))]
        return tuple(found[:MOST_MODULES])

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """The main module and what it imports of the zip, each once, in the order of importing."""
        found: dict[str, Module] = {}
        waiting = [self.main_file] if self.main else []
        while waiting:
            file = waiting.pop(0)
            if file not in found:
                found[file] = self.read(file)
                waiting += self._imported_files(found[file])
        return tuple(found.values())

    def _imported_files(self, module: Module) -> Iterator[str]:
        for _, base, taken in module.imports:
            parts = base.split(".")
            names = [".".join(parts[:i]) for i in range(1, len(parts) + 1)]
            names += [f"{base}.{taken}"] if taken else []
            yield from filter(None, map(self.file_of, names))
        calls = [node for node in module.nodes if isinstance(node, ast.Call)]
        if any(module.full_name(call.func).rpartition(".")[2] in DYNAMIC for call in calls):
            for node in module.nodes:  # importlib is given names, which stand in the text
                text = constant(node)
                if isinstance(text, str) and len(text) < LONGEST_NAME:
                    file = self.file_of(text) or (text if text in self.python_files else None)
                    yield from [file] if file else []

    def file_of(self, module_name: str) -> str | None:
        """The zip's file that an import of that absolute name runs, if the zip has one."""
        path = module_name.replace(".", "/")
        return next((f for f in (f"{path}/__init__.py", f"{path}.py") if f in self.names), None)

    def module_named(self, module_name: str) -> Module | None:
        """The zip's module of that name, if anything imports it."""
        file = self.file_of(module_name)
        return next((module for module in self.modules if module.file == file), None)

    @cached_property
    def source(self) -> str:
        """The text of all modules."""
        return "\n".join(module.text or "" for module in self.modules)

    @cached_property
    def texts(self) -> frozenset[str]:
        """The string constants of the modules."""
        values = (constant(node) for module in self.modules for node in module.nodes)
        return frozenset(value for value in values if isinstance(value, str))

    @cached_property
    def model_class(self) -> ast.ClassDef | None:
        """The class that the platform makes an object of, where the module defines it itself."""
        found = self.main.definitions.get(self.asked.class_name, []) if self.main else []
        return next((node for node in reversed(found) if isinstance(node, ast.ClassDef)), None)

    @cached_property
    def predict(self) -> Function | None:
        """The method that is asked, where that class defines it itself."""
        return self.method(self.asked.method)

    def method(self, name: str) -> Function | None:
        """A method of the model's class; the last definition counts."""
        body = self.model_class.body if self.model_class else []
        return next((n for n in reversed(body) if isinstance(n, Function) and n.name == name), None)

    def own_function(self, module: Module, name: str) -> tuple[Module, Function] | None:
        """The zip's function that a name in a module stands for: defined there, or imported."""
        base, _, taken = module.aliases.get(name, "").rpartition(".")
        other = self.module_named(base) if base else None
        for home, wanted in ((module, name), (other, taken)):
            for node in home.definitions.get(wanted, []) if home else []:
                if home and isinstance(node, Function):
                    return home, node
        return None

    @cached_property
    def moves_the_path(self) -> bool:
        """Whether the code looks for modules in further folders."""
        return any(module.full_name(n) in PATHS for module in self.modules for n in module.nodes)

    @cached_property
    def base_names(self) -> frozenset[str]:
        """Names of classes that others derive from: their methods may be others'."""
        classes = [n for m in self.modules for n in m.nodes if isinstance(n, ast.ClassDef)]
        return frozenset(last_name(base) for node in classes for base in node.bases)

    @cached_property
    def replaced_names(self) -> frozenset[str]:
        """Names of attributes that the code assigns or deletes anywhere."""
        stores = (name for module in self.modules for name in module.stores)
        return frozenset(name[1:] for name in stores if name.startswith("."))

    @cached_property
    def live(self) -> Live:
        """What runs of them."""
        roots = (self.asked.class_name, self.asked.method, *self.asked.more)
        return Live([m for m in self.modules if m.tree], roots)


class Live:
    """The nodes that run once the platform imports the modules and uses the class.

    roots: names that the platform itself asks for.
    """

    def __init__(self, modules: Iterable[Module], roots: Iterable[str]) -> None:
        self.nodes: dict[Module, list[ast.AST]] = {}
        self._named: set[str] = set(roots)
        self._waiting: dict[str, list[tuple[Module, ast.AST]]] = {}
        self._todo: list[tuple[Module, ast.AST]] = []
        for module in modules:
            self.nodes[module] = []
            self._todo += [(module, module.tree)] if module.tree else []
            self._run()
        self._members = {id(node) for nodes in self.nodes.values() for node in nodes}

    def __contains__(self, node: object) -> bool:
        return id(node) in self._members

    def __iter__(self) -> Iterator[tuple[Module, ast.AST]]:
        for module, nodes in self.nodes.items():
            yield from ((module, node) for node in nodes)

    @cached_property
    def calls(self) -> tuple[tuple[Module, ast.Call], ...]:
        """Every call that runs."""
        return tuple((module, node) for module, node in self if isinstance(node, ast.Call))

    def _run(self) -> None:
        while self._todo:
            module, node = self._todo.pop()
            self.nodes[module].append(node)
            for name in _names(node):
                if name not in self._named:
                    self._named.add(name)
                    self._todo += self._waiting.pop(name, [])
            if isinstance(node, Function) and module.function_of(node) is None:
                self._define(module, node)
            else:
                self._todo += [(module, child) for child in _running_children(node)]

    def _define(self, module: Module, node: Function) -> None:
        """What a definition evaluates runs at once; the body waits until its name is used."""
        at_once = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        self._todo += [(module, part) for part in (*at_once, node.args)]
        name = _waits_for(module, node)
        body = [*node.body, *([node.returns] if node.returns else [])]
        waits = bool(name) and name not in self._named
        todo = self._waiting.setdefault(name, []) if waits else self._todo
        todo += [(module, part) for part in body]


def _waits_for(module: Module, node: Function) -> str:
    """The name that has to be used; "" where a framework or a decorator calls it."""
    owner = module.parents.get(node)
    if not isinstance(owner, ast.ClassDef):
        return "" if node.decorator_list else node.name
    plain = not owner.bases and not owner.keywords and not owner.decorator_list
    if plain and not (node.name.startswith("__") and node.name.endswith("__")):
        return node.name
    return "" if owner.decorator_list else owner.name


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name | ast.Attribute):
        yield last_name(node)
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)
    elif isinstance(text := constant(node), str) and text.isidentifier():
        yield text  # for getattr, and for lists of names


def _running_children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and _is_never(node.test):
        yield from node.orelse
    else:
        yield from ast.iter_child_nodes(node)


def _is_never(test: ast.AST) -> bool:
    """Whether a condition is `__name__ == "__main__"` or `TYPE_CHECKING`."""
    if isinstance(test, ast.Compare):
        sides = [getattr(side, "id", "") for side in (test.left, *test.comparators)]
        return "__name__" in sides and isinstance(test.ops[0], ast.Eq)
    return last_name(test) == "TYPE_CHECKING"
