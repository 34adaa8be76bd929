"""What is taken for what, clean beside corrupted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Confusion, clean_weights, confusion
from evaluator.figures.style import POINTS, answers, canvas, heat, names_in, paragraph
from evaluator.metrics import Score, answer_weights
from evaluator.report.classes import MOST_DRAWN, MOST_NUMBERED
from evaluator.report.colors import LIGHT, error_step, heat_step
from evaluator.report.lettering import Names
from evaluator.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE, _TURN = 7, 50  # points; degrees
_TITLE = "Shares of the answers by true class (\u00b1 half of the 95 % interval)"


def draw(report: Report) -> Figure:
    """Rows are true classes and add up to 1; darker is worse, on the diagonal and beside it."""
    names, sheet = report.source.label_names, answers(report)
    if len(names) > MOST_DRAWN:
        raise EvaluationError(f"{len(names)} classes are too many for a matrix of {MOST_DRAWN}.")
    few = len(names) <= MOST_NUMBERED
    lettered = names_in(names, 1.6 if few else 3.2, _SIZE, 3 if few else 1)
    lean = math.sin(math.radians(_TURN))
    side = max(3.4, len(names) * (lettered.height + 1) / lean / POINTS)
    room = lettered.room / POINTS
    width = 2 * (side + room + 0.7)
    figure, axes = canvas(width, side + room * lean + 1.3, 1, 2)
    weights = (clean_weights(sheet), answer_weights(sheet.benchmark, sheet.questions))
    for place, (title, used) in enumerate(zip(("clean", "corrupted"), weights, strict=True)):
        _matrix(axes[0, place], confusion(sheet, used, len(names)), lettered, names)
        axes[0, place].set_title(title)
    figure.suptitle(paragraph(_TITLE, width - 0.2, 10), fontsize=10)
    return figure


def _matrix(axes: Axes, found: Confusion, lettered: Names, names: tuple[str, ...]) -> None:
    for i in range(len(names)):
        for j in range(len(names)):
            if found.images[i]:
                _cell(axes, found.scores[i][j], (i, j), len(names))
    axes.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal")
    places = [i + 0.5 for i in range(len(names))]
    said = ["\n".join(lettered.lines[name]) for name in names]
    axes.set_xticks(
        places,
        said,
        fontsize=_SIZE,
        rotation=_TURN,
        ha="right",
        va="center",
        rotation_mode="anchor",
    )
    axes.set_yticks(places, said, fontsize=_SIZE)
    axes.set(xlabel="answer", ylabel="truth")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _cell(axes: Axes, score: Score, at: tuple[int, int], classes: int) -> None:
    (i, j), share = at, score.value
    fill, ink = heat(heat_step(share) if i == j else error_step(share))
    edge = LIGHT["ink"] if i == j else "white"
    axes.add_patch(Rectangle((j + 0.02, i + 0.02), 0.96, 0.96, facecolor=fill, edgecolor=edge))
    if classes <= MOST_NUMBERED and (i == j or share >= 0.005):
        said = f"{share:.2f}\n\u00b1{(score.high - score.low) / 2:.2f}"
        axes.text(j + 0.5, i + 0.5, said, color=ink, ha="center", va="center", fontsize=6)
