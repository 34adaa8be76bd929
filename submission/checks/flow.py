"""Where the images go inside `predict`: which names hold the whole set, and which hold networks."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from submission.checks.modules import Function, Module, own_nodes

if TYPE_CHECKING:
    from submission.checks.subject import Subject


CASTS = frozenset(
    ("asarray", "array", "ascontiguousarray", "astype", "cast", "convert_to_tensor", "convert_to_numpy", "constant", "float32", "copy", "copyto", "clip", "squeeze", "preprocess_input", "to_numpy", "numpy")
)  # fmt: skip
MAKERS = frozenset(
    ("load_model", "Model", "Sequential", "Functional", "model_from_json", "clone_model", "TFSMLayer", "from_config")
)  # fmt: skip
DEEPEST = 4


@dataclass
class Flow:
    """One function on the way of the images. images: names that hold the whole set."""

    module: Module
    function: Function
    images: set[str] = field(default_factory=set)

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """The function's own nodes."""
        return own_nodes(self.function)

    def is_whole(self, node: ast.AST) -> bool:
        """Whether an expression is the whole set of images, perhaps cast."""
        if isinstance(node, ast.Name):
            return node.id in self.images
        if isinstance(node, ast.BinOp):
            return self.is_whole(node.left) or self.is_whole(node.right)
        if isinstance(node, ast.Call):
            last = getattr(node.func, "attr", getattr(node.func, "id", ""))
            holders = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]  # fmt: skip
            return last in CASTS and any(self.is_whole(holder) for holder in holders)
        return False


def follow_images(subject: Subject) -> list[Flow]:
    """`predict`, and the zip's own functions that it hands the whole set to."""
    if subject.predict is None or subject.main is None:
        return []
    spec = subject.predict.args
    plain = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    first = _first_of(subject.predict, plain)
    found: list[Flow] = []
    _follow(subject, Flow(subject.main, subject.predict, {first} if first else set()), found, 0)
    return found


def _first_of(function: Function, names: list[str]) -> str:
    static = any(getattr(node, "id", "") == "staticmethod" for node in function.decorator_list)
    rest = names if static else names[1:]
    return rest[0] if rest else ""


def _follow(subject: Subject, flow: Flow, found: list[Flow], depth: int) -> None:
    if depth > DEEPEST or any(flow.function is known.function for known in found):
        return
    found.append(flow)
    _spread(flow)
    for node in flow.nodes:
        if isinstance(node, ast.Call):
            for other in _handed_to(subject, flow, node):
                _follow(subject, other, found, depth + 1)


def _spread(flow: Flow) -> None:
    """Take in the names that the whole set is assigned to; twice, for use before definition in loops."""
    for _ in range(2):
        for node in flow.nodes:
            if isinstance(node, ast.Assign) and flow.is_whole(node.value):
                flow.images |= {t.id for t in node.targets if isinstance(t, ast.Name)}


def _handed_to(subject: Subject, flow: Flow, call: ast.Call) -> Iterator[Flow]:
    """The own function that a call hands the whole set to, with the name it has there."""
    places = [i for i, arg in enumerate(call.args) if flow.is_whole(arg)]
    if not places:
        return
    if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "self":
        function, module, shift = subject.method(call.func.attr), subject.main, 1
    elif isinstance(call.func, ast.Name):
        function, module = _own_function(subject, flow.module, call.func.id)
        shift = 0
    else:
        return
    if function is not None and module is not None:
        names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)][shift:]
        yield Flow(module, function, {names[i] for i in places if i < len(names)})


def _own_function(subject: Subject, module: Module, name: str) -> tuple[Function | None, Module | None]:  # fmt: skip
    for candidate, wanted in ((module, name), _imported(subject, module, name)):
        body = candidate.tree.body if candidate and candidate.tree else []
        for node in body:
            if isinstance(node, Function) and node.name == wanted:
                return node, candidate
    return None, None


def _imported(subject: Subject, module: Module, name: str) -> tuple[Module | None, str]:
    base, _, taken = module.aliases.get(name, "").rpartition(".")
    return (subject.module_named(base) if base else None), taken


def find_networks(subject: Subject) -> frozenset[str]:
    """Names of attributes and variables that hold Keras networks, or lists of them."""
    nodes = [(module, node) for module in subject.modules for node in module.nodes]
    found = {name for module, node in nodes for name in _made(module, node)}
    found |= {name for _, node in nodes for name in _taken(node, found)}
    return frozenset(found - {""})


def _made(module: Module, node: ast.AST) -> Iterator[str]:
    """The names that a network is put under: assigned, or appended to a list of that name."""
    if isinstance(node, ast.Assign) and _makes_network(module, node.value):
        yield from map(_last, node.targets)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        appends = node.func.attr == "append" and any(_makes_network(module, a) for a in node.args)
        yield from [_last(node.func.value)] if appends else []


def _taken(node: ast.AST, known: set[str]) -> Iterator[str]:
    """The names that stand for a known network: of a loop over them, or another name for one."""
    if isinstance(node, ast.For | ast.comprehension) and _holds(node.iter, known):
        yield from (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
    elif isinstance(node, ast.Assign) and _last(node.value) in known:
        yield from map(_last, node.targets)


def _makes_network(module: Module, value: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (
            getattr(node.func, "attr", getattr(node.func, "id", "")) in MAKERS
            or module.full_name(node.func).startswith("keras.applications.")
        )
        for node in ast.walk(value)
    )


def _holds(node: ast.AST, names: set[str]) -> bool:
    return any(_last(inner) in names for inner in ast.walk(node))


def _last(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def is_network_call(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether an expression asks a network, as `self.net.predict(...)` or `net(...)`."""
    if not isinstance(node, ast.Call):
        return False
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr in ("predict", "predict_on_batch", "call"):
        base = func.value.value if isinstance(func.value, ast.Subscript) else func.value
        return _last(base) in names
    base = func.value if isinstance(func, ast.Subscript) else func
    return isinstance(base, ast.Attribute | ast.Name) and _last(base) in names


# Which parts of the modules run on the platform: not the main block, not functions nobody names.
#
# Told by names alone, and generously: a function counts as soon as anything that runs has its name.


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
