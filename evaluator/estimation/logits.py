"""The logit scale and the normal distribution, without the third of a second that SciPy takes to import."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


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
