"""Answers as bytes, and blocks of them as they came until they are worth a place in the rows.

A block touches every condition, and a condition's row is packed as a whole: to write each block
into the rows would pack all that is known again and again. So a block is appended as one row of its
own, and all of them go into the rows together once they are as many answers as those have: each
answer is packed a few times at most, however many there are.
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
from evaluator.store.rows import ImageLabels

AnswerBlock = Sequence[tuple[str, ImageLabels]]  # answers to conditions of one run
Whole = NDArray[np.unsignedinteger]
NOTHING: Whole = np.zeros(0, np.uint8)
_ID_BITS = 40  # of a number that holds a condition's place in the block, and an image's id
_HEAD = struct.Struct("<IBB")  # how many, bytes of a step between ids, bytes of a label


class BrokenLabelsError(ValueError):
    """The bytes are not what was packed; zlib's checksum has noticed."""


def pack(answers: ImageLabels) -> bytes:
    """Steps between ascending ids, then labels, each in as few bytes as they need; deflated."""
    steps, labels = narrow(np.diff(answers.ids, prepend=0)), narrow(answers.labels)
    head = _HEAD.pack(len(answers), steps.itemsize, labels.itemsize)
    return zlib.compress(head + steps.tobytes() + labels.tobytes())


def unpack(packed: bytes) -> ImageLabels:
    """The reverse of `pack`. Raises `BrokenLabelsError`."""
    steps, labels = _read(packed)
    return ImageLabels(np.cumsum(steps, dtype=np.int64), labels.astype(np.int64))


def sound(packed: object) -> tuple[Whole, Whole]:
    """Steps between ids, and labels; nothing of what is broken: it is asked again."""
    try:
        return _read(packed) if isinstance(packed, bytes) else (NOTHING, NOTHING)
    except BrokenLabelsError:
        return NOTHING, NOTHING


def narrow(values: NDArray[np.int64]) -> Whole:
    """The same values, not negative, in the smallest little-endian type that holds them."""
    largest = int(values.max(initial=0))
    size = next(size for size in (1, 2, 4, 8) if largest < 1 << 8 * size)
    return np.asarray(values, f"<u{size}")


def totals(db: sqlite3.Connection, run: int) -> tuple[int, int]:
    """How many answers of a run stand in the conditions' rows, and how many in blocks."""
    queries = (
        "SELECT coalesce(sum(count), 0) FROM answers WHERE run = ?",
        "SELECT coalesce(sum(count), 0) FROM blocks WHERE run = ?",
    )
    there, waiting = (int(db.execute(query, (run,)).fetchone()[0]) for query in queries)
    return there, waiting


def fits(block: AnswerBlock) -> bool:
    """Whether its ids are small enough to be appended."""
    return all(int(answers.ids.max(initial=0)) < 1 << _ID_BITS for _, answers in block)


def append(db: sqlite3.Connection, run: int, block: AnswerBlock) -> None:
    """Add a block, none of whose answers is stored. Inside a transaction."""
    places = np.repeat(np.arange(len(block)), [len(answers) for _, answers in block])
    ids = np.concatenate([answers.ids for _, answers in block])
    labels = np.concatenate([answers.labels for _, answers in block])
    packed = pack(ImageLabels((places << _ID_BITS) + ids, labels))  # ascending: by condition
    insert = "INSERT INTO blocks (run, cells, count, labels) VALUES (?, ?, ?, ?)"
    conditions = json.dumps([condition for condition, _ in block])
    db.execute(insert, (run, conditions, len(ids), packed))


def taken(db: sqlite3.Connection, run: int) -> dict[str, ImageLabels]:
    """All blocks of a run, by condition; they are removed. Inside a transaction."""
    query = "SELECT cells, labels FROM blocks WHERE run = ? ORDER BY id"
    found = together(db.execute(query, (run,)).fetchall())
    db.execute("DELETE FROM blocks WHERE run = ?", (run,))
    return found


def together(rows: Sequence[tuple[str, object]]) -> dict[str, ImageLabels]:
    """Blocks, each as conditions and packed labels, by condition and ascending id."""
    parts: dict[str, list[ImageLabels]] = {}
    for conditions, packed in rows:
        for condition, answers in _unpacked(_conditions(conditions), packed):
            parts.setdefault(condition, []).append(answers)
    return {condition: joined(own) for condition, own in parts.items()}


def joined(parts: Sequence[ImageLabels]) -> ImageLabels:
    """By ascending id; of two answers about one image both."""
    ids = np.concatenate([one.ids for one in parts])
    order = np.argsort(ids, kind="stable")
    return ImageLabels(ids[order], np.concatenate([one.labels for one in parts])[order])


def counted(db: sqlite3.Connection) -> Iterator[tuple[int, list[str], int]]:
    """Of every block: its submission, its conditions, and how many answers it has."""
    query = "SELECT r.submission, b.cells, b.count FROM blocks b, runs r WHERE b.run = r.id"
    for submission, conditions, count in db.execute(query).fetchall():
        yield submission, _conditions(conditions), count


def _unpacked(names: Sequence[str], packed: object) -> Iterator[tuple[str, ImageLabels]]:
    steps, labels = sound(packed)
    if len(labels) == 0:
        return
    both = np.cumsum(steps, dtype=np.int64)
    places, ids = both >> _ID_BITS, both & ((1 << _ID_BITS) - 1)
    ends = np.searchsorted(places, np.arange(len(names) + 1))
    for name, first, end in zip(names, ends[:-1], ends[1:], strict=True):
        yield name, ImageLabels(ids[first:end], labels[first:end].astype(np.int64))


def _conditions(text: str) -> list[str]:
    try:
        found = parse_json(text)
    except ValueError:
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def _read(packed: bytes) -> tuple[Whole, Whole]:
    try:
        content = zlib.decompress(packed)
        count, step, label = _HEAD.unpack_from(content)
        steps = np.frombuffer(content, f"<u{step}", count, _HEAD.size)
        labels = np.frombuffer(content, f"<u{label}", count, _HEAD.size + count * step)
    except (zlib.error, struct.error, TypeError, ValueError) as error:
        raise BrokenLabelsError(str(error)) from error
    return steps, labels
