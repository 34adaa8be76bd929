"""What a saved network's config says of its two ends: what it does to images first, and its outputs.

Read from the file by its path, without its arrays and without Keras; what cannot be told is left to
the run.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.reading import parse_json, special_kind
from submission.backport import CONFIG, LARGEST_CONFIG, WEIGHTS
from submission.backport_graph import ENDS, GUESTS, Node, is_graph
from submission.backport_h5 import config_of, text
from submission.h5 import opened_h5

# Layers that leave the range of values as it is, besides augmentations.
_PASS_ON = (
    "InputLayer", "Identity", "Resizing", "CenterCrop", "Cropping2D", "ZeroPadding2D", "Reshape",
    "Dropout", "GaussianNoise", "Permute",
)  # fmt: skip
_SCALES = ("Rescaling", "Normalization")
_DIVIDES = (
    1 / 64
)  # a Rescaling of at most this makes small values of 0..255; of 0..1 it would make none
_BRIGHT = 2.0  # a mean above this is one of 0..255, or of what a Rescaling made of it
DEEPEST, MOST_MEANS = 20, 1 << 18


def read_config(path: Path) -> Node | None:
    """The config of a `.keras` or whole-model `.h5` file; None where there is none to be read."""
    if special_kind(path):
        return None
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as file:
                if file.getinfo(CONFIG).file_size > LARGEST_CONFIG:
                    return None
                found = parse_json(file.read(CONFIG))
            return found if isinstance(found, dict) else None
        with opened_h5(path) as file:
            attribute = file.attrs.get("model_config")
        return config_of(None if attribute is None else text(attribute))[0]
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        RecursionError,
        ImportError,
        zipfile.BadZipFile,
    ):
        return None


def holds_arrays_alone(path: Path) -> bool:
    """Whether an HDF5 file was written by `save_weights`: it has layers' arrays and no model."""
    if path.suffix not in (".h5", ".hdf5"):
        return False
    try:
        with opened_h5(path) as file:
            keys = set(file.attrs)
            return "model_config" not in keys and ("layer_names" in keys or "layers" in file)
    except (OSError, RuntimeError, ValueError, ImportError):
        return False


def outputs_of(config: Node) -> dict[str, int | None]:
    """The outputs by name, with their columns where a layer says so; none where it cannot be told.

    Names are those that Keras gives: keys of a dict, else the names of layers.
    """
    try:
        return _outputs_of(config)
    except (AttributeError, IndexError, KeyError, TypeError):
        return {}  # not laid out as Keras does it: packing says so


def _outputs_of(config: Node) -> dict[str, int | None]:
    inner = config.get("config")
    if not is_graph(config) and not isinstance((inner or {}).get(ENDS[1]), dict):
        return {}
    ends = inner[ENDS[1]] if isinstance(inner, dict) else []
    if isinstance(ends, dict):
        named = {str(key): value for key, value in ends.items()}
    else:
        listed = [ends] if ends and isinstance(ends[0], str) else ends
        named = {str(end[0]): end for end in listed}
        if len(named) < len(listed):
            named = {str(place): end for place, end in enumerate(listed)}
    layers = {node.get("name"): node for node in inner["layers"]} if isinstance(inner, dict) else {}
    return {
        name: _columns(layers.get(end[0]) if isinstance(end, list) else None)
        for name, end in named.items()
    }


def _columns(node: Node | None) -> int | None:
    units = node["config"].get("units") if node and node.get("class_name") == "Dense" else None
    return units if isinstance(units, int) else None


def scales_itself(path: Path) -> bool:
    """Whether the network brings images of 0..255 to small values first, so that nobody need ask.

    A Rescaling by 1/64 or less does, and a Normalization behind one or by a mean above 2. Layers
    that leave values as they are, augmentations too, are passed over; models inside are looked into.
    """
    config = read_config(path)
    try:
        first = _first_to_scale(_first_layers(config, 0)) if config else None
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError):
        return False
    if first is None:
        return False
    if first["class_name"] == "Rescaling":
        values = _flat(first["config"].get("scale"))
        return bool(values) and max(map(abs, values)) <= _DIVIDES
    return max(_flat(first["config"].get("mean")) or adapted_means(path), default=0.0) > _BRIGHT


def _first_to_scale(layers: Iterator[Node]) -> Node | None:
    """The first layer that touches the values, if it is one that scales them."""
    for node in layers:
        name, config = node["class_name"].rpartition(">")[2], node["config"]
        if name == "Rescaling" and config.get("scale") == 1.0 and not config.get("offset"):
            continue
        if name in _SCALES:
            return node
        if name not in (*_PASS_ON, *GUESTS) and not name.startswith("Random"):
            return None
    return None


def adapted_means(path: Path) -> list[float]:
    """The means that Normalization layers of the file learnt, all of them together."""
    try:
        if path.suffix != ".keras":
            with opened_h5(path) as held:
                return _means(held)
        with (
            zipfile.ZipFile(path) as file,
            file.open(WEIGHTS) as inner,
            opened_h5(inner) as held,
        ):
            return _means(held)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, zipfile.BadZipFile):
        return []


def _means(held: Any) -> list[float]:
    """By the layouts of whole-model `.h5` files, and of `.keras` files: mean, variance, count."""
    found: list[float] = []

    def visit(path: str, item: Any) -> None:
        folder, _, name = path.rpartition("/")
        others = {"mean": "variance", "mean:0": "variance:0", "0": "1"}
        counts = {"mean": "count", "mean:0": "count:0", "0": "2"}
        if name in others and others[name] in held[folder] and counts[name] in held[folder]:
            count = held[folder][counts[name]]
            if count.shape == () and count.dtype.kind in "iu" and item.size <= MOST_MEANS:
                found.extend(map(float, item[()].ravel()))

    held.visititems(visit)
    return found


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [inner for part in value for inner in _flat(part)]
    if isinstance(value, dict):  # an array, as Keras writes it
        return _flat(value.get("config", {}).get("value"))
    return [] if value is None else [value]


def _first_layers(node: Node, depth: int) -> Iterator[Node]:
    """The layers in the order in which the images meet them, as long as it is one after the other."""
    config = node["config"]
    if depth > DEEPEST or not isinstance(config.get("layers"), list):
        return
    for inner in _chain(config) if "input_layers" in config else config["layers"]:
        if isinstance(inner["config"], dict) and isinstance(inner["config"].get("layers"), list) and "inbound_nodes" not in inner["config"]:  # fmt: skip
            yield from _first_layers(inner, depth + 1)
        else:
            yield inner


def _chain(config: Node) -> Iterator[Node]:
    """A graph's layers from its input on; where the way forks, the first of them ends it."""
    layers = {node["name"]: node for node in config["layers"]}
    after: dict[str, list[str]] = {}
    for node in config["layers"]:
        for source in dict.fromkeys(_sources(node["inbound_nodes"], layers)):
            after.setdefault(source, []).append(node["name"])
    ends = config["input_layers"]
    while isinstance(ends, list) and ends and isinstance(ends[0], list):
        ends = ends[0]
    name = next(iter(ends.values()))[0] if isinstance(ends, dict) else ends[0]
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        yield layers[name]
        following = after.get(name, [])
        if not following:
            return
        name = following[0]


def _sources(value: Any, layers: dict[str, Node]) -> Iterator[str]:
    """The layers that a layer's calls take their input from, in the notation of Keras 2 and 3."""
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list):
            yield history[0]
        else:
            for inner in value.values():
                yield from _sources(inner, layers)
    elif isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and value[0] in layers:
            yield value[0]
        else:
            for inner in value:
                yield from _sources(inner, layers)
