"""Accuracy over severity, a small chart for each corruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Row, curves, grid
from evaluator.figures.style import canvas, names_in, row_height, unused
from evaluator.metrics import Score
from evaluator.report.colors import LIGHT
from evaluator.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 5


def draw(report: Report) -> Figure:
    """Bands are 95 % intervals, the dashed line is clean accuracy; the worst corruptions first."""
    rows = curves(grid((report.library, report.sheet, report.sweep)))
    if not rows:
        raise EvaluationError(
            "No corruption was asked at three severities or more: --sweep asks all 19 at all five."
        )
    lines = -(-len(rows) // _COLUMNS)
    names = names_in((row.name for row in rows), 1.55, 8, bold=True)
    height = 1.3 + row_height(names, 0.15)
    figure, axes = canvas(2.0 * _COLUMNS, 0.5 + height * lines, lines, _COLUMNS)
    clean = report.scores.validation.accuracy if report.scores else None
    for place, row in zip(axes.flat, rows, strict=False):
        _chart(place, row, clean, "\n".join(names.lines[row.name]))
    unused(list(axes.flat)[len(rows) :])
    figure.suptitle("Accuracy by severity (band: 95 %; dashed: clean)", fontsize=10)
    return figure


def _chart(axes: Axes, row: Row, clean: Score | None, name: str) -> None:
    levels = list(row.by_severity)
    scores = list(row.by_severity.values())
    low, high = [score.low for score in scores], [score.high for score in scores]
    axes.fill_between(levels, low, high, color=LIGHT["hurt"], alpha=0.22, linewidth=0)
    axes.plot(levels, [s.value for s in scores], "o-", color=LIGHT["hurt"], markersize=3.5, lw=1.5)
    if clean:
        axes.axhline(clean.value, color=LIGHT["clean"], linestyle="--", lw=1)
    axes.set(xlim=(0.8, 5.2), ylim=(0, 1.02), xticks=(1, 3, 5), yticks=(0, 0.5, 1))
    axes.set_title(name, fontsize=8)
    axes.grid(axis="y")
    axes.tick_params(labelsize=7, length=0)
