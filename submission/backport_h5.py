"""Makes a whole model's `.h5` file load on the server's Keras, or refuses by name.

The file keeps its arrays as they are; rewritten is the attribute `model_config`, JSON that a `.keras`
file has as config.json, but with layers that do not say where they are from. Keras loads the arrays
in the order of the layers, so that new names do no harm. Layers of Keras's own say their module in
the rewritten file: otherwise Keras 3.4.1 forgets every `axis` that is a number.

It stays an `.h5` file, though `.keras` keeps a Normalization's mean and variance by itself: how a
`.keras` file files its arrays follows the attributes of each layer's class, which only Keras knows.
"""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.backport import (
    LARGEST_CONFIG,
    Backport,
    BackportError,
    backport_config,
    backport_keras_file,
    load_table,
    saved_with,
    targets,
    written_for,
)
from submission.backport_graph import BARE, Node, layer_name, nodes
from submission.backport_keras2 import OWN_NAMES
from submission.h5 import opened_h5

SAY_THEIR_MODULE = ("keras.layers", "keras.src.ops")
CONFIG, VERSION = "model_config", "keras_version"
SIGN = b"\x89HDF"
_HOMES_OF_MODELS = {
    "Functional": "keras.src.models.functional",
    "Model": "keras.src.models.functional",
}


def backport_weights(data: bytes, keras: str) -> tuple[bytes, Backport | None]:
    """Return a `.keras` or `.h5` file as the server's Keras loads it, and the record.

    keras: the server's version, "" where unknown. The record is None where no table says what that
    version reads: then the file goes as it is. Raises as `backport_keras_file` does.
    """
    is_h5 = data.startswith(SIGN)
    target = written_for(keras, read_h5_config(data)[1] if is_h5 else saved_with(data))
    if not target:
        return data, None
    return backport_h5_file(data, target) if is_h5 else backport_keras_file(data, target)


def backport_h5_file(data: bytes, target: str) -> tuple[bytes, Backport]:
    """Return the file as Keras `target` loads it, and the record.

    A file that it reads, and one that holds arrays only, comes back as it is. Raises BackportError
    where the model uses what the target lacks, SubmissionError where the bytes are no whole HDF5.
    """
    config, version = read_h5_config(data)
    if config is None:
        return data, Backport(target, version, None, (), ())
    backport = backport_config(config, target, version)
    if backport.refusals:
        raise BackportError(backport)
    rewritten = backport.config or (config if _needs_modules(config) else None)
    if rewritten is None:
        return data, backport
    return _with_config(data, without_marks(rewritten), target), backport


def read_h5_config(data: bytes) -> tuple[Node | None, str]:
    """The model's config, with modules, and the version that wrote it; None where there is no model."""
    _h5py()
    try:
        with opened_h5(io.BytesIO(data)) as file:
            found, version = file.attrs.get(CONFIG), text(file.attrs.get(VERSION, ""))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise SubmissionError(
            f"no HDF5 file, or not the whole of one ({error}). Copy it again, or save the model again."
        ) from None
    config, problem = config_of(None if found is None else text(found))
    if problem:
        raise SubmissionError(f"{problem}. Save the model again with model.save('model.keras').")
    return config, version


def config_of(found: str | None) -> tuple[Node | None, str]:
    """The config of an HDF5 file in the shape that `.keras` files have it, or why it cannot be read."""
    if found is None:
        return None, ""
    try:
        if len(found) > LARGEST_CONFIG:
            raise ValueError(f"{len(found):,} characters")  # noqa: TRY301  told like the rest
        config = parse_json(found)
        inner = {"class_name": str(config["class_name"]), "config": dict(config["config"])}
        return _with_modules(inner, _homes()), ""
    except (ValueError, KeyError, TypeError) as error:
        return None, f"its {CONFIG} cannot be read ({error!r})"


def text(value: object) -> str:
    """An HDF5 attribute as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@cache
def _homes() -> dict[str, str]:
    """Class names of Keras -> their modules, which HDF5 files leave out."""
    tables = [load_table(target) for target in targets()]
    names = {name for table in tables for name in (*table.accepts, *table.new_classes)}
    public = sorted(name for name in names if not name.startswith("keras.src."))
    layers_last = sorted(public, key=lambda name: name.startswith("keras.layers."))
    homes = {name.rpartition(".")[2]: name.rpartition(".")[0] for name in layers_last}
    return {**homes, **_HOMES_OF_MODELS}


@cache
def _operations() -> dict[str, str]:
    """Class names of `keras.ops` -> their modules."""
    names = sorted(name for target in targets() for name in load_table(target).operations)
    return {name.rpartition(".")[2]: name.rpartition(".")[0] for name in names}


def _with_modules(value: Any, homes: dict[str, str]) -> Any:
    """The same config, its layers saying where they are from; a class of nobody's is the user's own."""
    if isinstance(value, list):
        return [_with_modules(part, homes) for part in value]
    if not isinstance(value, dict):
        return value
    own = {key: _with_modules(part, homes) for key, part in value.items()}
    name = value.get("class_name")
    if not isinstance(name, str) or name.startswith("__") or "config" not in value:
        return own
    if "module" in value:
        return own
    home = _operations()[name] if _is_operation(value) else homes.get(name, "")
    registered = None if home or name in OWN_NAMES else name
    return {**own, "module": home, "registered_name": registered, BARE: True}


def _is_operation(node: Node) -> bool:
    """Whether it is one of `keras.ops` in a graph, `a + b` for one: other than layers, they do not train."""
    config = node["config"]
    plain = isinstance(config, dict) and "trainable" not in config
    return plain and "inbound_nodes" in node and node["class_name"] in _operations()


def unread_operations(config: Node) -> list[str]:
    """The names of operations that no Keras reads back from an HDF5 file, as it takes them for layers."""
    return [layer_name(node) for node in nodes(config) if BARE in node and _is_operation(node)]


def without_marks(value: Any, *, top: bool = True) -> Any:
    """The config as it goes into the file: layers of Keras's own keep their module, others do as they did."""
    if isinstance(value, list):
        return [without_marks(part, top=False) for part in value]
    if not isinstance(value, dict):
        return value
    own = {key: without_marks(part, top=False) for key, part in value.items() if key != BARE}
    if BARE in value and (top or not str(value.get("module")).startswith(SAY_THEIR_MODULE)):
        return {key: part for key, part in own.items() if key not in ("module", "registered_name")}
    return own


def _needs_modules(config: Node) -> bool:
    """Whether a layer has an axis besides the usual last one, or an operation could be taken for a layer."""
    if unread_operations(config):
        return True
    waiting: list[Any] = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            inner = node.get("config")
            axis = inner.get("axis") if BARE in node and isinstance(inner, dict) else None
            several = isinstance(axis, list) and len(axis) != 1
            if several or (isinstance(axis, int) and axis != -1):
                return True
            waiting += node.values()
    return False


def _with_config(data: bytes, config: Node, target: str) -> bytes:
    """The file's bytes with another config; the same bytes in give the same bytes out."""
    held = io.BytesIO(data)
    with _h5py().File(held, "r+") as file:
        for name, value in ((CONFIG, json.dumps(config)), (VERSION, target)):
            file.attrs.pop(name, None)
            file.attrs[name] = value
    return held.getvalue()


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise SubmissionError(
            "an HDF5 file, which takes h5py to read, and it is not installed here: pip install h5py."
        ) from None
    return h5py
