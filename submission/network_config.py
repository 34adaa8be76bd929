"""What a saved network's config says of its two ends: what it does to images, and its outputs.

Read from the file by its path, without its arrays and without Keras; what cannot be told is left to
the run.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.reading import special_kind
from submission.backport_graph import ENDS, GRAPH, GUESTS, Node, is_graph
from submission.h5 import opened_h5
from submission.keras_files import H5_CONFIG, WEIGHTS, read_keras_file

# Layers that leave the range of values as it is, besides augmentations.
_PASS_ON = (
    *("InputLayer", "Identity", "Resizing", "CenterCrop", "Cropping2D", "ZeroPadding2D", "Reshape"),
    *("Dropout", "GaussianNoise", "Permute"),
)
_DIVIDES = 1 / 64  # a Rescaling by no more makes small values of 0..255; of 0..1 it would make none
_BRIGHT = 2.0  # a mean above this is one of 0..255, or of what a Rescaling made of it
DEEPEST, MOST_MEANS = 20, 1 << 18
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, ImportError, zipfile.BadZipFile)
_ODD = (AttributeError, IndexError, KeyError, RecursionError, TypeError)  # not as Keras lays it out


def read_config(path: Path) -> Node | None:
    """The config of a `.keras` or whole-model `.h5` file; None where there is none to be read."""
    if special_kind(path):
        return None
    try:
        with path.open("rb") as file:
            return read_keras_file(file, path.name).config
    except _UNREADABLE:
        return None


def holds_arrays_alone(path: Path) -> bool:
    """Whether an HDF5 file was written by `save_weights`: it has layers' arrays and no model."""
    if path.suffix not in (".h5", ".hdf5"):
        return False
    try:
        with opened_h5(path) as file:
            layers = "layer_names" in file.attrs or "layers" in file
            return H5_CONFIG not in file.attrs and layers
    except _UNREADABLE:
        return False


def outputs_of(config: Node) -> dict[str, int | None]:
    """The outputs by name, with their columns where a layer says so; none where it cannot be told.

    Names are those that Keras gives: keys of a dict, else the names of layers.
    """
    try:
        inner = config.get("config") or {}
        ends = inner.get(ENDS[1])
        if not is_graph(config) and not isinstance(ends, dict):
            return {}
        dense = {n.get("name"): n for n in inner["layers"] if n.get("class_name") == "Dense"}
        units = {name: node["config"].get("units") for name, node in dense.items()}
        named = {
            k: units.get(e[0] if isinstance(e, list) else None) for k, e in _named(ends).items()
        }
        return {name: n if isinstance(n, int) else None for name, n in named.items()}
    except _ODD:
        return {}  # packing says so


def _named(ends: Any) -> dict[str, Any]:
    if isinstance(ends, dict):
        return {str(key): value for key, value in ends.items()}
    listed = [ends] if ends and isinstance(ends[0], str) else ends
    named = {str(end[0]): end for end in listed}
    return named if len(named) == len(listed) else {str(i): end for i, end in enumerate(listed)}


def scales_itself(path: Path) -> bool:
    """Whether the network brings images of 0..255 to small values first, so that nobody need ask.

    A Rescaling by 1/64 or less does, and a Normalization behind one or by a mean above 2. Layers
    that leave values as they are, augmentations too, are passed over; inner models are looked into.
    """
    config = read_config(path)
    try:
        first = _first_to_scale(_first_layers(config, 0)) if config else None
    except _ODD:
        return False
    if first is None:
        return False
    if first["class_name"] == "Rescaling":
        values = _flat(first["config"].get("scale"))
        return bool(values) and max(map(abs, values)) <= _DIVIDES
    return max(_flat(first["config"].get("mean")) or _adapted_means(path), default=0.0) > _BRIGHT


def _first_to_scale(layers: Iterator[Node]) -> Node | None:
    """The first layer that touches the values, if it is one that scales them."""
    for node in layers:
        name, config = node["class_name"].rpartition(">")[2], node["config"]
        if name == "Rescaling" and config.get("scale") == 1.0 and not config.get("offset"):
            continue
        if name in ("Rescaling", "Normalization"):
            return node
        if name not in (*_PASS_ON, *GUESTS) and not name.startswith("Random"):
            return None
    return None


def _adapted_means(path: Path) -> list[float]:
    """The means that the file's Normalization layers learnt."""
    try:
        if path.suffix != ".keras":
            with opened_h5(path) as held:
                return _means(held)
        with zipfile.ZipFile(path) as file, file.open(WEIGHTS) as inner, opened_h5(inner) as held:
            return _means(held)
    except _UNREADABLE:
        return []


def _means(held: Any) -> list[float]:
    """By the layouts of whole-model `.h5` files, and of `.keras` files: mean, variance, count."""
    others = {"mean": ("variance", "count"), "mean:0": ("variance:0", "count:0"), "0": ("1", "2")}
    found: list[float] = []

    def visit(path: str, item: Any) -> None:
        folder, _, name = path.rpartition("/")
        if name in others and all(other in held[folder] for other in others[name]):
            count = held[folder][others[name][1]]
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
    """The layers in the order in which the images meet them, as long as it is one way."""
    config = node["config"]
    if depth > DEEPEST or not isinstance(config.get("layers"), list):
        return
    for inner in _chain(config) if ENDS[0] in config else config["layers"]:
        held = inner["config"]
        if isinstance(held, dict) and isinstance(held.get("layers"), list) and GRAPH not in held:
            yield from _first_layers(inner, depth + 1)
        else:
            yield inner


def _chain(config: Node) -> Iterator[Node]:
    """A graph's layers from its input on; where the way forks, the first of them ends it."""
    layers = {node["name"]: node for node in config["layers"]}
    after: dict[str, str] = {}
    for node in config["layers"]:
        for source in _sources(node[GRAPH], layers):
            after.setdefault(source, node["name"])
    ends = config[ENDS[0]]
    while isinstance(ends, list) and ends and isinstance(ends[0], list):
        ends = ends[0]
    name = next(iter(ends.values()))[0] if isinstance(ends, dict) else ends[0]
    seen: set[str] = set()
    while name is not None and name not in seen:
        seen.add(name)
        yield layers[name]
        name = after.get(name)


def _sources(value: Any, layers: dict[str, Node]) -> Iterator[str]:
    """The layers that a layer's calls take their input from, in the notation of Keras 2 and 3."""
    named = isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str)
    if isinstance(value, dict) and isinstance(value.get("keras_history"), list):
        yield value["keras_history"][0]
    elif named and value[0] in layers:
        yield value[0]
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _sources(inner, layers)
