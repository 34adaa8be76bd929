"""What a submission answered, validated before anything believes it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.reading import read_left

LARGEST_BYTES_AN_IMAGE = (
    100_000  # a one-hot float64 row of 12,500 classes; beyond it nothing is read
)


@dataclass(frozen=True)
class Fault:
    """Why an answer cannot be scored. kind: "shape", "dtype", "range", "length", "unreadable"."""

    kind: str
    message: str


def read_answers(path: Path, count: int, classes: int) -> NDArray[np.int64] | Fault:
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
    return _fault(answers, count, classes) or answers.astype(np.int64)


def _fault(answers: NDArray[np.generic], count: int, classes: int) -> Fault | None:
    expected = f"integer labels of shape ({count},), one for each image"
    if answers.ndim != 1:
        hint = _shape_hint(answers, classes)
        return Fault("shape", f"expected {expected}; received shape {answers.shape}{hint}")
    if len(answers) != count:
        return Fault("length", f"expected {expected}; received {len(answers):,} labels")
    if answers.dtype.kind not in "iu":
        return Fault(
            "dtype", f"expected {expected}; received dtype {answers.dtype}{_dtype_hint(answers)}"
        )
    if count and (answers.min() < 0 or answers.max() >= classes):
        seen = f"{answers.min()}..{answers.max()}"
        return Fault("range", f"expected labels in 0..{classes - 1}; received {seen}")
    return None


def _shape_hint(answers: NDArray[np.generic], classes: int) -> str:
    if answers.ndim == 2 and answers.shape[1] == classes:
        return ": these look like scores or one-hot rows; return scores.argmax(axis=1)"
    if answers.ndim == 2 and answers.shape[1] == 1:
        return ": return it flattened, answer.reshape(-1)"
    return ""


def _dtype_hint(answers: NDArray[np.generic]) -> str:
    if answers.dtype.kind == "f":
        return ": return answer.astype(int)"
    return ""
