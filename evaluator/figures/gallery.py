"""Images that are right when clean and wrong when corrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from evaluator.errors import EvaluationError
from evaluator.figures.style import answers, canvas, unused
from evaluator.page.colors import LIGHT
from evaluator.page.picks import picks
from evaluator.result import Report

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_PAIRS = 4  # in a row


def draw(report: Report) -> Figure:
    """Pairs of clean and corrupted, with truth, answer and cell."""
    found, names = picks(answers(report)), report.source.label_names
    if not found:
        raise EvaluationError(
            "No image is right when clean and wrong under a cell that costs accuracy: nothing to show."
        )
    lines = -(-len(found) // _PAIRS)
    figure, axes = canvas(2.5 * _PAIRS, 0.4 + 1.75 * lines, lines, 2 * _PAIRS)
    places = list(axes.flat)
    unused(places)
    for at, pick in enumerate(found):
        _show(places[2 * at], pick.clean, names[pick.truth], LIGHT["ink"])
        _show(places[2 * at + 1], pick.corrupted, names[pick.answer], LIGHT["error"])
        places[2 * at].text(0, -0.05, pick.cell, fontsize=6.5, va="top", color=LIGHT["soft"],
                            transform=places[2 * at].transAxes)  # fmt: skip
    figure.suptitle("Right when clean, wrong when corrupted: truth, and answer", fontsize=10)
    return figure


def _show(axes: Axes, image: NDArray[np.uint8], title: str, colour: str) -> None:
    axes.imshow(image.squeeze(), cmap="gray", interpolation="nearest")
    axes.set_title(title.replace(" ", "\n", 1), fontsize=7, color=colour)
