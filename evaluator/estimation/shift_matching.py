"""The hidden set as an unknown mixture of the benchmark's cells: Gaussian, in closed form.

A mixture has weights w over the cells, with mean w0 (equal for every family) and the covariance of
Dirichlet draws at three levels: families, severities, cells. A model with accuracies a has the
hidden score a'w, so two models' scores vary together as a'Sb: models that are good and bad at the
same things move together. On the logit scale come an offset shared by all models; damage unlike
any cell, on which a model does as its logit accuracies, in a random combination, say; a deviation
of each model's own; and sampling noise.
Conditioned on the past scores this gives the new one. How strong all these are is averaged over a
small grid, weighted by how well each choice explains the past scores. At last the prediction goes
half of the way to that of least squares on the simplex, which keeps weights from going below zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.estimation.gaussians import Conditioned, Gaussians, condition
from evaluator.estimation.logits import expit, logit
from evaluator.estimation.simplex import shares

Floats = NDArray[np.float64]
EDGE = 1e-4  # mean accuracies are kept this far from 0 and 1 before their logit is taken
HALF = 0.5  # of the way to the simplex
STEEPEST = 1e-3  # the same for single cells, where 0 and 1 are common


@dataclass(frozen=True)
class Level:
    """One way to group the cells. members: `(C, groups)`, each cell's share of its group."""

    members: Floats
    shares: Floats  # each group's share of the whole

    def covariance(self, accuracies: Floats) -> Floats:
        """Of scores `(k, k)` if the shares are one draw of a very wide Dirichlet."""
        means = accuracies @ self.members
        whole = means @ self.shares
        return np.asarray((means * self.shares) @ means.T - np.outer(whole, whole))

    def weights(self, direction: Floats) -> Floats:
        """The same covariance between every cell's weight and a score of accuracies `(C,)`."""
        means = direction @ self.members
        return np.asarray(self.members @ (self.shares * (means - means @ self.shares)))

    def variances(self) -> Floats:
        """Of every cell's weight, `(C,)`."""
        return np.asarray(self.members**2 @ (self.shares * (1 - self.shares)))


@dataclass(frozen=True)
class Prior:
    """The mixtures to expect. mean: weights `(C,)`, sums to 1. levels: family, severity, cell."""

    mean: Floats
    levels: tuple[Level, ...]


def prior_of(families: Sequence[str], severities: Sequence[int]) -> Prior:
    """Families weigh the same, and so do the cells of a family."""
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

    family, severity, cell: 1 / (1 + concentration) of the Dirichlet at that level.
    offset, profile, own: standard deviations on the logit scale.
    """

    values: Floats

    @classmethod
    def grid(
        cls,
        *,
        family: Sequence[float],
        severity: Sequence[float],
        cell: Sequence[float],
        offset: Sequence[float],
        profile: Sequence[float],
        own: Sequence[float],
    ) -> Strengths:
        """Every combination."""
        choices = itertools.product(family, severity, cell, offset, profile, own)
        return cls(np.array(list(choices), dtype=np.float64))

    def coefficients(self) -> Floats:
        """What the covariances of `_parts` are multiplied with, `(G, 6)`."""
        return np.hstack([self.values[:, :3], self.values[:, 3:] ** 2])


@dataclass(frozen=True)
class Problem:
    """Everything the mathematics needs, as arrays. The target is the last row of `accuracies`.

    accuracies: `(K + 1, C)`, 0..1. noise: variance of each of them, same shape (finite local images).
    scores: `(K,)`, 0 < score < 1. score_noise: `(K,)`, their variance (sampling and rounding).
    hidden: images of the hidden set. rounding: variance of how the target's score will be shown.
    """

    accuracies: Floats
    noise: Floats
    scores: Floats
    score_noise: Floats
    hidden: int
    rounding: float = 0.0


@dataclass(frozen=True)
class Match:
    """What the past scores say about the target, on the logit scale.

    predicted: the target's shown score. left_out: for every past score, its prediction from the
    others, by the closed form alone. exact: variance of `predicted` had the local figures no noise.
    own_exact: had those of the target none. weights: expected `(C,)`.
    """

    predicted: Gaussians
    left_out: tuple[Gaussians, ...]
    observed: Floats
    exact: float
    own_exact: float
    weights: Floats


def match(problem: Problem, prior: Prior, strengths: Strengths) -> Match:
    """Condition the target's score on the past ones."""
    means = np.clip(problem.accuracies @ prior.mean, EDGE, 1 - EDGE)
    centre, scale = np.asarray(logit(means)), 1 / (means * (1 - means))
    signal = np.tensordot(strengths.coefficients(), _parts(problem, prior, centre, scale), 1)
    local = _local_noise(problem, prior, strengths, scale)
    past = problem.scores * (1 - problem.scores)
    observed = np.asarray(logit(problem.scores))
    residual = observed - centre[:-1]
    noise = problem.score_noise / past**2
    diagonal = np.eye(len(centre))
    found = condition(signal + local[:, :, None] * diagonal, noise, residual)
    predicted = _shown(found, centre[-1], problem)

    def variance(remaining: Floats) -> float:
        without = condition(signal + remaining[:, :, None] * diagonal, noise, residual)
        shown = _shown(without, centre[-1], problem)
        return shown.reweighted(predicted.weights).variance

    others = np.concatenate([local[:, :-1], np.zeros((len(local), 1))], axis=1)
    exactly = (variance(np.zeros_like(local)), variance(others))
    left_out = tuple(one.moved(c) for one, c in zip(found.left_out, centre, strict=False))
    weights = _expected_weights(problem, prior, strengths, found, scale)
    if not len(observed):
        return Match(predicted, left_out, observed, *exactly, weights)
    simplex = shares(problem.accuracies[:-1], problem.scores, prior.mean)
    there = logit(np.clip(problem.accuracies[-1] @ simplex, EDGE, 1 - EDGE))
    moved = predicted.moved(HALF * float(there - predicted.quantile(0.5)))
    return Match(moved, left_out, observed, *exactly, weights + HALF * (simplex - weights))


def _parts(problem: Problem, prior: Prior, centre: Floats, scale: Floats) -> Floats:
    """Covariances of the logit scores, `(6, K + 1, K + 1)`, each before its strength."""
    slopes = np.outer(scale, scale)
    levels = [level.covariance(problem.accuracies) * slopes for level in prior.levels]
    apart = _apart(problem, centre)
    profile = (apart * prior.mean) @ apart.T
    return np.stack([*levels, np.ones_like(slopes), profile, np.eye(len(centre))])


def _apart(problem: Problem, centre: Floats) -> Floats:
    """Logit accuracies less the model's own mean, `(K + 1, C)`; the less certain, the nearer to it.

    Unshrunk, a few images would look like a profile full of contrasts, and widen everything.
    """
    clipped = np.clip(problem.accuracies, STEEPEST, 1 - STEEPEST)
    uncertain = problem.noise / (clipped * (1 - clipped)) ** 2
    return np.asarray((logit(clipped) - centre[:, None]) / (1 + uncertain))


def _local_noise(problem: Problem, prior: Prior, strengths: Strengths, scale: Floats) -> Floats:
    """Variance of every model's logit score due to finite local images, `(G, K + 1)`."""
    variances = np.stack([level.variances() for level in prior.levels])
    squares = prior.mean**2 + strengths.values[:, :3] @ variances
    return np.asarray((squares @ problem.noise.T) * scale**2)


def _shown(found: Conditioned, centre: float, problem: Problem) -> Gaussians:
    """Add what lies between the true accuracy and the score on the leaderboard."""
    target = found.target.moved(centre)
    accuracy = np.clip(expit(target.means), EDGE, 1 - EDGE)
    width = accuracy * (1 - accuracy)
    shown = 1 / (problem.hidden * width) + problem.rounding / width**2
    return Gaussians(target.weights, target.means, target.variances + shown)


def _expected_weights(
    problem: Problem, prior: Prior, strengths: Strengths, found: Conditioned, scale: Floats
) -> Floats:
    """Weights of the cells given the past scores; they may leave 0..1 a little."""
    pull = found.target.weights[:, None] * strengths.values[:, :3]
    by_level = (pull.T @ found.solved) * scale[:-1]
    moves = [
        level.weights(pulls @ problem.accuracies[:-1])
        for level, pulls in zip(prior.levels, by_level, strict=True)
    ]
    return np.asarray(prior.mean + sum(moves))
