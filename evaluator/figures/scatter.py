"""Validation and benchmark against the leaderboard, on logit axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.figures.style import CLEAN, HURT, canvas, paragraph
from evaluator.metrics import Score
from evaluator.report.axes import around, share_text
from evaluator.report.colors import LIGHT
from evaluator.report.past_scores import Place, bias, places
from evaluator.report.result import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(report: Report) -> Figure:
    """Past submissions as points, this one with 90 % of its forecast, and the line of equality."""
    found = places(report)
    if not found:
        raise EvaluationError(
            "Nothing to compare: no past score is recorded and no estimate was made. "
            "local-eval record ZIP --score 0.89"
        )
    figure, grid = canvas(5.6, 5.2)
    axes = grid[0, 0]
    _scales(axes, found)
    for name, style in (("validation", CLEAN), ("benchmark", HURT)):
        for place in found:
            if name in place.local:
                _mark(axes, place, place.local[name], style)
    axes.set(xlabel="local accuracy", ylabel="leaderboard score")
    axes.set_title(paragraph(bias(found), 4.6, 7.5), fontsize=7.5, fontweight="normal")
    axes.grid(visible=True)
    _legend(axes, all(place.known for place in found))
    return figure


def _scales(axes: Axes, found: tuple[Place, ...]) -> None:
    local = [v for p in found for s in p.local.values() for v in (s.low, s.high)]
    scale = around([*local, *(v for p in found for v in (p.low, p.high))], 0, 320, odds=True)
    axes.plot([scale.low, scale.high], [scale.low, scale.high], "--", color=LIGHT["soft"], lw=1)
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        set_scale("logit")
        axis.set_ticks(scale.ticks(), [share_text(tick) for tick in scale.ticks()])
        axis.set_ticks([], minor=True)
    axes.set(xlim=(scale.low, scale.high), ylim=(scale.low, scale.high))


def _mark(axes: Axes, place: Place, score: Score, style: dict[str, Any]) -> None:
    across = [[max(0.0, score.value - score.low)], [max(0.0, score.high - score.value)]]
    up = None if place.known else [[place.score - place.low], [place.high - place.score]]
    shape = style if place.known else {**style, "fmt": "D", "markersize": 8}
    axes.errorbar(
        [score.value], [place.score], xerr=across, yerr=up, lw=1.2,
        capsize=0 if place.known else 3, **shape,
    )  # fmt: skip


def _legend(axes: Axes, known: bool) -> None:  # noqa: FBT001 - one private flag
    axes.errorbar([], [], label="validation (clean)", **CLEAN)
    axes.errorbar([], [], label="benchmark", **HURT)
    if not known:
        axes.plot([], [], "D", color=LIGHT["ink"], label="this submission: forecast with 90 %")
    axes.legend(loc="upper left", fontsize=8)
