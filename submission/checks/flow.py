"""Where the images go inside `predict`, and which names hold the networks that it asks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from submission.checks.modules import Function, Module, called, last_name, own_nodes, words
from submission.checks.program import Program

CASTS = words(
    "asarray array ascontiguousarray astype cast convert_to_tensor convert_to_numpy constant "
    "float32 copy copyto clip squeeze preprocess_input to_numpy numpy"
)
MAKERS = words(
    "load_model Model Sequential Functional model_from_json clone_model TFSMLayer from_config"
)
DEEPEST = 4


@dataclass
class Flow:
    """One function on the way of the images. images: names that hold the whole set."""

    module: Module
    function: Function
    images: set[str] = field(default_factory=set)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """The function's own nodes."""
        return list(own_nodes(self.function))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """The calls among them."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    def is_whole(self, node: ast.AST) -> bool:
        """Whether an expression is the whole set of images, perhaps cast."""
        if isinstance(node, ast.Name):
            return node.id in self.images
        if isinstance(node, ast.BinOp):
            return self.is_whole(node.left) or self.is_whole(node.right)
        if called(node) not in CASTS or not isinstance(node, ast.Call):
            return False
        held = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return any(self.is_whole(holder) for holder in (*node.args[:1], *held))

    def spread(self) -> None:
        """Take in the names that the whole set is assigned to; twice, for loops."""
        for _ in range(2):
            for node in self.nodes:
                if isinstance(node, ast.Assign) and self.is_whole(node.value):
                    self.images |= {t.id for t in node.targets if isinstance(t, ast.Name)}


def follow_images(program: Program) -> tuple[Flow, ...]:
    """`predict`, and the zip's own functions that it hands the whole set to."""
    predict, found = program.predict, list[Flow]()
    if predict is None or program.main is None:
        return ()
    static = any(last_name(node) == "staticmethod" for node in predict.decorator_list)
    names = _parameters(predict)[0 if static else 1 :]
    waiting = [(Flow(program.main, predict, set(names[:1])), 0)]
    while waiting:
        flow, depth = waiting.pop()
        if depth <= DEEPEST and all(flow.function is not known.function for known in found):
            found.append(flow)
            flow.spread()
            further = [other for call in flow.calls if (other := _handed_to(program, flow, call))]
            waiting += [(other, depth + 1) for other in reversed(further)]
    return tuple(found)


def _parameters(function: Function) -> list[str]:
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


def _handed_to(program: Program, flow: Flow, call: ast.Call) -> Flow | None:
    """The own function that a call hands the whole set to, with the name it has there."""
    places = [i for i, arg in enumerate(call.args) if flow.is_whole(arg)]
    found, first = None, 0
    if not places:
        return None
    if isinstance(call.func, ast.Name):
        found = program.own_function(flow.module, call.func.id)
    elif isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "self":
        method, first = program.method(call.func.attr), 1
        found = (program.main, method) if program.main and method else None
    if found is None:
        return None
    names = _parameters(found[1])[first:]
    return Flow(*found, {names[i] for i in places if i < len(names)})


def find_networks(program: Program) -> frozenset[str]:
    """Names of attributes and variables that hold Keras networks, or lists of them."""
    nodes = [(module, node) for module in program.modules for node in module.nodes]
    found = {name for module, node in nodes for name in _made(module, node)}
    found |= {name for _, node in nodes for name in _taken(node, found)}
    return frozenset(found - {""})


def _made(module: Module, node: ast.AST) -> Iterator[str]:
    """The names that a network is put under: assigned, or appended to a list of that name."""
    if isinstance(node, ast.Assign) and _makes_network(module, node.value):
        yield from map(last_name, node.targets)
    elif called(node) == "append" and isinstance(node, ast.Call):
        appends = any(_makes_network(module, arg) for arg in node.args)
        yield from [last_name(getattr(node.func, "value", None))] if appends else []


def _taken(node: ast.AST, known: set[str]) -> Iterator[str]:
    """The names that stand for a known network: of a loop over them, or another name for one."""
    if isinstance(node, ast.For | ast.comprehension):
        if any(last_name(inner) in known for inner in ast.walk(node.iter)):
            yield from (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
    elif isinstance(node, ast.Assign) and last_name(node.value) in known:
        yield from map(last_name, node.targets)


def _makes_network(module: Module, value: ast.AST) -> bool:
    return any(
        called(node) in MAKERS or module.full_name(node.func).startswith("keras.applications.")
        for node in ast.walk(value)
        if isinstance(node, ast.Call)
    )


def is_network_call(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether an expression asks a network, as `self.net.predict(...)` or `net(...)`."""
    if not isinstance(node, ast.Call):
        return False
    asked: ast.expr = node.func
    if isinstance(asked, ast.Attribute) and asked.attr in ("predict", "predict_on_batch", "call"):
        asked = asked.value
    return last_name(asked.value if isinstance(asked, ast.Subscript) else asked) in names
