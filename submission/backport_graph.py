"""What is common to the graphs of all Keras versions: layers with names, calls, and two ends.

Keras 2 writes a call as `[[layer, call, tensor, kwargs], ...]`, Keras 3 as args and kwargs with
`keras_history` in them. A model inside a model counts its calls from 1 in Keras 2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

Json = Any
Node = dict[str, Any]

BARE = "__bare__"  # marks an object of an HDF5 file that did not say its module
GRAPH, ENDS = "inbound_nodes", ("input_layers", "output_layers")
# Layers that also take a list of one, as Keras 3.4.1 makes of a graph's output.
TAKES_LISTS = ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity")
# KerasCV's augmentations: of the size of their input, and for training only. (Its versions from 0.6
# on forget the latter and augment when they predict, too.)
GUESTS = frozenset(
    ("AugMix", "AutoContrast", "ChannelShuffle", "CutMix", "Equalization", "FourierMix", "Grayscale",
     "GridMask", "MixUp", "Mosaic", "Posterization", "RandAugment", "RandomApply", "RandomAugmentationPipeline",
     "RandomBrightness", "RandomChannelShift", "RandomChoice", "RandomColorDegeneration", "RandomColorJitter",
     "RandomContrast", "RandomCutout", "RandomFlip", "RandomGaussianBlur", "RandomHue", "RandomJpegQuality",
     "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
     "Solarization")
)  # fmt: skip


def nodes(value: Json) -> Iterator[Node]:
    """Every object in a config, the outer ones before those inside them."""
    waiting = deque([value])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, dict):
            if isinstance(node.get("class_name"), str) and isinstance(node.get("config"), dict):
                yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def is_graph(node: Node) -> bool:
    """Whether it is a functional model."""
    config = node.get("config")
    return isinstance(config, dict) and all(isinstance(config.get(end), list) for end in ENDS)


def handed_lists(config: Node) -> list[str]:
    """The graphs in a Sequential model's config whose output, a list, a later layer does not take."""
    layers = config.get("layers")
    if not isinstance(layers, list) or "input_layers" in config:
        return []
    picky = [place for place, node in enumerate(layers) if node["class_name"] not in TAKES_LISTS]
    return [
        layer_name(node)
        for place, node in enumerate(layers)
        if is_graph(node) and single(node["config"][ENDS[1]]) is not node["config"][ENDS[1]] and picky[-1] > place
    ]  # fmt: skip


def single(ends: Json) -> Json:
    """A single end by itself, not in a list."""
    return (
        ends[0] if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list) else ends
    )


def renamed_layers(config: Node, names: dict[str, str]) -> Node:
    """Return a graph's config with its layers renamed, also where nodes refer to them."""
    layers = []
    for node in config["layers"]:
        new = names.get(node["name"], node["name"])
        inner = {**node["config"], "name": new} if node["name"] in names else node["config"]
        calls = _with_histories(node["inbound_nodes"], names)
        layers.append({**node, "name": new, "config": inner, "inbound_nodes": calls})
    ends = {key: _with_ends(config[key], names) for key in ("input_layers", "output_layers")}
    return {**config, "layers": layers, **ends}


def _with_histories(value: Json, names: dict[str, str]) -> Json:
    if isinstance(value, list):
        return [_with_histories(x, names) for x in value]
    if not isinstance(value, dict):
        return value
    if isinstance(history := value.get("keras_history"), list):
        return {**value, "keras_history": [names.get(history[0], history[0]), *history[1:]]}
    return {k: _with_histories(v, names) for k, v in value.items()}


def _with_ends(value: Json, names: dict[str, str]) -> Json:
    """Rename in `[name, node, tensor]`, alone or in lists and dicts of them."""
    if isinstance(value, dict):
        return {k: _with_ends(v, names) for k, v in value.items()}
    if value and isinstance(value[0], str):
        return [names.get(value[0], value[0]), *value[1:]]
    return [_with_ends(x, names) for x in value]


def modern_calls(config: Node) -> tuple[Node, list[str]]:
    """Write a graph's calls as Keras 3 does; return it with the models whose calls counted from 1."""
    layers = config["layers"]
    names = {node["name"] for node in layers}
    used = list(_references([node[GRAPH] for node in layers], names))
    used += _references([config["output_layers"]], names)
    lowest: dict[str, int] = {}
    for name, index, _ in used:
        lowest[name] = min(index, lowest.get(name, index))
    late = {
        node["name"]: isinstance(node["config"], dict) and "input_layers" in node["config"]
        for node in layers
        if lowest.get(node["name"], 0) > 0
    }
    calls = [{**node, GRAPH: [_call(c, names, late) for c in node[GRAPH]]} for node in layers]
    # Where a graph ends, Keras 3 still counts the calls of a functional model from 1.
    ends = {name for name, is_graph in late.items() if not is_graph}
    outputs = _shifted(config["output_layers"], ends)
    called = {name for name, _, _ in _references([node[GRAPH] for node in layers], names)}
    asked = [name for name in late if name in called]
    return {**config, "layers": calls, "output_layers": outputs}, asked


def _references(value: Any, names: set[str]) -> Iterator[tuple[str, int, int]]:
    """Every `[name, node, tensor]` in lists and dicts of them."""
    if _is_reference(value, names):
        yield value[0], value[1], value[2]
        for inner in value[3:]:
            yield from _references(inner, names)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner, names)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner, names)


def _is_reference(value: Any, names: set[str]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in names
        and type(value[1]) is type(value[2]) is int
    )


def _call(call: Any, names: set[str], late: dict[str, bool]) -> Any:
    """One call: `[[name, node, tensor, kwargs], ...]` as args and kwargs; a newer one as it is."""
    if isinstance(call, dict) and "args" in call:
        return call
    if _is_reference(call, names):
        call = [call]
    parts = list(call.values()) if isinstance(call, dict) else call
    kwargs = parts[-1][3] if parts and len(parts[-1]) > 3 else {}
    tensors = [_tensor(part, late) for part in parts]
    if isinstance(call, dict):
        args: list[Any] = [dict(zip(call, tensors, strict=True))]
    else:
        args = tensors if len(tensors) == 1 else [tensors]
    return {"args": args, "kwargs": _kwargs(kwargs, names, late)}


def _kwargs(value: Any, names: set[str], late: dict[str, bool]) -> Any:
    if _is_reference(value, names):
        return _tensor(value, late)
    if isinstance(value, dict):
        return {key: _kwargs(inner, names, late) for key, inner in value.items()}
    return [_kwargs(inner, names, late) for inner in value] if isinstance(value, list) else value


def _tensor(reference: list[Any], late: dict[str, bool]) -> Node:
    name, node, tensor = reference[:3]
    history = [name, node - (name in late), tensor]
    config = {"shape": [None], "dtype": "float32", "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _shifted(value: Any, late: set[str]) -> Any:
    """The ends of a graph, in lists and dicts, counting from 0."""
    if isinstance(value, dict):
        return {key: _shifted(inner, late) for key, inner in value.items()}
    if value and isinstance(value[0], str):
        return [value[0], value[1] - (value[0] in late), *value[2:]]
    return [_shifted(inner, late) for inner in value]


def layer_name(node: Node) -> str:
    """Return the name of a layer: only layers have names of their own to be told by."""
    config = node["config"] if isinstance(node["config"], dict) else {}
    is_layer = "trainable" in config or "batch_shape" in config or "inbound_nodes" in node
    name = node.get("name") or config.get("name")
    return name if is_layer and isinstance(name, str) else ""


def joined(path: str, key: str) -> str:
    """Return the path of a key inside an object's path."""
    return f"{path}.{key}" if path else key


def is_guest(node: Node) -> bool:
    """Whether it is one of KerasCV's augmentations, by its module or its registered name."""
    package = str(node.get("module")).split(".")[0]
    registered = str(node.get("registered_name"))
    name = node["class_name"].rpartition(">")[2]
    known = package == "keras_cv" or "keras_cv>" in f"{registered} {node['class_name']}"
    return known and name in GUESTS and isinstance(node["config"], dict)


def guests(config: Json) -> list[str]:
    """The names of KerasCV's augmentations in a config."""
    found = {node["class_name"].rpartition(">")[2] for node in nodes(config) if is_guest(node)}
    return sorted(found)
