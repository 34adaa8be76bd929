"""Rewrites the config of a newer Keras into one that an older Keras reads, or says why not.

Keras refuses a whole model for one unknown key, even where the key holds its default. So a key
that the target lacks goes where it holds a value without effect, and is refused by name where it
does not. Augmentation layers that the target lacks become an identity: outside training they are
one. Custom classes are left to the code that comes with the model.
"""

from __future__ import annotations

import re

from submission.backport_graph import (
    ENDS,
    GRAPH,
    RENAMED,
    REPLACED,
    At,
    Json,
    Node,
    Walk,
    full_name,
    handed_lists,
    is_custom,
    is_graph,
    is_guest,
    is_keras,
    renamed_layers,
    single,
)
from submission.keras_tables import Table

ACTIVATION_KEYS = frozenset({"activation", "recurrent_activation"})
QUANTISED = "quantization_config"
LONGEST_TOLD = 80
GUESTS_IDENTITY = "identity (KerasCV)"


class Rewriter(Walk):
    """Walks one config and collects what it changes and refuses."""

    def __init__(self, table: Table, *, keep_compile: bool = False) -> None:
        super().__init__()
        self.table, self.keep_compile = table, keep_compile

    def rewritten(self, node: Node, at: At) -> Json:
        """The object as the target reads it."""
        if node["class_name"] == "__lambda__":
            self._refuse_lambda(at)
        if node["class_name"] == "function":
            self._check_function(node, at)
        if node["class_name"].startswith("__") or not isinstance(node["config"], dict):
            return node
        if is_guest(node) and all(map(_is_plain_call, node.get(GRAPH, []))):
            return self._identity(node, at)
        if node.get("compile_config") and not self.keep_compile:
            self.change(at, "compile_config", "...")
            node = {key: value for key, value in node.items() if key != "compile_config"}
        return self._walk(node, at) if is_custom(node) else self._keras_object(node, at)

    def _keras_object(self, node: Node, at: At) -> Json:
        name = full_name(node)
        if name not in self.table.accepts:
            if self._is_idle(node):
                return self._identity(node, at)
            newer = " (it came later)" if name in self.table.new_classes else ""
            self._refuse(at, "class_name", name, f"{self._target} has no {name}{newer}.")
            return node
        config, unknown = self._known_keys(node, at)
        if unknown and self._is_idle(node):
            return self._identity(node, at, unknown[0])
        for key in unknown:
            self._refuse_key(node, key, at)
        if why := self.table.differs.get(name):
            self._refuse(at, "class_name", name, f"{name} of {self._target} {why}.")
        return self._walk({**node, "config": config}, at)

    def _walk(self, node: Node, at: At) -> Node:
        """Rewrite what an object holds, then make the names of a graph's layers unique again."""
        held = {key: self.rewrite(value, at.inside(key)) for key, value in node.items()}
        config = held["config"]
        if isinstance(config.get("layers"), list):
            mended = self._without_clashes if ENDS[0] in config else self._without_lists
            held["config"] = mended(config, at)
        return held

    def _without_lists(self, config: Node, at: At) -> Node:
        """Let graphs in a Sequential model hand on their one output itself, not a list of it."""
        for name in handed_lists(config):
            self.change(At(at.path, name), ENDS[1], "a list of one", "the one", REPLACED)
        layers = [
            {**node, "config": {**node["config"], **{e: single(node["config"][e]) for e in ENDS}}}
            if is_graph(node)
            else node
            for node in config["layers"]
        ]
        return {**config, "layers": layers}

    def _known_keys(self, node: Node, at: At) -> tuple[Node, list[str]]:
        """Return the config less what has no effect, and the keys that have one."""
        name, config, unknown = full_name(node), {}, []
        for key, value in node["config"].items():
            if key in self.table.accepts[name]:
                self._check_activation(key, value, at)
                config[key] = value
            elif self._has_no_effect(name, key, value):
                self.change(at, key, value)
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
        return name in self.table.idle and all(map(_is_plain_call, node.get(GRAPH, [])))

    def _identity(self, node: Node, at: At, key: str = "class_name") -> Node:
        """Return a layer that hands its images on, as the augmentation does when it predicts."""
        old = node["config"].get(key, full_name(node))
        self.change(at, key, old, GUESTS_IDENTITY if is_guest(node) else "identity", REPLACED)
        kept = {k: v for k, v in node["config"].items() if k in ("name", "trainable", "dtype")}
        # Rescaling rather than Identity: like the augmentations it turns integers into floats.
        config = self.rewrite({**kept, "scale": 1.0, "offset": 0.0}, at.inside("config"))
        calls = [{**call, "kwargs": {}} for call in node.get(GRAPH, [])]
        home = {"module": "keras.layers", "class_name": "Rescaling", "registered_name": None}
        return {**node, **home, "config": config, **({GRAPH: calls} if GRAPH in node else {})}

    def _without_clashes(self, config: Node, at: At) -> Node:
        """Rename layers that an operation, unnamed in the target, could share its name with."""
        operations = self.table.operations
        layers = [(node, full_name(node) in operations) for node in config["layers"]]
        nameless = {
            snake_case(node["class_name"])
            for node, is_operation in layers
            if is_operation and "name" not in node["config"]
        }
        taken = {
            node["name"]: f"{node['name']}_layer"
            for node, is_operation in layers
            if not is_operation and re.sub(r"_\d+$", "", node["name"]) in nameless
        }
        for old, new in taken.items():
            self.change(At(at.path, old), "name", old, new, RENAMED)
        return renamed_layers(config, taken) if taken else config

    def _check_activation(self, key: str, value: Json, at: At) -> None:
        known = not isinstance(value, str) or value not in self.table.new_activations
        if key in ACTIVATION_KEYS and not known:
            self._refuse(at, key, value, f"the activation {value!r} is unknown to {self._target}.")

    def _check_function(self, node: Node, at: At) -> None:
        name = f"{node.get('module')}.{node['config']}"
        is_new = node.get("module") == "builtins" and node["config"] in self.table.new_activations
        if is_new or (is_keras(node) and name not in self.table.functions):
            self._refuse(at, "function", name, f"the function {name} is unknown to {self._target}.")

    def _refuse_lambda(self, at: At) -> None:
        self.refuse(
            at,
            "function",
            "lambda",
            "holds a lambda: Keras does not load one in its safe mode, and its byte code runs in "
            "the Python that wrote it only.",
            "Use a layer class or a named function, registered with "
            "@keras.saving.register_keras_serializable().",
        )

    def _refuse_key(self, node: Node, key: str, at: At) -> None:
        value, name = node["config"][key], full_name(node)
        if key == QUANTISED:
            if all(refusal.key != QUANTISED for refusal in self.refusals):  # once for the model
                why = f"is quantised (model.quantize), which {self._target} stores in another way."
                advice = "Pack the model as it was before quantize()"
                self.refuse(at, key, value, why, f"{advice}; --float16 makes its file smaller.")
            return
        why = f"{name} has no argument {key!r} in {self._target}, and here it is {shortened(value)}"
        if known := self.table.defaults.get(name, {}).get(key):
            copy = "copy the weights over with set_weights where their shapes stay the same"
            advice = f"Build the model with {key}={known[-1]!r}; {copy}, else train it again."
            self._refuse(at, key, value, f"{why}.", advice)
        else:
            unheard = "no Keras that the table was made from writes it"
            self._refuse(at, key, value, f"{why}; {unheard}.")

    def _refuse(self, at: At, key: str, value: Json, why: str, advice: str = "") -> None:
        rebuild = f"Rebuild the model from what {self._target} has, or train it there."
        self.refuse(at, key, value, why, advice or rebuild)

    @property
    def _target(self) -> str:
        return f"Keras {self.table.target}"


def shortened(value: Json) -> str:
    """A value as it is told."""
    told = repr(value)
    return told if len(told) <= LONGEST_TOLD else f"{told[:LONGEST_TOLD]}..."


def snake_case(name: str) -> str:
    """Return the name that Keras makes for an unnamed instance of that class."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _is_plain_call(call: Node) -> bool:
    """Whether a layer is called on one tensor, not on images with their labels.

    `training=True` is written wherever it is the default, and `predict` overrides it.
    """
    args = call.get("args", [])
    alone = len(args) == 1 and isinstance(args[0], dict)
    return alone and "keras_history" in args[0].get("config", {})
