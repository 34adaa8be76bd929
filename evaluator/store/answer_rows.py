"""Answers in the store: bytes, blocks as they came, and one row a condition that grows.

A block touches every condition, and a condition's row is packed as a whole: to write each block
into the rows would pack all that is known again and again. So a block is appended as one row of its
own, and all of them go into the rows together once they are as many answers as those have: each
answer is packed a few times at most, however many there are.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import struct
import zlib
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codabench_rehearsal.console.reading import parse_json
from evaluator.store.rows import ImageLabels, Run, RunAnswers
from evaluator.store.schema import StoreError

AnswerBlock = Sequence[tuple[str, ImageLabels]]  # answers to conditions of one run
Whole = NDArray[np.unsignedinteger]
NOTHING: Whole = np.zeros(0, np.uint8)
_ID_BITS = 40  # of a number that holds a condition's place in the block, and an image's id
_WHOLE = {size: np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}  # looked up: read a million times
_HEAD = struct.Struct("<IBB")  # how many, bytes of a step between ids, bytes of a label
_LARGEST_LABEL = 2**32 - 1
_SECRET_BITS = 53  # what every reader of JSON keeps exactly


class BrokenLabelsError(ValueError):
    """The bytes are not what was packed; zlib's checksum has noticed."""


def as_answers(ids: ArrayLike, labels: ArrayLike) -> ImageLabels:
    """Ids and labels by ascending id. Raises `StoreError` unless both are whole numbers, `(n,)`."""
    images, given = np.asarray(ids), np.asarray(labels)
    if images.shape != given.shape or images.ndim != 1:
        raise StoreError(
            f"expected one label an image, received ids {images.shape} and labels {given.shape}"
        )
    numbers, answers = _whole(images, "ids", 2**63 - 1), _whole(given, "labels", _LARGEST_LABEL)
    order = np.argsort(numbers, kind="stable")
    if (np.diff(numbers[order]) == 0).any():
        raise StoreError("expected each image once, received an id twice")
    return ImageLabels(numbers[order], answers[order])


def read_run(db: sqlite3.Connection, run: Run, wanted: Collection[str] | None = None) -> RunAnswers:
    """All answers of a run in one go: a tenth of the time of a reading a condition.

    wanted: its conditions. What is broken has no answers.
    """
    some = "1" if wanted is None else f"cell IN ({', '.join('?' * len(wanted))})"
    query = (  # in one statement: another process may be moving blocks into the rows
        f"SELECT 0, id, cell, count, CASE WHEN {some} THEN labels END FROM answers WHERE run = ? "  # noqa: S608 - marks alone
        "UNION ALL SELECT 1, id, cells, count, labels FROM blocks WHERE run = ? ORDER BY 1, 2"
    )
    number = _run_id(db, run)
    rows = db.execute(query, (*(wanted or ()), number, number)).fetchall()
    found = {row[2]: sound(row[4]) for row in rows if row[0] == 0 and row[4]}
    for condition, late in together([(row[2], row[4]) for row in rows if row[0]]).items():
        steps, labels = found.get(condition, (NOTHING, NOTHING))
        both = joined([ImageLabels(np.cumsum(steps, dtype=np.int64), labels), late])  # type: ignore[arg-type]  # unsigned for now
        found[condition] = narrow(np.diff(both.ids, prepend=0)), narrow(both.labels)
    parts = list(found.values())
    return RunAnswers(
        tuple(found),
        np.array([len(labels) for _, labels in parts], np.int64),
        np.concatenate([NOTHING, *(steps for steps, _ in parts)]),
        np.concatenate([NOTHING, *(labels for _, labels in parts)]),
        sum(row[3] for row in rows),
    )


def put(db: sqlite3.Connection, run: Run, block: AnswerBlock, known: int | None = None) -> int:
    """Add answers; what is stored stays. Returns how many contradict it. Inside a transaction.

    known: how many answers of the run the caller knows, this block's not among them. If no other is
    stored, there is nothing to look for, and the block may wait for others.
    """
    new = sum(len(answers) for _, answers in block)
    if not new:
        return 0
    number = _run_id(db, run)
    if number is None:
        number = _made_run(db, run)
    else:
        forget_tallies(db, number)
        if known is not None and fits(block):
            there, waiting = totals(db, number)
            if known == there + waiting and waiting + new < there:
                append(db, number, block)
                return 0
        for condition, answers in taken(db, number).items():
            _merge(db, number, condition, answers)
    return sum(_merge(db, number, condition, answers) for condition, answers in block)


def forget_tallies(db: sqlite3.Connection, run: int) -> None:
    """What was counted of a run is no longer so. Inside a transaction."""
    db.execute("DELETE FROM tallies WHERE run = ?", (run,))


def runs(db: sqlite3.Connection, sha256: str) -> tuple[Run, ...]:
    """Under which conditions a submission has answered, the first ones first."""
    query = (
        "SELECT r.environment, r.data, r.seed, r.dtype FROM runs r, submissions s "
        "WHERE s.sha256 = ? AND r.submission = s.id ORDER BY r.id"
    )
    rows = db.execute(query, (sha256,)).fetchall()
    return tuple(Run(sha256, text, data, int(seed), dtype) for text, data, seed, dtype in rows)


def drawn_order() -> int:
    """A new secret for the order of questions, 0..2**53-1."""
    return secrets.randbits(_SECRET_BITS)


def order(db: sqlite3.Connection, data: str, seed: int) -> int | None:
    """The secret that shuffles questions on a data set under a seed; None if there is none."""
    query = "SELECT secret FROM orders WHERE data = ? AND seed = ?"
    row = db.execute(query, (data, str(seed))).fetchone()
    return None if row is None else int(row[0])


def add_order(db: sqlite3.Connection, data: str, seed: int) -> None:
    """Draw that secret unless another process has done so. Inside a transaction."""
    insert = "INSERT OR IGNORE INTO orders (data, seed, secret) VALUES (?, ?, ?)"
    db.execute(insert, (data, str(seed), drawn_order()))


def _merge(db: sqlite3.Connection, run: int, condition: str, new: ImageLabels) -> int:
    """Add answers to a condition's row; how many contradict it."""
    query = "SELECT labels FROM answers WHERE run = ? AND cell = ?"
    row = db.execute(query, (run, condition)).fetchone()
    steps, given = sound(row[0]) if row else (NOTHING, NOTHING)
    old = ImageLabels(np.cumsum(steps, dtype=np.int64), given.astype(np.int64))
    labels, stored = old.find(new.ids)
    kept = ~stored
    if kept.any():
        both = joined([old, ImageLabels(new.ids[kept], new.labels[kept])])
        values = len(both), pack(both), run, condition
        update = "UPDATE answers SET count = ?, labels = ? WHERE run = ? AND cell = ?"
        if not db.execute(update, values).rowcount:
            insert = "INSERT INTO answers (count, labels, run, cell) VALUES (?, ?, ?, ?)"
            db.execute(insert, values)
    return int((labels[stored] != new.labels[stored]).sum())


def _run_id(db: sqlite3.Connection, run: Run) -> int | None:
    query = (
        "SELECT r.id FROM runs r, submissions s WHERE s.sha256 = ? AND r.environment = ? "
        "AND r.data = ? AND r.seed = ? AND r.dtype = ? AND r.submission = s.id"
    )
    values = run.submission, run.environment, run.data, str(run.seed), run.dtype
    row = db.execute(query, values).fetchone()
    return None if row is None else int(row[0])


def _made_run(db: sqlite3.Connection, run: Run) -> int:
    insert = (
        "INSERT INTO runs (submission, environment, data, seed, dtype) "
        "SELECT id, ?, ?, ?, ? FROM submissions WHERE sha256 = ?"
    )
    values = run.environment, run.data, str(run.seed), run.dtype, run.submission
    done = db.execute(insert, values)
    if done.rowcount != 1 or done.lastrowid is None:
        raise StoreError(
            f"the submission {run.submission[:12]} is not in the store; has it been forgotten "
            "meanwhile? Run the command again"
        )
    return done.lastrowid


def _whole(values: NDArray[np.generic], name: str, largest: int) -> NDArray[np.int64]:
    if len(values) and (
        values.dtype.kind not in "iu" or values.min() < 0 or values.max() > largest
    ):
        raise StoreError(f"expected {name} as whole numbers from 0, received {values.dtype}")
    return values.astype(np.int64)


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
    size = next(size for size in _WHOLE if largest < 1 << 8 * size)
    return np.asarray(values, _WHOLE[size])


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
        steps = np.frombuffer(content, _WHOLE[step], count, _HEAD.size)
        labels = np.frombuffer(content, _WHOLE[label], count, _HEAD.size + count * step)
    except (zlib.error, struct.error, KeyError, ValueError) as error:
        raise BrokenLabelsError(str(error)) from error
    return steps, labels
