"""Checks of the weights: there under the name that is opened, and loadable by the server."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

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
