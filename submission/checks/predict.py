"""Checks of `predict`: what hangs on the batch, on chance, or costs too much; what it returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from submission.checks.flow import Flow, is_network_call
from submission.checks.modules import Function, Module, argument, called, constant, own_nodes, words
from submission.checks.subject import Subject, check
from submission.findings import Said

EXTREMES = words("max min amax amin reduce_max reduce_min ptp")
STATISTICS = words("mean std var median reduce_mean reduce_std percentile")
FITS = words("fit fit_transform adapt fit_predict")
JOINS = words("concatenate concat vstack stack hstack append row_stack")
REPEATS = words("tile repeat")
VIEWS = words("flip fliplr flipud rot90 flip_left_right flip_up_down roll transpose rotate")
LOOPS = words("enumerate tqdm zip iter reversed map trange")
RANDOM = tuple(
    words(
        "numpy.random. random. tensorflow.random. keras.random. secrets. os.urandom uuid.uuid4 "
        "tensorflow.image.random_ tensorflow.image.stateless_random"
    )
)
SEEDS = words(
    "numpy.random.seed random.seed tensorflow.random.set_seed keras.utils.set_random_seed "
    "tensorflow.keras.utils.set_random_seed"
)
GENERATORS = tuple(
    words(
        "default_rng RandomState Generator SeedSequence Random PCG64 SeedGenerator get_state "
        "set_state stateless_uniform stateless_normal"
    )
)
MOST_CALLS_DEEP = 4
SHOWS = words("print info debug warning log write")
TENSOR_HOMES = words(
    "tensorflow tensorflow.math keras.ops keras.backend tensorflow.experimental.numpy"
)
TENSORS = words(
    "argmax cast convert_to_tensor squeeze reshape stack concat concatenate constant identity"
)
FLOATS = ("float", "double", "half")
DEEPEST = 6
SHOWN = 60  # characters of an expression


def _told(flow: Flow, node: ast.AST, what: str, expression: ast.AST | None = None) -> str:
    return f"{flow.module.line(node)}: {what}: {ast.unparse(expression or node)[:SHOWN]}"


@check("S217", "warning")
def scale_by_the_batch(subject: Subject) -> Iterator[str]:
    """Decide the scale once and for all: the platform sends 0..255, and a dark batch would be read
    as 0..1.
    """
    for flow in subject.flows:
        for node in flow.nodes:
            test = node.test if isinstance(node, ast.If | ast.IfExp | ast.While) else None
            if test and any(_reduces(flow, inner, EXTREMES) for inner in ast.walk(test)):
                yield _told(flow, node, "the images' own maximum decides", test)


@check("S218", "warning")
def batch_statistics(subject: Subject) -> Iterator[str]:
    """Use the training set's numbers as constants: here the answer for an image depends on the
    others.
    """
    for flow in subject.flows:
        for node in flow.nodes:
            sides = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
            if _reduces(flow, node, STATISTICS) and not any(
                isinstance(outer, ast.Assert) or called(outer) in SHOWS
                for outer in flow.module.above(node)
            ):
                yield _told(flow, node, "computed over all images")
            elif any(_reduces(flow, side, EXTREMES) for side in sides):
                yield _told(flow, node, "scaled by all images together")
            elif _fits(flow, node):
                yield _told(flow, node, "fitted to the images that it gets to predict")


def _reduces(flow: Flow, node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a call reduces the whole set over its images, as `np.mean(X, axis=0)`."""
    if not isinstance(node, ast.Call) or called(node) not in names:
        return False
    method = isinstance(node.func, ast.Attribute) and flow.is_whole(node.func.value)
    if not method and not (node.args and flow.is_whole(node.args[0])):
        return False
    axis = argument(node, "axis", 0 if method else 1)
    numbers = [n.value for n in ast.walk(axis) if isinstance(n, ast.Constant)] if axis else []
    return axis is None or 0 in numbers


def _fits(flow: Flow, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    held = [inner for arg in node.args[:1] for inner in ast.walk(arg)]
    return node.func.attr in FITS and any(map(flow.is_whole, held))


@check("S219", "warning")
def unseeded_randomness(subject: Subject) -> Iterator[str]:
    """Seed it, or leave it out: the score changes from run to run."""
    seeded = any(module.full_name(call.func) in SEEDS for module, call in subject.live.calls)
    for flow in subject.flows:
        for call in flow.calls:
            name, where = flow.module.full_name(call.func), flow.module.line(call)
            if constant(argument(call, "training")) is True:
                yield f"{where}: training=True leaves dropout and augmentation on"
            elif not seeded and _draws_unseeded(name, call):
                yield f"{where}: {name} without a seed"


def _draws_unseeded(name: str, call: ast.Call) -> bool:
    home, _, last = name.rpartition(".")
    layer = home.endswith(".layers") and last.startswith(("Rand", "AugMix", "MixUp", "CutMix"))
    generator = name.endswith(GENERATORS) and call.args
    has_seed = generator or name in SEEDS or argument(call, "seed") is not None
    return (layer or name.startswith(RANDOM)) and not has_seed


@check("S220", "warning")
def one_image_at_a_time(subject: Subject) -> Iterator[str]:
    """Give predict whole batches: a call for every image takes minutes where seconds do."""
    known = subject.networks | _askers(subject)
    for flow in subject.flows if not subject.challenge.one_at_a_time else ():
        for node in flow.nodes:
            over: list[ast.expr] = []
            body: list[ast.stmt] | list[ast.expr] = []
            if isinstance(node, ast.For):
                over, body = [node.iter], node.body
            elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
                over, body = [loop.iter for loop in node.generators], [node.elt]
            if any(_is_each_image(flow, items) for items in over) and _asks_network(body, known):
                yield f"{flow.module.line(node)}: asks the network once for every image"


def _asks_network(body: list[ast.stmt] | list[ast.expr], known: frozenset[str]) -> bool:
    return any(is_network_call(inner, known) for part in body for inner in ast.walk(part))


def _askers(subject: Subject) -> frozenset[str]:
    """The zip's own functions that ask a network, by themselves or through another one."""
    functions = [n for m in subject.modules for n in m.nodes if isinstance(n, Function)]
    others = {subject.asked.method, "__init__", "__call__"}
    found = frozenset[str]()
    for _ in range(MOST_CALLS_DEEP):
        names = subject.networks | found
        asking = {
            f.name for f in functions if f.name not in others and _asks_network(f.body, names)
        }
        if asking <= found:
            break
        found |= asking
    return found


def _is_each_image(flow: Flow, node: ast.AST) -> bool:
    """Whether a loop goes over single images: `X`, `enumerate(X)`, `range(len(X))`."""
    if flow.is_whole(node):
        return True
    if not isinstance(node, ast.Call):
        return False
    if called(node) == "range":
        counts = any(isinstance(n, ast.Name) and n.id in flow.images for n in ast.walk(node))
        return counts and 0 < len(node.args) < 3
    return called(node) in LOOPS and any(_is_each_image(flow, arg) for arg in node.args)


@check("S221", "warning")
def whole_set_copies(subject: Subject) -> Iterator[str]:
    """Predict one view of a batch after the other and add the scores up: copies of the whole set
    ran out of memory.
    """
    for flow in subject.flows:
        for call in flow.calls:
            if call.args and _copies(flow, call):
                yield f"{flow.module.line(call)}: holds several copies of all images at once"


def _copies(flow: Flow, call: ast.Call) -> bool:
    first = call.args[0]
    if called(call) in REPEATS:
        return flow.is_whole(first)
    parts = first.elts if isinstance(first, ast.List | ast.Tuple) else call.args[:2]
    return called(call) in JOINS and sum(_is_view(flow, part) for part in parts) > 1


def _is_view(flow: Flow, node: ast.AST) -> bool:
    """Whether it is all images again, as they are, flipped or turned."""
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        whole = [isinstance(p, ast.Slice) and p.lower is None and p.upper is None for p in parts]
        kept = [all_ or constant(p) is ... for all_, p in zip(whole, parts, strict=True)]
        return flow.is_whole(node.value) and all(kept)
    if isinstance(node, ast.Call) and node.args:
        return called(node) in VIEWS and _is_view(flow, node.args[0])
    return flow.is_whole(node)


class Returned:
    """The expressions that `predict` returns; names that are bound once stand for their values."""

    def __init__(self, subject: Subject, main: Module, predict: Function) -> None:
        self.main, self.networks = main, subject.networks
        self.nodes = list(own_nodes(predict))

    @cached_property
    def values(self) -> dict[str, ast.expr | None]:
        """Names -> what they are bound to in `predict`; None where that is not one whole value."""
        found: dict[str, ast.expr | None] = {}
        for node in self.nodes:
            for target, value in _bindings(node):
                for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
                    found[name] = value if name not in found else None
        return found

    def returns(self) -> Iterator[tuple[ast.Return, ast.expr]]:
        """Each return statement with a value, and what it gives."""
        for node in self.nodes:
            if isinstance(node, ast.Return) and node.value is not None:
                yield node, self.meant(node.value)

    def meant(self, node: ast.expr) -> ast.expr:
        """The expression that a name bound once stands for."""
        for _ in range(DEEPEST):
            value = self.values.get(node.id) if isinstance(node, ast.Name) else None
            if value is None:
                break
            node = value
        return node

    def is_scores(self, node: ast.expr) -> bool:
        """Whether it is what a network gives."""
        return is_network_call(self.meant(node), self.networks)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """What a statement binds, and to which value, if to a whole one."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, None if isinstance(target, ast.Tuple | ast.List) else node.value
    elif isinstance(
        node, ast.AugAssign | ast.AnnAssign | ast.For | ast.comprehension | ast.NamedExpr
    ):
        yield node.target, None


def _returned(subject: Subject) -> list[Returned]:
    """One where the module defines `predict` itself, and labels are asked for, else none."""
    labels = subject.challenge.answers != "probabilities"
    if subject.main is None or subject.predict is None or not labels:
        return []
    return [Returned(subject, subject.main, subject.predict)]


@check("S222", "warning")
def no_labels(subject: Subject) -> Iterator[str]:
    """Return labels, whole numbers in a numpy array of shape (n,): scores.argmax(axis=1)."""
    for returned in _returned(subject):
        for node, value in returned.returns():
            if what := _other_than_labels(returned, value):
                yield f"{returned.main.line(node)}: returns {what}"


def _other_than_labels(returned: Returned, value: ast.expr) -> str:
    if returned.is_scores(value):
        return "the network's scores, not labels"
    if isinstance(value, ast.List | ast.ListComp | ast.GeneratorExp | ast.Dict | ast.Set):
        kind = type(value).__name__.replace("Comp", "").replace("Exp", "").lower()
        return f"a {kind}, not a numpy array"
    last = called(value)
    if last in ("to_categorical", "one_hot"):
        return "one-hot rows, not labels"
    is_name = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    if last == "tolist" or (last in ("list", "tuple") and is_name):
        return "a list, not a numpy array"
    kinds = [ast.unparse(arg) for arg in value.args[:1]] if isinstance(value, ast.Call) else []
    if last == "astype" and any(word in kind for kind in kinds for word in FLOATS):
        return "floats, not whole numbers"
    return ""


@check("S223", "error")
def argmax_over_the_images(subject: Subject) -> Iterator[str]:
    """Take argmax over the classes, axis=1: over axis 0 it gives one image number for
    each class.
    """
    for returned in _returned(subject):
        for node in returned.nodes:
            if isinstance(node, ast.Call) and called(node) == "argmax":
                held = [node.func.value] if isinstance(node.func, ast.Attribute) else []
                given = any(map(returned.is_scores, node.args[:1]))
                axis = constant(argument(node, "axis", 1 if given else 0))
                if (given or any(map(returned.is_scores, held))) and axis == 0:
                    line = returned.main.line(node)
                    yield f"{line}: argmax over the images, not over the classes"


@check("S224", "warning")
def returns_tensor(subject: Subject) -> Iterator[Said]:
    """Return a numpy array: add .numpy(), or np.asarray(...) around it."""
    strict = subject.challenge.answers == "strict"
    for returned in _returned(subject):
        for node, value in returned.returns():
            name = returned.main.full_name(value.func) if isinstance(value, ast.Call) else ""
            home, _, last = name.rpartition(".")
            if home in TENSOR_HOMES and last in TENSORS:
                line = returned.main.line(node)
                message = f"{line}: returns a tensor ({name}), not a numpy array"
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
