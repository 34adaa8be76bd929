"""Which conditions the past scores speak for, never which conditions the hidden set has.

With fewer scores than conditions many mixtures explain the scores equally well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluator.estimate.gaussians import Floats
from evaluator.estimate.inputs import LibraryCondition
from evaluator.estimate.shift_matching import Prior

MOVED = 1.25  # times its share before: a family that moved less is not worth a word
SHOWN = 5  # conditions


@dataclass(frozen=True)
class Belief:
    """A family or condition: its share of the mixture before and after the past scores."""

    kind: Literal["family", "condition"]
    name: str
    before: float
    after: float

    def sentence(self) -> str:
        """For the report."""
        change = "more" if self.after > self.before else "less"
        return (
            f"past scores are consistent with {change} {self.name} "
            f"({self.after:.0%} of the hidden images rather than {self.before:.0%}); "
            "other mixtures would explain them as well"
        )


def beliefs(
    library: Sequence[LibraryCondition], prior: Prior, weights: Floats
) -> tuple[Belief, ...]:
    """Families and conditions whose share moved, those that grew most first. weights: `(C,)`."""
    after = np.maximum(weights, 0.0)
    after /= after.sum()
    families: dict[str, list[int]] = {}
    for place, condition in enumerate(library):
        families.setdefault(condition.family, []).append(place)
    found = [
        Belief("family", name, float(prior.mean[inside].sum()), float(after[inside].sum()))
        for name, inside in families.items()
    ]
    conditions = [
        Belief("condition", condition.name, float(prior.mean[i]), float(after[i]))
        for i, condition in enumerate(library)
    ]
    grown = sorted((b for b in conditions if b.after > MOVED * b.before), key=_growth)
    moved = (b for b in found if not 1 / MOVED <= b.after / b.before <= MOVED)
    return (*sorted(moved, key=_growth), *grown[:SHOWN])


def _growth(belief: Belief) -> tuple[float, str]:
    return (round(belief.before - belief.after, 12), belief.name)
