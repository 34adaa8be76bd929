"""Which hidden mixtures to expect before any score: around equal families, at three levels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate.numerics import Floats


@dataclass(frozen=True, eq=False)
class Level:
    """One way to group conditions. members: `(C, groups)`, each condition's share of its group."""

    members: Floats
    shares: Floats  # each group's share of the whole

    @cached_property
    def matrix(self) -> Floats:
        """Covariance of the weights, `(C, C)`, if the shares are of a very wide Dirichlet."""
        whole = self.members @ self.shares
        return np.asarray((self.members * self.shares) @ self.members.T - np.outer(whole, whole))

    def variances(self) -> Floats:
        """Of every condition's weight, `(C,)`."""
        return np.asarray(self.members**2 @ (self.shares * (1 - self.shares)))


@dataclass(frozen=True)
class Prior:
    """The mixtures to expect. mean: `(C,)`, sums to 1. levels: family, severity, condition."""

    mean: Floats
    levels: tuple[Level, ...]


def prior_of(families: Sequence[str], severities: Sequence[int]) -> Prior:
    """Families weigh the same, and so do the conditions of a family."""
    family = np.unique(np.asarray(families), return_inverse=True)[1]
    severity = np.unique(np.asarray(severities), return_inverse=True)[1]
    counts = np.bincount(family)
    mean = 1.0 / (len(counts) * counts[family])
    groups = (family, severity, np.arange(len(mean)))
    return Prior(mean, tuple(_level(mean, group) for group in groups))


def _level(mean: Floats, group: NDArray[np.intp]) -> Level:
    shares = np.bincount(group, mean).astype(np.float64)
    members = np.zeros((len(mean), len(shares)))
    members[np.arange(len(mean)), group] = mean / shares[group]
    return Level(members, shares)


@dataclass(frozen=True)
class Strengths:
    """The grid, one array `(G, 6)`: its columns, in order.

    family, severity, condition: 1 / (1 + concentration) of the Dirichlet at that level.
    offset, profile, own: standard deviations on the logit scale.
    """

    values: Floats

    @classmethod
    def grid(
        cls,
        *,
        family: Sequence[float],
        severity: Sequence[float],
        condition: Sequence[float],
        offset: Sequence[float],
        profile: Sequence[float],
        own: Sequence[float],
    ) -> Strengths:
        """Every combination."""
        choices = itertools.product(family, severity, condition, offset, profile, own)
        return cls(np.array(list(choices), dtype=np.float64))

    def coefficients(self) -> Floats:
        """What the covariances are multiplied with, `(G, 6)`."""
        return np.hstack([self.values[:, :3], self.values[:, 3:] ** 2])
