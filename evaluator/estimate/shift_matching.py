"""The hidden set as an unknown mixture of the benchmark's conditions: Gaussian, in closed form.

A mixture has weights w over the conditions, with mean w0 (equal for every family) and the
covariance of Dirichlet draws at three levels: families, severities, conditions. A model with
accuracies a has the hidden score a'w, so two models' scores vary together as a'Sb: models that are
good and bad at the same things move together. On the logit scale come an offset shared by all
models; damage unlike any condition, on which a model does as its logit accuracies, in a random
combination, say; a deviation of each model's own; and sampling noise. Conditioned on the past
scores this gives the new one. How strong all these are is averaged over a small grid, weighted by
how well each choice explains the past scores. At last the prediction goes half of the way to that
of least squares on the simplex, which keeps weights from going below zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate.gaussians import (
    Dense,
    Evidence,
    Floats,
    Gaussians,
    Inverse,
    LowRank,
    expit,
    logit,
    shares,
)
from evaluator.estimate.inputs import Figures, PastScore, Prior, Strengths, Target

EDGE = 1e-4  # mean accuracies are kept this far from 0 and 1 before their logit is taken
HALF = 0.5  # of the way to the simplex
CLASS_OWN = 0.8  # how far a class's logit score may be off for what no condition shows
STEEPEST = 1e-3  # the same for single conditions, where 0 and 1 are common


@dataclass(frozen=True)
class Scored:
    """Past submissions with their scores, as arrays.

    accuracies: `(K, C)`, 0..1. noise: variance of each of them, same shape (finite local images).
    scores: `(K,)`, 0 < score < 1. score_noise: `(K,)`, their variance (sampling and rounding).
    owners: `(K,)`, numbers of the submissions; several rows of one are scores of single classes.
    """

    accuracies: Floats
    noise: Floats
    scores: Floats
    score_noise: Floats
    owners: NDArray[np.intp]

    def without(self, place: int) -> Scored:
        """All but one."""
        return Scored(*(np.delete(one, place, axis=0) for one in vars(self).values()))


@dataclass(frozen=True)
class Wanted:
    """The submission to predict.

    accuracies, noise: `(C,)`, as those of `Scored`. hidden: images of the hidden set. rounding:
    variance of how its score will be shown.
    """

    accuracies: Floats
    noise: Floats
    hidden: int
    rounding: float = 0.0


def as_scored(
    past: Sequence[PastScore], aim: Target, conditions: int, *, classes: bool = False
) -> Scored:
    """Past scores as arrays, on so many conditions; classes: by class where that is known."""
    parts = [(one.classes if classes else ()) or (one,) for one in past]
    used = [score for each in parts for score in each]
    owners = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
    shares = np.array([score.share for score in used], float)
    sizes = shares * np.array([score.hidden or aim.size for score in used], float)
    shown = np.array([score.value for score in used], float)
    scores = (shown * sizes + 0.5) / (sizes + 1)  # 0 and 1 have no logit
    rounding = np.array([_rounding(score.decimals) for score in used])
    # A class has damages of its own that hurt it more than others: the less its score says.
    rounding += (shares < 1) * (CLASS_OWN * scores * (1 - scores)) ** 2
    return Scored(
        np.array([_smoothed(score.figures) for score in used]).reshape(-1, conditions),
        np.array([_local_variance(score.figures) for score in used]).reshape(-1, conditions),
        scores,
        scores * (1 - scores) / sizes + rounding,
        owners,
    )


def as_wanted(figures: Figures, aim: Target) -> Wanted:
    """The submission to predict as arrays."""
    return Wanted(
        _smoothed(figures),
        _local_variance(figures),
        aim.size,
        _rounding(aim.decimals),
    )


@dataclass(frozen=True)
class Match:
    """What the past scores say about a submission, on the logit scale.

    predicted: its shown score. exact: variance of `predicted` had the local figures no noise.
    own_exact: had those of the submission none. weights: expected `(C,)`.
    """

    predicted: Gaussians
    exact: float
    own_exact: float
    weights: Floats


@dataclass(frozen=True, eq=False)
class _Logits:
    """k models' logit scores as far as they are known before any mixture is.

    centre: `(k,)`, under the mean mixture. slopes: `(k, C)`, how the logit score moves with a
    condition's weight. profile: `(k, C)`, logit accuracies about the centre, times the root of the
    mean weights. local: `(G, k)`, variance through finite local images.
    """

    centre: Floats
    slopes: Floats
    profile: Floats
    local: Floats

    def without(self, place: int) -> _Logits:
        """All models but one."""
        own = np.arange(len(self.centre)) != place
        return _Logits(self.centre[own], self.slopes[own], self.profile[own], self.local[:, own])

    @classmethod
    def of(cls, accuracies: Floats, noise: Floats, prior: Prior, strengths: Strengths) -> _Logits:
        means = np.clip(accuracies @ prior.mean, EDGE, 1 - EDGE)
        centre, scale = np.asarray(logit(means)), 1 / (means * (1 - means))
        slopes = (accuracies - means[:, None]) * scale[:, None]  # weights move by 0 together
        profile = apart(accuracies, noise, centre) * np.sqrt(prior.mean)
        local = (_squares(prior, strengths) @ noise.T) * scale**2
        return cls(centre, slopes, profile, np.asarray(local))

    def covariances(self, other: _Logits, prior: Prior) -> Floats:
        """With another's logit scores, `(5, k, other k)`, each before its strength; without own."""
        levels = [self.slopes @ level.matrix @ other.slopes.T for level in prior.levels]
        profile = self.profile @ other.profile.T
        return np.stack([*levels, np.ones_like(profile), profile])


class Matching:
    """The past scores, conditioned upon once; then `match` predicts any submission from them.

    With more scores than unknowns (two a condition, and the offset) it works with the unknowns,
    which gives the same in less time and memory.
    """

    def __init__(self, scored: Scored, prior: Prior, strengths: Strengths) -> None:
        self.observed: Floats = np.asarray(logit(scored.scores))
        self._scored, self._prior, self._strengths = scored, prior, strengths
        self._past = _Logits.of(scored.accuracies, scored.noise, prior, strengths)
        self._factors = strengths.coefficients()

    def without(self, place: int) -> Matching:
        """The same with one past score left out, in a fraction of the time."""
        made = copy(self)
        made.__dict__ = {name: self.__dict__[name] for name in ("_prior", "_strengths", "_factors")}
        made.observed = np.delete(self.observed, place)
        made._scored, made._past = self._scored.without(place), self._past.without(place)
        made._seen, exact = self._seen.without(place), self._seen_exactly
        made._seen_exactly = made._seen if exact is self._seen else exact.without(place)
        return made

    def match(self, wanted: Wanted) -> Match:
        """Condition its score on the past ones."""
        own = _Logits.of(wanted.accuracies[None], wanted.noise[None], self._prior, self._strengths)
        signal = own.covariances(own, self._prior)[:, 0, 0]
        variances = self._factors[:, :5] @ signal + self._factors[:, 5]
        across = self._factors[:, :5] @ self._past.covariances(own, self._prior)[:, :, 0]

        def shown(seen: Evidence, *variances: Floats) -> list[Gaussians]:
            centre = float(own.centre[0])
            return [_shown(one, centre, wanted) for one in seen.given(across, *variances)]

        predicted, known = shown(self._seen, variances + own.local[:, 0], variances)
        without = (*shown(self._seen_exactly, variances), known)
        exact, own_exact = (one.reweighted(predicted.weights).variance for one in without)
        if len(self.observed):
            there = logit(np.clip(wanted.accuracies @ self._simplex, EDGE, 1 - EDGE))
            predicted = predicted.moved(HALF * float(there - predicted.quantile(0.5)))
        return Match(predicted, exact, own_exact, self._weights)

    @cached_property
    def _seen(self) -> Evidence:
        return self._evidence(self._past.local)

    @cached_property
    def _seen_exactly(self) -> Evidence:
        """Had the local figures of past submissions no noise."""
        if not self._scored.noise.any():
            return self._seen
        return self._evidence(np.zeros_like(self._past.local))

    def _evidence(self, local: Floats) -> Evidence:
        steepness = self._scored.scores * (1 - self._scored.scores)
        noise = local + self._scored.score_noise / steepness**2
        diagonal = noise + self._factors[:, 5:]
        return Evidence.of(self._inverse(diagonal), self.observed - self._past.centre)

    def _inverse(self, diagonal: Floats) -> Inverse:
        count, conditions = self._past.slopes.shape
        if count > 2 * conditions + 1:
            ones = np.ones((count, 1))
            loadings = np.hstack([self._past.slopes, ones, self._past.profile])
            return LowRank(loadings, self._roots, diagonal)
        parts = self._past.covariances(self._past, self._prior)
        signal = np.tensordot(self._factors[:, :5], parts, 1)
        return Dense(signal + diagonal[:, :, None] * np.eye(count))

    @cached_property
    def _roots(self) -> Floats:
        """Of the covariance of all unknowns, `(G, R, R)`: weights, offset, profile's weights."""
        conditions = len(self._prior.mean)
        roots = np.zeros((len(self._factors), 2 * conditions + 1, 2 * conditions + 1))
        weights: dict[bytes, Floats] = {}
        for root, factors in zip(roots, self._factors, strict=True):
            if (known := factors[:3].tobytes()) not in weights:
                matrices = (level.matrix for level in self._prior.levels)
                mixed = sum(f * matrix for f, matrix in zip(factors[:3], matrices, strict=True))
                weights[known] = _root(np.asarray(mixed))
            root[:conditions, :conditions] = weights[known]
            root[conditions, conditions] = np.sqrt(factors[3])
            root[conditions + 1 :, conditions + 1 :] = np.sqrt(factors[4]) * np.eye(conditions)
        return roots

    @cached_property
    def left_out(self) -> tuple[Gaussians, ...]:
        """Each past score predicted from the others, as logits, by the closed form alone."""
        each = zip(self._seen.left_out(), self._past.centre, strict=True)
        return tuple(one.moved(float(centre)) for one, centre in each)

    @cached_property
    def _simplex(self) -> Floats:
        return shares(self._scored.accuracies, self._scored.scores, self._prior.mean)

    @cached_property
    def _weights(self) -> Floats:
        """Of the conditions given the past scores; they may leave 0..1 a little."""
        if not len(self.observed):
            return self._prior.mean
        pull = (self._seen.weights[:, None] * self._factors[:, :3]).T @ self._seen.solved
        moves = [
            level.matrix @ (self._past.slopes.T @ pulls)
            for level, pulls in zip(self._prior.levels, pull, strict=True)
        ]
        weights = self._prior.mean + sum(moves)
        return np.asarray(weights + HALF * (self._simplex - weights))


def apart(accuracies: Floats, noise: Floats, centre: Floats) -> Floats:
    """Logit accuracies less the model's own mean, `(k, C)`; the less certain, the nearer to it.

    Unshrunk, a few images would look like a profile full of contrasts, and widen everything.
    """
    clipped = np.clip(accuracies, STEEPEST, 1 - STEEPEST)
    uncertain = noise / (clipped * (1 - clipped)) ** 2
    return np.asarray((logit(clipped) - centre[:, None]) / (1 + uncertain))


def _squares(prior: Prior, strengths: Strengths) -> Floats:
    """Of the conditions' weights, expected, `(G, C)`."""
    variances = np.stack([level.variances() for level in prior.levels])
    return np.asarray(prior.mean**2 + strengths.values[:, :3] @ variances)


def _root(covariance: Floats) -> Floats:
    """A matrix whose product with its transpose is a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _shown(target: Gaussians, centre: float, wanted: Wanted) -> Gaussians:
    """Add what lies between the true accuracy and the score on the leaderboard."""
    moved = target.moved(centre)
    accuracy = np.clip(expit(moved.means), EDGE, 1 - EDGE)
    width = accuracy * (1 - accuracy)
    shown = 1 / (wanted.hidden * width) + wanted.rounding / width**2
    return replace(moved, variances=moved.variances + shown)


def _smoothed(figures: Figures) -> Floats:
    """Accuracies; on finite images all right is not certain, so half a one is added, and a half."""
    accuracies = np.asarray(figures.accuracies, float)
    if figures.images is None:
        return accuracies
    images = np.asarray(figures.images, float)
    return np.asarray((accuracies * images + 0.5) / (images + 1))


def _local_variance(figures: Figures) -> Floats:
    """Of accuracies measured on finite images."""
    shares = _smoothed(figures)
    if figures.images is None:
        return np.zeros_like(shares)
    return np.asarray(shares * (1 - shares) / np.asarray(figures.images, float))


def _rounding(decimals: int | None) -> float:
    """Variance of rounding: uniform over the last digit shown."""
    return 0.0 if decimals is None else float(10.0 ** (-2 * decimals) / 12)
