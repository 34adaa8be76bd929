"""Images that are right when clean and wrong when corrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.figures.style import POINTS, answers, canvas, names_in, unused
from evaluator.report.colors import LIGHT
from evaluator.report.gallery import picks
from evaluator.report.result import Report

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_PAIRS = 4  # in a row
_TITLE, _CONDITION = 7, 6.5  # points


def draw(report: Report) -> Figure:
    """Pairs of clean and corrupted, with truth, answer and condition."""
    found, names = picks(answers(report)), report.source.label_names
    if not found:
        raise EvaluationError(
            "No image is right when clean and wrong under a condition that costs accuracy: nothing to show."
        )
    titles = names_in(names, 1.1, _TITLE, bold=True)
    conditions = names_in((pick.condition for pick in found), 1.15, _CONDITION, 9)
    height = 1.2 + (titles.height + conditions.height + 12) / POINTS
    lines = -(-len(found) // _PAIRS)
    figure, axes = canvas(2.6 * _PAIRS, 0.4 + height * lines, lines, 2 * _PAIRS)
    places = list(axes.flat)
    unused(places[2 * len(found) :])
    for at, pick in enumerate(found):
        clean, corrupted = places[2 * at : 2 * at + 2]
        _show(clean, pick.clean, titles.lines[names[pick.truth]], LIGHT["ink"])
        _show(corrupted, pick.corrupted, titles.lines[names[pick.answer]], LIGHT["error"])
        condition = "\n".join(conditions.lines[pick.condition])
        clean.set_xlabel(condition, fontsize=_CONDITION, loc="left")
    figure.suptitle("Right when clean, wrong when corrupted: truth, and answer", fontsize=10)
    return figure


def _show(axes: Axes, image: NDArray[np.uint8], title: tuple[str, ...], colour: str) -> None:
    axes.imshow(image.squeeze(), cmap="gray", interpolation="nearest")
    axes.set_title("\n".join(title), fontsize=_TITLE, color=colour)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
