"""Rewrites the config of a newer Keras into one that an older Keras reads, or says why not.

Keras refuses a whole model for one unknown key, even where the key holds its default. So a key
that the target lacks goes where it holds a value without effect, and is refused by name where it
does not. Augmentation layers that the target lacks become an identity: outside training they are
one. Custom classes are left to the code that comes with the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from submission.backport_graph import (
    ENDS,
    Json,
    Node,
    handed_lists,
    is_graph,
    is_guest,
    joined,
    layer_name,
    renamed_layers,
    single,
)

if TYPE_CHECKING:
    from submission.backport import Table

ACTIVATION_KEYS = frozenset({"activation", "recurrent_activation"})
DROPPED, RENAMED, REPLACED = "dropped", "renamed", "replaced"
QUANTISED = "quantization_config"
LONGEST_TOLD = 80
GUESTS_IDENTITY = "identity (KerasCV)"


@dataclass(frozen=True)
class Change:
    """One thing that is different in the rewritten config."""

    path: str  # of the object, as in `config.layers[2].config`
    layer: str  # name of the layer it belongs to; empty for the model itself
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
    """Goes through a config; what becomes of a layer or another object is told by `_object`."""

    def rewrite(self, value: Json, path: str = "", layer: str = "") -> Json:
        """Return the value as it is to be read; never changes the one given."""
        if isinstance(value, list):
            return [self.rewrite(x, f"{path}[{i}]", layer) for i, x in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("class_name"), str) and "config" in value:
            return self._object(value, path, layer)
        return {k: self.rewrite(v, joined(path, k), layer) for k, v in value.items()}

    def _object(self, node: Node, path: str, layer: str) -> Json:
        raise NotImplementedError


@dataclass
class Rewriter(Walk):
    """Walks one config and collects what it changes and refuses."""

    table: Table
    keep_compile: bool = False
    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def _object(self, node: Node, path: str, layer: str) -> Json:
        layer = layer_name(node) or layer
        if node["class_name"] == "__lambda__":
            self._refuse_lambda(path, layer)
        if node["class_name"] == "function":
            self._check_function(node, path, layer)
        if node["class_name"].startswith("__") or not isinstance(node["config"], dict):
            return node
        if is_guest(node) and all(map(_is_plain_call, node.get("inbound_nodes", []))):
            return self._identity(node, path, layer, why="")
        if is_custom(node):
            return self._walk(self._without_compile(node, path, layer), path, layer)
        return self._keras_object(self._without_compile(node, path, layer), path, layer)

    def _keras_object(self, node: Node, path: str, layer: str) -> Json:
        name = full_name(node)
        if name not in self.table.accepts:
            if self._is_idle(node):
                return self._identity(node, path, layer, why="")
            self._refuse_class(node, path, layer)
            return node
        config, unknown = self._known_keys(node, path, layer)
        if unknown and self._is_idle(node):
            return self._identity(node, path, layer, why=unknown[0])
        for key in unknown:
            self._refuse_key(node, key, path, layer)
        self._check_behaviour(name, path, layer)
        return self._walk({**node, "config": config}, path, layer)

    def _walk(self, node: Node, path: str, layer: str) -> Node:
        """Rewrite what an object holds, then make the names of a graph's layers unique again."""
        rewritten = {k: self.rewrite(v, joined(path, k), layer) for k, v in node.items()}
        config = rewritten["config"]
        if isinstance(config.get("layers"), list) and "input_layers" in config:
            rewritten["config"] = self._without_clashes(config, path)
        elif isinstance(config.get("layers"), list):
            rewritten["config"] = self._without_lists(config, path)
        return rewritten

    def _without_lists(self, config: Node, path: str) -> Node:
        """Let graphs in a Sequential model hand on their one output itself: the target makes a list of it."""
        for name in handed_lists(config):
            self.changes.append(Change(path, name, ENDS[1], "a list of one", "the one", REPLACED))
        layers = [
            {**node, "config": {**node["config"], **{e: single(node["config"][e]) for e in ENDS}}}
            if is_graph(node)
            else node
            for node in config["layers"]
        ]
        return {**config, "layers": layers}

    def _without_compile(self, node: Node, path: str, layer: str) -> Node:
        if self.keep_compile or not node.get("compile_config"):
            return node
        self._changed(path, layer, "compile_config", "...")
        return {key: value for key, value in node.items() if key != "compile_config"}

    def _known_keys(self, node: Node, path: str, layer: str) -> tuple[Node, list[str]]:
        """Return the config less what has no effect, and the keys that have one."""
        name, config, unknown = full_name(node), {}, []
        for key, value in node["config"].items():
            if key in self.table.accepts[name]:
                self._check_activation(key, value, path, layer)
                config[key] = value
            elif self._has_no_effect(name, key, value):
                self._changed(path, layer, key, value)
            else:
                unknown.append(key)
        return config, unknown

    def _has_no_effect(self, name: str, key: str, value: Json) -> bool:
        if key == "name" and name in self.table.operations:
            return True
        known = self.table.defaults.get(name, {}).get(key, [])
        return any(value == default and type(value) is type(default) for default in known)

    def _is_idle(self, node: Node) -> bool:
        name = full_name(node)
        if name == "keras.layers.Pipeline":
            return all(self._is_idle(layer) for layer in node["config"].get("layers", []))
        return name in self.table.idle and all(map(_is_plain_call, node.get("inbound_nodes", [])))

    def _identity(self, node: Node, path: str, layer: str, why: str) -> Node:
        """Return a layer that hands its images on, as the augmentation does when it predicts."""
        key = why or "class_name"
        old = node["config"].get(key, full_name(node))
        new = GUESTS_IDENTITY if is_guest(node) else "identity"
        self.changes.append(Change(path, layer, key, old, new, REPLACED))
        kept = {k: v for k, v in node["config"].items() if k in ("name", "trainable", "dtype")}
        # Rescaling rather than Identity: like the augmentations it turns integers into floats.
        config = self.rewrite({**kept, "scale": 1.0, "offset": 0.0}, joined(path, "config"), layer)
        nodes = [{**call, "kwargs": {}} for call in node.get("inbound_nodes", [])]
        inbound = {"inbound_nodes": nodes} if "inbound_nodes" in node else {}
        return {
            **node,
            "module": "keras.layers",
            "class_name": "Rescaling",
            "registered_name": None,
            "config": config,
        } | inbound

    def _without_clashes(self, config: Node, path: str) -> Node:
        """Rename layers that an operation, unnamed in the target, could share its name with."""
        nameless = {
            snake_case(node["class_name"])
            for node in config["layers"]
            if full_name(node) in self.table.operations and "name" not in node["config"]
        }
        taken = {
            node["name"]: f"{node['name']}_layer"
            for node in config["layers"]
            if full_name(node) not in self.table.operations
            and re.sub(r"_\d+$", "", node["name"]) in nameless
        }
        for old, new in taken.items():
            self.changes.append(Change(path, old, "name", old, new, RENAMED))
        return renamed_layers(config, taken) if taken else config

    def _check_behaviour(self, name: str, path: str, layer: str) -> None:
        if why := self.table.differs.get(name):
            self._refuse(path, layer, "class_name", name, f"{name} of {self._target} {why}.")

    def _check_activation(self, key: str, value: Json, path: str, layer: str) -> None:
        if (
            key in ACTIVATION_KEYS
            and isinstance(value, str)
            and value in self.table.new_activations
        ):
            self._refuse(
                path, layer, key, value, f"the activation {value!r} is unknown to {self._target}."
            )

    def _check_function(self, node: Node, path: str, layer: str) -> None:
        name = f"{node.get('module')}.{node['config']}"
        is_new = node.get("module") == "builtins" and node["config"] in self.table.new_activations
        if is_new or (_is_keras(node) and name not in self.table.functions):
            self._refuse(
                path, layer, "function", name, f"the function {name} is unknown to {self._target}."
            )

    def _refuse_lambda(self, path: str, layer: str) -> None:
        self._refuse(
            path, layer, "function", "lambda",
            "holds a lambda: Keras does not load one in its safe mode, and its byte code runs in the "
            "Python that wrote it only.",
            "Use a layer class or a named function, registered with "
            "@keras.saving.register_keras_serializable().",
        )  # fmt: skip

    def _refuse_class(self, node: Node, path: str, layer: str) -> None:
        name = full_name(node)
        newer = " (it came later)" if name in self.table.new_classes else ""
        self._refuse(path, layer, "class_name", name, f"{self._target} has no {name}{newer}.")

    def _refuse_key(self, node: Node, key: str, path: str, layer: str) -> None:
        value, name = node["config"][key], full_name(node)
        if key == QUANTISED:
            self._refuse_quantised(path, layer, value)
            return
        known = self.table.defaults.get(name, {}).get(key)
        why = f"{name} has no argument {key!r} in {self._target}, and here it is {shortened(value)}"
        if not known:
            self._refuse(
                path, layer, key, value, f"{why}; no Keras that the table was made from writes it."
            )
            return
        advice = (
            f"Build the model with {key}={known[-1]!r}; copy the weights over with set_weights where "
            "their shapes stay the same, else train it again."
        )
        self._refuse(path, layer, key, value, f"{why}.", advice)

    def _refuse_quantised(self, path: str, layer: str, value: Json) -> None:
        """Once for the whole model."""
        if not any(refusal.key == QUANTISED for refusal in self.refusals):
            self._refuse(
                path, layer, QUANTISED, value,
                f"is quantised (model.quantize), which {self._target} stores in another way.",
                "Pack the model as it was before quantize(); --float16 makes its file smaller.",
            )  # fmt: skip

    def _refuse(
        self, path: str, layer: str, key: str, value: Json, why: str, advice: str = ""
    ) -> None:
        advice = advice or f"Rebuild the model from what {self._target} has, or train it there."
        self.refusals.append(Refusal(path, layer, key, value, why, advice))

    def _changed(self, path: str, layer: str, key: str, old: Json) -> None:
        self.changes.append(Change(path, layer, key, old, None, DROPPED))

    @property
    def _target(self) -> str:
        return f"Keras {self.table.target}"


def is_custom(node: Node) -> bool:
    """Whether the class is the participant's own or another package's."""
    return not _is_keras(node) or ">" in (node.get("registered_name") or "")


def shortened(value: Json) -> str:
    """A value as it is told."""
    told = repr(value)
    return told if len(told) <= LONGEST_TOLD else f"{told[:LONGEST_TOLD]}..."


def full_name(node: Node) -> str:
    """Return the name under which tables list the class, as `keras.layers.Dense`."""
    return f"{node.get('module')}.{node['class_name']}"


def snake_case(name: str) -> str:
    """Return the name that Keras makes for an unnamed instance of that class."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _is_keras(node: Node) -> bool:
    return (node.get("module") or "").split(".")[0] == "keras"


def _is_plain_call(call: Node) -> bool:
    """Whether a layer is called on one tensor, not on images with their labels.

    `training=True` is written wherever it is the default, and `predict` overrides it.
    """
    args = call.get("args", [])
    return (
        len(args) == 1
        and isinstance(args[0], dict)
        and "keras_history" in args[0].get("config", {})
    )
