"""Predicted against actual, with intervals: a panel a hidden set and number of past scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.demonstration_study import OURS, PASTS, Guess

INSIDE, OUTSIDE = "#1f5fa8", "#c2410c"


def plot(guesses: Sequence[Guess], sets: Sequence[tuple[str, str, int]], path: Path) -> None:
    """Write a PNG: our forecasts of the first choice of past scores."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        len(sets), len(PASTS), figsize=(11, 3.0 * len(sets) + 0.6), squeeze=False, sharey="row"
    )
    for row, (name, about, _) in zip(axes, sets, strict=True):
        for axis, past in zip(row, PASTS, strict=True):
            chosen = [
                g for g in guesses if (g.hidden, g.method, g.draw, g.past) == (name, OURS, 0, past)
            ]
            _panel(axis, chosen)
            axis.set_title(f"{name}, K = {past}", fontsize=10)
        row[0].set_ylabel(f"predicted, {about.partition(',')[0]}", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("actual", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


def _panel(axis: Any, guesses: Sequence[Guess]) -> None:
    axis.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, zorder=0)
    for guess in guesses:
        made = guess.forecast
        color = INSIDE if made.low <= made.actual <= made.high else OUTSIDE
        marker = "o" if color == INSIDE else "s"  # also told apart without colours
        below, above = made.median - made.low, made.high - made.median
        axis.errorbar(
            made.actual,
            made.median,
            yerr=[[below], [above]],
            fmt=marker,
            color=color,
            markersize=3.5,
            linewidth=0.9,
        )
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.tick_params(labelsize=8)
