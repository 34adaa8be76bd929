"""Checks of what `predict` returns, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.flow import is_network_call
from submission.checks.modules import Function, Module, own_nodes
from submission.checks.registry import Subject, check
from submission.findings import Said

TENSORS = frozenset(
    f"{home}.{name}"
    for home in ("tensorflow", "tensorflow.math", "keras.ops", "keras.backend", "tensorflow.experimental.numpy")
    for name in ("argmax", "cast", "convert_to_tensor", "squeeze", "reshape", "stack", "concat", "concatenate", "constant", "identity")
)  # fmt: skip
FLOATS = ("float", "double", "half")
PERSON = frozenset(("input", "breakpoint", "pdb.set_trace", "getpass.getpass", "code.interact", "IPython.embed"))  # fmt: skip
DEEPEST = 6


class _Answers:
    """The expressions that `predict` returns; names that are bound once stand for their values."""

    def __init__(self, subject: Subject, main: Module, predict: Function) -> None:
        self.main, self.predict = main, predict
        self.networks = subject.networks
        self.nodes = list(own_nodes(predict))
        self.values: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            for target in _targets(node):
                self.values.setdefault(target, []).append(getattr(node, "value", None) or ast.Constant(None))  # fmt: skip

    def returned(self) -> Iterator[tuple[ast.Return, ast.expr]]:
        """Each return statement with a value, and what it gives."""
        for node in self.nodes:
            if isinstance(node, ast.Return) and node.value is not None:
                yield node, self.meant(node.value)

    def meant(self, node: ast.expr, depth: int = 0) -> ast.expr:
        """The expression that a name bound once stands for."""
        bound = self.values.get(node.id, []) if isinstance(node, ast.Name) else []
        return self.meant(bound[0], depth + 1) if len(bound) == 1 and depth < DEEPEST else node

    def is_scores(self, node: ast.expr) -> bool:
        """Whether it is what a network gives."""
        return is_network_call(self.meant(node), self.networks)


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            if isinstance(target, ast.Tuple | ast.List):
                yield from (
                    n.id for n in ast.walk(target) if isinstance(n, ast.Name)
                )  # twice: unknown
    elif isinstance(
        node, ast.AugAssign | ast.AnnAssign | ast.For | ast.comprehension | ast.NamedExpr
    ):
        for name in (n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)):
            yield from (name, name)


def _answers(subject: Subject) -> list[_Answers]:
    """One where the module defines `predict` itself, and labels are asked for, else none."""
    labels = subject.challenge.answers != "probabilities"
    if subject.main is None or subject.predict is None or not labels:
        return []
    return [_Answers(subject, subject.main, subject.predict)]


def _returned(subject: Subject) -> Iterator[tuple[_Answers, ast.Return, ast.expr]]:
    for answers in _answers(subject):
        yield from ((answers, node, value) for node, value in answers.returned())


@check("S222", "warning")
def no_labels(subject: Subject) -> Iterator[str]:
    """Return labels, whole numbers in a numpy array of shape (n,): scores.argmax(axis=1)."""
    for answers, node, value in _returned(subject):
        if what := _other_than_labels(answers, value):
            yield f"{answers.main.line(node)}: returns {what}"


def _other_than_labels(answers: _Answers, value: ast.expr) -> str:
    if answers.is_scores(value):
        return "the network's scores, not labels"
    if isinstance(value, ast.List | ast.ListComp | ast.GeneratorExp | ast.Dict | ast.Set):
        return f"a {type(value).__name__.replace('Comp', '').replace('Exp', '').lower()}, not a numpy array"
    if not isinstance(value, ast.Call):
        return ""
    last = getattr(value.func, "attr", getattr(value.func, "id", ""))
    if last == "to_categorical" or last == "one_hot":
        return "one-hot rows, not labels"
    if last == "tolist" or (last in ("list", "tuple") and isinstance(value.func, ast.Name)):
        return "a list, not a numpy array"
    if (
        last == "astype"
        and value.args
        and any(word in ast.unparse(value.args[0]) for word in FLOATS)
    ):
        return "floats, not whole numbers"
    return ""


@check("S223", "error")
def argmax_over_the_images(subject: Subject) -> Iterator[str]:
    """Take argmax over the classes, axis=1: over axis 0 it gives one image number for each class."""
    for answers in _answers(subject):
        for node in answers.nodes:
            if (
                isinstance(node, ast.Call)
                and _name(node) == "argmax"
                and _is_over_images(answers, node)
            ):
                yield f"{answers.main.line(node)}: argmax over the images, not over the classes"


def _is_over_images(answers: _Answers, call: ast.Call) -> bool:
    scores = _reduced(answers, call)
    return bool(scores) and _axis(call, 1 if scores == "argument" else 0) == 0


def _reduced(answers: _Answers, call: ast.Call) -> str:
    """Where the scores are that an argmax goes over: "argument", "object", or ""."""
    if call.args and answers.is_scores(call.args[0]):
        return "argument"
    held = isinstance(call.func, ast.Attribute) and answers.is_scores(call.func.value)
    return "object" if held else ""


def _axis(call: ast.Call, place: int) -> object:
    axis = next((k.value for k in call.keywords if k.arg == "axis"), None)
    if axis is None and len(call.args) > place:
        axis = call.args[place]
    return axis.value if isinstance(axis, ast.Constant) else None


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


@check("S224", "warning")
def returns_tensor(subject: Subject) -> Iterator[Said]:
    """Return a numpy array: add .numpy(), or np.asarray(...) around it."""
    strict = subject.challenge.answers == "strict"
    for answers, node, value in _returned(subject):
        if isinstance(value, ast.Call) and answers.main.full_name(value.func) in TENSORS:
            name = answers.main.full_name(value.func)
            message = f"{answers.main.line(node)}: returns a tensor ({name}), not a numpy array"
            yield Said(message, "error" if strict else None)


@check("S225", "error")
def returns_nothing(subject: Subject) -> Iterator[str]:
    """Add the return statement: what predict computes is lost without it."""
    predict, main = subject.predict, subject.main
    if predict is None or main is None or isinstance(predict, ast.AsyncFunctionDef):
        return
    nodes = list(own_nodes(predict))
    gives = any(isinstance(n, ast.Return) and n.value is not None for n in nodes)
    yields = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes)
    if not gives and not yields and not predict.decorator_list:
        yield f"{main.line(predict)}: {predict.name} returns nothing"


@check("S226", "warning")
def waits_for_a_person(subject: Subject) -> Iterator[str]:
    """Remove it: nobody sits before the platform's keyboard."""
    for module, call in subject.live.calls:
        name = module.full_name(call.func)
        if name in PERSON and module.stores.get(name, 0) == 0:
            yield f"{module.line(call)}: {name}() waits for somebody to type"
