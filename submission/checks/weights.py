"""Checks of the weights: there under the name that is opened, and loadable by the server."""

from __future__ import annotations

import ast
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from submission.amounts import human_bytes
from submission.backport import inspect_keras_file
from submission.backport_table import targets
from submission.checks.registry import Subject, check
from submission.errors import SubmissionError

LARGEST_KERAS = 4 << 30
SUFFIXES = (".keras", ".h5", ".hdf5", ".tflite", ".npz", ".npy", ".pkl", ".joblib", ".pt", ".pth")


@check("S301", "error")
def opened_but_missing(subject: Subject) -> Iterator[str]:
    """Make the names equal: the file in the zip and the name that the module opens."""
    names = {PurePosixPath(name).name for name in subject.archive.names}
    for opened in _opened_files(subject.tree):
        if PurePosixPath(opened).name not in names:
            found = sorted(name for name in names if name.lower().endswith(SUFFIXES))
            inside = f"; the zip has {', '.join(found)}" if found else ""
            yield f"{subject.module_file} opens {opened!r}, which is not in the zip{inside}"


@check("S302", "warning")
def no_weights(subject: Subject) -> Iterator[str]:
    """Add the saved weights, unless the model truly has none."""
    if subject.archive.names and not any(
        n.lower().endswith(SUFFIXES) for n in subject.archive.names
    ):
        yield "the zip holds no weights file"


@check("S303", "error")
def keras_too_new(subject: Subject) -> Iterator[str]:
    """Let make-submission rewrite the file for the server's Keras: make-submission WEIGHTS."""
    for member in subject.archive.members:
        if subject.challenge.keras in targets() and member.name.endswith(".keras"):
            yield from _unloadable(subject, member.name)


def _unloadable(subject: Subject, name: str) -> Iterator[str]:
    server = subject.challenge.keras
    try:
        found = inspect_keras_file(subject.archive.read(name, LARGEST_KERAS), server)
    except SubmissionError as error:
        yield f"{name}: {error}"
        return
    changes = [change for change in found.changes if change.key != "compile_config"]
    if found.refusals:
        yield f"{name}: Keras {server} cannot load it: {found.refusals[0]}"
    elif changes:
        first = f"{changes[0].layer or 'the model'}: {changes[0].key}"
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        said = f"holds what Keras {server} does not know ({first}{more})"
        yield f"{name} was saved by Keras {found.saved_with} and {said}"


@check("S304", "note")
def optimizer_state(subject: Subject) -> Iterator[str]:
    """Save without it: model.compile(optimizer=None, loss=None), then model.save(...)."""
    for member in subject.archive.members:
        if member.name.endswith(".keras"):
            wasted = _optimizer_bytes(subject, member.name)
            if wasted:
                share = f"{human_bytes(wasted)} of its {human_bytes(member.size)}"
                yield f"{member.name} holds the optimizer's state, {share}: nothing there needs it"


def _optimizer_bytes(subject: Subject, name: str) -> int:
    """Bytes of the optimizer's variables in a `.keras` file; 0 where they cannot be read."""
    try:
        import h5py
    except ImportError:
        return 0
    try:
        with zipfile.ZipFile(io.BytesIO(subject.archive.read(name, LARGEST_KERAS))) as inner:
            held = io.BytesIO(inner.read("model.weights.h5"))
        with h5py.File(held, "r") as weights:
            found: list[int] = []
            if "optimizer" in weights:
                weights["optimizer"].visititems(lambda _, item: found.append(_stored(item)))
            return sum(found)
    except (SubmissionError, zipfile.BadZipFile, zlib.error, KeyError, OSError, RuntimeError):
        return 0


def _stored(item: Any) -> int:
    return int(item.nbytes) if hasattr(item, "nbytes") else 0


def _opened_files(tree: ast.Module | None) -> Iterator[str]:
    seen: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text not in seen and _is_file_name(text):
            seen.add(text)
            yield text


def _is_file_name(text: str) -> bool:
    return (
        text.lower().endswith(SUFFIXES) and not text.startswith(".") and not set(text) & set(" \n*")
    )
