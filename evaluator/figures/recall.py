"""The drop of every class's recall from clean to corrupted images."""

from __future__ import annotations

from matplotlib.figure import Figure

from evaluator.answers import clean_weights, confusion, drops
from evaluator.figures.style import CLEAN, HURT, answers, canvas, names_in, row_height
from evaluator.metrics import Score, answer_weights
from evaluator.report.card import points
from evaluator.report.result import Report


def draw(report: Report) -> Figure:
    """Largest drop on top; lines are 95 % intervals that count images, not answers."""
    names, sheet = report.source.label_names, answers(report)
    clean = confusion(sheet, clean_weights(sheet), len(names))
    hurt = confusion(sheet, answer_weights(sheet.benchmark, sheet.questions), len(names))
    found = drops(clean, hurt, names)
    lettered = names_in((drop.name for drop in found), 2.2, 9)
    figure, grid = canvas(6.4, 1.0 + row_height(lettered, 0.34) * len(found))
    axes = grid[0, 0]
    for label, style, shift, scores in (
        ("clean", CLEAN, -0.13, [drop.clean for drop in found]),
        ("corrupted", HURT, 0.13, [drop.corrupted for drop in found]),
    ):
        axes.errorbar(
            [score.value for score in scores],
            [place + shift for place in range(len(found))],
            xerr=_errors(scores), label=label, lw=1.3, **style,
        )  # fmt: skip
    axes.set_yticks(range(len(found)), ["\n".join(lettered.lines[drop.name]) for drop in found])
    axes.set(ylim=(len(found) - 0.5, -0.5), xlim=(0, 1.02), xlabel="recall")
    axes.grid(axis="x")
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(found)), [points(-drop.lost) for drop in found])
    right.tick_params(length=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8)
    figure.suptitle("Recall by class", x=0.02, ha="left", fontsize=10, fontweight="bold")
    return figure


def _errors(scores: list[Score]) -> list[list[float]]:
    below = [max(0.0, score.value - score.low) for score in scores]
    return [below, [max(0.0, score.high - score.value) for score in scores]]
