"""Turns the config of a Keras 2 model (TensorFlow 2.0 to 2.15) into one that every Keras 3 reads.

Keras 3 takes some of it by itself; what it does not take is small and regular: keys without effect
that it refuses (`groups` of a depthwise convolution, `time_major`), dtype policies as objects,
names with `/`, calls written as `[name, node, tensor, kwargs]` - where a model in a model
counts its calls from 1, which makes Keras 3.4.1 wait for ever - and layers that wrap functions of
TensorFlow or Python. Only the latter cannot be rewritten: they are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from submission.backport_graph import (
    BARE,
    ENDS,
    GRAPH,
    RENAMED,
    REPLACED,
    At,
    Node,
    Walk,
    renamed_layers,
    with_ends,
)

Values = dict[str, tuple[Any, ...]]
# Keys that Keras 3 refuses although they mean nothing, or nothing at this value; () is any value.
_NO_EFFECT: Values = {
    "time_major": (False,),
    "implementation": (),  # how a step is computed, not what
    "input_length": (),
    **dict.fromkeys(("query_shape", "key_shape", "value_shape"), ()),  # told again by the call
}
_KERNELS = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
_NO_EFFECT_OF: dict[str, Values] = {
    **{f"DepthwiseConv{n}D": {"groups": (1,)} for n in (1, 2)},
    **{f"Conv{n}DTranspose": {"groups": (1,)} for n in (1, 2, 3)},
    **{f"SeparableConv{n}D": {"groups": (1,), **dict.fromkeys(_KERNELS, ())} for n in (1, 2)},
    **{f"SpatialDropout{n}D": {"trainable": (), "noise_shape": ()} for n in (1, 2, 3)},
    "Discretization": {"trainable": ()},
}
_TAKEN_ANYHOW = ("implementation", "input_length")  # dropped, though Keras 3 takes them still
_IDLE = ("RandomHeight", "RandomWidth")  # resize in training only
_OLD_HOMES = ("keras.src.engine", "keras.engine", "tensorflow.python.keras")
_POLICIES = ("Policy", "PolicyV1", "LossScalePolicy")
_OPERATIONS = {  # class -> the key of its config that names the operation
    **dict.fromkeys(("TFOpLambda", "SlicingOpLambda", "Lambda"), "function"),
    **dict.fromkeys(("ClassMethod", "InstanceMethod"), "method_name"),
    "TensorFlowOpLayer": "node_def",
    "InstanceProperty": "attr_name",
    "AddLoss": "unconditional",
    "AddMetric": "aggregation",
}
_GONE = (
    *("LocallyConnected1D", "LocallyConnected2D", "DenseFeatures", "SequenceFeatures", "CuDNNLSTM"),
    *("CuDNNGRU", "BatchNormalizationV1", "RandomFourierFeatures"),
)
# Names that no class of the user's own has: checks of custom classes pass them over.
_EQUALS = ("ThresholdedReLU", "SyncBatchNormalization", "Model")
OWN_NAMES = frozenset((*_POLICIES, *_OPERATIONS, *_GONE, *_IDLE, *_EQUALS))
_WAY_OUT = {
    **dict.fromkeys(("truediv", "multiply", "subtract"), "a Rescaling layer"),
    "add": "an Add or Rescaling layer",
    "concat": "a Concatenate layer",
    "getitem": "a Cropping2D or Reshape layer",
    "resize": "a Resizing layer",
    "reduce_mean": "a GlobalAveragePooling2D layer",
    "relu": "a ReLU layer",
}


class Moderniser(Walk):
    """Walks one config of Keras 2 and collects what it changes and refuses.

    Nodes say where their classes are from (`module`), as in `.keras` files. `changes` has what
    Keras 3 would stumble over; the rest is rewritten without a word.
    """

    def rewritten(self, node: Node, at: At) -> Any:
        """The object as Keras 3 reads it."""
        name, config, users = node["class_name"], node["config"], _is_users(node)
        if name in _OPERATIONS and not users:
            self._refuse_operation(node, at)
        elif name in _POLICIES and isinstance(config, dict):
            self.change(at, "dtype", "Policy", config.get("name"), REPLACED)
            return config.get("name")
        elif name in _GONE and not users:
            advice = "Rebuild the model without it, and train it again."
            self.refuse(at, "class_name", name, f"Keras 3 has no {name}.", advice)
        elif isinstance(config, dict):
            return self._layer(node, at)
        return node

    def _layer(self, node: Node, at: At) -> Node:
        shape = _given_shape(node)
        if not _is_users(node):
            node = self._replaced(node, at)
            node = {**node, "config": self._keys(node, at)}
        was = {key: node[key] for key in ("name", GRAPH) if key in node}
        inner = {k: self.rewrite(v, at.inside(k)) for k, v in node.items() if k not in was}
        if node["class_name"] == "MultiHeadAttention":
            # Keras 3 builds it at its first call, from other shapes.
            inner.pop("build_config", None)
        node = self._renamed(self._at_home({**inner, **was}, at), at)
        if isinstance(node["config"].get("layers"), list):
            node = {**node, "config": self._layers(node["config"], shape)}
        return node

    def _replaced(self, node: Node, at: At) -> Node:
        """The layers that Keras 3 lacks and that another one is exactly the same as."""
        name, config = node["class_name"], node["config"]
        kept = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        slope = {"max_value": None, "negative_slope": 0.0, "threshold": config.get("theta", 1.0)}
        same = {
            "ThresholdedReLU": ("ReLU", {**kept, **slope}),
            "SyncBatchNormalization": ("BatchNormalization", config),
            **dict.fromkeys(_IDLE, ("Rescaling", {**kept, "scale": 1.0, "offset": 0.0})),
        }
        if name not in same:
            return node
        new, values = same[name]
        self.change(at, "class_name", name, "identity" if name in _IDLE else new, REPLACED)
        home = {"module": "keras.layers", "registered_name": None}
        return {**node, "class_name": new, **home, "config": values}

    def _keys(self, node: Node, at: At) -> Node:
        """The layer's own keys, less those without effect, under their new names."""
        found: Node = {}
        known = {**_NO_EFFECT, **_NO_EFFECT_OF.get(node["class_name"], {})}
        for key, value in node["config"].items():
            if key in known and (not known[key] or value in known[key]):
                if key not in _TAKEN_ANYHOW:
                    self.change(at, key, value)
                continue
            new = _new_key(node, key, value)
            found |= new
            if new.get(key) != value and key == "axis" and BARE not in node:
                self.change(at, key, value, new[key], REPLACED)
        return found

    def _at_home(self, node: Node, at: At) -> Node:
        """Models by the module that Keras 3 has them in."""
        module = str(node.get("module"))
        if not module.startswith(_OLD_HOMES):
            return node
        new = "keras" if node["class_name"] == "Sequential" else "keras.src.models.functional"
        self.change(at, "module", module, new, REPLACED)
        return {**node, "module": new}

    def _renamed(self, node: Node, at: At) -> Node:
        """Keras 3 takes no name with a slash."""
        name = node["config"].get("name")
        if not isinstance(name, str) or "/" not in name:
            return node
        self.change(at, "name", name, _plain(name), RENAMED)
        return {**node, "config": {**node["config"], "name": _plain(name)}}

    def _layers(self, config: Node, shape: Any) -> Node:
        """A model's config, an InputLayer first where a shape was told; calls as in Keras 3."""
        if ENDS[0] not in config:
            return {**config, "layers": _with_input(config["layers"], shape)}
        config, late = modern_calls(config)
        for name in late:
            self.change(At(name, name), GRAPH, "its calls from 1", "from 0", REPLACED)
        names = [inner["name"] for inner in config["layers"]]
        new = dict(_unique({n: _plain(n) for n in names if "/" in n}, set(names)))
        return renamed_layers(config, new) if new else config

    def _refuse_operation(self, node: Node, at: At) -> None:
        name = node["class_name"]
        config = node["config"] if isinstance(node["config"], dict) else {}
        if name == "Lambda":
            why = (
                "is a Lambda layer: its code is stored as the byte code of the Python that saved "
                "it, and Keras 3 does not load that."
            )
            way = "Use a layer (Rescaling, Resizing ...) or a registered layer class in its place"
        else:
            operation = str(config.get(_OPERATIONS[name]) or "")[:80]
            why = (
                f"is {name} of {operation or 'TensorFlow'}: Keras 2 made it of a TensorFlow "
                "operation in the graph, and Keras 3 has no such layer."
            )
            last = operation.strip("_").rpartition(".")[2]
            layers = _WAY_OUT.get(last, "a layer of Keras (Rescaling, Add, Resizing ...)")
            way = f"Build the model with {layers} in its place"
        copy = "copy the weights over with set_weights, and save again."
        self.refuse(at, "class_name", name, why, f"{way}, {copy}")


def _is_users(node: Node) -> bool:
    """Whether the class is registered under a name of the participant's own."""
    return ">" in node["class_name"] or ">" in str(node.get("registered_name") or "")


def _new_key(node: Node, key: str, value: Any) -> Node:
    """The key as Keras 3 has it; none for one that goes unsaid."""
    name = node["class_name"]
    if key == "batch_input_shape":
        return {"batch_shape": value} if name == "InputLayer" else {}
    if key == "alpha" and name == "LeakyReLU":
        return {"negative_slope": value}
    if key == "axis" and name == "BatchNormalization" and isinstance(value, list):
        return {key: value[0] if len(value) == 1 else value}
    of_initializer = key == "dtype" and node.get("module") == "keras.initializers"
    return {} if of_initializer or (key == "ragged" and value is False) else {key: value}


def _plain(name: str) -> str:
    return name.replace("/", "_")


def _unique(wanted: dict[str, str], taken: set[str]) -> Iterator[tuple[str, str]]:
    """Old and new names, numbered where a layer has the new one already."""
    for old, new in wanted.items():
        number, name = 0, new
        while name in taken:
            number += 1
            name = f"{new}_{number}"
        taken.add(name)
        yield old, name


def _given_shape(node: Node) -> Any:
    """The input's shape, for any number of images, as a Sequential model's first layer tells it."""
    layers = node["config"].get("layers")
    first = layers[0] if isinstance(layers, list) and layers else {}
    shape = first.get("config", {}).get("batch_input_shape") if isinstance(first, dict) else None
    return [None, *shape[1:]] if isinstance(shape, list) else None


def _with_input(layers: list[Node], shape: Any) -> list[Node]:
    """A Sequential model's layers behind an InputLayer of that shape."""
    if shape is None:
        return layers
    first = layers[0]
    if first["class_name"] == "InputLayer":
        return [{**first, "config": {**first["config"], "batch_shape": shape}}, *layers[1:]]
    name = f"{first['config']['name']}_input"
    config = {"batch_shape": shape, "dtype": "float32", "name": name}
    bare = {key: first[key] for key in first if key not in ("class_name", "config", "build_config")}
    return [{**bare, "class_name": "InputLayer", "config": config}, *layers]


def modern_calls(config: Node) -> tuple[Node, list[str]]:
    """Write a graph's calls as Keras 3 does; also return the models whose calls counted from 1."""
    layers, calls = config["layers"], [node[GRAPH] for node in config["layers"]]
    names = {node["name"] for node in layers}
    lowest: dict[str, int] = {}
    for name, index, _ in _references([*calls, config["output_layers"]], names):
        lowest[name] = min(index, lowest.get(name, index))
    late = {
        node["name"]: isinstance(node["config"], dict) and ENDS[0] in node["config"]
        for node in layers
        if lowest.get(node["name"], 0) > 0
    }
    new = [{**node, GRAPH: [_call(c, names, late) for c in node[GRAPH]]} for node in layers]
    # Where a graph ends, Keras 3 still counts the calls of a functional model from 1.
    rows = {name for name, is_graph in late.items() if not is_graph}
    ends = with_ends(config["output_layers"], lambda r: [r[0], r[1] - (r[0] in rows), *r[2:]])
    called = {name for name, _, _ in _references(calls, names)}
    asked = [name for name in late if name in called]
    return {**config, "layers": new, "output_layers": ends}, asked


def _references(value: Any, names: set[str]) -> Iterator[tuple[str, int, int]]:
    """Every `[name, node, tensor]` in lists and dicts of them."""
    if _is_reference(value, names):
        yield value[0], value[1], value[2]
        value = value[3:]
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _references(inner, names)


def _is_reference(value: Any, names: set[str]) -> bool:
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return value[0] in names and type(value[1]) is type(value[2]) is int


def _call(call: Any, names: set[str], late: dict[str, bool]) -> Any:
    """One call: `[[name, node, tensor, kwargs], ...]` as args and kwargs; a newer one as it is."""
    if isinstance(call, dict) and "args" in call:
        return call
    if _is_reference(call, names):
        call = [call]
    parts = list(call.values()) if isinstance(call, dict) else call
    kwargs = parts[-1][3] if parts and len(parts[-1]) > 3 else {}
    tensors = [_tensor(part, late) for part in parts]
    args: list[Any] = tensors if len(tensors) == 1 else [tensors]
    if isinstance(call, dict):
        args = [dict(zip(call, tensors, strict=True))]
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
