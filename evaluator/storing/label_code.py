"""Answers as a few bytes each, and back."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from evaluator.storing.rows import Answers

_HEAD = struct.Struct("<IBB")  # how many, bytes of a step between ids, bytes of a label


class BrokenLabelsError(ValueError):
    """The bytes are not what was packed; zlib's checksum has noticed."""


def pack(answers: Answers) -> bytes:
    """Steps between ascending ids, then labels, each in as few bytes as they need; deflated."""
    steps = _narrow(np.diff(answers.ids, prepend=0))
    labels = _narrow(answers.labels)
    head = _HEAD.pack(len(answers), steps.itemsize, labels.itemsize)
    return zlib.compress(head + steps.tobytes() + labels.tobytes())


def unpack(packed: bytes) -> Answers:
    """The reverse of `pack`. Raises `BrokenLabelsError`."""
    try:
        content = zlib.decompress(packed)
        count, step, label = _HEAD.unpack_from(content)
        steps = np.frombuffer(content, f"<u{step}", count, _HEAD.size)
        labels = np.frombuffer(content, f"<u{label}", count, _HEAD.size + count * step)
    except (zlib.error, struct.error, TypeError, ValueError) as error:
        raise BrokenLabelsError(str(error)) from error
    return Answers(np.cumsum(steps, dtype=np.int64), labels.astype(np.int64))


def _narrow(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """The same values, not negative, in the smallest little-endian type that holds them."""
    largest = int(values.max(initial=0))
    size = next(size for size in (1, 2, 4, 8) if largest < 1 << 8 * size)
    narrow: NDArray[np.unsignedinteger] = values.astype(f"<u{size}")
    return narrow
