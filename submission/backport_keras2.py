"""Turns the config of a Keras 2 model (TensorFlow 2.0 to 2.15) into one that every Keras 3 reads.

Keras 3 takes some of it by itself; what it does not take is small and regular: keys without effect
that it refuses (`groups` of a depthwise convolution, `time_major`), dtype policies as objects, names
with `/`, calls written as `[name, node, tensor, kwargs]` - where a model inside a model counts its
calls from 1, which makes Keras 3.4.1 wait for ever - and layers that wrap TensorFlow's or Python's
functions. Only the latter cannot be rewritten: they are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from submission.backport_config import DROPPED, RENAMED, REPLACED, Change, Refusal, Walk
from submission.backport_graph import (
    BARE,
    GRAPH,
    Node,
    joined,
    layer_name,
    modern_calls,
    renamed_layers,
)

FIRST_KERAS_3 = "3.0.0"
NAMES = "name"

# Keys that Keras 3 refuses although they mean nothing, or nothing at this value; () is any value.
_NO_EFFECT: dict[str, tuple[Any, ...]] = {
    "time_major": (False,),
    "implementation": (),  # how a step is computed, not what
    "input_length": (),
    "query_shape": (), "key_shape": (), "value_shape": (),  # told again by the call
}  # fmt: skip
_NO_EFFECT_OF: dict[str, dict[str, tuple[Any, ...]]] = {
    **{
        name: {"groups": (1,)}
        for name in ("DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
    },
    **{
        name: {"groups": (1,), "kernel_initializer": (), "kernel_regularizer": (), "kernel_constraint": ()}
        for name in ("SeparableConv1D", "SeparableConv2D")
    },
    **{name: {"trainable": (), "noise_shape": ()} for name in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")},
    "Discretization": {"trainable": ()},
}  # fmt: skip
_TAKEN_ANYHOW = ("implementation", "input_length")  # dropped, though Keras 3 takes them still
_IDLE = ("RandomHeight", "RandomWidth")  # resize in training only
_OLD_HOMES = ("keras.src.engine", "keras.engine", "tensorflow.python.keras")
_POLICIES = ("Policy", "PolicyV1", "LossScalePolicy")
_OPERATIONS = {
    "TFOpLambda": "function", "SlicingOpLambda": "function", "TensorFlowOpLayer": "node_def",
    "ClassMethod": "method_name", "InstanceMethod": "method_name", "InstanceProperty": "attr_name",
    "Lambda": "function", "AddLoss": "unconditional", "AddMetric": "aggregation",
}  # fmt: skip
_GONE = (
    "LocallyConnected1D", "LocallyConnected2D", "DenseFeatures", "SequenceFeatures", "CuDNNLSTM",
    "CuDNNGRU", "BatchNormalizationV1", "RandomFourierFeatures",
)  # fmt: skip
# Names that no class of the user's own has: checks of custom classes pass them over.
_EQUALS = ("ThresholdedReLU", "SyncBatchNormalization", "Model")
OWN_NAMES = frozenset((*_POLICIES, *_OPERATIONS, *_GONE, *_IDLE, *_EQUALS))
_WAY_OUT = {
    "truediv": "a Rescaling layer", "multiply": "a Rescaling layer", "subtract": "a Rescaling layer",
    "add": "an Add or Rescaling layer", "concat": "a Concatenate layer",
    "getitem": "a Cropping2D or Reshape layer", "resize": "a Resizing layer",
    "reduce_mean": "a GlobalAveragePooling2D layer", "relu": "a ReLU layer",
}  # fmt: skip


def is_keras_2(version: str) -> bool:
    """Whether a file of that version is of Keras 1 or 2; "" is not known to be."""
    return version.startswith(("1.", "2."))


@dataclass
class Moderniser(Walk):
    """Walks one config of Keras 2 and collects what it changes and refuses.

    Nodes say where their classes are from (`module`), as in `.keras` files. `changes` has what Keras
    3 would stumble over; the rest is rewritten without a word.
    """

    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def _object(self, node: Node, path: str, layer: str) -> Any:
        layer = layer_name(node) or layer
        name, config = node["class_name"], node["config"]
        if name in _OPERATIONS and not _is_users(node):
            self._refuse_operation(node, path, layer)
            return node
        if name in _POLICIES and isinstance(config, dict):
            self._note(path, layer, "dtype", "Policy", config.get("name"), REPLACED)
            return config.get("name")
        if name in _GONE and not _is_users(node):
            why = f"Keras 3 has no {name}."
            self._refuse(
                path,
                layer,
                "class_name",
                name,
                why,
                "Rebuild the model without it, and train it again.",
            )
            return node
        if not isinstance(config, dict):
            return node
        return self._layer({**node, "config": config}, path, layer)

    def _layer(self, node: Node, path: str, layer: str) -> Node:
        shape = _given_shape(node)
        node = self._replaced(node, path, layer)
        node = {**node, "config": self._keys(node, path, layer)}
        was = {key: node[key] for key in (NAMES, GRAPH) if key in node}
        inner = {
            k: self.rewrite(v, joined(path, k), layer) for k, v in node.items() if k not in was
        }
        if node["class_name"] == "MultiHeadAttention":
            inner.pop(
                "build_config", None
            )  # Keras 3 builds it from other shapes, at its first call
        node = self._renamed(self._at_home({**inner, **was}, path, layer), path, layer)
        if isinstance(node["config"].get("layers"), list):
            node = {**node, "config": self._layers(node, shape)}
        return node

    def _replaced(self, node: Node, path: str, layer: str) -> Node:
        """The layers that Keras 3 lacks and that another one is exactly the same as."""
        name, config = node["class_name"], node["config"]
        kept = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        threshold = {
            "max_value": None,
            "negative_slope": 0.0,
            "threshold": config.get("theta", 1.0),
        }
        same = {
            "ThresholdedReLU": ("ReLU", {**kept, **threshold}),
            "SyncBatchNormalization": ("BatchNormalization", config),
            **{idle: ("Rescaling", {**kept, "scale": 1.0, "offset": 0.0}) for idle in _IDLE},
        }
        if name not in same or _is_users(node):
            return node
        new, values = same[name]
        self._note(path, layer, "class_name", name, "identity" if name in _IDLE else new, REPLACED)
        home = {"module": "keras.layers", "registered_name": None}
        return {**node, "class_name": new, **home, "config": values}

    def _keys(self, node: Node, path: str, layer: str) -> Node:
        """The layer's own keys, less those without effect, under their new names."""
        if _is_users(node):
            return dict(node["config"])
        name = node["class_name"]
        found: Node = {}
        known = {**_NO_EFFECT, **_NO_EFFECT_OF.get(name, {})}
        for key, value in node["config"].items():
            if key in known and (not known[key] or value in known[key]):
                if key not in _TAKEN_ANYHOW:
                    self._note(path, layer, key, value, None, DROPPED)
                continue
            new = _new_key(node, key, value)
            found |= new
            if new.get(key) != value and key == "axis" and BARE not in node:
                self._note(path, layer, key, value, new[key], REPLACED)
        return found

    def _at_home(self, node: Node, path: str, layer: str) -> Node:
        """Models by the module that Keras 3 has them in."""
        module = str(node.get("module"))
        if not module.startswith(_OLD_HOMES):
            return node
        new = "keras" if node["class_name"] == "Sequential" else "keras.src.models.functional"
        self._note(path, layer, "module", module, new, REPLACED)
        return {**node, "module": new}

    def _renamed(self, node: Node, path: str, layer: str) -> Node:
        """Keras 3 takes no name with a slash."""
        config = node["config"]
        name = config.get("name")
        if not isinstance(name, str) or "/" not in name:
            return node
        self._note(path, layer, "name", name, plain_name(name), RENAMED)
        return {**node, "config": {**config, "name": plain_name(name)}}

    def _layers(self, node: Node, shape: Any) -> Node:
        """The config of a model: an InputLayer where its first layer told the shape; calls as Keras 3 has them."""
        config = node["config"]
        if "input_layers" not in config:
            return {**config, "layers": _with_input(config["layers"], shape)}
        config, late = modern_calls(config)
        for name in late:
            self._note(name, name, GRAPH, "its calls from 1", "from 0", REPLACED)
        names = [inner["name"] for inner in config["layers"]]
        new = dict(_unique({n: plain_name(n) for n in names if "/" in n}, set(names)))
        return renamed_layers(config, new) if new else config

    def _refuse_operation(self, node: Node, path: str, layer: str) -> None:
        name, config = (
            node["class_name"],
            node["config"] if isinstance(node["config"], dict) else {},
        )
        if name == "Lambda":
            why = "is a Lambda layer: its code is stored as the byte code of the Python that saved it, and Keras 3 does not load that."
            way = "Use a layer (Rescaling, Resizing ...) or a registered layer class in its place, copy the weights over with set_weights, and save again."
        else:
            operation = str(config.get(_OPERATIONS[name]) or "")[:80]
            why = f"is {name} of {operation or 'TensorFlow'}: Keras 2 made it of a TensorFlow operation in the graph, and Keras 3 has no such layer."
            last = operation.strip("_").rpartition(".")[2]
            layers = _WAY_OUT.get(last, "a layer of Keras (Rescaling, Add, Resizing ...)")
            way = f"Build the model with {layers} in its place, copy the weights over with set_weights, and save again."
        self._refuse(path, layer, "class_name", name, why, way)

    def _refuse(self, path: str, layer: str, key: str, value: Any, why: str, advice: str) -> None:
        self.refusals.append(Refusal(path, layer, key, value, why, advice))

    def _note(self, path: str, layer: str, key: str, old: Any, new: Any, how: str) -> None:
        self.changes.append(Change(path, layer, key, old, new, how))


def _new_key(node: Node, key: str, value: Any) -> Node:
    """The key as Keras 3 has it; none for one that goes unsaid. In an HDF5 file it takes the old ones, too."""
    name = node["class_name"]
    if key == "batch_input_shape":
        return {"batch_shape": value} if name == "InputLayer" else {}
    if key == "alpha" and name == "LeakyReLU":
        return {"negative_slope": value}
    if key == "axis" and name == "BatchNormalization" and isinstance(value, list):
        return {key: value[0] if len(value) == 1 else value}
    unsaid = (key == "ragged" and value is False) or (
        key == "dtype" and node.get("module") == "keras.initializers"
    )
    return {} if unsaid else {key: value}


def _is_users(node: Node) -> bool:
    """Whether the class is registered under a name of the participant's own."""
    return ">" in node["class_name"] or ">" in str(node.get("registered_name") or "")


def plain_name(name: str) -> str:
    """The name without slashes."""
    return name.replace("/", "_")


def _unique(wanted: dict[str, str], taken: set[str]) -> Iterator[tuple[str, str]]:
    """Old and new names, numbered where a layer has the new one already."""
    for old, new in wanted.items():
        number = 0
        while (name := f"{new}_{number}" if number else new) in taken:
            number += 1
        taken.add(name)
        yield old, name


def _given_shape(node: Node) -> Any:
    """The input's shape as a Sequential model's first layer tells it, any number of images at a time."""
    layers = node["config"].get("layers")
    first = layers[0] if isinstance(layers, list) and layers else {}
    shape = first.get("config", {}).get("batch_input_shape") if isinstance(first, dict) else None
    return [None, *shape[1:]] if isinstance(shape, list) else None


def _with_input(layers: list[Node], shape: Any) -> list[Node]:
    """A Sequential model's layers behind an InputLayer of that shape."""
    if shape is None:
        return layers
    if layers[0]["class_name"] == "InputLayer":
        first = {**layers[0], "config": {**layers[0]["config"], "batch_shape": shape}}
        return [first, *layers[1:]]
    config = {
        "batch_shape": shape,
        "dtype": "float32",
        "name": f"{layers[0]['config']['name']}_input",
    }
    bare = {
        key: layers[0][key]
        for key in layers[0]
        if key not in ("class_name", "config", "build_config")
    }
    return [{**bare, "class_name": "InputLayer", "config": config}, *layers]
