"""What was measured of submissions beside their answers, and which answers would be right.

With both in the store, a board of all submissions needs neither the zips nor the images.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from codabench_rehearsal.console.reading import parse_json
from evaluator.store.answer_rows import BrokenLabelsError, pack, unpack
from evaluator.store.rows import ImageLabels, Run


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
