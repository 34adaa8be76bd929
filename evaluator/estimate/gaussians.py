"""Mixtures of Gaussians."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


# The logit scale and the normal distribution, without the third of a second that SciPy takes to import.


def logit(share: ArrayLike) -> Floats:
    """Log odds of shares in (0, 1)."""
    shares = np.asarray(share, np.float64)
    return np.asarray(np.log(shares) - np.log1p(-shares))


def expit(odds: ArrayLike) -> Floats:
    """The share, 0..1, of which these are the log odds; of any size."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(odds, np.float64))))


def ndtr(deviations: Floats) -> Floats:
    """Probability of less under the standard normal distribution, `(n,)`; also far in the tails."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in deviations.tolist()])


# Weights of the conditions that are shares: none below zero, all together one.
#
# The closed form lets weights leave 0..1 and allows for damage unlike any condition; least squares on the
# simplex does neither. Their errors differ, and their mean errs less than either (docs/estimate.md).


Mask = NDArray[np.bool_]
RIDGE = 0.01  # chosen by bench.estimation_tuning
_SUM = 100.0  # how strictly the weights sum to one
_ROUNDS = 3  # times the number of conditions: by far more than it takes
_FLAT = 1e-10  # a descent that rounding alone may show


def shares(accuracies: Floats, scores: Floats, expected: Floats, ridge: float = RIDGE) -> Floats:
    """Weights `(C,)` that explain the scores `(K,)` by accuracies `(K, C)`, drawn to `expected`.

    Solved in the normal equations, `(C, C)` however many scores there are.
    """
    count = len(expected)
    squares = accuracies.T @ accuracies + ridge * np.eye(count) + _SUM**2
    weights = _nonnegative(squares, accuracies.T @ scores + ridge * expected + _SUM**2)
    return np.asarray(weights / weights.sum())


def _nonnegative(squares: Floats, products: Floats) -> Floats:
    """The `w >= 0` with least `w squares w / 2 - products w`, by Lawson's and Hanson's active sets.

    squares: `(C, C)`, positive definite. It frees the weight with the steepest descent, solves for
    those that are free, and fixes again at zero what would go below.
    """
    weights = np.zeros(len(products))
    free = np.zeros(len(products), bool)
    for _ in range(_ROUNDS * len(products)):
        descent = np.where(free, -np.inf, products - squares @ weights)
        steepest = int(descent.argmax())
        if descent[steepest] <= _FLAT:
            break
        free[steepest] = True
        weights = _settled(squares, products, weights, free)
    return weights


def _settled(squares: Floats, products: Floats, weights: Floats, free: Mask) -> Floats:
    """The best weights of those that are free, on the way to which some may become fixed."""
    while True:
        places = np.flatnonzero(free)
        wanted = np.linalg.solve(squares[np.ix_(places, places)], products[places])
        below = wanted <= 0
        if not below.any():
            break
        now = weights[places]
        reach = now[below] / (now[below] - wanted[below])
        moved = now + reach.min() * (wanted - now)
        moved[np.flatnonzero(below)[reach.argmin()]] = 0.0
        weights = np.zeros_like(weights)
        weights[places] = np.maximum(moved, 0.0)
        free[places[weights[places] == 0]] = False
    found = np.zeros_like(weights)
    found[places] = wanted
    return found


# Small linear algebra on one thread.
#
# OpenBLAS, which NumPy brings, gives matrices of a few hundred rows to all cores, and its threads
# wait for each other by spinning. On a machine that is busy otherwise (with the submission, say) that
# took thirty times the processor time of the work itself: 6 s instead of 0.2. Where the library is another, or
# cannot be told, nothing is changed.


_MAPS = Path("/proc/self/maps")  # Linux: which libraries are loaded
_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads")
_NAMES_ELSEWHERE = ("openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, and for functions that it decorates, OpenBLAS uses one thread; before as after."""
    libraries = _libraries()
    before = [get() for get, _ in libraries]
    try:
        for _, set_to in libraries:
            set_to(1)
        yield
    finally:
        for (_, set_to), count in zip(libraries, before, strict=True):
            set_to(count)


@functools.cache
def _libraries() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Of every OpenBLAS that is loaded: what tells and what sets its number of threads."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    paths = {line.split(maxsplit=5)[-1] for line in lines if "openblas" in line}
    found = []
    for path in sorted(paths):
        try:
            found += _settings(ctypes.CDLL(path))
        except OSError:  # replaced on the disk meanwhile, or a name that is no library's
            continue
    return tuple(found)


def _settings(library: ctypes.CDLL) -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    for name in (*_NAMES, *_NAMES_ELSEWHERE):
        if hasattr(library, name.format("set")):
            return [(getattr(library, name.format("get")), getattr(library, name.format("set")))]
    return []


__all__ = ["one_thread"]
