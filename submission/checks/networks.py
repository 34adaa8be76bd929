"""Checks of what the server's Keras makes of files that another one saved, or that it does not read back itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from codabench_rehearsal.console.errors import SubmissionError
from submission.backport import Backport, backport_config, is_newer, targets, written_for
from submission.backport_config import GUESTS_IDENTITY, REPLACED, shortened
from submission.backport_graph import Node, guests, nodes
from submission.backport_h5 import unread_operations
from submission.backport_keras2 import is_keras_2
from submission.checks.keras_files import Weights
from submission.checks.subject import Subject, check
from submission.checks.weights import allows_lambdas, is_loaded, of_kind
from submission.findings import Said, Severity

SHOWN = 4  # reasons or changes in one message


@check("S303", "error")
def keras_too_new(subject: Subject) -> Iterator[str]:
    """Let make-submission rewrite the file for the server's Keras: make-submission WEIGHTS."""
    for weights in of_kind(subject, "keras"):
        if message := _too_new(subject, weights):
            yield message


@check("S313", "error")
def hdf5_too_new(subject: Subject) -> Iterator[str]:
    """Let make-submission rewrite the file for the server's Keras: make-submission WEIGHTS."""
    for weights in of_kind(subject, "h5"):
        if message := _too_new(subject, weights):
            yield message


def _too_new(subject: Subject, weights: Weights) -> str:
    keras = subject.challenge.keras
    server = written_for(keras, weights.version) if keras else ""
    if not server or weights.config is None:
        return ""
    try:
        found = backport_config(weights.config, server, weights.version)
    except SubmissionError as error:
        return f"{weights.name}: {error}"
    return (
        _refused(subject, weights, found, keras)
        or _changed(weights, found, keras)
        or _operations(weights)
    )


def _operations(weights: Weights) -> str:
    names = unread_operations(weights.config) if weights.config else []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"{weights.name} holds the operation {names[0]!r}{more}, as of a + b or x[:, 1:], and no Keras reads "
        "those back from an HDF5 file. Back-porting would mend it: it is written where they are from"
        if names
        else ""
    )


def _refused(subject: Subject, weights: Weights, found: Backport, server: str) -> str:
    let_in = allows_lambdas(subject)
    refusals = [
        str(r)
        for r in found.refusals
        if r.value != "lambda" and not (let_in and r.value == "Lambda")  # the former: S307
    ]
    unread = weights.arrays.unread if weights.arrays and is_newer(weights.version, server) else ()
    reasons = list(dict.fromkeys([*refusals, *map(str, unread)]))
    if not reasons:
        return ""
    more = f" And {len(reasons) - SHOWN} more." if len(reasons) > SHOWN else ""
    return f"{weights.name}: Keras {server} cannot load it, and back-porting cannot help: {' '.join(reasons[:SHOWN])}{more}"


def _changed(weights: Weights, found: Backport, server: str) -> str:
    """What back-porting would do about each thing that the server does not take."""
    changes = [c for c in found.changes if c.key != "compile_config" and c.new != GUESTS_IDENTITY]
    if not changes:
        return ""
    counts = Counter(
        f"{c.key} {c.how}{f' by {shortened(c.new)}' if c.how == REPLACED else ''}" for c in changes
    )
    told = [what + (f" {count} times" if count > 1 else "") for what, count in counts.items()]
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return (
        f"{weights.name} was saved by Keras {found.saved_with or 'of an unknown version'} and holds what "
        f"Keras {server} does not take ({changes[0].layer or 'the model'}: {changes[0].key}). "
        f"Back-porting would mend it: {', '.join(told[:SHOWN])}{more}"
    )


@check("S321", "warning")
def other_hard_sigmoid(subject: Subject) -> Iterator[str]:
    """Train it with another activation, or compare its answers under both: nothing says so when it loads."""
    for weights in subject.weights:
        if is_keras_2(weights.version) and weights.config is not None:
            for node in nodes(weights.config):
                if "hard_sigmoid" in map(str, node["config"].values()):
                    yield (
                        f"{weights.name} was saved by Keras {weights.version}, whose hard_sigmoid "
                        f"({node['config'].get('name', 'a layer')}) is 0.2 x + 0.5 and not x / 6 + 0.5 as in Keras 3"
                    )
                    break


@check("S323", "warning")
def statistics_not_used(subject: Subject) -> Iterator[str]:
    """Save the model as .keras, or call finalize_state() of each such layer after loading, as our model.py does."""
    keras = subject.challenge.keras
    if is_keras_2(keras) or any("finalize_state" in (m.text or "") for m in subject.modules):
        return
    which = f"Keras {keras}" if keras in targets() else "Keras 3"
    for weights in of_kind(subject, "h5"):
        told = weights.arrays.statistics if weights.arrays else ()
        if told:
            more = f" and {len(told) - 1} more" if len(told) > 1 else ""
            yield (
                f"{weights.name} holds mean and variance of the layer {told[0]!r}{more}, and {which} loads "
                "them from an HDF5 file without using them: silently, other answers"
            )


@check("S325", "warning")
def guest_augmentation(subject: Subject) -> Iterator[str]:
    """Let make-submission replace it by a layer that hands images on: make-submission WEIGHTS."""
    for weights in subject.weights:
        if weights.config is not None and is_loaded(subject, weights.name):
            for name in guests(weights.config)[:1]:
                yield (
                    f"{weights.name} holds KerasCV's {name}: the server may lack keras_cv, and its newer "
                    "versions augment when they predict, too"
                )


# Checks of the networks' input and output against the challenge's images and labels.


RESIZES = re.compile(
    r"resiz|crop|zoom|pad|reshape|thumbnail|rescale_image|interpolat|\[\s*:\s*,", re.IGNORECASE
)
COLOURS = re.compile(r"gray|grey|mean\(|expand_dims|newaxis|repeat|\[\.\.\.", re.IGNORECASE)


@check("S311", "warning")
def other_image_size(subject: Subject) -> Iterator[str | Said]:
    """Resize the images in predict as in training, or say --resize when packing: the network refuses other sizes."""
    height, width, channels = subject.challenge.shape
    text = "\n".join(module.text or "" for module in subject.modules)
    ours = _is_our_page(text)
    severity: Severity | None = "error" if ours and "\nRESIZE = None" in text else None
    for weights in _models(subject):
        shapes = _input_shapes(weights.config or {})
        if len(shapes) > 1 and ours:
            advice = "Pack it with a model.py of your own, --model FILE.py, that gives them all."
            yield Said(f"{weights.name} takes {len(shapes)} inputs", "error", advice)
        if len(shapes) != 1 or shapes[0] is None:
            continue
        shape = shapes[0]
        sizes = zip(shape[:2], (height, width), strict=False)
        if any(own and own != wanted for own, wanted in sizes) and (severity or not RESIZES.search(text)):  # fmt: skip
            message = f"{weights.name} takes images of {_sides(shape)}; the challenge's are {height} x {width} x {channels}"
            yield Said(message, severity)
        elif len(shape) > 2 and shape[2] and shape[2] != channels and not COLOURS.search(text):
            yield f"{weights.name} takes {shape[2]} channel(s); the challenge's images have {channels}"


@check("S312", "warning")
def other_class_count(subject: Subject) -> Iterator[Said]:
    """Train it on the challenge's classes: labels beyond them cannot be scored."""
    classes = subject.challenge.classes
    text = subject.main.text or "" if subject.main else ""
    severity: Severity | None = "error" if _is_our_page(text) else None  # it refuses them
    for weights in _models(subject):
        units = _output_units(weights.config or {})
        if units and units != classes and not (units == 1 and classes == 2):
            message = f"{weights.name} tells {units} classes; the challenge has {classes}"
            yield Said(message, severity)


def _is_our_page(text: str) -> bool:
    """Whether it is the model.py that we ship, by its settings."""
    return all(f"\n{name} = " in text for name in ("WEIGHTS", "RESIZE", "NUM_CLASSES", "TTA"))


def _models(subject: Subject) -> Iterator[Weights]:
    for weights in subject.weights:
        if weights.config is not None and not weights.problem and is_loaded(subject, weights.name):
            yield weights


def _sides(shape: list[int | None]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)


def _layers(config: Node) -> list[Node]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    return [node for node in layers if isinstance(node, dict)] if isinstance(layers, list) else []


def _input_shapes(config: Node) -> list[list[int | None] | None]:
    """(h, w, channels) of each input; None for one that is no image."""
    inputs = [node for node in _layers(config) if node.get("class_name") == "InputLayer"]
    return [_shape(node["config"]) for node in inputs if isinstance(node.get("config"), dict)]


def _shape(config: Node) -> list[int | None] | None:
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or len(shape) != 4:
        return None
    return [side if isinstance(side, int) else None for side in shape[1:]]


def _output_units(config: Node) -> int | None:
    """How many numbers the last layer gives, where it is a dense one."""
    layers = _layers(config)
    last = layers[-1] if layers else {}
    inner = config.get("config")
    ends = inner.get("output_layers") if isinstance(inner, dict) else None
    if isinstance(ends, list) and ends:
        name = ends[0] if isinstance(ends[0], str) else ends[0][0] if isinstance(ends[0], list) and len(ends) == 1 and ends[0] else None  # fmt: skip
        last = next((n for n in layers if n.get("name", _name(n)) == name), {})
    units = last.get("config", {}).get("units") if last.get("class_name") == "Dense" else None
    return units if isinstance(units, int) else None


def _name(node: Node) -> object:
    return node["config"].get("name") if isinstance(node.get("config"), dict) else None
