"""Reading and writing answers: one row a condition, which grows as more images are answered."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.store import blocks
from evaluator.store.blocks import BrokenLabelsError, narrow_bytes, pack, unpack, unpack_all
from evaluator.store.rows import AnswerKey, Answers, Run, RunAnswers, RunBytes
from evaluator.store.schema import StoreError

NONE = Answers(np.zeros(0, np.int64), np.zeros(0, np.int64))
_LARGEST_LABEL = 2**32 - 1
_SECRET_BITS = 53  # what every reader of JSON keeps exactly


def as_answers(ids: ArrayLike, labels: ArrayLike) -> Answers:
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
    return Answers(numbers[order], answers[order])


def read(db: sqlite3.Connection, key: AnswerKey) -> Answers:
    """All stored answers of a condition; none if there are none, or if their bytes are broken."""
    run = _run_id(db, key.run)
    if run is not None and blocks.totals(db, run)[1]:
        return _condition_of(read_run(db, key.run), key.condition)
    query = "SELECT labels FROM answers WHERE run = ? AND cell = ?"
    row = db.execute(query, (run, key.condition)).fetchone()
    return NONE if row is None else _unpacked(row[0])


def read_run(db: sqlite3.Connection, run: Run, wanted: Collection[str] | None = None) -> RunAnswers:
    """All answers of a run in one go: a tenth of the time of a reading a condition. wanted: its conditions."""
    some = "1" if wanted is None else f"cell IN ({', '.join('?' * len(wanted))})"
    query = (  # in one statement: another process may be moving blocks into the rows
        f"SELECT 0, id, cell, count, CASE WHEN {some} THEN labels END FROM answers WHERE run = ? "  # noqa: S608 - marks alone
        "UNION ALL SELECT 1, id, cells, count, labels FROM blocks WHERE run = ? ORDER BY 1, 2"
    )
    number = _run_id(db, run)
    found = db.execute(query, (*(wanted or ()), number, number)).fetchall()
    rows = [(condition, labels) for kind, _, condition, _, labels in found if kind == 0 and labels]
    waiting = blocks.together(
        [(conditions, labels) for kind, _, conditions, _, labels in found if kind]
    )
    answers, counts = unpack_all([labels for _, labels in rows])
    total = sum(row[3] for row in found)
    read = RunAnswers(tuple(condition for condition, _ in rows), counts, answers, total)
    return _with_blocks(read, waiting) if waiting else read


def read_bytes(
    db: sqlite3.Connection, run: Run, wanted: Collection[str] | None = None
) -> RunBytes | None:
    """The same as they are stored; None where `read_run` has to look closer."""
    number = _run_id(db, run)
    query = "SELECT EXISTS (SELECT 1 FROM blocks WHERE run = ?)"
    if number is None or db.execute(query, (number,)).fetchone()[0]:
        return None
    some = "" if wanted is None else f"AND cell IN ({', '.join('?' * len(wanted))}) "
    query = f"SELECT cell, labels FROM answers WHERE run = ? {some}ORDER BY id"  # noqa: S608 - marks
    rows = db.execute(query, (number, *(wanted or ()))).fetchall()
    found = narrow_bytes([labels for _, labels in rows])
    if found is None:
        return None
    counts, steps, labels = found
    return RunBytes(
        tuple(condition for condition, _ in rows), np.array(counts, np.int64), steps, labels
    )


def put(db: sqlite3.Connection, block: blocks.Block, known: int | None = None) -> int:
    """Add answers; what is stored stays. Returns how many contradict it. Inside a transaction.

    known: how many answers of the run the caller knows, this block's not among them. If no other is
    stored, there is nothing to look for, and the block may wait for others.
    """
    run = _run_id(db, block[0][0].run) if block and blocks.fits(block) else None
    if run is not None and known is not None:
        there, waiting = blocks.totals(db, run)
        new = sum(len(answers) for _, answers in block)
        if known == there + waiting and waiting + new < there:
            blocks.append(db, run, block)
            return 0
    for one in dict.fromkeys(key.run for key, _ in block):
        _settle(db, one)
    return sum(_merge(db, key, answers) for key, answers in block)


def _settle(db: sqlite3.Connection, run: Run) -> None:
    """Move what waits in blocks into the conditions' rows."""
    number = _run_id(db, run)
    if number is not None:
        for condition, answers in blocks.taken(db, number).items():
            _merge(db, AnswerKey(run, condition), answers)


def _with_blocks(rows: RunAnswers, waiting: dict[str, Answers]) -> RunAnswers:
    """All conditions in the order of the rows, then those that stand in blocks alone."""
    conditions = {
        condition: place
        for place, condition in enumerate(dict.fromkeys((*rows.conditions, *waiting)))
    }
    more = [np.full(len(answers), conditions[condition]) for condition, answers in waiting.items()]
    places = np.concatenate([np.repeat(np.arange(len(rows.conditions)), rows.counts), *more])
    ids = np.concatenate([rows.answers.ids, *(answers.ids for answers in waiting.values())])
    labels = np.concatenate([rows.answers.labels, *(one.labels for one in waiting.values())])
    order = np.lexsort((ids, places))
    counts = np.bincount(places, minlength=len(conditions))
    return RunAnswers(tuple(conditions), counts, Answers(ids[order], labels[order]), rows.total)


def _condition_of(found: RunAnswers, condition: str) -> Answers:
    if condition not in found.conditions:
        return NONE
    place = found.conditions.index(condition)
    first = int(found.counts[:place].sum())
    own = slice(first, first + int(found.counts[place]))
    return Answers(found.answers.ids[own], found.answers.labels[own])


def _merge(db: sqlite3.Connection, key: AnswerKey, new: Answers) -> int:
    old = read(db, key)
    labels, stored = find(old, new.ids)
    kept = ~stored
    if kept.any():
        ids = np.concatenate([old.ids, new.ids[kept]])
        both = np.concatenate([old.labels, new.labels[kept]])
        order = np.argsort(ids)
        _write(db, key, Answers(ids[order], both[order]))
    return int((labels[stored] != new.labels[stored]).sum())


def find(answers: Answers, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The labels of some images, int64 `(n,)`, and which of them are there at all, bool `(n,)`."""
    if len(answers) == 0:
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    places = np.minimum(np.searchsorted(answers.ids, ids), len(answers) - 1)
    return answers.labels[places], answers.ids[places] == ids


def runs(db: sqlite3.Connection, sha256: str) -> tuple[Run, ...]:
    """Under which conditions a submission has answered, the first ones first."""
    query = (
        "SELECT r.environment, r.data, r.seed, r.dtype FROM runs r, submissions s "
        "WHERE s.sha256 = ? AND r.submission = s.id ORDER BY r.id"
    )
    rows = db.execute(query, (sha256,)).fetchall()
    return tuple(Run(sha256, text, data, int(seed), dtype) for text, data, seed, dtype in rows)


def conditions(db: sqlite3.Connection, run: Run) -> dict[str, int]:
    """How many answers each condition of a run has."""
    number = _run_id(db, run)
    if number is not None and blocks.totals(db, number)[1]:
        found = read_run(db, run)
        return dict(zip(found.conditions, found.counts.tolist(), strict=True))
    query = "SELECT cell, count FROM answers WHERE run = ? ORDER BY id"
    return dict(db.execute(query, (number,)).fetchall())


def drawn_order() -> int:
    """A new secret for the order of questions, 0..2**53-1."""
    return secrets.randbits(_SECRET_BITS)


def order(db: sqlite3.Connection, data: str, seed: int) -> int | None:
    """The secret by which questions on a data set under a seed are shuffled; None if there is none."""
    query = "SELECT secret FROM orders WHERE data = ? AND seed = ?"
    row = db.execute(query, (data, str(seed))).fetchone()
    return None if row is None else int(row[0])


def add_order(db: sqlite3.Connection, data: str, seed: int) -> None:
    """Draw that secret unless another process has done so. Inside a transaction."""
    insert = "INSERT OR IGNORE INTO orders (data, seed, secret) VALUES (?, ?, ?)"
    db.execute(insert, (data, str(seed), drawn_order()))


def _write(db: sqlite3.Connection, key: AnswerKey, answers: Answers) -> None:
    where, values = (_made_run(db, key.run), key.condition), (len(answers), pack(answers))
    update = "UPDATE answers SET count = ?, labels = ? WHERE run = ? AND cell = ?"
    if not db.execute(update, (*values, *where)).rowcount:
        insert = "INSERT INTO answers (run, cell, count, labels) VALUES (?, ?, ?, ?)"
        db.execute(insert, (*where, *values))


def _run_id(db: sqlite3.Connection, run: Run) -> int | None:
    query = (
        "SELECT r.id FROM runs r, submissions s WHERE s.sha256 = ? AND r.environment = ? "
        "AND r.data = ? AND r.seed = ? AND r.dtype = ? AND r.submission = s.id"
    )
    row = db.execute(query, _values(run)).fetchone()
    return None if row is None else int(row[0])


def _made_run(db: sqlite3.Connection, run: Run) -> int:
    if (found := _run_id(db, run)) is not None:
        return found
    insert = (
        "INSERT INTO runs (submission, environment, data, seed, dtype) "
        "SELECT id, ?, ?, ?, ? FROM submissions WHERE sha256 = ?"
    )
    done = db.execute(insert, (*_values(run)[1:], run.submission))
    if done.rowcount != 1 or done.lastrowid is None:
        raise StoreError(
            f"the submission {run.submission[:12]} is not in the store; has it been forgotten "
            "meanwhile? Run the command again"
        )
    return done.lastrowid


def _values(run: Run) -> tuple[str, str, str, str, str]:
    return run.submission, run.environment, run.data, str(run.seed), run.dtype


def _unpacked(packed: object) -> Answers:
    """Broken bytes are as good as none: the images are asked again."""
    try:
        return unpack(packed) if isinstance(packed, bytes) else NONE
    except BrokenLabelsError:
        return NONE


def _whole(values: NDArray[np.generic], name: str, largest: int) -> NDArray[np.int64]:
    if len(values) and (
        values.dtype.kind not in "iu" or values.min() < 0 or values.max() > largest
    ):
        raise StoreError(f"expected {name} as whole numbers from 0, received {values.dtype}")
    return values.astype(np.int64)
