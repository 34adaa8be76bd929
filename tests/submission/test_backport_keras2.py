"""Configs of Keras 2, and what Keras 3 is given of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from submission.backport import backport_config, inspect_keras_file
from submission.backport_graph import handed_lists
from submission.backport_keras2 import Moderniser, modern_calls
from submission.keras_tables import written_for
from tests.submission.test_backport import TARGET, graph, keras_file, layer

OLD = "2.15.0"
Node = dict[str, Any]


def old_graph(*layers: Node, end: list[Any]) -> Node:
    """A functional model of Keras 2 from its layers, which have their calls already."""
    config = {"name": "model", "trainable": True, "layers": list(layers)}
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": end}
    return {"module": "keras.src.engine.functional", "class_name": "Functional", "config": {**config, **ends}, "registered_name": "Functional"}  # fmt: skip


def named(node: Node, *calls: Any) -> Node:
    """A layer in a graph, called so."""
    return {**node, "name": node["config"]["name"], "inbound_nodes": list(calls)}


def entry(name: str = "in") -> Node:
    """An input of Keras 2."""
    return named(layer("InputLayer", name=name, batch_input_shape=[None, 8, 8, 3], dtype="float32", sparse=False, ragged=False))  # fmt: skip


def histories(call: Any) -> Any:
    """A call of Keras 3 with only the places of its tensors."""
    if isinstance(call, dict) and "keras_history" in call.get("config", {}):
        return call["config"]["keras_history"]
    if isinstance(call, dict):
        return {key: histories(value) for key, value in call.items()}
    return [histories(part) for part in call] if isinstance(call, list) else call


# name, layer of Keras 2, class and keys of Keras 3 that differ, keys that are told
KEYS: list[tuple[str, Node, Node, list[str]]] = [
    ("groups of 1", layer("DepthwiseConv2D", groups=1), {"groups": None}, ["groups"]),
    ("groups of a convolution stay", layer("Conv2D", groups=1), {"groups": 1}, []),
    ("a separable one's kernel", layer("SeparableConv2D", groups=1, kernel_regularizer=None), {"groups": None, "kernel_regularizer": None}, ["groups", "kernel_regularizer"]),
    ("time first", layer("LSTM", units=2, time_major=False, implementation=2), {"time_major": None, "implementation": None}, ["time_major"]),
    ("shapes of attention", layer("MultiHeadAttention", query_shape=[None, 4, 8]), {"query_shape": None}, ["query_shape"]),
    ("a dropout of maps", layer("SpatialDropout2D", rate=0.1, noise_shape=None), {"noise_shape": None, "trainable": None}, ["trainable", "noise_shape"]),
    ("an axis in a list", layer("BatchNormalization", axis=[3]), {"axis": 3}, ["axis"]),
    ("a leak", layer("LeakyReLU", alpha=0.3), {"alpha": None, "negative_slope": 0.3}, []),
    ("a length", layer("Embedding", input_length=4), {"input_length": None}, []),
    ("a policy", layer("Dense", units=1, dtype={"module": "keras.mixed_precision", "class_name": "Policy", "config": {"name": "mixed_float16"}}), {"dtype": "mixed_float16"}, ["dtype"]),
    ("a slash", layer("Dense", name="block/out", units=1), {"name": "block_out"}, ["name"]),
    ("an initializer's type", layer("Dense", kernel_initializer={"module": "keras.initializers", "class_name": "Zeros", "config": {"dtype": "float32"}}), {"kernel_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}}}, []),
    ("a wrapped layer", layer("TimeDistributed", layer=layer("DepthwiseConv2D", groups=1)), {}, ["groups"]),
    ("a threshold", layer("ThresholdedReLU", theta=0.5), {"threshold": 0.5, "max_value": None, "theta": None}, ["class_name"]),
    ("a batch over several devices", layer("SyncBatchNormalization", axis=[3]), {"axis": 3}, ["class_name", "axis"]),
    ("a height", layer("RandomHeight", factor=0.1), {"scale": 1.0, "factor": None}, ["class_name"]),
]  # fmt: skip


@pytest.mark.parametrize(("node", "keys", "told"), [k[1:] for k in KEYS], ids=[k[0] for k in KEYS])
def test_keys(node: Node, keys: Node, told: list[str]) -> None:
    """Else Keras 3 refuses the whole model for one key, or the key's meaning is lost."""
    before, modern = copy.deepcopy(node), Moderniser()
    new = modern.rewrite(node)
    assert node == before
    assert {key: new["config"].get(key) for key in keys} == keys
    assert [change.key for change in modern.changes] == told
    assert not modern.refusals
    again = Moderniser()
    assert again.rewrite(new) == new
    assert not again.changes


REFUSED = [
    ("TFOpLambda", {"function": "math.truediv"}, ("math.truediv", "Rescaling")),
    ("TFOpLambda", {"function": "concat"}, ("concat", "Concatenate")),
    ("SlicingOpLambda", {"function": "__operators__.getitem"}, ("getitem", "Cropping2D")),
    ("TensorFlowOpLayer", {"node_def": "name: op"}, ("TensorFlow operation",)),
    ("Lambda", {"function": ["4wE=", None, None], "function_type": "lambda"}, ("Lambda",)),
    ("LocallyConnected2D", {"filters": 2}, ("has no LocallyConnected2D",)),
    ("InstanceMethod", {"method_name": "numpy"}, ("numpy",)),
]


@pytest.mark.parametrize(("class_name", "config", "parts"), REFUSED)
def test_what_cannot_be_rewritten(class_name: str, config: Node, parts: tuple[str, ...]) -> None:
    """Else people do not learn which line of their network to change, and into what."""
    node = layer(class_name, name="the_layer", **config)
    model = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [node]}}  # fmt: skip
    (refusal,) = inspect_keras_file(keras_file(model, OLD), TARGET).refusals
    for part in ("the_layer", *parts):
        assert part in str(refusal)
    assert "\n" not in str(refusal)
    assert str(refusal).count(". ") >= 1  # what to do comes after it


def test_a_class_of_ones_own_by_such_a_name_is_let_be() -> None:
    """Else a layer that only happens to be called Lambda is refused."""
    node = {**layer("Lambda", alpha=2), "registered_name": "team>Lambda", "module": None}
    modern = Moderniser()
    assert modern.rewrite(node) == node
    assert not modern.refusals


def test_calls_are_written_as_keras_3_does() -> None:
    """Else tensors given by keyword stay lists, and several ones are taken for calls."""
    double = named(layer("Add", name="add"), [["a", 0, 0, {}], ["b", 0, 0, {}]])
    keyed = named(layer("MultiHeadAttention", name="mha"), [["add", 0, 0, {"value": ["a", 0, 0], "mask": None}]])  # fmt: skip
    twice = named(layer("Dense", name="a", units=3), [["in", 0, 0, {}]], [["b", 0, 0, {"training": True}]])  # fmt: skip
    once = named(layer("Dense", name="b", units=3), [["a", 0, 0, {}]])
    model = old_graph(entry(), twice, once, double, keyed, end=[["mha", 0, 0]])
    config, late = modern_calls(model["config"])
    calls = {node["name"]: histories(node["inbound_nodes"]) for node in config["layers"]}
    assert not late
    assert calls == {
        "in": [],
        "a": [{"args": [["in", 0, 0]], "kwargs": {}}, {"args": [["b", 0, 0]], "kwargs": {"training": True}}],
        "b": [{"args": [["a", 0, 0]], "kwargs": {}}],
        "add": [{"args": [[["a", 0, 0], ["b", 0, 0]]], "kwargs": {}}],
        "mha": [{"args": [["add", 0, 0]], "kwargs": {"value": ["a", 0, 0], "mask": None}}],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["graph", "row"])
def test_calls_of_a_model_inside_count_from_0(kind: str) -> None:
    """Else Keras 3.4.1 waits for ever for a call that never comes."""
    inner: Node = old_graph(entry("x"), end=[["x", 0, 0]])
    if kind == "row":
        inner = {"module": "keras", "class_name": "Sequential", "config": {"layers": [entry("x")]}}
    inner["config"]["name"] = "inner"
    model = old_graph(
        entry(), named(inner, [["in", 0, 0, {}]]), named(layer("Dense", name="out", units=2), [["inner", 1, 0, {}]]),
        end=[["inner", 1, 0]],
    )  # fmt: skip
    backport = backport_config(model, TARGET, OLD)
    assert backport.config is not None
    new = backport.config["config"]
    assert histories(new["layers"][2]["inbound_nodes"]) == [{"args": [["inner", 0, 0]], "kwargs": {}}]  # fmt: skip
    assert new["output_layers"] == [["inner", 1 if kind == "graph" else 0, 0]]  # as Keras 3 counts
    assert "inbound_nodes" in [change.key for change in backport.changes]


def test_names_without_slashes_stay_unique() -> None:
    """Else two layers share a name, and Keras refuses both."""
    model = old_graph(
        entry(), named(layer("ReLU", name="a_b"), [["in", 0, 0, {}]]), named(layer("ReLU", name="a/b"), [["a_b", 0, 0, {}]]),
        end=[["a/b", 0, 0]],
    )  # fmt: skip
    backport = backport_config(model, TARGET, OLD)
    assert backport.config is not None
    new = backport.config["config"]
    assert [node["name"] for node in new["layers"]] == ["in", "a_b", "a_b_1"]
    assert [node["config"]["name"] for node in new["layers"]] == ["in", "a_b", "a_b_1"]
    assert new["output_layers"] == [["a_b_1", 0, 0]]


def test_a_row_says_its_input_first() -> None:
    """Else a Sequential model that was never told a shape takes batches of one size only, or none."""
    first = layer("Dense", name="d", units=2, batch_input_shape=[6, 8])
    for layers in ([first], [layer("InputLayer", name="i", batch_input_shape=[6, 8]), first]):
        model = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
        new = Moderniser().rewrite(model)["config"]["layers"]
        assert [node["class_name"] for node in new] == ["InputLayer", "Dense"]
        assert new[0]["config"]["batch_shape"] == [None, 8]


def test_a_graph_in_a_row_hands_on_its_output_itself() -> None:
    """Else the usual Sequential([backbone, pooling, dense]) does not load under Keras 3.4.1, which wrote it."""
    inner = graph(layer("InputLayer", name="in"), end="in")
    inner["config"] |= {end: [["in", 0, 0]] for end in ("input_layers", "output_layers")}
    for last, changes in (("Flatten", 1), ("ReLU", 0)):
        row = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [inner, layer(last)]}}  # fmt: skip
        assert len(handed_lists(row["config"])) == changes  # type: ignore[arg-type]  # a dict it is
        backport = backport_config(row, TARGET, TARGET)
        assert len(backport.changes) == changes
        if changes:
            assert backport.config is not None
            assert backport.config["config"]["layers"][0]["config"]["output_layers"] == ["in", 0, 0]


@pytest.mark.parametrize(
    ("server", "saved_with", "target"),
    [
        ("3.4.1", "3.15.1", "3.4.1"),
        ("3.4.1", "2.15.0", "3.4.1"),
        ("3.9.0", "3.15.1", ""),
        ("3.9.0", "2.15.0", "3.4.1"),
        ("", "2.15.0", "3.4.1"),
        ("", "3.15.1", ""),
        ("2.15.0", "2.15.0", ""),
        ("2.15.0", "3.15.1", ""),
    ],
)
def test_which_version_a_file_is_written_for(server: str, saved_with: str, target: str) -> None:
    """Else a file is rewritten for a server that reads it as it is, or not for one that does not."""
    assert written_for(server, saved_with) == target
