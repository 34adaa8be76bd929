"""What the configs of all Keras versions have in common: objects in objects, and graphs of layers.

Keras 2 writes a call as `[[layer, call, tensor, kwargs], ...]`, Keras 3 as args and kwargs with
`keras_history` in them. A model inside a model counts its calls from 1 in Keras 2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Json = Any
Node = dict[str, Any]

BARE = "__bare__"  # marks an object of an HDF5 file that did not say its module
GRAPH, ENDS = "inbound_nodes", ("input_layers", "output_layers")
DROPPED, RENAMED, REPLACED = "dropped", "renamed", "replaced"
# Layers that also take a list of one, as Keras 3.4.1 makes of a graph's output.
TAKES_LISTS = ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity")
# KerasCV's augmentations: of the size of their input, and for training only. (Its versions from 0.6
# on forget the latter and augment when they predict, too.)
GUESTS = frozenset(
    (
        *("AugMix", "AutoContrast", "ChannelShuffle", "CutMix", "Equalization", "FourierMix"),
        *("Grayscale", "GridMask", "MixUp", "Mosaic", "Posterization", "RandAugment"),
        *("RandomApply", "RandomAugmentationPipeline", "RandomBrightness", "RandomChannelShift"),
        *("RandomChoice", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast"),
        *("RandomCutout", "RandomFlip", "RandomGaussianBlur", "RandomHue", "RandomJpegQuality"),
        *("RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear"),
        *("RandomTranslation", "RandomZoom", "Solarization"),
    )
)


class At(NamedTuple):
    """Where in a config: an object's path, as `config.layers[2].config`, and its layer's name."""

    path: str = ""
    layer: str = ""

    def inside(self, key: str) -> At:
        """The place of what it holds under that key."""
        return At(f"{self.path}.{key}" if self.path else key, self.layer)


@dataclass(frozen=True)
class Change:
    """One thing that is different in the rewritten config."""

    path: str
    layer: str  # empty for the model itself
    key: str
    old: Json
    new: Json
    how: str  # dropped | renamed | replaced

    def __str__(self) -> str:
        after = "" if self.how == DROPPED else f" -> {self.new!r}"
        return f"{self.layer or 'the model'}: {self.key}={self.old!r} {self.how}{after}"


@dataclass(frozen=True)
class Refusal:
    """One thing that the target cannot read and that means something."""

    path: str
    layer: str
    key: str
    value: Json
    why: str
    advice: str

    def __str__(self) -> str:
        return f"{self.layer or 'the model'}: {self.why} {self.advice}"


class Walk:
    """Goes through a config; what becomes of a layer or another object is told by `rewritten`."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.refusals: list[Refusal] = []

    def rewrite(self, value: Json, at: At = At()) -> Json:  # noqa: B008  immutable
        """Return the value as it is to be read; never changes the one given."""
        if isinstance(value, list):
            path, layer = at
            return [self.rewrite(x, At(f"{path}[{i}]", layer)) for i, x in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("class_name"), str) and "config" in value:
            return self.rewritten(value, At(at.path, layer_name(value) or at.layer))
        return {key: self.rewrite(x, at.inside(key)) for key, x in value.items()}

    def rewritten(self, node: Node, at: At) -> Json:
        """The object as it is to be read; at: names its own layer where it is one."""
        raise NotImplementedError

    def change(self, at: At, key: str, old: Json, new: Json = None, how: str = DROPPED) -> None:
        """Note that something was changed."""
        self.changes.append(Change(*at, key, old, new, how))

    def refuse(self, at: At, key: str, value: Json, why: str, advice: str) -> None:
        """Note that something cannot be read."""
        self.refusals.append(Refusal(*at, key, value, why, advice))


def all_nodes(value: Json, without: Collection[str] = ()) -> Iterator[Node]:
    """Every dict in a config, outer ones before those inside; without: keys not looked under."""
    waiting = deque([value])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, dict):
            yield node
            waiting += [inner for key, inner in node.items() if key not in without]
        elif isinstance(node, list):
            waiting += node


def nodes(value: Json) -> Iterator[Node]:
    """Every object in a config that has a config of its own, the outer ones before those inside."""
    for node in all_nodes(value):
        if isinstance(node.get("class_name"), str) and isinstance(node.get("config"), dict):
            yield node


def layer_name(node: Node) -> str:
    """Return the name of a layer: only layers have names of their own to be told by."""
    config = node["config"] if isinstance(node["config"], dict) else {}
    is_layer = "trainable" in config or "batch_shape" in config or GRAPH in node
    name = node.get("name") or config.get("name")
    return name if is_layer and isinstance(name, str) else ""


def full_name(node: Node) -> str:
    """Return the name under which tables list the class, as `keras.layers.Dense`."""
    return f"{node.get('module')}.{node['class_name']}"


def is_keras(node: Node) -> bool:
    """Whether the class is of Keras's own module."""
    return str(node.get("module")).split(".")[0] == "keras"


def is_custom(node: Node) -> bool:
    """Whether the class is the participant's own or another package's."""
    return not is_keras(node) or ">" in str(node.get("registered_name"))


def is_guest(node: Node) -> bool:
    """Whether it is one of KerasCV's augmentations, by its module or its registered name."""
    package = str(node.get("module")).split(".")[0]
    registered = f"{node.get('registered_name')} {node['class_name']}"
    known = package == "keras_cv" or "keras_cv>" in registered
    name = node["class_name"].rpartition(">")[2]
    return known and name in GUESTS and isinstance(node["config"], dict)


def guests(config: Json) -> list[str]:
    """The names of KerasCV's augmentations in a config."""
    found = {node["class_name"].rpartition(">")[2] for node in nodes(config) if is_guest(node)}
    return sorted(found)


def is_graph(node: Node) -> bool:
    """Whether it is a functional model."""
    config = node.get("config")
    return isinstance(config, dict) and all(isinstance(config.get(end), list) for end in ENDS)


def handed_lists(config: Node) -> list[str]:
    """The graphs in a Sequential model's config whose output, a list, no later layer takes."""
    layers = config.get("layers")
    if not isinstance(layers, list) or ENDS[0] in config:
        return []
    picky = [place for place, node in enumerate(layers) if node["class_name"] not in TAKES_LISTS]
    return [
        layer_name(node)
        for place, node in enumerate(layers)
        if is_graph(node) and hands_a_list(node["config"]) and picky[-1] > place
    ]


def hands_a_list(config: Node) -> bool:
    """Whether a graph's one output is in a list."""
    return single(config[ENDS[1]]) is not config[ENDS[1]]


def single(ends: Json) -> Json:
    """A single end by itself, not in a list."""
    alone = isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list)
    return ends[0] if alone else ends


def renamed_layers(config: Node, names: dict[str, str]) -> Node:
    """Return a graph's config with its layers renamed, also where nodes refer to them."""

    def renamed(reference: list[Any]) -> list[Any]:
        return [names.get(reference[0], reference[0]), *reference[1:]]

    layers = []
    for node in config["layers"]:
        new = names.get(node["name"], node["name"])
        inner = {**node["config"], "name": new} if node["name"] in names else node["config"]
        calls = _with_histories(node[GRAPH], renamed)
        layers.append({**node, "name": new, "config": inner, GRAPH: calls})
    ends = {key: with_ends(config[key], renamed) for key in ENDS}
    return {**config, "layers": layers, **ends}


def _with_histories(value: Json, changed: Callable[[list[Any]], list[Any]]) -> Json:
    if isinstance(value, list):
        return [_with_histories(x, changed) for x in value]
    if not isinstance(value, dict):
        return value
    if isinstance(history := value.get("keras_history"), list):
        return {**value, "keras_history": changed(history)}
    return {k: _with_histories(v, changed) for k, v in value.items()}


def with_ends(value: Json, changed: Callable[[list[Any]], list[Any]]) -> Json:
    """Change each `[name, node, tensor]`, alone or in lists and dicts of them."""
    if isinstance(value, dict):
        return {k: with_ends(v, changed) for k, v in value.items()}
    if value and isinstance(value[0], str):
        return changed(value)
    return [with_ends(x, changed) for x in value]
