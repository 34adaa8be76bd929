"""The rivals: each predicts the logit score and a standard deviation from the same information.

Hyper-parameters are fields; `TUNED` holds what `bench.estimation_tuning` chose from `GRIDS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from bench.estimation_worlds import HIDDEN_IMAGES, Trial
from evaluator.estimate.gaussians import Dense, Evidence, Gaussians, shares
from evaluator.estimate.inputs import prior_of
from evaluator.estimate.shift_matching import EDGE

Floats = NDArray[np.float64]


class Rival(Protocol):
    """A way to predict; a frozen dataclass whose fields are its hyper-parameters."""

    def predict(self, trial: Trial, past: int) -> Gaussians | None:
        """The target's logit score from the first past scores; None if it cannot."""


def _logit(values: Floats) -> Floats:
    return np.asarray(logit(np.clip(values, EDGE, 1 - EDGE)))


def _mean_logits(trial: Trial) -> Floats:
    """Of the family-balanced mean over the library, as our own estimate starts from."""
    prior = prior_of([c.family for c in trial.conditions], [c.severity for c in trial.conditions])
    return _logit(trial.library @ prior.mean)


def _sampling(logits: Floats) -> Floats:
    share = 1 / (1 + np.exp(-logits))
    return np.asarray(1 / (HIDDEN_IMAGES * share * (1 - share)))


def _one(mean: float, variance: float) -> Gaussians:
    return Gaussians(np.ones(1), np.array([mean]), np.array([variance]))


@dataclass(frozen=True)
class Errors:
    """A spread learnt from past errors: as if `weight` errors of size `start` had been seen."""

    start: float
    weight: float

    def variance(self, errors: Floats) -> float:
        """For the next error."""
        total = self.weight * self.start**2 + float(errors @ errors)
        return total / (self.weight + len(errors))


@dataclass(frozen=True)
class Mean:
    """The benchmark's mean as it stands."""

    start: float
    weight: float

    def predict(self, trial: Trial, past: int) -> Gaussians:
        """Past scores only tell how wrong it is."""
        logits = _mean_logits(trial)
        errors = _logit(trial.scores[:past]) - logits[:past]
        return _one(float(logits[-1]), Errors(self.start, self.weight).variance(errors))


@dataclass(frozen=True)
class Validation:
    """Clean accuracy as it stands."""

    start: float
    weight: float

    def predict(self, trial: Trial, past: int) -> Gaussians | None:
        """None where there is no clean condition."""
        if trial.clean is None:
            return None
        logits = _logit(trial.library[:, trial.clean])
        errors = _logit(trial.scores[:past]) - logits[:past]
        return _one(float(logits[-1]), Errors(self.start, self.weight).variance(errors))


@dataclass(frozen=True)
class Line:
    """A Bayesian line through the logit scores; where `slopes` is 0 it is an offset.

    Prior standard deviations of the intercept, of the slope less one and about the line, averaged
    over all their combinations by evidence, as our own are.
    """

    offsets: tuple[float, ...]
    slopes: tuple[float, ...]
    owns: tuple[float, ...]

    def predict(self, trial: Trial, past: int) -> Gaussians:
        """Conditioned in closed form."""
        logits = _mean_logits(trial)[[*range(past), -1]]
        apart = logits - logits.mean()
        parts = np.stack([np.ones((past + 1, past + 1)), np.outer(apart, apart), np.eye(past + 1)])
        choices = np.array(list(itertools.product(self.offsets, self.slopes, self.owns)))
        seen = _logit(trial.scores[:past])
        signal = np.tensordot(choices**2, parts, 1)
        inverse = Dense(signal[:, :past, :past] + np.diag(_sampling(seen)))
        evidence = Evidence.of(inverse, seen - logits[:-1])
        (target,) = evidence.given(signal[:, :past, past], signal[:, past, past])
        found = target.moved(logits[-1])
        shown = found.variances + _sampling(found.means)
        return Gaussians(found.weights, found.means, shown)


@dataclass(frozen=True)
class BestRecipe:
    """The condition that fits the past scores best; without scores, that nearest to the mean."""

    start: float
    weight: float

    def predict(self, trial: Trial, past: int) -> Gaussians:
        """Least squares on the logit scale."""
        conditions = _logit(trial.library)
        aim = _logit(trial.scores[:past]) if past else _mean_logits(trial)
        errors = aim[:, None] - conditions[: len(aim)]
        best = int(np.argmin((errors**2).sum(0)))
        spread = Errors(self.start, self.weight).variance(errors[:past, best])
        return _one(float(conditions[-1, best]), spread)


@dataclass(frozen=True)
class Simplex:
    """Non-negative weights that sum to 1, drawn to equal family shares by `ridge`."""

    start: float
    weight: float
    ridge: float

    def predict(self, trial: Trial, past: int) -> Gaussians:
        """Least squares on the accuracies."""
        prior = prior_of(
            [c.family for c in trial.conditions], [c.severity for c in trial.conditions]
        )
        weights = shares(trial.library[:past], trial.scores[:past], prior.mean, self.ridge)
        logits = _logit(trial.library @ weights)
        errors = _logit(trial.scores[:past]) - logits[:past]
        return _one(float(logits[-1]), Errors(self.start, self.weight).variance(errors))


_STARTS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 4.0, 6.0)
_WEIGHTS = (0.5, 1.0, 2.0, 4.0)
_OFFSETS = ((0.1, 0.4), (0.2, 0.8), (0.1, 0.3, 0.8), (0.5, 1.2))
_SLOPES = ((0.05, 0.2), (0.1, 0.4), (0.2, 0.8), (0.1, 0.3, 0.8))
_OWNS = (
    (0.03, 0.1),
    (0.05, 0.15),
    (0.1, 0.3),
    (0.03, 0.1, 0.3),
    (0.06, 0.2, 0.4),
    (0.03, 0.1, 0.3, 0.6),
)
GRIDS: dict[str, Sequence[Rival]] = {
    "uncalibrated mean": [Mean(s, w) for s in _STARTS for w in _WEIGHTS],
    "validation alone": [Validation(s, w) for s in _STARTS for w in _WEIGHTS],
    "logit offset": [Line(o, (0.0,), t) for o in _OFFSETS for t in _OWNS],
    "Bayesian line": [Line(o, s, t) for o in _OFFSETS for s in _SLOPES for t in _OWNS],
    "best single recipe": [BestRecipe(s, w) for s in _STARTS for w in _WEIGHTS],
    "simplex least squares": [
        Simplex(s, w, r)
        for s in (0.05, 0.1, 0.2, 0.3)
        for w in (1.0, 4.0)
        for r in (1e-4, 1e-3, 1e-2, 1e-1)
    ],
}
TUNED: dict[str, Rival] = {
    "uncalibrated mean": Mean(0.5, 0.5),
    "validation alone": Validation(2.0, 4.0),
    "logit offset": Line((0.5, 1.2), (0.0,), (0.06, 0.2, 0.4)),
    "Bayesian line": Line((0.5, 1.2), (0.1, 0.4), (0.06, 0.2, 0.4)),
    "best single recipe": BestRecipe(1.2, 1.0),
    "simplex least squares": Simplex(0.3, 4.0, 0.01),
}
