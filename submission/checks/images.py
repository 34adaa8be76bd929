"""Checks of what `predict` does with the images: what hangs on the batch, on chance, or costs too much."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.flow import Flow, is_network_call
from submission.checks.modules import Function, Module
from submission.checks.subject import Subject, check

EXTREMES = frozenset(("max", "min", "amax", "amin", "reduce_max", "reduce_min", "ptp"))
STATISTICS = frozenset(("mean", "std", "var", "median", "reduce_mean", "reduce_std", "percentile"))
FITS = frozenset(("fit", "fit_transform", "adapt", "fit_predict"))
JOINS = frozenset(("concatenate", "concat", "vstack", "stack", "hstack", "append", "row_stack"))
REPEATS = frozenset(("tile", "repeat"))
VIEWS = frozenset(("flip", "fliplr", "flipud", "rot90", "flip_left_right", "flip_up_down", "roll", "transpose", "rotate"))  # fmt: skip
RANDOM = ("numpy.random.", "random.", "tensorflow.random.", "keras.random.", "tensorflow.image.random_", "tensorflow.image.stateless_random", "secrets.", "os.urandom", "uuid.uuid4")  # fmt: skip
SEEDS = frozenset(("numpy.random.seed", "random.seed", "tensorflow.random.set_seed", "keras.utils.set_random_seed", "tensorflow.keras.utils.set_random_seed"))  # fmt: skip
GENERATORS = ("default_rng", "RandomState", "Generator", "SeedSequence", "Random", "PCG64", "SeedGenerator", "stateless_uniform", "stateless_normal", "get_state", "set_state")  # fmt: skip
MOST_CALLS_DEEP = 4
SHOWS = frozenset(("print", "info", "debug", "warning", "log", "write"))


@check("S217", "warning")
def scale_by_the_batch(subject: Subject) -> Iterator[str]:
    """Decide the scale once and for all: the platform sends 0..255, and a dark batch would be read as 0..1."""
    for flow in subject.flows:
        for node in flow.nodes:
            test = node.test if isinstance(node, ast.If | ast.IfExp | ast.While) else None
            if test and any(_asks(flow, inner, EXTREMES) for inner in ast.walk(test)):
                yield f"{flow.module.line(node)}: the images' own maximum decides: {ast.unparse(test)[:60]}"


@check("S218", "warning")
def batch_statistics(subject: Subject) -> Iterator[str]:
    """Use the training set's numbers as constants: here the answer for an image hangs on the others."""
    for flow in subject.flows:
        for node in flow.nodes:
            if _asks(flow, node, STATISTICS) and not _is_shown(flow.module, node):
                yield f"{flow.module.line(node)}: computed over all images: {ast.unparse(node)[:60]}"
            elif isinstance(node, ast.BinOp) and any(_asks(flow, side, EXTREMES) for side in (node.left, node.right)):  # fmt: skip
                yield f"{flow.module.line(node)}: scaled by all images together: {ast.unparse(node)[:60]}"
            elif _fits(flow, node):
                yield f"{flow.module.line(node)}: fitted to the images it is asked about: {ast.unparse(node)[:60]}"


def _asks(flow: Flow, node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a call reduces the whole set over its images, as `X.max()` or `np.mean(X, axis=0)`."""
    if not isinstance(node, ast.Call):
        return False
    method = isinstance(node.func, ast.Attribute) and flow.is_whole(node.func.value)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name not in names or not (method or (node.args and flow.is_whole(node.args[0]))):
        return False
    axis = next((k.value for k in node.keywords if k.arg == "axis"), None)
    place = 0 if method else 1
    if axis is None and len(node.args) > place:
        axis = node.args[place]
    return axis is None or 0 in _numbers(axis)


def _numbers(node: ast.AST) -> list[object]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)] or [None]


def _is_shown(module: Module, node: ast.AST) -> bool:
    """Whether it is only printed, or asserted."""
    return any(
        isinstance(outer, ast.Assert)
        or (isinstance(outer, ast.Call) and getattr(outer.func, "attr", getattr(outer.func, "id", "")) in SHOWS)
        for outer in module.above(node)
    )  # fmt: skip


def _fits(flow: Flow, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    held = any(flow.is_whole(inner) for inner in ast.walk(node.args[0]))
    return node.func.attr in FITS and held


@check("S219", "warning")
def unseeded_randomness(subject: Subject) -> Iterator[str]:
    """Seed it, or leave it out: the score changes from run to run."""
    seeded = any(module.full_name(call.func) in SEEDS for module, call in subject.live.calls)
    for flow in subject.flows:
        for node in flow.nodes:
            if isinstance(node, ast.Call):
                name = flow.module.full_name(node.func)
                if any(k.arg == "training" and getattr(k.value, "value", None) is True for k in node.keywords):  # fmt: skip
                    yield f"{flow.module.line(node)}: training=True leaves dropout and augmentation on"
                elif _is_random(name) and not seeded and not _is_seeded(name, node):
                    yield f"{flow.module.line(node)}: {name} without a seed"


def _is_random(name: str) -> bool:
    home, _, last = name.rpartition(".")
    layer = home.endswith(".layers") and last.startswith(("Rand", "AugMix", "MixUp", "CutMix"))
    return layer or name.startswith(RANDOM)


def _is_seeded(name: str, call: ast.Call) -> bool:
    if name in SEEDS or any(keyword.arg == "seed" for keyword in call.keywords):
        return True
    return name.endswith(GENERATORS) and bool(call.args)


@check("S220", "warning")
def one_image_at_a_time(subject: Subject) -> Iterator[str]:
    """Give predict whole batches: a call for every image takes minutes where seconds do."""
    known = subject.networks | _askers(subject)
    for flow in subject.flows if not subject.challenge.one_at_a_time else ():
        for node in flow.nodes:
            loops: list[ast.comprehension] | list[ast.For] = []
            if isinstance(node, ast.For):
                loops, body = [node], [*node.body]
            elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
                loops, body = node.generators, [node.elt]  # type: ignore[list-item]  # both are nodes
            if any(_is_each_image(flow, loop.iter) for loop in loops) and _asks_network(
                body, known
            ):
                yield f"{flow.module.line(node)}: asks the network once for every image"


def _asks_network(body: list[ast.stmt], known: frozenset[str]) -> bool:
    return any(is_network_call(inner, known) for part in body for inner in ast.walk(part))


def _askers(subject: Subject) -> frozenset[str]:
    """The zip's own functions that ask a network, by themselves or through another one."""
    functions = [n for m in subject.modules for n in m.nodes if isinstance(n, Function)]
    own = {f.name for f in functions} - {subject.challenge.method, "__init__", "__call__"}
    found: set[str] = set()
    for _ in range(MOST_CALLS_DEEP):
        names = subject.networks | found
        more = {f.name for f in functions if f.name in own and _asks_network([*f.body], names)}
        if more <= found:
            break
        found |= more
    return frozenset(found)


def _is_each_image(flow: Flow, node: ast.AST) -> bool:
    """Whether a loop goes over single images: `X`, `enumerate(X)`, `range(len(X))`."""
    if flow.is_whole(node):
        return True
    if not isinstance(node, ast.Call) or not node.args:
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name == "range":
        counts = any(isinstance(n, ast.Name) and n.id in flow.images for n in ast.walk(node))
        return counts and len(node.args) < 3
    return name in ("enumerate", "tqdm", "zip", "iter", "reversed", "map", "trange") and any(
        _is_each_image(flow, arg) for arg in node.args
    )


@check("S221", "warning")
def whole_set_copies(subject: Subject) -> Iterator[str]:
    """Predict one view of a batch after the other and add the scores up: copies of the whole set ran out of memory."""
    for flow in subject.flows:
        for node in flow.nodes:
            if isinstance(node, ast.Call) and node.args and _copies(flow, node):
                yield f"{flow.module.line(node)}: holds several copies of all images at once"


def _copies(flow: Flow, call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in REPEATS:
        return flow.is_whole(call.args[0])
    if name not in JOINS:
        return False
    parts = call.args[0].elts if isinstance(call.args[0], ast.List | ast.Tuple) else call.args[:2]
    return sum(_is_view(flow, part) for part in parts) > 1


def _is_view(flow: Flow, node: ast.AST) -> bool:
    """Whether it is all images again, as they are, flipped or turned."""
    if isinstance(node, ast.Subscript):
        return flow.is_whole(node.value) and _keeps_all(node.slice)
    if isinstance(node, ast.Call) and node.args:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return name in VIEWS and _is_view(flow, node.args[0])
    return flow.is_whole(node)


def _keeps_all(index: ast.AST) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all((isinstance(p, ast.Slice) and p.lower is None and p.upper is None) or (isinstance(p, ast.Constant) and p.value is ...) for p in parts)  # fmt: skip
