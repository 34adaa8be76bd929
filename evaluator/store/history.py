"""How right past predictions were; and the history as a table for a spreadsheet: CSV, or XLSX."""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from codabench_rehearsal.console.files import write_bytes
from codabench_rehearsal.console.words import cell as as_cell
from evaluator.store.rows import HistoryRow
from evaluator.store.schema import StoreError

WIDTHS = {  # the columns, and how wide they are in a spreadsheet
    "submission": 32,
    "sha256": 16,
    "path": 32,
    "first_seen": 22,
    "phase": 14,
    "score": 14,
    "decimals": 14,
    "date": 12,
    "hidden_images": 14,
    "note": 40,
    "predicted": 14,
    "predicted_low": 14,
    "predicted_high": 14,
    "level": 14,
    "known_scores": 14,
    "conditions": 14,
    "answers": 14,
}
COLUMNS = tuple(WIDTHS)
Value = str | int | float | None


@dataclass(frozen=True)
class Verdict:
    """A prediction held against its score.

    points: score less prediction, in points (hundredths of the scale 0..1): above 0, the prediction
    was too low. held: whether the interval holds the score as shown.
    """

    points: float
    held: bool


@dataclass(frozen=True)
class Summary:
    """Several verdicts. error: mean absolute error in points; its standard error is None for one.

    held: intervals that hold their score. expected: how many should, by their levels.
    """

    count: int
    error: float
    standard_error: float | None
    held: int
    expected: float


def verdict(row: HistoryRow) -> Verdict | None:
    """What came of a row's prediction; None without a prediction or a score."""
    if row.score is None or row.prediction is None:
        return None
    expected, shown = row.prediction, row.score.value
    return Verdict(100 * (shown - expected.value), expected.low <= shown <= expected.high)


def summary(rows: Iterable[HistoryRow]) -> Summary | None:
    """All verdicts of these rows together; None where there is none."""
    found = [(one, row.prediction) for row in rows if (one := verdict(row)) and row.prediction]
    if not found:
        return None
    errors = [abs(one.points) for one, _ in found]
    spread = stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else None
    held = sum(one.held for one, _ in found)
    return Summary(len(found), fmean(errors), spread, held, math.fsum(p.level for _, p in found))


def usable(rows: Iterable[HistoryRow]) -> int:
    """How many submissions have a score that an estimate can rest on: answers, or a zip to ask."""
    return len(
        {
            row.submission.id
            for row in rows
            if row.score is not None
            and row.submission.sha256
            and (row.answers > 0 or Path(row.submission.path).is_file())
        }
    )


def csv_text(rows: Iterable[HistoryRow]) -> str:
    """The history as CSV with a header; `import_csv` reads it back.

    A foreign text that a spreadsheet would take for a formula has `'` before it, in .xlsx too.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        figures = _values(row) | {"score": _shown(row)}
        writer.writerow([as_cell(v) if isinstance(v, str) else v for v in figures.values()])
    return out.getvalue()


def export_xlsx(rows: Iterable[HistoryRow], path: str | Path) -> None:
    """Write a spreadsheet: figures as figures, shown with their decimals, and a filter.

    Raises `StoreError` without openpyxl, `FileError` where the system refuses.
    """
    try:
        openpyxl: Any = importlib.import_module("openpyxl")  # an extra: imported where it is needed
    except ImportError:
        raise StoreError(
            "writing .xlsx needs openpyxl: pip install openpyxl, or write CSV instead (--csv FILE)"
        ) from None
    book = openpyxl.Workbook()
    _fill(book.active, rows)
    whole = io.BytesIO()  # its zip would complain of a full disk a second time
    book.save(whole)
    write_bytes(path, whole.getvalue())


def _fill(sheet: Any, rows: Iterable[HistoryRow]) -> None:
    sheet.title = "history"
    sheet.append(COLUMNS)
    for number, row in enumerate(rows, 2):
        for column, value in enumerate(_values(row).values(), 1):
            cell = sheet.cell(number, column)
            cell.value = as_cell(value) if isinstance(value, str) else value
            if isinstance(value, str):
                cell.data_type = "s"  # a name that begins with "=" is no formula
        if row.score is not None and row.score.decimals:
            place = COLUMNS.index("score") + 1
            sheet.cell(number, place).number_format = "0." + "0" * row.score.decimals
    for letter, width in zip("ABCDEFGHIJKLMNOPQ", WIDTHS.values(), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions


def _values(row: HistoryRow) -> dict[str, Value]:
    """One value a column; None where there is none."""
    own, score, expected = row.submission, row.score, row.prediction
    values: dict[str, Value] = dict.fromkeys(COLUMNS)
    values.update(submission=own.name, sha256=own.sha256, path=own.path, first_seen=own.first_seen)
    values.update(conditions=row.conditions, answers=row.answers, note=own.note)
    if score is not None:
        values.update(phase=score.phase, score=score.value, decimals=score.decimals)
        values.update(date=score.date, hidden_images=score.hidden_images, note=score.note)
    if expected is not None:
        values.update(predicted=expected.value, level=expected.level, known_scores=expected.known)
        values.update(predicted_low=expected.low, predicted_high=expected.high)
    return values


def _shown(row: HistoryRow) -> str:
    """The score with the decimals that were shown, unless its value has more."""
    if row.score is None:
        return ""
    shown, value = str(row.score), row.score.value
    return shown if float(shown) == value else f"{Decimal(repr(value)):f}"  # never 1e-05
