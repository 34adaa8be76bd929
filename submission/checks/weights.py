"""Checks of the weights: there, whole, and loadable by the server's Keras."""

from __future__ import annotations

import posixpath
import struct
import zipfile
from ast import literal_eval
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes
from submission.backport import WEIGHTS, is_newer
from submission.backport_keras2 import FIRST_KERAS_3
from submission.checks.keras_files import Weights
from submission.checks.opening import SUFFIXES, Naming
from submission.checks.subject import Subject, check
from submission.findings import Said

PICKLES = (".pkl", ".pickle", ".joblib", ".sav")
TORCH = (".pt", ".pth", ".safetensors", ".ckpt", ".onnx")
LOADABLE = (".keras", ".h5", ".hdf5")
NPY_SIGN = b"\x93NUMPY"


@check("S302", "warning")
def no_weights(subject: Subject) -> Iterator[str]:
    """Add the saved weights, unless the model truly has none."""
    names = subject.archive.names
    if names and not any(name.lower().endswith(SUFFIXES) for name in names):
        yield "the zip holds no weights file"


def of_kind(subject: Subject, kind: str) -> Iterator[Weights]:
    """The files of a kind that can be read, and that the code loads as a whole model."""
    for weights in subject.weights:
        if weights.kind == kind and not weights.problem and is_loaded(subject, weights.name):
            yield weights


def is_loaded(subject: Subject, name: str) -> bool:
    """Whether the code may load the file as a whole model, config and all."""
    told = [
        o.opener
        for o in subject.opened
        if PurePosixPath(o.place.path).name == PurePosixPath(name).name
    ]
    if told:
        return "load_model" in told
    return not subject.modules or any(
        "load_model" in (module.text or "") for module in subject.modules
    )


@check("S304", "note")
def optimizer_state(subject: Subject) -> Iterator[str]:
    """Save without it: make-submission --shrink, or model.compile(optimizer=None, loss=None) and model.save(...)."""
    for weights in subject.weights:
        wasted = weights.arrays.optimizer_bytes if weights.arrays else 0
        if wasted:
            share = f"{human_bytes(wasted)} beside {human_bytes(weights.arrays.bytes if weights.arrays else 0)} of weights"
            yield f"{weights.name} holds the optimizer's state, {share}: nothing there needs it"


@check("S314", "error")
def deleted_by_load_model(subject: Subject) -> Iterator[str]:
    """Rename it: load_model unpacks its own file of that name beside the .keras file, and deletes it."""
    for name in sorted(subject.archive.names):
        path = PurePosixPath(name)
        beside = [
            w.name for w in of_kind(subject, "keras") if PurePosixPath(w.name).parent == path.parent
        ]
        if path.name == WEIGHTS and beside and Naming(subject).has(name):
            yield f"{name} lies beside {beside[0]}, whose loading overwrites and deletes it"


@check("S315", "error")
def unreadable_weights(subject: Subject) -> Iterator[Said]:
    """Copy the file again, whole, and build the zip anew."""
    for weights in subject.weights:
        if weights.problem:
            yield from _unreadable(subject, weights.name, weights.problem, ("load_model", "load_weights", "File"))  # fmt: skip
    for member in subject.archive.members:
        is_array = member.name.lower().endswith((".npy", ".npz")) and not member.is_encrypted
        if is_array and (problem := _array_problem(subject, member.name)):
            yield from _unreadable(subject, member.name, problem, ("load", "memmap", "fromfile"))


def _unreadable(
    subject: Subject, name: str, problem: str, openers: tuple[str, ...]
) -> Iterator[Said]:
    """An error where a call that reads such files surely opens it, a warning where something may."""
    surely = any(
        opened.opener in openers and posixpath.normpath(opened.place.path) == name
        for opened in subject.opened
    )
    advice = "Give it the ending of what it is: rename it." if problem.startswith("it is ") else ""
    if surely or Naming(subject).has(name):
        yield Said(f"{name}: {problem}", None if surely else "warning", advice)


def _array_problem(subject: Subject, name: str) -> str:
    try:
        file = subject.archive.look_into(name)
    except SubmissionError as error:
        return str(error)
    if name.lower().endswith(".npz"):
        return "" if zipfile.is_zipfile(file) else "it is no .npz file, or not the whole of one"
    return _npy_problem(file)


def _npy_problem(file: IO[bytes]) -> str:
    """Why a .npy file is none, by its header and its length; the layout is numpy's own (NEP 1)."""
    sign = file.read(8)
    if sign[:6] != NPY_SIGN or len(sign) < 8:
        return "it is no .npy file"
    wide = sign[6] > 1
    length = file.read(4 if wide else 2)
    if len(length) < (4 if wide else 2):
        return "it is cut short"
    header = file.read(min(struct.unpack("<I" if wide else "<H", length)[0], 1 << 20))
    try:
        shape, kind = (value := literal_eval(header.decode("latin-1")))["shape"], value["descr"]
        count = 1
        for side in shape:
            count *= int(side)
        size = int(kind.lstrip("<>|=").lstrip("bBiufcSUVmM?O")) if isinstance(kind, str) else 0
    except (
        ValueError,
        SyntaxError,
        KeyError,
        TypeError,
        AttributeError,
        MemoryError,
        RecursionError,
    ):
        return ""  # a kind of array that this does not know
    size *= 4 if str(kind).lstrip("<>|=").startswith("U") else 1
    start = file.tell()
    held = file.seek(0, 2) - start
    return f"it is cut short: {held:,} of {count * size:,} bytes" if held < count * size else ""


@check("S316", "warning")
def version_bound(subject: Subject) -> Iterator[str]:
    """Save plain arrays or a layer class: byte code and pickles are read by the very versions only that wrote them."""
    found = [name for name in sorted(subject.archive.names) if name.lower().endswith(PICKLES)]
    if found:
        yield f"{found[0]} is a pickle"
    for weights in subject.weights:
        if weights.config is not None and has_lambda(weights.config) and allows_lambdas(subject):
            yield f"{weights.name} holds a lambda's byte code, and the code lets it in (safe_mode=False)"


def has_lambda(value: object) -> bool:
    """Whether a config holds a Python lambda."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("class_name") == "__lambda__":
                return True
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return False


def allows_lambdas(subject: Subject) -> bool:
    """Whether the code switches Keras's safe mode off."""
    for _, call in subject.live.calls:
        if (
            getattr(call.func, "attr", getattr(call.func, "id", ""))
            == "enable_unsafe_deserialization"
        ):
            return True
        if any(
            k.arg == "safe_mode" and getattr(k.value, "value", None) is False for k in call.keywords
        ):
            return True
    return False


@check("S307", "error")
def lambda_layer(subject: Subject) -> Iterator[str]:
    """Use a layer class or a named function, registered with @keras.saving.register_keras_serializable()."""
    if allows_lambdas(subject):
        return
    for weights in of_kind(subject, "keras"):
        if weights.config is not None and has_lambda(weights.config):
            yield f"{weights.name} holds a lambda: Keras does not load one in its safe mode"


@check("S317", "warning")
def other_frameworks(subject: Subject) -> Iterator[str]:
    """Convert it to Keras or numpy: a server with TensorFlow has no PyTorch or ONNX."""
    if not (subject.challenge.keras or subject.challenge.tensorflow):
        return
    found = [name for name in sorted(subject.archive.names) if name.lower().endswith(TORCH)]
    if found:
        yield f"{found[0]} is a file of another framework"


@check("S319", "error")
def weights_without_network(subject: Subject) -> Iterator[str]:
    """Build the network in the code and call its load_weights: the file holds only arrays."""
    arrays = {weights.name for weights in subject.weights if weights.kind == "weights"}
    for opened in subject.opened:
        if opened.opener == "load_model" and not opened.checked and opened.place.path in arrays:
            yield f"{opened.where}: load_model of {opened.place.path}, which holds no model, only weights"


@check("S320", "error")
def no_keras_3_format(subject: Subject) -> Iterator[str]:
    """Save it with model.save("model.keras"): Keras 3 loads .keras and .h5 files only."""
    server = subject.challenge.keras
    if not server or not is_newer(server, FIRST_KERAS_3):
        return
    for opened in subject.opened:
        path = opened.place.path
        is_keras = opened.module.full_name(opened.call.func).startswith(("keras.", "tf_keras."))
        dir_config = f"{path}/config.json" in subject.archive.names
        loads = opened.opener == "load_model" and is_keras and not opened.checked
        other = not path.lower().endswith(LOADABLE) and not dir_config and _is_there(subject, path)
        if loads and path and other:
            yield f"{opened.where}: load_model of {path}, which is no .keras or .h5 file"


def _is_there(subject: Subject, path: str) -> bool:
    return any(name == path or name.startswith(f"{path}/") for name in subject.archive.names)
