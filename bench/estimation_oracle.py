"""What cannot be beaten: the same trials, with the hidden conditions' accuracies known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.estimation_worlds import HIDDEN_IMAGES, Trial, mixtures

Floats = NDArray[np.float64]
MIXTURES = 60_000
_SHARES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Guess:
    """A median with a 90 % interval; drawn: by how many independent draws it is carried."""

    low: float
    median: float
    high: float
    drawn: float


@dataclass(frozen=True)
class Oracle:
    """Bayes' rule over drawn mixtures, `(N, H)`: the hidden conditions and their law are known."""

    drawn: Floats
    seed: int

    @classmethod
    def over(cls, conditions: int, seed: int, count: int = MIXTURES) -> Oracle:
        """As the protocol draws mixtures of so many conditions."""
        return cls(mixtures(np.random.default_rng((seed, conditions)), conditions, count), seed)

    def guesses(self, trial: Trial, pasts: Sequence[int]) -> list[Guess]:
        """For each number of past scores."""
        everyone = np.clip(self.drawn @ trial.candidates.T, 1e-6, 1 - 1e-6)
        known, target = everyone[:, :-1], everyone[:, -1]
        chance = np.random.default_rng((self.seed, 1)).standard_normal(len(target))
        shown = target + chance * np.sqrt(target * (1 - target) / HIDDEN_IMAGES)
        order = np.argsort(shown)
        right = trial.scores[:-1] * HIDDEN_IMAGES
        each = right * np.log(known) + (HIDDEN_IMAGES - right) * np.log1p(-known)
        evidence = np.hstack([np.zeros((len(each), 1)), np.cumsum(each, axis=1)])
        return [_guess(shown[order], evidence[order, past]) for past in pasts]


def _guess(values: Floats, evidence: Floats) -> Guess:
    """values: ascending."""
    weights = np.exp(evidence - evidence.max())
    reached = np.cumsum(weights)
    places = np.searchsorted(reached, np.array(_SHARES) * reached[-1])
    low, median, high = values[np.minimum(places, len(values) - 1)]
    drawn = reached[-1] ** 2 / float(weights @ weights)
    return Guess(float(low), float(median), float(high), float(drawn))
