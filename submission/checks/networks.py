"""Checks of saved networks: what the server's Keras makes of them, and their two ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from codabench_rehearsal.console.errors import SubmissionError
from submission.backport import Backport, backport_config
from submission.backport_config import GUESTS_IDENTITY, shortened
from submission.backport_graph import REPLACED, Node, guests, nodes
from submission.checks.subject import Subject, check
from submission.checks.weights import allows_lambdas
from submission.findings import Said, Severity
from submission.keras_files import KerasFile, unread_operations
from submission.keras_tables import is_keras_2, is_newer, targets, written_for

SHOWN = 4  # reasons or changes in one message
RESIZES = re.compile(
    r"resiz|crop|zoom|pad|reshape|thumbnail|rescale_image|interpolat|\[\s*:\s*,", re.IGNORECASE
)
COLOURS = re.compile(r"gray|grey|mean\(|expand_dims|newaxis|repeat|\[\.\.\.", re.IGNORECASE)
Shape = list[int | None]


@check("S303", "error")
def keras_too_new(subject: Subject) -> Iterator[str]:
    """Let make-submission rewrite the file for the server's Keras: make-submission WEIGHTS."""
    yield from _too_new(subject, "keras")


@check("S313", "error")
def hdf5_too_new(subject: Subject) -> Iterator[str]:
    """Let make-submission rewrite the file for the server's Keras: make-submission WEIGHTS."""
    yield from _too_new(subject, "h5")


def _too_new(subject: Subject, kind: str) -> Iterator[str]:
    keras = subject.challenge.keras
    for weights in subject.models(kind) if keras else ():
        server = written_for(keras, weights.version)
        if not server or weights.config is None:
            continue
        try:
            found = backport_config(weights.config, server, weights.version)
        except SubmissionError as error:
            yield f"{weights.name}: {error}"
        else:
            told = _refused(subject, weights, found) or _changed(subject, weights, found)
            yield from filter(None, [told or _unread(weights)])


def _refused(subject: Subject, weights: KerasFile, found: Backport) -> str:
    """What the server cannot load, and no rewriting mends."""
    keras, let_in = subject.challenge.keras, allows_lambdas(subject)
    passed = ("lambda", "Lambda") if let_in else ("lambda",)  # S307 tells the former
    refusals = [str(refusal) for refusal in found.refusals if refusal.value not in passed]
    unread = weights.arrays.unread if weights.arrays and is_newer(weights.version, keras) else ()
    reasons = list(dict.fromkeys([*refusals, *map(str, unread)]))
    if not reasons:
        return ""
    more = f" And {len(reasons) - SHOWN} more." if len(reasons) > SHOWN else ""
    cannot = f"Keras {keras} cannot load it, and back-porting cannot help"
    return f"{weights.name}: {cannot}: {' '.join(reasons[:SHOWN])}{more}"


def _changed(subject: Subject, weights: KerasFile, found: Backport) -> str:
    """What back-porting would do about each thing that the server does not take."""
    changes = [c for c in found.changes if c.key != "compile_config" and c.new != GUESTS_IDENTITY]
    if not changes:
        return ""
    counts = Counter(
        f"{c.key} {c.how}{f' by {shortened(c.new)}' if c.how == REPLACED else ''}" for c in changes
    )
    told = [what + (f" {count} times" if count > 1 else "") for what, count in counts.items()]
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    first = f"{changes[0].layer or 'the model'}: {changes[0].key}"
    return (
        f"{weights.name} was saved by Keras {found.saved_with or 'of an unknown version'} and "
        f"holds what Keras {subject.challenge.keras} does not take ({first}). "
        f"Back-porting would fix it: {', '.join(told[:SHOWN])}{more}"
    )


def _unread(weights: KerasFile) -> str:
    """The operations that no Keras reads back from an HDF5 file."""
    names = unread_operations(weights.config or {})
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    if not names:
        return ""
    return (
        f"{weights.name} holds the operation {names[0]!r}{more}, as of a + b or x[:, 1:], and no "
        "Keras reads those back from an HDF5 file. Back-porting would fix it: it is written where "
        "they are from"
    )


@check("S321", "warning")
def other_hard_sigmoid(subject: Subject) -> Iterator[str]:
    """Train it with another activation, or compare its answers under both: nothing says so when it
    loads.
    """
    for weights in subject.weights:
        found = nodes(weights.config) if is_keras_2(weights.version) else ()
        configs = (n["config"] for n in found if "hard_sigmoid" in map(str, n["config"].values()))
        if (config := next(iter(configs), None)) is not None:
            yield (
                f"{weights.name} was saved by Keras {weights.version}, whose hard_sigmoid "
                f"({config.get('name', 'a layer')}) is 0.2 x + 0.5 and not x / 6 + 0.5 as in "
                "Keras 3"
            )


@check("S323", "warning")
def statistics_not_used(subject: Subject) -> Iterator[str]:
    """Save the model as .keras, or call finalize_state() of each such layer after loading, as our
    model.py does.
    """
    keras = subject.challenge.keras
    if is_keras_2(keras) or "finalize_state" in subject.source:
        return
    which = f"Keras {keras}" if keras in targets() else "Keras 3"
    for weights in subject.models("h5"):
        if told := weights.arrays.statistics if weights.arrays else ():
            more = f" and {len(told) - 1} more" if len(told) > 1 else ""
            yield (
                f"{weights.name} holds mean and variance of the layer {told[0]!r}{more}, and "
                f"{which} loads them from an HDF5 file without using them: silently, other answers"
            )


@check("S325", "warning")
def guest_augmentation(subject: Subject) -> Iterator[str]:
    """Let make-submission replace it by a layer that hands images on: make-submission WEIGHTS."""
    for weights in subject.weights:
        if weights.config is not None and subject.loads_model(weights.name):
            for name in guests(weights.config)[:1]:
                yield (
                    f"{weights.name} holds KerasCV's {name}: the server may lack keras_cv, and its "
                    "newer versions augment when they predict, too"
                )


@check("S311", "warning")
def other_image_size(subject: Subject) -> Iterator[Said]:
    """Resize the images in predict as in training, or say --resize when packing: the network
    refuses other sizes.
    """
    height, width, channels = subject.challenge.shape
    ours = _is_our_page(subject.source)
    surely = ours and "\nRESIZE = None" in subject.source
    for weights in subject.models():
        shapes = _input_shapes(weights.config or {})
        if len(shapes) > 1 and ours:
            advice = "Pack it with a model.py of your own, --model FILE.py, that gives them all."
            yield Said(f"{weights.name} takes {len(shapes)} inputs", "error", advice)
        shape = shapes[0] if len(shapes) == 1 else None
        if shape is None:
            continue
        sizes = zip(shape, (height, width), strict=False)
        other = any(own and own != wanted for own, wanted in sizes)
        if other and (surely or not RESIZES.search(subject.source)):
            own = " x ".join("any" if side is None else str(side) for side in shape)
            message = f"{weights.name} takes images of {own}"
            theirs = f"the challenge's are {height} x {width} x {channels}"
            yield Said(f"{message}; {theirs}", "error" if surely else None)
        elif shape[2] and shape[2] != channels and not COLOURS.search(subject.source):
            has = f"the challenge's images have {channels}"
            yield Said(f"{weights.name} takes {shape[2]} channel(s); {has}")


@check("S312", "warning")
def other_class_count(subject: Subject) -> Iterator[Said]:
    """Train it on the challenge's classes: labels beyond them cannot be scored."""
    classes = subject.challenge.classes
    text = subject.main.text or "" if subject.main else ""
    severity: Severity | None = "error" if _is_our_page(text) else None  # it refuses them
    for weights in subject.models():
        units = _output_units(weights.config or {})
        if units and units != classes and not (units == 1 and classes == 2):
            message = f"{weights.name} tells {units} classes; the challenge has {classes}"
            yield Said(message, severity)


def _is_our_page(text: str) -> bool:
    """Whether it is the model.py that we ship, by its settings."""
    return all(f"\n{name} = " in text for name in ("WEIGHTS", "RESIZE", "NUM_CLASSES", "TTA"))


def _inner(config: Node) -> Node:
    inner = config.get("config")
    return inner if isinstance(inner, dict) else {}


def _layers(config: Node) -> list[Node]:
    layers = _inner(config).get("layers")
    return [node for node in layers if isinstance(node, dict)] if isinstance(layers, list) else []


def _input_shapes(config: Node) -> list[Shape | None]:
    """(h, w, channels) of each input; None for one that is no image."""
    found: list[Shape | None] = []
    for node in _layers(config):
        if node.get("class_name") == "InputLayer" and isinstance(node.get("config"), dict):
            shape = node["config"].get("batch_shape") or node["config"].get("batch_input_shape")
            sides = shape[1:] if isinstance(shape, list) and len(shape) == 4 else None
            found.append(sides and [side if isinstance(side, int) else None for side in sides])
    return found


def _output_units(config: Node) -> int | None:
    """How many numbers the last layer gives, where it is a dense one."""
    layers = _layers(config)
    last = layers[-1] if layers else {}
    ends = _inner(config).get("output_layers")
    if isinstance(ends, list) and ends:
        if len(ends) == 1 and isinstance(ends[0], list):
            ends = ends[0]  # a list of one
        name = ends[0] if ends and isinstance(ends[0], str) else None
        last = next((n for n in layers if n.get("name", _inner(n).get("name")) == name), {})
    units = _inner(last).get("units") if last.get("class_name") == "Dense" else None
    return units if isinstance(units, int) else None
