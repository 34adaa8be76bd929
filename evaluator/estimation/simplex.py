"""Weights of the cells that are shares: none below zero, all together one.

The closed form lets weights leave 0..1 and allows for damage unlike any cell; least squares on the
simplex does neither. Their errors differ, and their mean errs less than either (docs/estimate.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RIDGE = 0.01  # chosen by bench.estimation_tuning
_SUM = 100.0  # how strictly the weights sum to one


def shares(accuracies: Floats, scores: Floats, expected: Floats, ridge: float = RIDGE) -> Floats:
    """Weights `(C,)` that explain the scores `(K,)` by accuracies `(K, C)`, drawn to `expected`."""
    from scipy.optimize import nnls  # here: a fifth of a second that only past scores need

    count, pull = len(expected), np.sqrt(ridge)
    rows = np.vstack([accuracies, pull * np.eye(count), np.full((1, count), _SUM)])
    weights = nnls(rows, np.concatenate([scores, pull * expected, [_SUM]]))[0]
    return np.asarray(weights / weights.sum())
