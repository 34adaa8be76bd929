"""What an estimate costs with many past scores: CPU seconds, everything made anew."""

from __future__ import annotations

import statistics
import time

import numpy as np

from bench.goals import Verdict, at_most
from corruptions.presets import LIBRARY, resolve
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, PastScore, Target
from evaluator.plan import CLEAN, described

GOALS = {100: 0.1, 1000: 1.0}  # past scores: seconds
RUNS, IMAGES, HIDDEN = 5, 64, 2000


def speed() -> list[Verdict]:
    """Against the goals."""
    return [
        at_most(f"CPU seconds of an estimate from {count:,} past scores", seconds(count), goal)
        for count, goal in GOALS.items()
    ]


def seconds(count: int) -> float:
    """Median of some runs, after a first one that draws the mixtures."""
    library = described((CLEAN, *resolve(LIBRARY).conditions))
    rng = np.random.default_rng(count)
    strength = rng.normal(1.5, 0.7, (count + 1, 1)) - rng.exponential(1.0, len(library))
    accuracies = 1 / (
        1 + np.exp(-strength - rng.normal(0, 0.3, (*strength.shape[:1], len(library))))
    )
    right = rng.binomial(IMAGES, accuracies) / IMAGES
    figures = [
        Figures(str(i), tuple(row), (IMAGES,) * len(library))
        for i, row in enumerate(right.tolist())
    ]
    scores = rng.binomial(HIDDEN, accuracies.mean(1)) / HIDDEN
    past = [
        PastScore(one, float(y), 4, HIDDEN) for one, y in zip(figures[:-1], scores, strict=False)
    ]
    spent = []
    for _ in range(RUNS + 1):
        began = time.process_time()
        estimate(library, figures[-1], past, Target(hidden=HIDDEN, decimals=4))
        spent.append(time.process_time() - began)
    return statistics.median(spent[1:])
