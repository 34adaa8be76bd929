"""Accuracy by corruption and severity, from every cell that does one kind of damage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from corruptions.presets import Cell
from evaluator.result import Report, Score
from evaluator.scores import wilson
from evaluator.sheet import Sheet

SEVERITIES = (1, 2, 3, 4, 5)
FEWEST_POINTS = 3  # severities that make a curve


@dataclass(frozen=True)
class Row:
    """One corruption: its accuracy by severity, as far as it was asked."""

    name: str
    family: str
    by_severity: Mapping[int, Score]

    @property
    def lowest(self) -> tuple[int, Score]:
        """The severity with the lowest accuracy, and the accuracy."""
        return min(self.by_severity.items(), key=lambda item: item[1].value)


def grid(report: Report) -> tuple[Row, ...]:
    """All corruptions that stand alone in a cell, family by family.

    From the sweep, the library and the shown preset; where several asked the same, from the one
    with the most images, for their images may be the same ones.
    """
    found: dict[tuple[str, str], dict[int, Score]] = {}
    families: dict[tuple[str, str], str] = {}
    for sheet in (report.library, report.sheet, report.sweep):
        for cell, score in _single_cells(sheet):
            key, level = (cell.steps[0].corruption, cell.table), cell.steps[0].severity
            families.setdefault(key, cell.family)
            known = found.setdefault(key, {}).get(level)
            if known is None or score.n > known.n:
                found[key][level] = score
    rows = [
        Row(_label(key, found), families[key], dict(sorted(levels.items())))
        for key, levels in found.items()
    ]
    order = list(dict.fromkeys(row.family for row in rows))
    return tuple(sorted(rows, key=lambda row: (order.index(row.family), row.name)))


def curves(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The corruptions asked at so many severities that they make a curve, the worst end first."""
    long = [row for row in rows if len(row.by_severity) >= FEWEST_POINTS]
    return tuple(sorted(long, key=lambda row: row.lowest[1].value))


def _single_cells(sheet: Sheet | None) -> Iterable[tuple[Cell, Score]]:
    if sheet is None:
        return
    size = len(sheet.benchmark.cells)
    asked = np.bincount(sheet.questions.cells, minlength=size)
    good = np.bincount(sheet.questions.cells, sheet.right, size)
    for place, cell in enumerate(sheet.benchmark.cells):
        if len(cell.steps) == 1 and asked[place]:
            yield cell, wilson(float(good[place]), int(asked[place]))


def _label(key: tuple[str, str], found: Iterable[tuple[str, str]]) -> str:
    """The corruption's name; with its severity table where two tables were asked."""
    name, table = key
    return name if sum(other == name for other, _ in found) == 1 else f"{name} ({table})"
