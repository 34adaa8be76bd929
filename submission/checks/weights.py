"""Checks of what the code opens: in the zip, found from any folder; of weights: whole, loadable."""

from __future__ import annotations

import ast
import math
import struct
import zipfile
from ast import literal_eval
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes
from submission.backport_graph import all_nodes
from submission.checks.modules import UNPARSABLE, Module, argument, called, constant, words
from submission.checks.opened import ASKS, OpenedFile
from submission.checks.subject import Subject, check
from submission.findings import Said
from submission.keras_files import LOADABLE, WEIGHTS
from submission.keras_tables import FIRST_KERAS_3, is_newer

# Endings of weights files; some are others' as well.
SURE_SUFFIXES = tuple(
    words(".keras .h5 .hdf5 .tflite .npz .npy .pkl .pickle .joblib .pt .pth .onnx .safetensors")
)
SUFFIXES = (*SURE_SUFFIXES, ".ckpt", ".pb", ".sav")
# Places of the server.
FOREIGN = ("/app/", "/dev/", "/proc/", "/sys/", "/tmp/", "/etc/", "/var/", "/usr/")  # noqa: S108
WRITERS = words(
    "save save_weights endswith ModelCheckpoint savez dump to_csv download urlretrieve get_file "
    "replace split"
)
PICKLES = (".pkl", ".pickle", ".joblib", ".sav")
TORCH = (".pt", ".pth", ".safetensors", ".ckpt", ".onnx")
NPY_SIGN = b"\x93NUMPY"
# What goes wrong in the header of an array of a kind that this does not know.
_ODD = (*UNPARSABLE, LookupError, TypeError, AttributeError)


@check("S301", "error")
def opened_but_missing(subject: Subject) -> Iterator[str]:
    """Make the names equal: the file in the zip and the name that the code opens."""
    for opened, path in _not_found(subject):
        if _in_another_case(subject, path):
            continue  # S327
        suffix = PurePosixPath(path).suffix.lower()
        same = [n for n in subject.sorted_names if PurePosixPath(n).suffix.lower() == suffix]
        others = same or subject.ending(SUFFIXES)
        instead = f"; the zip has {', '.join(others[:3])}" if others else ""
        yield f"{opened.where} opens {path!r}, which is not in the zip{instead}"


@check("S327", "error")
def opened_in_another_case(subject: Subject) -> Iterator[str]:
    """Write the name as the zip has it: the platform's file names are case-sensitive."""
    for opened, path in _not_found(subject):
        if found := _in_another_case(subject, path):
            yield f"{opened.where} opens {path!r}, which the zip has as {found}"


def _in_another_case(subject: Subject, path: str) -> str:
    return next((n for n in subject.sorted_names if n.casefold() == path.casefold()), "")


def _not_found(subject: Subject) -> Iterator[tuple[OpenedFile, str]]:
    """The files that are opened, not asked for first, and not in the zip; each name once."""
    seen: set[str] = set()
    for opened in subject.opened:
        path = opened.place.plain
        told = path in seen or opened.checked or opened.place.anchor not in ("zip", "text", "cwd")
        odd = (
            path.startswith("..") or set(path) & set("*?\n") or "." not in PurePosixPath(path).name
        )
        if not told and not odd and not _is_there(subject, path):
            seen.add(path)
            yield opened, path


def _is_there(subject: Subject, path: str) -> bool:
    """Whether the zip has that file, or a folder of that name."""
    folder = any(name.startswith(f"{path}/") for name in subject.names)
    return path in subject.names or path in (".", "") or folder


@check("S305", "error")
def path_of_another_machine(subject: Subject) -> Iterator[str]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    for opened in subject.opened:
        place = opened.place
        foreign = place.anchor == "absolute" and not place.path.startswith(FOREIGN)
        if not opened.checked and (foreign or place.anchor == "home"):
            path = place.path or "a file in the home folder"
            yield f"{opened.where} opens {path!r}, a path of another machine"


@check("S326", "warning")
def found_by_one_worker_only(subject: Subject) -> Iterator[Said]:
    """Open it beside the module: Path(__file__).parent / "weights.keras"."""
    workers = subject.challenge.workers
    for opened in subject.opened:
        if opened.place.anchor == "output":
            path = f"/app/output/{opened.place.path}"
            weight = None if len(workers) > 1 else "error"
            yield Said(
                f"{opened.where} opens {path}, where Codabench's worker of 2026-10 puts nothing",
                weight if "2026-10" in workers else "note",  # type: ignore[arg-type]
            )


@check("S306", "warning")
def found_from_one_folder_only(subject: Subject) -> Iterator[str]:
    """Open it beside the module, Path(__file__).parent / NAME: which folder the platform stands in
    is not known.
    """
    told: dict[str, str] = {}
    for opened in subject.opened:
        path = opened.place.plain
        if opened.place.anchor in ("text", "cwd") and path in subject.names:
            told.setdefault(path, f"{opened.where} opens {path!r} by the working folder")
    yield from told.values()


@check("S318", "note")
def weights_not_opened(subject: Subject) -> Iterator[str]:
    """Leave it out, if the model does not need it."""
    if subject.predict is None or list(opened_but_missing(subject)):
        return  # it is not said what is opened, or under which name
    found = [n for n in subject.ending(SUFFIXES) if not subject.opened_files.perhaps(n)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"no code names {found[0]}{more}"


@check("S322", "warning")
def named_but_missing(subject: Subject) -> Iterator[str]:
    """Put the file in, or remove the name, if something opens it."""
    told = {opened.place.name for opened in subject.opened}
    told |= {PurePosixPath(name).name for name in subject.names}
    for module, node in subject.live:
        text = constant(node)
        if not isinstance(text, str) or not text.lower().endswith(SURE_SUFFIXES):
            continue
        odd = text.startswith(".") or set(text) & set(" \n*{%:")
        if not odd and not _is_saved(module, node):
            name = PurePosixPath(text.replace("\\", "/")).name
            if name not in told:
                told.add(name)
                yield f"{module.line(node)} names {text!r}, which is not in the zip"


def _is_saved(module: Module, node: ast.AST) -> bool:
    """Whether the name is part of a longer one, or of a call that writes or asks for it."""
    return any(
        isinstance(outer, ast.JoinedStr | ast.Compare)
        or getattr(getattr(outer, "func", None), "attr", "") in WRITERS | ASKS
        for outer in module.above(node)
    )


@check("S302", "warning")
def no_weights(subject: Subject) -> Iterator[str]:
    """Add the saved weights, unless the model truly has none."""
    if subject.names and not subject.ending(SUFFIXES):
        yield "the zip holds no weights file"


@check("S304", "note")
def optimizer_state(subject: Subject) -> Iterator[str]:
    """Save without it: make-submission --shrink, or model.compile(optimizer=None, loss=None) and
    model.save(...).
    """
    for weights in subject.weights:
        if weights.arrays and (wasted := weights.arrays.optimizer_bytes):
            share = f"{human_bytes(wasted)} beside {human_bytes(weights.arrays.bytes)} of weights"
            yield f"{weights.name} holds the optimizer's state, {share}: nothing there needs it"


@check("S314", "error")
def deleted_by_load_model(subject: Subject) -> Iterator[str]:
    """Rename it: load_model unpacks its own file of that name beside the .keras file, and deletes
    it.
    """
    for path in (PurePosixPath(name) for name in subject.sorted_names):
        models = subject.models("keras") if path.name == WEIGHTS else ()
        beside = [w.name for w in models if PurePosixPath(w.name).parent == path.parent]
        if beside and subject.opened_files.perhaps(str(path)):
            yield f"{path} lies beside {beside[0]}, whose loading overwrites and deletes it"


@check("S315", "error")
def unreadable_weights(subject: Subject) -> Iterator[Said]:
    """Copy the file again, whole, and build the zip anew."""
    for weights in subject.weights:
        if weights.problem:
            openers = ("load_model", "load_weights", "File")
            yield from _unreadable(subject, weights.name, weights.problem, openers)
    for member in subject.archive.members:
        is_array = member.name.lower().endswith((".npy", ".npz")) and not member.is_encrypted
        if is_array and (problem := _array_problem(subject, member.name)):
            yield from _unreadable(subject, member.name, problem, ("load", "memmap", "fromfile"))


def _unreadable(
    subject: Subject, name: str, problem: str, openers: tuple[str, ...]
) -> Iterator[Said]:
    """An error where such a call surely opens it, a warning where something may."""
    surely = any(o.opener in openers and o.place.plain == name for o in subject.opened)
    advice = "Give it the ending of what it is: rename it." if problem.startswith("it is ") else ""
    if surely or subject.opened_files.perhaps(name):
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
    layout = "<I" if sign[6] > 1 else "<H"
    length = file.read(struct.calcsize(layout))
    if len(length) < struct.calcsize(layout):
        return "it is cut short"
    header = file.read(min(struct.unpack(layout, length)[0], 1 << 20))
    try:
        value = literal_eval(header.decode("latin-1"))
        kind, count = value["descr"], math.prod(map(int, value["shape"]))
        size = int(kind.lstrip("<>|=").lstrip("bBiufcSUVmM?O")) if isinstance(kind, str) else 0
    except _ODD:
        return ""
    needed = count * size * (4 if str(kind).lstrip("<>|=").startswith("U") else 1)
    start = file.tell()
    held = file.seek(0, 2) - start
    return f"it is cut short: {held:,} of {needed:,} bytes" if held < needed else ""


@check("S316", "warning")
def version_bound(subject: Subject) -> Iterator[str]:
    """Save plain arrays or a layer class: byte code and pickles load only in the versions that
    wrote them.
    """
    if found := subject.ending(PICKLES):
        yield f"{found[0]} is a pickle"
    for weights in subject.weights if allows_lambdas(subject) else ():
        if _has_lambda(weights.config):
            lets_in = "the code lets it in (safe_mode=False)"
            yield f"{weights.name} holds a lambda's byte code, and {lets_in}"


def _has_lambda(config: object) -> bool:
    return any(node.get("class_name") == "__lambda__" for node in all_nodes(config))


def allows_lambdas(subject: Subject) -> bool:
    """Whether the code switches Keras's safe mode off."""
    return any(
        called(call) == "enable_unsafe_deserialization"
        or constant(argument(call, "safe_mode")) is False
        for _, call in subject.live.calls
    )


@check("S307", "error")
def lambda_layer(subject: Subject) -> Iterator[str]:
    """Use a layer class or a named function, registered with
    @keras.saving.register_keras_serializable().
    """
    for weights in subject.models("keras") if not allows_lambdas(subject) else ():
        if _has_lambda(weights.config):
            yield f"{weights.name} holds a lambda: Keras does not load one in its safe mode"


@check("S317", "warning")
def other_frameworks(subject: Subject) -> Iterator[str]:
    """Convert it to Keras or numpy: a server with TensorFlow has no PyTorch or ONNX."""
    named = subject.challenge.keras or subject.challenge.tensorflow
    if named and (found := subject.ending(TORCH)):
        yield f"{found[0]} is a file of another framework"


@check("S319", "error")
def weights_without_network(subject: Subject) -> Iterator[str]:
    """Build the network in the code and call its load_weights: the file holds only arrays."""
    arrays = {weights.name for weights in subject.weights if weights.kind == "weights"}
    for opened in subject.opened:
        path = opened.place.path
        if opened.opener == "load_model" and not opened.checked and path in arrays:
            yield f"{opened.where}: load_model of {path}, which holds no model, only weights"


@check("S320", "error")
def no_keras_3_format(subject: Subject) -> Iterator[str]:
    """Save it with model.save("model.keras"): Keras 3 loads .keras and .h5 files only."""
    server = subject.challenge.keras
    if not server or not is_newer(server, FIRST_KERAS_3):
        return
    for opened in subject.opened:
        path = opened.place.path
        is_keras = opened.module.full_name(opened.call.func).startswith(("keras.", "tf_keras."))
        loads = opened.opener == "load_model" and is_keras and not opened.checked
        other = not path.lower().endswith(LOADABLE) and f"{path}/config.json" not in subject.names
        if loads and path and other and path != "." and _is_there(subject, path):
            yield f"{opened.where}: load_model of {path}, which is no .keras or .h5 file"
