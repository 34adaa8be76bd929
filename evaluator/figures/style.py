"""What matplotlib's figures have in common: the page's light colours, and how they are laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from evaluator.errors import EvaluationError
from evaluator.page.colors import LIGHT, LIGHT_HEAT
from evaluator.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evaluator.result import Report

DPI = 150
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["rule"],
    "axes.labelcolor": LIGHT["soft"],
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LIGHT["rule"],
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "ytick.labelcolor": LIGHT["ink"],
    "legend.frameon": False,
}
CLEAN: dict[str, Any] = {
    "fmt": "o",
    "color": LIGHT["clean"],
    "markerfacecolor": "white",
    "markersize": 6,
}
HURT: dict[str, Any] = {"fmt": "s", "color": LIGHT["hurt"], "markersize": 5}


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, NDArray[Axes]]:  # type: ignore[type-var]  # an object array of axes
    """A figure in inches with its axes, `(rows, columns)`."""
    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def unused(axes: Sequence[Axes]) -> None:
    """Clear the places of a grid that hold nothing."""
    for one in axes:
        one.set_axis_off()


def heat(step: int) -> tuple[str, str]:
    """The fill of a heat map's step, and the colour of text on it."""
    return LIGHT_HEAT[step]


def answers(report: Report) -> Sheet:
    """The answers to the shown preset. Raises `EvaluationError` for a submission without."""
    if report.sheet is None:
        raise EvaluationError(
            "This report holds no answers to draw: the submission did not answer. Its findings say why."
        )
    return report.sheet
