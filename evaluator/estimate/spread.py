"""A distribution of a logit score by its quantiles: mixtures of thousands of Gaussians are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evaluator.estimate.gaussians import Floats, Gaussians

POINTS = 1000  # equally likely ones
_KEPT = 600  # Gaussians of a mixture that are looked at
_NODES = np.array([NormalDist().inv_cdf((i + 0.5) / 40) for i in range(40)])
_LEVELS = (np.arange(POINTS) + 0.5) / POINTS


@dataclass(frozen=True, eq=False)
class Spread:
    """points: `(POINTS,)` logit scores, equally likely, ascending."""

    points: Floats

    @classmethod
    def of(cls, found: Gaussians) -> Spread:
        """A mixture of Gaussians; of more than `_KEPT`, evenly chosen ones by their means."""
        order = np.argsort(found.means, kind="stable")
        weights = found.weights[order]
        if len(order) > _KEPT:
            total = np.cumsum(weights)
            wanted = (np.arange(_KEPT) + 0.5) / _KEPT * total[-1]
            order = order[np.minimum(np.searchsorted(total, wanted), len(order) - 1)]
            weights = np.ones(_KEPT)
        widths = np.sqrt(found.variances[order, None])
        values = found.means[order, None] + widths * _NODES
        return cls._sampled(values.ravel(), np.repeat(weights, len(_NODES)))

    @classmethod
    def mixed(cls, spreads: Sequence[Spread], chances: Sequence[float]) -> Spread:
        """Whichever of them holds, with these probabilities."""
        if len(spreads) == 1:
            return spreads[0]
        values = np.concatenate([one.points for one in spreads])
        return cls._sampled(values, np.repeat(np.asarray(chances, np.float64), POINTS))

    @classmethod
    def _sampled(cls, values: Floats, weights: Floats) -> Spread:
        order = np.argsort(values, kind="stable")
        total = np.cumsum(weights[order])
        middle = (total - 0.5 * weights[order]) / total[-1]
        return cls(np.interp(_LEVELS, middle, values[order]))

    @property
    def variance(self) -> float:
        """Of it."""
        return float(self.points.var())

    def quantile(self, share: float) -> float:
        """The value that lies above `share` of it."""
        return float(np.interp(share, _LEVELS, self.points))

    def above(self, value: float) -> float:
        """Probability of more."""
        return float(1 - np.interp(value, self.points, _LEVELS, 0.0, 1.0))

    def stretched(self, factor: float) -> Spread:
        """Wider about the median by `factor`."""
        middle = self.quantile(0.5)
        return Spread(middle + factor * (self.points - middle))

    def averaged(self, other: Spread) -> Spread:
        """Half way to another one, quantile by quantile."""
        return Spread(0.5 * (self.points + other.points))
