"""Checks of the networks' input and output against the challenge's images and labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from submission.backport_graph import Node
from submission.checks.keras_files import Weights
from submission.checks.registry import Subject, check
from submission.checks.weights import is_loaded
from submission.findings import Said, Severity

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
