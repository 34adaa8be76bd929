"""Mixtures of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.estimation.logits import ndtr

Floats = NDArray[np.float64]
_HALVINGS = 60
_REACH = 9.0  # standard deviations: beyond them is nothing that a double can hold


@dataclass(frozen=True)
class Gaussians:
    """A mixture: `(G,)` each. Weights sum to 1."""

    weights: Floats
    means: Floats
    variances: Floats

    @property
    def mean(self) -> float:
        """Of the mixture."""
        return float(self.weights @ self.means)

    @property
    def variance(self) -> float:
        """Of the mixture."""
        apart = self.means - self.mean
        return float(self.weights @ (self.variances + apart**2))

    def below(self, value: float) -> float:
        """Probability of less than `value`."""
        return float(self.weights @ ndtr((value - self.means) / np.sqrt(self.variances)))

    def quantile(self, share: float) -> float:
        """The value that lies above `share` of the mixture, by bisection."""
        reach = _REACH * np.sqrt(self.variances)
        low, high = float((self.means - reach).min()), float((self.means + reach).max())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < share else (low, middle)
        return (low + high) / 2

    def density(self, value: float) -> float:
        """At `value`."""
        heights = np.exp(-0.5 * (value - self.means) ** 2 / self.variances)
        return float(self.weights @ (heights / np.sqrt(2 * np.pi * self.variances)))

    def moved(self, by: float) -> Gaussians:
        """All means shifted."""
        return Gaussians(self.weights, self.means + by, self.variances)

    def stretched(self, factor: float) -> Gaussians:
        """Wider about the median by `factor`."""
        middle = self.quantile(0.5)
        return Gaussians(
            self.weights, middle + factor * (self.means - middle), self.variances * factor**2
        )

    def reweighted(self, weights: Floats) -> Gaussians:
        """The same Gaussians with other weights."""
        return Gaussians(weights, self.means, self.variances)
