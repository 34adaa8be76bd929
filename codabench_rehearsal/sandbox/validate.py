"""What a submission answered, validated before anything believes it.

What a child left in a folder that it could write is read as regular files of a size at most: a link
may lead to the user's files, or to /dev/zero; a pipe lets the reader wait for ever.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# A one-hot float64 row of 12,500 classes; beyond it nothing is read.
LARGEST_BYTES_AN_IMAGE = 100_000
# "labels": what `np.save` and scikit-learn's `accuracy_score` take for labels: whole numbers of any
# numeric dtype, also as a column (n, 1). "strict": integers of shape (n,). "probabilities": (n,
# classes).
Rule = Literal["labels", "strict", "probabilities"]


@dataclass(frozen=True)
class Fault:
    """Why an answer cannot be scored.

    kind: "shape", "scores" (rows of numbers, one for each class), "dtype", "nan", "range",
    "counts from 1", "length" or "unreadable".
    """

    kind: str
    message: str


def read_answers(
    path: Path, count: int, classes: int, rule: Rule = "labels"
) -> NDArray[np.int64] | Fault:
    """Read one block's answers: labels int64 `(count,)` in 0..classes-1, or the fault in them.

    Never unpickles, and never loads a file out of proportion to the question.
    """
    most = 4096 + count * LARGEST_BYTES_AN_IMAGE
    left = read_left(path, most)
    if left is None:
        return Fault("length", f"expected a file of at most {most:,} bytes for {count:,} images")
    try:
        answers = np.lib.format.read_array(io.BytesIO(left), allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        return Fault("unreadable", f"the answer could not be read as an array ({error})")
    if rule == "probabilities":
        return _of_scores(answers, count, classes)
    if rule == "labels" and answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    return _fault(answers, count, classes, rule) or answers.astype(np.int64)


def read_left(path: Path, most: int) -> bytes | None:
    """A regular file of at most `most` bytes; None where it is more, missing or unreadable."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as file:
        found = file.read(most + 1)
    return found if len(found) <= most else None


def _of_scores(answers: NDArray[np.generic], count: int, classes: int) -> NDArray[np.int64] | Fault:
    """The class of the highest score of each row."""
    expected = f"scores of shape ({count}, {classes}), one row for each image"
    if answers.shape != (count, classes):
        return Fault("shape", f"expected {expected}; received shape {answers.shape}")
    if answers.dtype.kind not in "iuf":
        return Fault("dtype", f"expected {expected}; received dtype {answers.dtype}")
    if not np.isfinite(answers.astype(np.float64)).all():
        return Fault("nan", f"expected {expected}; received values that are not finite")
    labels: NDArray[np.int64] = answers.argmax(axis=1).astype(np.int64)
    return labels


def _fault(answers: NDArray[np.generic], count: int, classes: int, rule: Rule) -> Fault | None:
    expected = f"integer labels of shape ({count},), one for each image"
    if answers.ndim != 1:
        scores = answers.ndim == 2 and answers.shape[1] == classes
        hint = ": these look like scores or one-hot rows" if scores else ""
        kind = "scores" if scores else "shape"
        return Fault(kind, f"expected {expected}; received shape {answers.shape}{hint}")
    if len(answers) != count:
        return Fault("length", f"expected {expected}; received {len(answers):,} labels")
    return _dtype_fault(answers, expected, rule) or _range_fault(answers, classes)


def _dtype_fault(answers: NDArray[np.generic], expected: str, rule: Rule) -> Fault | None:
    received = f"expected {expected}; received dtype {answers.dtype}"
    if answers.dtype.kind not in ("iu" if rule == "strict" else "iufb"):
        return Fault("dtype", received)
    if answers.dtype.kind == "f":
        values = answers.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            return Fault("nan", f"{received} with {values[bad[0]]} for image {bad[0]}")
        odd = np.flatnonzero(values != np.floor(values))
        if len(odd):
            return Fault("dtype", f"{received} with {values[odd[0]]:g}, which is no label")
    return None


def _range_fault(answers: NDArray[np.generic], classes: int) -> Fault | None:
    values = answers.astype(np.float64)
    if not len(values) or (values.min() >= 0 and values.max() < classes):
        return None
    kind = "counts from 1" if (values.min(), values.max()) == (1, classes) else "range"
    seen = f"{values.min():g}..{values.max():g}"
    return Fault(kind, f"expected labels in 0..{classes - 1}; received {seen}")
