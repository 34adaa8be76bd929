"""Weights of the cells that are shares: none below zero, all together one.

The closed form lets weights leave 0..1 and allows for damage unlike any cell; least squares on the
simplex does neither. Their errors differ, and their mean errs less than either (docs/estimate.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
RIDGE = 0.01  # chosen by bench.estimation_tuning
_SUM = 100.0  # how strictly the weights sum to one
_ROUNDS = 3  # times the number of cells: by far more than it takes
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
