"""The history as a spreadsheet: CSV, which `import` reads back, and .xlsx."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.files import write_bytes
from codabench_rehearsal.console.words import cell as as_cell
from evaluator.store.columns import COLUMN, RECALL
from evaluator.store.rows import HistoryRow, LeaderboardScore
from evaluator.store.schema import StoreError

COLUMNS = (  # of a spreadsheet
    *("submission", "sha256", "path", "first_seen", "phase", "score", "decimals", "date"),
    *("hidden_images", "note", "predicted", "predicted_low", "predicted_high", "level"),
    *("known_scores", "conditions", "answers", "mine"),
)
_WIDTHS = {"submission": 32, "sha256": 16, "path": 32, "first_seen": 22, "date": 12, "note": 40}
Value = str | int | float | None


def csv_text(rows: Iterable[HistoryRow]) -> str:
    """The history as CSV with a header; `import_csv` reads it back.

    A foreign text that a spreadsheet would take for a formula has `'` before it, in .xlsx too.
    """
    found = list(rows)
    columns = _columns(found)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(as_cell, columns))
    for row in found:
        figures = _values(row, columns) | {"score": _shown(row)}
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
    _fill(book.active, list(rows))
    whole = io.BytesIO()  # its zip would complain of a full disk a second time
    book.save(whole)
    write_bytes(path, whole.getvalue())


def _columns(rows: Sequence[HistoryRow]) -> list[str]:
    """Those of every history, then what leaderboards showed beside the scores."""
    names = dict.fromkeys(name for row in rows if row.score for name in _beside(row.score))
    return [*COLUMNS, *sorted(names, key=lambda name: name.startswith(RECALL))]


def _beside(score: LeaderboardScore) -> dict[str, Value]:
    found: dict[str, Value] = {f"{COLUMN}{name}": figure for name, figure in score.columns}
    classes = score.class_scores.texts() if score.class_scores else {}
    return found | {f"{RECALL}{name}": text for name, text in classes.items()}


def _figure(value: Value) -> Value:
    """A figure, where a text is one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _fill(sheet: Any, rows: Sequence[HistoryRow]) -> None:
    columns = _columns(rows)
    sheet.title = "history"
    sheet.append(list(map(as_cell, columns)))
    for number, row in enumerate(rows, 2):
        values = _values(row, columns)
        for column, name in enumerate(columns, 1):
            value = values[name] if name in COLUMNS else _figure(values[name])
            cell = sheet.cell(number, column)
            cell.value = as_cell(value) if isinstance(value, str) else value
            if isinstance(value, str):
                cell.data_type = "s"  # a name that begins with "=" is no formula
        if row.score is not None and row.score.decimals:
            place = COLUMNS.index("score") + 1
            sheet.cell(number, place).number_format = "0." + "0" * row.score.decimals
    for number, name in enumerate(columns, 1):
        letter = sheet.cell(1, number).column_letter
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 14)
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions


def _values(row: HistoryRow, columns: Sequence[str]) -> dict[str, Value]:
    """One value a column; None where there is none."""
    own, score, expected = row.submission, row.score, row.prediction
    values: dict[str, Value] = dict.fromkeys(columns)
    values.update(submission=own.name, sha256=own.sha256, path=own.path, first_seen=own.first_seen)
    values.update(conditions=row.conditions, answers=row.answers, note=own.note)
    if score is not None:
        values.update(phase=score.phase, score=score.value, decimals=score.decimals)
        values.update(date=score.date, hidden_images=score.hidden_images, note=score.note)
        values.update(mine="yes" if score.mine else "no", **_beside(score))
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
