"""What came of a submission in a challenge's bundle, kept in the store: one row a run.

A run takes a submission through both programs of every task, on clean input data or on damaged
ones. The outcome is a text of the caller's, as `evaluator/bundles/running.py` writes it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class BundleKey:
    """What a run in a bundle depends on.

    submission: the zip's sha256. environment: versions, worker and machine, as text. bundle: the
    fingerprint of its programs and data, and of which images are damaged. seed: of the benchmark.
    condition: its canonical text, with parameters and revisions. repeat: 1 for the second clean
    run, else 0.
    """

    submission: str
    environment: str
    bundle: str
    seed: int
    condition: str
    repeat: int = 0


@dataclass(frozen=True)
class BundleRun:
    """A run that is kept. outcome: a JSON text. seconds: wall time that it took."""

    outcome: str
    seconds: float


def read(db: sqlite3.Connection, key: BundleKey) -> BundleRun | None:
    """The run of that key; None where there is none."""
    query = (
        "SELECT outcome, bundle_runs.seconds FROM bundle_runs "
        "JOIN submissions ON submissions.id = bundle_runs.submission "
        "WHERE sha256 = ? AND environment = ? AND bundle = ? AND seed = ? AND condition = ? "
        "AND repeat = ?"
    )
    found = db.execute(query, (key.submission, *_rest(key))).fetchone()
    return BundleRun(str(found[0]), float(found[1])) if found else None


def put(db: sqlite3.Connection, key: BundleKey, run: BundleRun) -> None:
    """Keep a run in the place of an older one. The submission must have been added."""
    insert = (
        "INSERT OR REPLACE INTO bundle_runs "
        "(submission, environment, bundle, seed, condition, repeat, outcome, seconds) "
        "VALUES ((SELECT id FROM submissions WHERE sha256 = ?), ?, ?, ?, ?, ?, ?, ?)"
    )
    db.execute(insert, (key.submission, *_rest(key), run.outcome, run.seconds))


def forget(db: sqlite3.Connection, submission: int) -> bool:
    """Remove all runs of a submission; False where there was none."""
    return db.execute("DELETE FROM bundle_runs WHERE submission = ?", (submission,)).rowcount > 0


def _rest(key: BundleKey) -> tuple[str | int, ...]:
    """The columns beside the submission; a seed may be larger than SQLite's numbers."""
    return (key.environment, key.bundle, str(key.seed), key.condition, key.repeat)
