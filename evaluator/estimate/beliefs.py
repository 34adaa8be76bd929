"""Which cells the past scores speak for, never which cells the hidden set has.

With fewer scores than cells many mixtures explain the scores equally well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluator.estimate.gaussians import Floats
from evaluator.estimate.inputs import LibraryCell
from evaluator.estimate.shift_matching import Prior

MOVED = 1.25  # times its share before: a family that moved less is not worth a word
SHOWN = 5  # cells


@dataclass(frozen=True)
class Belief:
    """A family or cell: its share of the mixture before and after the past scores."""

    kind: Literal["family", "cell"]
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


def beliefs(library: Sequence[LibraryCell], prior: Prior, weights: Floats) -> tuple[Belief, ...]:
    """Families and cells whose share moved, those that grew most first. weights: `(C,)`."""
    after = np.maximum(weights, 0.0)
    after /= after.sum()
    families: dict[str, list[int]] = {}
    for place, cell in enumerate(library):
        families.setdefault(cell.family, []).append(place)
    found = [
        Belief("family", name, float(prior.mean[inside].sum()), float(after[inside].sum()))
        for name, inside in families.items()
    ]
    cells = [
        Belief("cell", cell.name, float(prior.mean[i]), float(after[i]))
        for i, cell in enumerate(library)
    ]
    grown = sorted((b for b in cells if b.after > MOVED * b.before), key=_growth)
    moved = (b for b in found if not 1 / MOVED <= b.after / b.before <= MOVED)
    return (*sorted(moved, key=_growth), *grown[:SHOWN])


def _growth(belief: Belief) -> tuple[float, str]:
    return (round(belief.before - belief.after, 12), belief.name)
