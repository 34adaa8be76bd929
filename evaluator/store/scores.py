"""Submissions, their scores as people type them, what was expected of them: written and read."""

from __future__ import annotations

import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

from codabench_rehearsal.console.words import cleaned
from evaluator.store.answer_rows import counted
from evaluator.store.columns import read_classes, read_columns
from evaluator.store.rows import HistoryRow, LeaderboardScore, Prediction, Submission
from evaluator.store.schema import StoreError

SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_DIGITS = 12
MOST_DECIMALS = 17  # a float64 has no more
_FIGURE = re.compile(r"([0-9]*)(?:[.,]([0-9]*))?\s*(%?)")
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b.*")
_PHASES: Mapping[str, str] = MappingProxyType(
    {
        "development": "dev",
        "development phase": "dev",
        "dev phase": "dev",
        "final phase": "final",
        "final test": "final",
    }
)
_NONE: Mapping[str, str | int | None] = MappingProxyType({})


def read_score(text: str, *, percent: bool = False) -> tuple[float, int]:
    """A score as 0..1 and the decimals shown of it: "0.89", "0,89", "89 %" and "89" have 2.

    percent: the figure is one without saying so. Raises `StoreError`.
    """
    match = _FIGURE.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        raise _no_score(text)
    whole, rest = match[1] or "0", match[2] or ""
    value = Decimal(f"{whole}.{rest or '0'}")
    decimals = len(rest)
    if match[3] or percent or value >= 2:  # 1.5 is rather a slip than 1.5 %
        value, decimals = value / 100, decimals + 2
    if value > 1:
        raise _no_score(text)
    return float(value), min(decimals, MOST_DECIMALS)


def read_phase(text: str) -> str:
    """The phase's name in one spelling: "Development phase" is "dev"; others in small letters."""
    name = cleaned(" ".join(text.split())).casefold()
    if not name:
        raise StoreError("expected the name of a phase, such as dev or final, received nothing")
    return _PHASES.get(name, name)


def read_date(text: str) -> str:
    """A day as ISO text: from 2024-11-23, with a time or without, or 23/11/2024 (the day first).

    "" stays "". Raises `StoreError`.
    """
    text = text.strip()
    if not text:
        return ""
    try:
        if match := _DAY_FIRST.fullmatch(text):
            day, month, year = (int(part) for part in match.groups())
            return date(year, month, day).isoformat()
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise StoreError(f"expected a date such as 2024-11-23, received {text!r}") from None


def read_images(text: str) -> int | None:
    """The size of a hidden set: "2000", "2.000" and "2,000" alike; None for "".

    Raises `StoreError`.
    """
    digits = re.sub(r"[.,'\s](?=\d{3}\b)", "", text.strip())
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS or int(digits) < 1:
        raise StoreError(f"expected a number of hidden images, received {text!r}")
    return int(digits)


def checked_score(
    submission: Submission,
    value: float,
    decimals: int,
    phase: str,
    day: str,
    hidden_images: int | None,
    note: str,
    *,
    mine: bool = True,
) -> LeaderboardScore:
    """A score to be added. Raises `StoreError`."""
    if not 0 <= value <= 1 or not 0 <= decimals <= MOST_DECIMALS:
        raise StoreError(
            f"expected a score from 0 to 1 and its decimals, received {value} and {decimals}"
        )
    if hidden_images is not None and hidden_images < 1:
        raise StoreError(f"expected a number of hidden images, received {hidden_images}")
    shown = read_phase(phase), float(value), decimals, read_date(day), hidden_images
    return LeaderboardScore(0, submission, *shown, cleaned(note, keep="\n"), _now(), mine)


def add_submission(
    db: sqlite3.Connection, sha256: str, name: str, path: str, note: str
) -> Submission:
    """Add a submission, or take up its newest name and place; a note replaces only by another."""
    if sha256 and not SHA256.fullmatch(sha256):
        raise StoreError(f"expected a SHA-256 of 64 hex digits, received {sha256!r}")
    if not name:
        raise StoreError("expected the name of a submission, received nothing")
    values: dict[str, str | int | None] = {"sha256": sha256 or None, "now": _now()}
    values |= {"name": cleaned(name), "path": _writable(path), "note": cleaned(note, keep="\n")}
    own = "(sha256 = :sha256 OR (:sha256 IS NULL AND sha256 IS NULL AND name = :name))"
    update = (
        "UPDATE submissions SET name = :name, "  # noqa: S608  ours
        "path = CASE WHEN :path = '' THEN path ELSE :path END, "
        f"note = CASE WHEN :note = '' THEN note ELSE :note END WHERE {own}"
    )
    if not db.execute(update, values).rowcount:
        insert = (
            "INSERT INTO submissions (sha256, name, path, note, first_seen) "
            "VALUES (:sha256, :name, :path, :note, :now)"
        )
        db.execute(insert, values)
    return submissions(db, own, values)[0]


def submissions(
    db: sqlite3.Connection, where: str = "1", values: Mapping[str, str | int | None] = _NONE
) -> tuple[Submission, ...]:
    """Those submissions, all of them if not said, in the order in which they were first seen."""
    columns = "id, sha256, name, path, first_seen, note"
    query = f"SELECT {columns} FROM submissions WHERE {where} ORDER BY id"  # noqa: S608  ours
    rows = db.execute(query, dict(values)).fetchall()
    return tuple(Submission(number, sha or "", *rest) for number, sha, *rest in rows)


def named(db: sqlite3.Connection, word: str, *, starts: bool) -> tuple[Submission, ...]:
    """Those of that name (`.zip` or not) or path; starts: also whose SHA-256 begins so."""
    where = (
        "name = :name OR name = :name || '.zip' OR path = :word "
        "OR (:starts AND substr(sha256, 1, length(:sha)) = :sha)"
    )
    values = {"word": _writable(word), "sha": _writable(word.lower()), "name": cleaned(word)}
    return submissions(db, where, {**values, "starts": int(starts)})


def add_score(db: sqlite3.Connection, score: LeaderboardScore) -> tuple[int, bool]:
    """Add a score; its number, and whether it is new.

    One that was known learns the date, size and note that it lacked.

    A score without a date is the same as one with any date: typed first, imported later. Once said
    not to be the user's own, it stays so.
    """
    known = (
        "UPDATE scores SET date = CASE WHEN date = '' THEN :date ELSE date END, "
        "hidden_images = coalesce(hidden_images, :hidden_images), "
        "note = CASE WHEN note = '' THEN :note ELSE note END, mine = min(mine, :mine) "
        "WHERE id = :id"
    )
    same = (
        "SELECT id FROM scores WHERE submission = :owner AND phase = :phase AND value = :value "
        "AND decimals = :decimals AND (date IN (:date, '') OR :date = '') "
        "ORDER BY date = :date DESC LIMIT 1"
    )
    beside = ("submission", "columns", "class_scores")
    values = {name: value for name, value in vars(score).items() if name not in beside}
    values["owner"] = score.submission.id
    if found := db.execute(same, values).fetchone():
        db.execute(known, {**values, "id": found[0]})
        return int(found[0]), False
    insert = (
        "INSERT INTO scores "
        "(submission, phase, value, decimals, date, hidden_images, note, recorded, mine) "
        "VALUES (:owner, :phase, :value, :decimals, :date, :hidden_images, :note, :recorded, :mine)"
    )
    return int(db.execute(insert, values).lastrowid or 0), True


def scores(db: sqlite3.Connection) -> tuple[LeaderboardScore, ...]:
    """All scores, in the order in which they were recorded."""
    query = (
        "SELECT submission, id, phase, value, decimals, date, hidden_images, note, recorded, mine "
        "FROM scores ORDER BY id"
    )
    owners = {submission.id: submission for submission in submissions(db)}
    columns, classes = read_columns(db), read_classes(db)
    return tuple(
        LeaderboardScore(
            number,
            owners[owner],
            *(*rest, bool(mine), columns.get(number, ()), classes.get(number)),
        )
        for owner, number, *rest, mine in db.execute(query).fetchall()
        if owner in owners  # another process may have added one between the two questions
    )


def add_prediction(db: sqlite3.Connection, submission: Submission, made: Prediction) -> None:
    """Add what is expected of a submission. Raises `StoreError` for figures that are none."""
    figures = (made.low, made.value, made.high)
    if not all(map(math.isfinite, figures)) or list(figures) != sorted(figures):
        raise StoreError(f"expected low <= value <= high of a prediction, received {figures}")
    insert = (
        "INSERT INTO predictions (submission, phase, value, low, high, level, known, method, made) "
        "VALUES (:owner, :phase, :value, :low, :high, :level, :known, :method, :made)"
    )
    own = {"owner": submission.id, "phase": read_phase(made.phase), "made": made.made or _now()}
    db.execute(insert, {**vars(made), **own})


def history(db: sqlite3.Connection) -> tuple[HistoryRow, ...]:
    """A row a score, and one a submission without; by date, else by when it was recorded."""
    by_submission: dict[int, list[LeaderboardScore | None]] = defaultdict(list)
    for score in scores(db):
        by_submission[score.submission.id].append(score)
    expected, counts = _predictions(db), _counts(db)
    rows = [
        HistoryRow(own, score, _before(expected[own.id], score), *counts.get(own.id, (0, 0)))
        for own in submissions(db)
        for score in by_submission[own.id] or [None]
    ]
    return tuple(sorted(rows, key=_when))


def _predictions(db: sqlite3.Connection) -> dict[int, list[Prediction]]:
    """By submission, the earliest first."""
    query = (
        "SELECT submission, phase, value, low, high, level, known, method, made "
        "FROM predictions ORDER BY made, id"
    )
    found: dict[int, list[Prediction]] = defaultdict(list)
    for submission, *row in db.execute(query).fetchall():
        found[submission].append(Prediction(*row))
    return found


def _counts(db: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """By submission: how many different conditions have answers, and how many answers there are."""
    query = (
        "SELECT r.submission, count(DISTINCT a.cell), sum(a.count) FROM answers a, runs r "
        "WHERE a.run = r.id GROUP BY r.submission"
    )
    found = {row[0]: (row[1], row[2]) for row in db.execute(query).fetchall()}
    late: dict[int, set[str]] = defaultdict(set)  # conditions of blocks
    for submission, names, count in counted(db):
        late[submission].update(names)
        found[submission] = 0, found.get(submission, (0, 0))[1] + count
    query = "SELECT DISTINCT a.cell FROM answers a, runs r WHERE a.run = r.id AND r.submission = ?"
    for submission, own in late.items():
        own.update(name for (name,) in db.execute(query, (submission,)).fetchall())
        found[submission] = len(own), found[submission][1]
    return found


def _before(expected: list[Prediction], score: LeaderboardScore | None) -> Prediction | None:
    """The latest prediction that was made without knowing the score."""
    if score is not None:
        expected = [p for p in expected if p.phase == score.phase and p.made <= score.recorded]
    return expected[-1] if expected else None


def _when(row: HistoryRow) -> str:
    return (row.score.date or row.score.recorded) if row.score else row.submission.first_seen


def _now() -> str:
    """This moment, UTC, as ISO 8601 text that sorts by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _writable(text: str) -> str:
    """A file's name need not be Unicode; what is stored must be."""
    return text.encode("utf-8", "backslashreplace").decode()


def _no_score(text: str) -> StoreError:
    return StoreError(f"expected a score such as 0.89 or 89 %, received {text.strip()!r}")
