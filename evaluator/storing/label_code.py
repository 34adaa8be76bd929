"""Answers as a few bytes each, and back."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluator.storing.rows import Answers

Whole = NDArray[np.unsignedinteger]
_NOTHING: Whole = np.zeros(0, np.uint8)
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
    steps, labels = _read(packed)
    return Answers(np.cumsum(steps, dtype=np.int64), labels.astype(np.int64))


def unpack_all(packed: Sequence[object]) -> tuple[Answers, NDArray[np.int64]]:
    """Many at once, one after the other, and how many answers each has, int64 `(m,)`.

    Ids ascend within each. What is broken has none.
    """
    parts = [_parts(one) for one in packed]
    counts = np.array([len(steps) for steps, _ in parts], np.int64)
    if counts.sum() == 0:
        return Answers(np.zeros(0, np.int64), np.zeros(0, np.int64)), counts
    steps = np.concatenate([steps for steps, _ in parts], dtype=np.int64, casting="unsafe")
    labels = np.concatenate([labels for _, labels in parts], dtype=np.int64, casting="unsafe")
    ids = np.cumsum(steps)
    ends = np.cumsum(counts)
    before = np.where(ends > counts, ids[ends - counts - 1], 0)  # the first begins at none
    return Answers(ids - np.repeat(before, counts), labels), counts


def narrow_bytes(packed: Sequence[object]) -> tuple[list[int], bytes, bytes] | None:
    """How many answers each has, all steps, all labels; None unless a byte each is enough for all.

    None also where one has no answers or is broken: `unpack_all` reads those.
    """
    counts, steps, labels = [], [], []
    try:
        for one in packed:
            content = zlib.decompress(one)  # type: ignore[arg-type]  # the error is caught
            count, step, label = _HEAD.unpack_from(content)
            middle, end = _HEAD.size + count, _HEAD.size + 2 * count
            if step != 1 or label != 1 or count == 0 or len(content) < end:
                return None
            counts.append(count)
            steps.append(content[_HEAD.size : middle])
            labels.append(content[middle:end])
    except (zlib.error, struct.error, TypeError):
        return None
    return (counts, b"".join(steps), b"".join(labels)) if counts else None


def _parts(packed: object) -> tuple[Whole, Whole]:
    """Steps and labels; nothing of what is broken."""
    try:
        return _read(packed) if isinstance(packed, bytes) else (_NOTHING, _NOTHING)
    except BrokenLabelsError:
        return _NOTHING, _NOTHING


def _read(packed: bytes) -> tuple[Whole, Whole]:
    try:
        content = zlib.decompress(packed)
        count, step, label = _HEAD.unpack_from(content)
        steps = np.frombuffer(content, f"<u{step}", count, _HEAD.size)
        labels = np.frombuffer(content, f"<u{label}", count, _HEAD.size + count * step)
    except (zlib.error, struct.error, TypeError, ValueError) as error:
        raise BrokenLabelsError(str(error)) from error
    return steps, labels


def _narrow(values: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """The same values, not negative, in the smallest little-endian type that holds them."""
    largest = int(values.max(initial=0))
    size = next(size for size in (1, 2, 4, 8) if largest < 1 << 8 * size)
    narrow: NDArray[np.unsignedinteger] = values.astype(f"<u{size}")
    return narrow
