"""Small numerics: log odds, weights that are shares, and linear algebra on one thread."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
RIDGE = 0.01  # chosen by bench.estimation_tuning
_SUM = 100.0  # how strictly the weights sum to one
_ROUNDS = 3  # times the number of conditions: by far more than it takes
_FLAT = 1e-10  # a descent that rounding alone may show


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
    that took thirty times the processor time of the work itself: 6 s instead of 0.2.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
