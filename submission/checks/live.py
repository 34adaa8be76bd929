"""Which parts of the modules run on the platform: not the main block, not functions nobody names.

Told by names alone, and generously: a function counts as soon as anything that runs has its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property

from submission.checks.modules import Function, Module


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
                self._name(name)
            if isinstance(node, Function) and not self._inside_a_function(module, node):
                self._function(module, node)
            else:
                self._todo += [(module, child) for child in _running_children(node)]

    def _name(self, name: str) -> None:
        if name not in self._named:
            self._named.add(name)
            self._todo += self._waiting.pop(name, [])

    def _inside_a_function(self, module: Module, node: ast.AST) -> bool:
        return module.function_of(node) is not None

    def _function(self, module: Module, node: Function) -> None:
        """What a definition evaluates runs at once; the body waits until its name is used."""
        at_once = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        self._todo += [(module, part) for part in (*at_once, node.args)]
        waits_for = self._waits_for(module, node)
        body: list[tuple[Module, ast.AST]] = [(module, part) for part in node.body]
        if node.returns:
            body.append((module, node.returns))
        if waits_for in self._named or not waits_for:
            self._todo += body
        else:
            self._waiting.setdefault(waits_for, []).extend(body)

    def _waits_for(self, module: Module, node: Function) -> str:
        """The name that has to be used; "" where a framework or a decorator calls it."""
        owner = module.parents.get(node)
        if not isinstance(owner, ast.ClassDef):
            return "" if node.decorator_list else node.name
        plain = not owner.bases and not owner.keywords and not owner.decorator_list
        dunder = node.name.startswith("__") and node.name.endswith("__")
        if plain and not dunder:
            return node.name
        return "" if owner.decorator_list else owner.name


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)
    elif (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()
    ):
        yield node.value  # for getattr, and for lists of names


def _running_children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and _is_never(node.test):
        yield from node.orelse
    else:
        yield from ast.iter_child_nodes(node)


def _is_never(test: ast.AST) -> bool:
    """Whether a condition is `__name__ == "__main__"` or `TYPE_CHECKING`."""
    if isinstance(test, ast.Compare):
        sides = [test.left, *test.comparators]
        return any(isinstance(n, ast.Name) and n.id == "__name__" for n in sides) and isinstance(test.ops[0], ast.Eq)  # fmt: skip
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
