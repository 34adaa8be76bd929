"""What matplotlib's figures have in common: the page's light colours, fonts, and room for names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Answers
from evaluator.report.colors import LIGHT, LIGHT_HEAT
from evaluator.report.lettering import Names, fitted, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evaluator.report.result import Report

DPI = 150
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.parse_math": False,  # a class may be called "$5 coin or $10 note"
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
# Fonts that have what matplotlib's own lacks: Chinese, Japanese, Korean. The first that is here is used.
WIDE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Droid Sans Fallback"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC"),
    *("Hiragino Sans GB", "Heiti TC", "Noto Sans CJK JP", "Malgun Gothic", "Arial Unicode MS"),
)
POINTS = 72.0  # in an inch
CLEAN: dict[str, Any] = {
    "fmt": "o",
    "color": LIGHT["clean"],
    "markerfacecolor": "white",
    "markersize": 6,
}
HURT: dict[str, Any] = {"fmt": "s", "color": LIGHT["hurt"], "markersize": 5}


def style() -> dict[Any, Any]:
    """Settings for `matplotlib.rc_context`."""
    return {**STYLE, "font.family": fonts()}


def fonts() -> list[str]:
    """The reader's own families, one for Chinese if any is here, and matplotlib's, which has signs."""
    known = {font.name for font in fontManager.ttflist}
    wide = next(((name,) for name in WIDE_FONTS if name in known), ())
    return [*rcParams["font.family"], *wide, "DejaVu Sans"]


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, NDArray[Axes]]:  # type: ignore[type-var]  # an object array of axes
    """A figure in inches with its axes, `(rows, columns)`."""
    drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def names_in(
    names: Iterable[str], inches: float, size: float, lines: int = 3, *, bold: bool = False
) -> Names:
    """Names at a font size in points, broken so that each is at most so wide."""
    return fitted(names, inches * POINTS, lines, size, bold=bold)


def row_height(names: Names, least: float) -> float:
    """Inches that a row needs for its name."""
    return max(least, (names.height + 4) / POINTS)


def paragraph(said: str, inches: float, size: float, *, bold: bool = False) -> str:
    """Text at a font size in points, in as many lines as a width needs."""
    return "\n".join(wrapped(said, inches * POINTS, 9, size, bold=bold))


def unused(axes: Sequence[Axes]) -> None:
    """Clear the places of a grid that hold nothing."""
    for one in axes:
        one.set_axis_off()


def heat(step: int) -> tuple[str, str]:
    """The fill of a heat map's step, and the colour of text on it."""
    return LIGHT_HEAT[step]


def answers(report: Report) -> Answers:
    """The answers to the shown preset. Raises `EvaluationError` for a submission without."""
    if report.sheet is None:
        raise EvaluationError(
            "This report holds no answers to draw: the submission did not answer. Its findings say why."
        )
    return report.sheet
