"""What was measured of submissions beside their answers, and which answers would be right.

With both in the store, a board of all submissions needs neither the zips nor the images. Tallies,
answers counted once for all later commands, are derived: one that does not fit is counted anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.reading import parse_json
from evaluator.store.answer_rows import BrokenLabelsError, pack, unpack
from evaluator.store.rows import ImageLabels, Run

_RUN = (  # which row of `runs r` a `Run` is
    "r.submission = (SELECT id FROM submissions WHERE sha256 = ?) AND r.environment = ? "
    "AND r.data = ? AND r.seed = ? AND r.dtype = ?"
)


@dataclass(frozen=True)
class FindingLine:
    """A finding as it is kept: its code, "error", "warning" or "note", and its message."""

    code: str
    severity: str
    message: str


@dataclass(frozen=True)
class Measured:
    """The last rehearsal of a submission.

    bytes: of the zip. start_seconds, thousand_seconds (of predict, for 1,000 images), peak_bytes:
    None where it was never run. split: what was known of its training images ("unknown": nothing).
    made: UTC, ISO 8601.
    """

    bytes: int
    start_seconds: float | None
    thousand_seconds: float | None
    peak_bytes: int | None
    split: str
    findings: tuple[FindingLine, ...] = ()
    made: str = ""


@dataclass(frozen=True, eq=False)
class Truth:
    """The right labels of a whole data file. source: its name; labels: by ascending id."""

    source: str
    labels: ImageLabels


@dataclass(frozen=True, eq=False)
class Tally:
    """Answers of a run, counted. key: of what was counted, and how. counts: int64 `(m,)`, from 0.

    answers: how many the run had. Of other answers it is of no use.
    """

    run: Run
    key: str
    answers: int
    counts: NDArray[np.int64]


def put(db: sqlite3.Connection, sha256: str, one: Measured) -> None:
    """Keep it in the place of an older one; what was not measured now stays as it was."""
    upsert = (
        "INSERT INTO measured (submission, bytes, start_seconds, thousand_seconds, peak_bytes, "
        "split, findings, made) SELECT id, :bytes, :start_seconds, :thousand_seconds, "
        ":peak_bytes, :split, :findings, :made FROM submissions WHERE sha256 = :sha256 "
        "ON CONFLICT (submission) DO UPDATE SET bytes = excluded.bytes, "
        "start_seconds = coalesce(excluded.start_seconds, start_seconds), "
        "thousand_seconds = coalesce(excluded.thousand_seconds, thousand_seconds), "
        "peak_bytes = coalesce(excluded.peak_bytes, peak_bytes), split = excluded.split, "
        "findings = excluded.findings, made = excluded.made"
    )
    findings = json.dumps([[f.code, f.severity, f.message] for f in one.findings])
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    values = {**vars(one), "findings": findings, "made": one.made or now, "sha256": sha256}
    db.execute(upsert, values)


def read_all(db: sqlite3.Connection) -> Mapping[int, Measured]:
    """By the submission's number."""
    query = (
        "SELECT submission, bytes, start_seconds, thousand_seconds, peak_bytes, split, findings, "
        "made FROM measured"
    )
    return {
        row[0]: Measured(row[1], row[2], row[3], row[4], row[5], _findings(row[6]), row[7])
        for row in db.execute(query).fetchall()
    }


def put_truth(db: sqlite3.Connection, data: str, truth: Truth) -> None:
    """Keep a data file's labels, unless they are known. data: its fingerprint."""
    insert = "INSERT OR IGNORE INTO truths (data, source, labels) VALUES (?, ?, ?)"
    db.execute(insert, (data, truth.source, pack(truth.labels)))


def knows_truth(db: sqlite3.Connection, data: str) -> bool:
    """Whether the labels of a data file are kept."""
    return db.execute("SELECT 1 FROM truths WHERE data = ?", (data,)).fetchone() is not None


def read_truth(db: sqlite3.Connection, data: str) -> Truth | None:
    """The labels of a data file; None where they are not known, or broken."""
    row = db.execute("SELECT source, labels FROM truths WHERE data = ?", (data,)).fetchone()
    if row is None:
        return None
    try:
        return Truth(row[0], unpack(row[1]))
    except BrokenLabelsError:
        return None


def read_tally(db: sqlite3.Connection, run: Run, key: str) -> NDArray[np.int64] | None:
    """What was counted of a run, `(m,)`; None where it never was, or of other answers."""
    answers, counts = (
        "(SELECT coalesce(sum(count), 0) FROM answers WHERE run = r.id)",
        "(SELECT coalesce(sum(count), 0) FROM blocks WHERE run = r.id)",
    )
    query = (
        f"SELECT t.counts FROM tallies t, runs r WHERE {_RUN} AND t.run = r.id AND t.key = ? "  # noqa: S608 - ours
        f"AND t.answers = {answers} + {counts}"
    )
    row = db.execute(query, (*_of(run), key)).fetchone()
    try:
        return None if row is None else unpack(row[0]).labels
    except BrokenLabelsError:
        return None


def put_tally(db: sqlite3.Connection, tally: Tally) -> None:
    """Keep it in the place of an older one; nothing where the run is gone."""
    insert = (
        "INSERT OR REPLACE INTO tallies (run, key, answers, counts) "  # noqa: S608 - ours
        f"SELECT r.id, ?, ?, ? FROM runs r WHERE {_RUN}"
    )
    packed = pack(ImageLabels(np.arange(len(tally.counts)), tally.counts))
    db.execute(insert, (tally.key, tally.answers, packed, *_of(tally.run)))


def _of(run: Run) -> tuple[str, ...]:
    return run.submission, run.environment, run.data, str(run.seed), run.dtype


def read_runs(db: sqlite3.Connection) -> list[tuple[Run, int]]:
    """Every run of every submission, and how many answers it has."""
    query = (
        "SELECT s.sha256, r.environment, r.data, r.seed, r.dtype, "
        "(SELECT coalesce(sum(count), 0) FROM answers WHERE run = r.id) + "
        "(SELECT coalesce(sum(count), 0) FROM blocks WHERE run = r.id) "
        "FROM runs r, submissions s WHERE s.id = r.submission ORDER BY r.id"
    )
    return [
        (Run(sha256 or "", environment, data, int(seed), dtype), count)
        for sha256, environment, data, seed, dtype, count in db.execute(query).fetchall()
    ]


def _findings(text: str) -> tuple[FindingLine, ...]:
    """None of what is no such list."""
    try:
        return tuple(FindingLine(*map(str, one)) for one in parse_json(text))
    except (ValueError, TypeError):
        return ()
