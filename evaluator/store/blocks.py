"""Blocks of answers as they came, until they are worth a place in their conditions' rows.

A block touches every condition, and a condition's row is packed as a whole: to write each block into the rows
would pack all that is known again and again. So a block is appended as one row of its own, and all of
them go into the rows together once they are as many answers as those have: each answer is packed a
few times at most, however many there are.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.reading import parse_json
from evaluator.store.rows import AnswerKey, Answers

Block = Sequence[tuple[AnswerKey, Answers]]
_ID_BITS = 40  # of a number that holds a condition's place in the block, and an image's id


def totals(db: sqlite3.Connection, run: int) -> tuple[int, int]:
    """How many answers of a run stand in the conditions' rows, and how many in blocks."""
    queries = (
        "SELECT coalesce(sum(count), 0) FROM answers WHERE run = ?",
        "SELECT coalesce(sum(count), 0) FROM blocks WHERE run = ?",
    )
    there, waiting = (int(db.execute(query, (run,)).fetchone()[0]) for query in queries)
    return there, waiting


def append(db: sqlite3.Connection, run: int, block: Block) -> None:
    """Add a block of one run, none of whose answers is stored. Inside a transaction."""
    conditions = [key.condition for key, _ in block]
    places = np.repeat(np.arange(len(block)), [len(answers) for _, answers in block])
    ids = np.concatenate([answers.ids for _, answers in block])
    labels = np.concatenate([answers.labels for _, answers in block])
    packed = pack(
        Answers((places << _ID_BITS) + ids, labels)
    )  # ascending, as they are by condition
    insert = "INSERT INTO blocks (run, cells, count, labels) VALUES (?, ?, ?, ?)"
    db.execute(insert, (run, json.dumps(conditions), len(ids), packed))


def fits(block: Block) -> bool:
    """Whether it is one run's, and its ids are small enough to be appended."""
    runs = {key.run for key, _ in block}
    largest = max((int(answers.ids.max(initial=0)) for _, answers in block), default=0)
    return len(runs) == 1 and largest < 1 << _ID_BITS


def taken(db: sqlite3.Connection, run: int) -> dict[str, Answers]:
    """All blocks of a run, by condition; they are removed. Inside a transaction."""
    query = "SELECT cells, labels FROM blocks WHERE run = ? ORDER BY id"
    found = together(db.execute(query, (run,)).fetchall())
    if found:
        db.execute("DELETE FROM blocks WHERE run = ?", (run,))
    return found


def together(rows: Sequence[tuple[str, object]]) -> dict[str, Answers]:
    """Blocks, each as conditions and packed labels, by condition and ascending id."""
    parts: dict[str, list[Answers]] = {}
    for conditions, packed in rows:
        for condition, answers in _unpacked(conditions, packed):
            parts.setdefault(condition, []).append(answers)
    return {condition: _joined(own) for condition, own in parts.items()}


def counted(db: sqlite3.Connection) -> Iterator[tuple[int, list[str], int]]:
    """Of every block: its submission, its conditions, and how many answers it has."""
    query = "SELECT r.submission, b.cells, b.count FROM blocks b, runs r WHERE b.run = r.id"
    for submission, conditions, count in db.execute(query).fetchall():
        yield submission, _conditions(conditions), count


def _unpacked(conditions: str, packed: object) -> Iterator[tuple[str, Answers]]:
    """Nothing of what is broken: it is asked again."""
    names = _conditions(conditions)
    try:
        found = unpack(packed) if isinstance(packed, bytes) else None
    except BrokenLabelsError:
        return
    if found is None or len(found) == 0:
        return
    places, ids = found.ids >> _ID_BITS, found.ids & ((1 << _ID_BITS) - 1)
    ends = np.searchsorted(places, np.arange(len(names) + 1))
    for name, first, end in zip(names, ends[:-1], ends[1:], strict=True):
        yield name, Answers(ids[first:end], found.labels[first:end])


def _conditions(text: str) -> list[str]:
    try:
        found = parse_json(text)
    except ValueError:
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def _joined(parts: Sequence[Answers]) -> Answers:
    ids: NDArray[np.int64] = np.concatenate([one.ids for one in parts])
    order = np.argsort(ids, kind="stable")
    return Answers(ids[order], np.concatenate([one.labels for one in parts])[order])


__all__ = ["Block", "append", "counted", "fits", "taken", "together", "totals"]


# Answers as a few bytes each, and back.


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
