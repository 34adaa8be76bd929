"""Accuracy by corruption and severity, as a heat map with its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import SEVERITIES, Row, grid
from evaluator.figures.style import POINTS, canvas, heat, names_in, paragraph, row_height
from evaluator.report.colors import LIGHT, heat_step
from evaluator.report.lettering import Names
from evaluator.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES, _SIZE = 2.0, 9  # inches that names take at most; points
_CONDITIONS = 3.7  # inches for a row's figures
_TITLE = "Accuracy by corruption and severity (\u00b1 half of the 95 % interval)"


def draw(report: Report) -> Figure:
    """Corruptions down, severities across; the half width of the 95 % interval below each figure."""
    rows = grid((report.library, report.sheet, report.sweep))
    if not rows:
        raise EvaluationError("No corruption was asked alone in this report: --sweep asks all 19.")
    columns = 1 if len(rows) <= 24 else 2
    height = -(-len(rows) // columns)
    names = names_in((row.name for row in rows), _NAMES, _SIZE)
    width = (_CONDITIONS + names.room / POINTS) * columns
    figure, axes = canvas(width, 0.8 + row_height(names, 0.27) * height, 1, columns)
    for place in range(columns):
        _part(axes[0, place], rows[place * height : (place + 1) * height], height, names)
    figure.suptitle(paragraph(_TITLE, width - 0.2, 10), fontsize=10)
    return figure


def _part(axes: Axes, rows: tuple[Row, ...], height: int, names: Names) -> None:
    for y, row in enumerate(rows):
        for x, level in enumerate(SEVERITIES):
            score = row.by_severity.get(level)
            fill, ink = heat(heat_step(score.value)) if score else (LIGHT["faint"], LIGHT["ink"])
            axes.add_patch(Rectangle((x, y), 0.96, 0.92, color=fill, linewidth=0))
            if score:
                half = (score.high - score.low) / 2
                said = f"{score.value:.2f} \u00b1{half:.2f}"
                axes.text(x + 0.48, y + 0.48, said, color=ink, ha="center", va="center", fontsize=7)
    axes.set(xlim=(0, len(SEVERITIES)), ylim=(height, 0))
    axes.set_xticks([x + 0.48 for x in range(5)], [str(level) for level in SEVERITIES])
    written = ["\n".join(names.lines[row.name]) for row in rows]
    axes.set_yticks([y + 0.46 for y in range(len(rows))], written, fontsize=_SIZE)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
