"""Mixtures of Gaussians, and conditioning many at once."""

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


@dataclass(frozen=True)
class Conditioned:
    """The last variable given the others, under G covariances weighted by their evidence.

    solved: `(G, K)`, inverse covariance times residual. left_out: each other variable given the
    rest of them.
    """

    target: Gaussians
    left_out: tuple[Gaussians, ...]
    solved: Floats


def condition(covariance: Floats, noise: Floats, residual: Floats) -> Conditioned:
    """covariance: `(G, K + 1, K + 1)` before noise `(K,)` of what was seen; means are zero."""
    count = len(residual)
    seen = covariance[:, :count, :count] + np.diag(noise)
    inverse = np.linalg.inv(seen).astype(np.float64)
    solved = np.asarray(inverse @ residual)
    log_evidence = np.asarray(-0.5 * (solved @ residual + np.linalg.slogdet(seen)[1]))
    across = covariance[:, :count, count]
    means = np.sum(across * solved, axis=1)
    explained = np.einsum("gi,gij,gj->g", across, inverse, across)
    variances = np.maximum(covariance[:, count, count] - explained, 1e-12)
    target = Gaussians(_shares(log_evidence), means, variances)
    return Conditioned(target, _left_out(inverse, solved, log_evidence, residual), solved)


def _left_out(
    inverse: Floats, solved: Floats, log_evidence: Floats, residual: Floats
) -> tuple[Gaussians, ...]:
    """In closed form; each left-out value has no say in the weights of its own prediction."""
    precision = np.einsum("gii->gi", inverse)
    errors, variances = solved / precision, 1 / precision
    alone = log_evidence[:, None] + 0.5 * (errors**2 / variances + np.log(variances))
    return tuple(
        Gaussians(_shares(alone[:, i]), residual[i] - errors[:, i], variances[:, i])
        for i in range(len(residual))
    )


def _shares(logs: Floats) -> Floats:
    heights = np.exp(logs - logs.max())
    return np.asarray(heights / heights.sum())
