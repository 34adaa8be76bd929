"""Mixtures of Gaussians, and conditioning many at once on the same scores.

What has been seen has a covariance `(K, K)`, signal and noise, under each of G choices. `Dense`
inverts it. `LowRank` knows the signal as R loadings of every score and inverts `(R, R)` matrices
instead: by Woodbury's identity that is the same, no approximation, and K may be thousands. Either
is made once; each further variable that is predicted from the scores costs products with vectors.
Beside them stands least squares on the simplex, which explains the scores without a Gaussian.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_info, threadpool_limits

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
RIDGE = 0.01  # chosen by bench.estimation_tuning
_LOCK = threading.Lock()
_HELD: list[list[threadpool_limits]] = []  # by whom: what to take back is in the first
_SUM = 100.0  # how strictly the weights sum to one
_ROUNDS = 3  # times the number of conditions: by far more than it takes
_FLAT = 1e-10  # a descent that rounding alone may show
_HALVINGS = 60
_REACH = 9.0  # standard deviations: beyond them is nothing that a double can hold
_LEAST = 1e-12  # of a variance: rounding may leave less than nothing


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


class Inverse(Protocol):
    """The inverse covariance of what was seen, under every choice.

    log_det: of the covariance, `(G,)`.
    """

    log_det: Floats

    @property
    def precision(self) -> Floats:
        """Its diagonal, `(G, K)`."""

    def solve(self, vectors: Floats) -> Floats:
        """The inverse times one vector for every choice, `(G, K)`."""


class Dense:
    """An `Inverse` of covariances `(G, K, K)`."""

    def __init__(self, covariance: Floats) -> None:
        self._inverse = np.linalg.inv(covariance).astype(np.float64)
        self.log_det = np.asarray(np.linalg.slogdet(covariance)[1], np.float64)

    @property
    def precision(self) -> Floats:
        """See `Inverse`."""
        return np.asarray(np.einsum("gii->gi", self._inverse), np.float64)

    def solve(self, vectors: Floats) -> Floats:
        """See `Inverse`."""
        return np.asarray((self._inverse @ vectors[:, :, None])[:, :, 0])


class LowRank:
    """An `Inverse` of `loadings root root' loadings' + diagonal`.

    loadings: `(K, R)`, the same under every choice. roots: `(G, R, R)`. diagonal: `(G, K)`, above
    0; choices with the same one share most of the work.
    """

    def __init__(self, loadings: Floats, roots: Floats, diagonal: Floats) -> None:
        self._loadings, self._diagonal = loadings, diagonal
        self._cores = np.empty_like(roots)
        self.log_det = np.empty(len(diagonal))
        squares: dict[bytes, Floats] = {}
        for choice, (root, own) in enumerate(zip(roots, diagonal, strict=True)):
            if own.tobytes() not in squares:
                squares[own.tobytes()] = (loadings.T / own) @ loadings
            inner = np.eye(len(root)) + root.T @ squares[own.tobytes()] @ root
            self._cores[choice] = root @ np.linalg.inv(inner) @ root.T
            self.log_det[choice] = np.log(own).sum() + np.linalg.slogdet(inner)[1]

    @cached_property
    def precision(self) -> Floats:
        """See `Inverse`."""
        found, loadings = np.empty_like(self._diagonal), self._loadings
        for choice, (core, own) in enumerate(zip(self._cores, self._diagonal, strict=True)):
            found[choice] = (1 - ((loadings @ core) * loadings).sum(1) / own) / own
        return found

    def solve(self, vectors: Floats) -> Floats:
        """See `Inverse`."""
        scaled = vectors / self._diagonal
        seen = self._cores @ (scaled @ self._loadings)[:, :, None]
        return np.asarray(scaled - (seen[:, :, 0] @ self._loadings.T) / self._diagonal)


class Without:
    """An `Inverse` once one of what was seen is left out, from the inverse of all. count: K."""

    def __init__(self, whole: Inverse, place: int, count: int) -> None:
        self._whole, self._place = whole, place
        one = np.zeros((len(whole.log_det), count))
        one[:, place] = 1.0
        column = whole.solve(one)
        self._own = column[:, place]
        self._column = np.delete(column, place, axis=1)
        self.log_det = np.asarray(whole.log_det + np.log(self._own), np.float64)

    def solve(self, vectors: Floats) -> Floats:
        """See `Inverse`."""
        solved = self._whole.solve(np.insert(vectors, self._place, 0.0, axis=1))
        too_much = solved[:, self._place] / self._own
        return np.delete(solved, self._place, axis=1) - self._column * too_much[:, None]

    @cached_property
    def precision(self) -> Floats:
        """See `Inverse`."""
        left = np.delete(self._whole.precision, self._place, axis=1)
        return np.asarray(left - self._column**2 / self._own[:, None])


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was seen, less its expectation, under every choice.

    residual: `(K,)`. solved: `(G, K)`, inverse covariance times residual. weights: `(G,)`, of the
    choices by how well they explain it. log: the same, unnormalised.
    """

    inverse: Inverse
    residual: Floats
    solved: Floats
    log: Floats

    @classmethod
    def of(cls, inverse: Inverse, residual: Floats) -> Evidence:
        """Under every choice that the inverse was made for."""
        solved = inverse.solve(np.tile(residual, (len(inverse.log_det), 1)))
        return cls(inverse, residual, solved, -0.5 * (solved @ residual + inverse.log_det))

    def without(self, place: int) -> Evidence:
        """Had one not been seen."""
        return Evidence.of(
            Without(self.inverse, place, len(self.residual)), np.delete(self.residual, place)
        )

    @property
    def weights(self) -> Floats:
        """Sum to 1."""
        return _normalised(self.log)

    def given(self, across: Floats, *variances: Floats) -> tuple[Gaussians, ...]:
        """Variables with covariances `across`, `(G, K)`, to what was seen; variances: `(G,)`."""
        means = np.sum(across * self.solved, axis=1)
        explained = np.sum(across * self.inverse.solve(across), axis=1)
        left = (np.maximum(one - explained, _LEAST) for one in variances)
        return tuple(Gaussians(self.weights, means, one) for one in left)

    def left_out(self) -> tuple[Gaussians, ...]:
        """Each that was seen given the others, in closed form.

        It has no say in the weights of its own prediction.
        """
        errors, variances = self.solved / self.inverse.precision, 1 / self.inverse.precision
        alone = self.log[:, None] + 0.5 * (errors**2 / variances + np.log(variances))
        return tuple(
            Gaussians(_normalised(alone[:, i]), seen - errors[:, i], variances[:, i])
            for i, seen in enumerate(self.residual)
        )


def _normalised(logs: Floats) -> Floats:
    heights = np.exp(logs - logs.max())
    return np.asarray(heights / heights.sum())


def logit(share: ArrayLike) -> Floats:
    """Log odds of shares in (0, 1). SciPy's would take a third of a second to import."""
    shares = np.asarray(share, np.float64)
    return np.asarray(np.log(shares) - np.log1p(-shares))


def expit(odds: ArrayLike) -> Floats:
    """The share, 0..1, of which these are the log odds; of any size."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(odds, np.float64))))


def ndtr(deviations: Floats) -> Floats:
    """Probability of less under the standard normal distribution, `(n,)`; also far in the tails."""
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in deviations.tolist()])


def shares(accuracies: Floats, scores: Floats, expected: Floats, ridge: float = RIDGE) -> Floats:
    """Weights `(C,)` that explain the scores `(K,)` by accuracies `(K, C)`, drawn to `expected`.

    None below zero, all together one. The closed form lets weights leave 0..1 and allows for damage
    unlike any condition; least squares on the simplex does neither. Their errors differ, and their
    mean errs less than either (docs/estimate.md). Solved in the normal equations, `(C, C)` however
    many scores there are.
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, and for functions that it decorates, BLAS uses one thread; before as after.

    OpenBLAS, which NumPy brings, gives matrices of a few hundred rows to all cores, and its threads
    wait for each other by spinning. On a machine that is busy otherwise (with the submission, say)
    that took thirty times the processor time of the work itself: 6 s instead of 0.2. Sums of
    several threads are also others in their last digits. The limit is the process's: it holds until
    the last of several threads has left, so that none finds what another one's exit brought back.
    """
    with _LOCK:
        _HELD.append([])
        several = (one["num_threads"] > 1 for one in threadpool_info() if one["user_api"] == "blas")
        if any(several):  # also where a library was loaded since
            _HELD[0].append(threadpool_limits(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _LOCK:
            limits = _HELD.pop()
            for one in reversed(limits if not _HELD else ()):
                one.restore_original_limits()
