"""A spreadsheet's scores into the store: whatever its columns are called and its commas mean."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from codabench_rehearsal.console.reading import read_limited
from codabench_rehearsal.console.words import from_cell, shown
from evaluator.store.columns import COLUMN, RECALL
from evaluator.store.leaderboard import checked_columns, class_scores
from evaluator.store.rows import Submission
from evaluator.store.schema import StoreError, said
from evaluator.store.scores import SHA256, read_date, read_images, read_phase, read_score
from evaluator.store.store import Store
from submission.archive import sha256_of

# What we need -> what people call it, the surest name first.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "name": ("submission", "submission_name", "zip", "file", "filename", "name", "model"),
        "score": (
            *("score", "leaderboard", "leaderboard_score", "codabench", "codabench_score"),
            *("codabench_acc", "public_score", "hidden_score", "actual", "accuracy", "acc"),
        ),
        "sha256": ("sha256", "sha", "hash"),
        "path": ("path", "place"),
        "phase": ("phase",),
        "decimals": ("decimals",),
        "date": ("date", "day", "submitted", "submitted_at", "when", "timestamp"),
        "hidden_images": ("hidden_images", "hidden", "hidden_set_size"),
        "note": ("note", "notes", "comment", "comments", "remarks"),
        "mine": ("mine", "own"),
    }
)
NO_PHASE = "dev"
YES, NO = ("yes", "true", "1", ""), ("no", "false", "0")  # whether a score is the user's own
LARGEST = 16 << 20  # bytes of a file
MOST_ROWS = 10_000
_HEADER_LINES = 10  # a title or two may stand above the header
_MOST_DIGITS = 3
Key = tuple[str, str]  # a name and a phase


@dataclass(frozen=True)
class Imported:
    """What an import did: scores added, scores that were known, rows without a score.

    by_name: names recorded without their zip, which the estimate cannot use. refused: a sentence
    for each row that was left out.
    """

    added: int
    known: int
    unscored: int
    by_name: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """One row as read; score None where the cell was empty. more: what `record_score` takes too."""

    name: str
    sha256: str
    path: str
    phase: str
    score: tuple[float, int] | None
    more: Mapping[str, Any]


def import_csv(store: Store, path: str | Path, phase: str = NO_PHASE) -> Imported:
    """Record the scores of a CSV file; importing it again changes nothing.

    phase: of rows that name none.

    Commas, semicolons or tabs between columns; columns by name in any order (`NAMES`); 0.89, 0,89,
    89 % or a column headed in %. A submission is found by its SHA-256, else by its zip (beside the
    CSV or in the working folder), else by a name that the store knows once; else it is recorded by
    its name. A name with several scores in one phase stands for several zips, so it is not looked
    up. Raises `StoreError` for a file that is no such table.
    """
    file = Path(path)
    rows, refused = _read(file, phase)
    several = _several(rows)
    added, known, by_name = 0, 0, []
    for row in rows:
        if row.score is None and not row.sha256:
            continue
        submission = _find(store, row, file.parent, unsure=(row.name, row.phase) in several)
        if row.score is None:
            continue
        new = store.record_score(submission, *row.score, row.phase, **row.more)
        added, known = added + new, known + (not new)
        if not submission.sha256:
            by_name.append(submission.name)
    unscored = sum(row.score is None for row in rows)
    return Imported(added, known, unscored, tuple(dict.fromkeys(by_name)), tuple(refused))


def _read(path: Path, phase: str) -> tuple[list[_Row], list[str]]:
    lines = _table(_text(path))
    if len(lines) > MOST_ROWS:
        raise StoreError(
            f"{path}: expected at most {MOST_ROWS:,} rows, received {len(lines):,}; is it a list "
            "of scores?"
        )
    top, columns = _header(lines, path)
    percent = "%" in lines[top][columns["score"]]
    rows, refused = [], []
    for number, line in enumerate(lines[top + 1 :], top + 2):
        cells = {name: _cell(line, place) for name, place in columns.items()}
        if not any(cells.values()):
            continue
        try:
            rows.append(_row(cells, phase, percent=percent))
        except StoreError as error:
            refused.append(f"{shown(path.name)}, row {number}: {error}")
    return rows, refused


def _text(path: Path) -> str:
    """The file's text: UTF-8, else what a Windows spreadsheet writes."""
    with said(path):
        content = read_limited(path, LARGEST, StoreError)
    if content.startswith(b"PK\x03\x04"):
        raise StoreError(f"{path}: expected CSV, received a spreadsheet: save it as CSV first")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise StoreError(f"{path}: expected CSV as text in UTF-8, received something else")


def _table(text: str) -> list[list[str]]:
    """Split by whichever separator gives the header most of the columns that we know."""
    try:
        tables = [list(csv.reader(io.StringIO(text), delimiter=mark)) for mark in ",;\t"]
    except csv.Error as error:
        raise StoreError(f"expected CSV, received something else ({error})") from None
    return max(
        tables, key=lambda t: max((len(_columns(row)) for row in t[:_HEADER_LINES]), default=0)
    )


def _header(lines: list[list[str]], path: Path) -> tuple[int, dict[str, int]]:
    """Where the header is, and the place of each column that we know."""
    for number, line in enumerate(lines[:_HEADER_LINES]):
        columns = _columns(line)
        if "score" in columns and ("name" in columns or "sha256" in columns):
            return number, columns
    first = next((line for line in lines if any(line)), [])
    raise StoreError(
        f"{path}: expected a header with a submission and a score, such as "
        f"'submission,score,phase,date', received {', '.join(first[:20])[:200] or 'nothing'!r}"
    )


def _columns(header: Sequence[str]) -> dict[str, int]:
    plain = [re.sub(r"[\W_]+", "_", cell.casefold()).strip("_") for cell in header]
    found = {}
    for wanted, names in NAMES.items():
        place = next((plain.index(name) for name in names if name in plain), None)
        if place is not None:
            found[wanted] = place
    heads = enumerate(map(from_cell, header))
    return found | {head: place for place, head in heads if head.startswith((COLUMN, RECALL))}


def _cell(line: Sequence[str], place: int) -> str:
    """A cell's text, without the sign that our own export puts before what looks like a formula."""
    return from_cell(line[place].strip()).strip() if place < len(line) else ""


def _row(cells: Mapping[str, str], phase: str, *, percent: bool) -> _Row:
    get = cells.get
    sha256 = get("sha256", "").lower()
    if sha256 and not SHA256.fullmatch(sha256):
        raise StoreError(f"expected a SHA-256 of 64 hex digits, received {shown(sha256)!r}")
    name = get("name", "") or sha256[:12]
    if not name:
        raise StoreError("expected the name of a submission, received nothing")
    score = read_score(get("score", ""), percent=percent) if get("score") else None
    shown_with = get("decimals", "")
    if score and shown_with.isdecimal() and len(shown_with) <= _MOST_DIGITS:
        score = score[0], int(shown_with)
    more = {
        "date": read_date(get("date", "")),
        "hidden_images": read_images(get("hidden_images", "")),
        "note": get("note", ""),
        "mine": _mine(get("mine", "")),
        "columns": checked_columns(dict(_beside(cells, COLUMN))),
        "class_scores": class_scores(list(_beside(cells, RECALL)), RECALL.strip(": ")),
    }
    phase = read_phase(get("phase", "") or phase)
    return _Row(name, sha256, get("path", ""), phase, score, more)


def _beside(cells: Mapping[str, str], start: str) -> Iterator[tuple[str, str]]:
    """What a leaderboard showed beside the score, by name: our own export's columns."""
    for head, text in cells.items():
        if head.startswith(start) and text:
            yield head.removeprefix(start), text


def _mine(text: str) -> bool:
    word = text.casefold()
    if word not in (*YES, *NO):
        raise StoreError(f"expected yes or no in the column mine, received {shown(text)!r}")
    return word in YES


def _several(rows: Sequence[_Row]) -> set[Key]:
    """Names without a SHA-256 that have different scores in one phase."""
    seen: dict[Key, set[float]] = defaultdict(set)
    for row in rows:
        if row.score is not None and not row.sha256:
            seen[row.name, row.phase].add(row.score[0])
    return {key for key, values in seen.items() if len(values) > 1}


def _find(store: Store, row: _Row, folder: Path, *, unsure: bool) -> Submission:
    if row.sha256:
        return store.add_submission(row.sha256, row.name, row.path)
    if unsure:
        return store.add_submission("", row.name)
    if zip_path := _zip(row, folder):
        with said(zip_path):
            sha256 = sha256_of(zip_path)
        return store.add_submission(sha256, zip_path.name, zip_path.absolute())
    known = [found for found in store.find(row.name) if found.sha256]
    return known[0] if len(known) == 1 else store.add_submission("", row.name)


def _zip(row: _Row, folder: Path) -> Path | None:
    names = [row.path, row.name, f"{row.name}.zip"]
    places = (base / name for name in names if name for base in (folder, Path()))
    found = (place for place in places if place.suffix == ".zip" and place.is_file())
    return next(found, None)
