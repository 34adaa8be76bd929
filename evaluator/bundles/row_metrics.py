"""Metrics over rows with weights, so that resamples of the rows are one product.

A scoring program is foreign: which of these it computes is found by trying (`rows.py`). Each takes
truth and found `(n,)` and weights `(b, n)` and gives `(b,)`; with weights of 1 it is scikit-learn's
figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats

Values = NDArray[Any]  # numbers or texts
Metric = Callable[[Values, Values, Floats], Floats]
MOST_CLASSES = 200
RESAMPLES = 1000
_AT_ONCE = 4_000_000  # weights in memory
_MOST_WORK = 400_000_000  # rows times resamples; with more rows there are fewer resamples
_FEWEST = 200


def accuracy(truth: Values, found: Values, weights: Floats) -> Floats:
    """Share of equal rows."""
    return _mean(truth == found, weights)


def error(truth: Values, found: Values, weights: Floats) -> Floats:
    """Share of rows that differ."""
    return _mean(truth != found, weights)


def balanced_accuracy(truth: Values, found: Values, weights: Floats) -> Floats:
    """Mean recall over the classes of the truth."""
    with np.errstate(invalid="ignore"):
        recalls = [
            (weights @ ((truth == label) & (found == label))) / (weights @ (truth == label))
            for label in np.unique(truth)
        ]
    return _mean_of(recalls)


def macro_f1(truth: Values, found: Values, weights: Floats) -> Floats:
    """Mean F1 over the classes of truth and answers."""
    with np.errstate(invalid="ignore"):
        each = [
            2
            * (weights @ ((truth == label) & (found == label)))
            / (weights @ (truth == label) + weights @ (found == label))
            for label in np.union1d(truth, found)
        ]
    return _mean_of(each)


def mse(truth: Values, found: Values, weights: Floats) -> Floats:
    """Mean squared error."""
    return _mean((truth - found) ** 2, weights)


def rmse(truth: Values, found: Values, weights: Floats) -> Floats:
    """Its root."""
    return np.sqrt(mse(truth, found, weights))


def mae(truth: Values, found: Values, weights: Floats) -> Floats:
    """Mean absolute error."""
    return _mean(np.abs(truth - found), weights)


def r2(truth: Values, found: Values, weights: Floats) -> Floats:
    """Coefficient of determination."""
    centred = truth - truth.mean()  # for the digits' sake; the figure is the same
    spread = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - mse(truth, found, weights) / spread)


def auc(truth: Values, found: Values, weights: Floats) -> Floats:
    """Area under the curve of two classes, the higher one the positive; ties count half."""
    order = np.argsort(found, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(found[order]) != 0]))
    positive = (truth[order] == truth.max()).astype(np.float64)
    ordered = weights[:, order]
    good = np.add.reduceat(ordered * positive, starts, axis=1)
    bad = np.add.reduceat(ordered * (1 - positive), starts, axis=1)
    below = np.cumsum(bad, axis=1) - bad / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((good * below).sum(1) / (good.sum(1) * bad.sum(1)))


CLASSES: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "error": error,
    "balanced accuracy": balanced_accuracy,
    "macro-F1": macro_f1,
}
NUMBERS: Mapping[str, Metric] = {"MSE": mse, "RMSE": rmse, "MAE": mae, "R2": r2}


def metrics_for(truth: Values, found: Values) -> dict[str, Metric]:
    """Those that make sense of these rows."""
    fit: dict[str, Metric] = {}
    labels = np.unique(truth)
    if len(labels) <= MOST_CLASSES and len(np.unique(found)) <= MOST_CLASSES:
        fit |= CLASSES
    if truth.dtype.kind == "f":
        if len(labels) == 2:
            fit["AUC"] = auc
        fit |= NUMBERS
    return fit


def value(metric: Metric, truth: Values, found: Values) -> float:
    """The metric of all rows."""
    return float(metric(truth, found, np.ones((1, len(truth))))[0])


def resampled(metric: Metric, pairs: list[tuple[Values, Values]], seed: int) -> list[Floats]:
    """The metric of several answers to the same rows, on the same resamples: `(b,)` each.

    pairs: truth and found, `(n,)` each, the same n in all.
    """
    rows = len(pairs[0][0])
    count = int(np.clip(_MOST_WORK // rows, _FEWEST, RESAMPLES))
    rng = np.random.default_rng((seed, Stream.RESAMPLE))
    found: list[list[Floats]] = [[] for _ in pairs]
    at_once = max(1, _AT_ONCE // rows)
    for at in range(0, count, at_once):
        drawn = [
            np.bincount(rng.integers(rows, size=rows), minlength=rows)
            for _ in range(min(at_once, count - at))
        ]
        weights = np.array(drawn, np.float64)
        for values, (truth, answers) in zip(found, pairs, strict=True):
            values.append(metric(truth, answers, weights))
    return [np.concatenate(values) for values in found]


def _mean(values: NDArray[Any], weights: Floats) -> Floats:
    return np.asarray((weights @ values.astype(np.float64)) / weights.sum(1))


def _mean_of(each: list[Floats]) -> Floats:
    """Over the classes that are there: NaN marks one that a resample has not."""
    values = np.array(each)
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(0) / np.maximum(known.sum(0), 1))
