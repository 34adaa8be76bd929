"""The posterior over drawn mixtures: each says at once what every model would score.

The closed form (`shift_matching`) is linear about one mean mixture: whatever past scores say, it
adds nearly the same logits to all models. A drawn mixture is not linear: one that gives a strong
model 0.55 gives a weak one 0.14. So every drawn one is weighed by how well the past scores fit it,
and predicts the target. What no mixture explains stays Gaussian, with the closed form's own
covariances: an offset that all share, damage on which a model does as its profile says, something
of each model's own, sampling. A small grid of their sizes is averaged by evidence, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from evaluator.estimate.gaussians import Floats, Gaussians, expit, logit, ndtr
from evaluator.estimate.mixtures import Mixtures
from evaluator.estimate.shift_matching import Scored, Wanted, apart
from evaluator.estimate.spread import Spread

EDGE = 1e-3  # accuracies on a mixture are kept this far from 0 and 1


@dataclass(frozen=True)
class Residual:
    """What no mixture explains: standard deviations on the logit scale, `(G, 3)`.

    Its columns: the offset that all share, the profile, each model's own.
    """

    values: Floats

    @classmethod
    def grid(
        cls, offset: Sequence[float], profile: Sequence[float], own: Sequence[float]
    ) -> Residual:
        """Every combination."""
        return cls(np.array(list(product(offset, profile, own)), np.float64))


@dataclass(frozen=True, eq=False)
class _Models:
    """k models under every mixture. logits: `(k, S)`. profile: `(k, C)`. local: `(k, S)`."""

    logits: Floats
    profile: Floats
    local: Floats

    @classmethod
    def of(cls, accuracies: Floats, noise: Floats, weights: Floats, mean: Floats) -> _Models:
        shares = np.clip(accuracies @ weights.T, EDGE, 1 - EDGE)
        centre = logit(np.clip(accuracies @ mean, EDGE, 1 - EDGE))
        steepness = (shares * (1 - shares)) ** 2
        return cls(
            logit(shares),
            apart(accuracies, noise, centre) * np.sqrt(mean),
            (noise @ (weights**2).T) / steepness,
        )


class Posterior:
    """Mixtures weighed by past scores, once; then it predicts any target.

    mean: `(C,)`, the expected mixture, about which profiles are taken.
    """

    def __init__(
        self, scored: Scored, mixtures: Mixtures, residual: Residual, mean: Floats
    ) -> None:
        self._weights, self._chance = mixtures.weights, mixtures.chance
        self._scored, self._residual, self._mean = scored, residual.values, mean
        self._past = _Models.of(scored.accuracies, scored.noise, self._weights, mean)
        self._observed = np.asarray(logit(scored.scores))

    @cached_property
    def _inverses(self) -> tuple[Floats, Floats]:
        """Of the covariance of the past logit scores, `(G, K, K)`, and half its log determinant."""
        scores = self._scored.scores
        sampling = self._scored.score_noise / (scores * (1 - scores)) ** 2
        local = self._past.local.mean(1)
        offset, profile, own = (self._residual**2).T[:, :, None, None]
        owners = self._scored.owners
        same = owners[:, None] == owners
        kernel = self._past.profile @ self._past.profile.T
        covariance = offset + profile * kernel + own * same + np.diag(sampling + local)
        return np.linalg.inv(covariance), 0.5 * np.linalg.slogdet(covariance)[1]

    @cached_property
    def _solved(self) -> tuple[Floats, Floats]:
        """The inverse times the residuals, `(G, K, S)`, and the log weights, `(G, S)`."""
        residual = self._observed[:, None] - self._past.logits
        inverse, half = self._inverses
        solved = inverse @ residual
        misfit = np.einsum("ks,gks->gs", residual, solved)
        return solved, -0.5 * misfit - half[:, None]

    @property
    def log(self) -> float:
        """Of the probability before the scores times that of the scores."""
        logs = self._solved[1]
        most = float(logs.max())
        return most + math.log(self._chance * float(np.exp(logs - most).mean()))

    def predict(self, wanted: Wanted) -> tuple[Spread, float]:
        """A target's shown score, as a logit; and the variance that its finite images add."""
        own = self._models(wanted)
        offset, _, alone = (self._residual**2).T
        across = offset[:, None] + self._kernel(own.profile[0])
        means, left = self._given(own.logits[0], across, offset + alone, own.profile[0])
        variances = left[:, None] + own.local + _shown(means, wanted)
        weights = self._weights_after
        local = float((weights * own.local).sum() / weights.sum())
        return Spread.of(Gaussians(weights.ravel(), means.ravel(), variances.ravel())), local

    def ahead(self, one: Wanted, other: Wanted) -> float:
        """The probability that one's true score is above another's; what all share cancels."""
        first, second = self._models(one), self._models(other)
        apart = first.profile[0] - second.profile[0]
        own = 2 * self._residual[:, 2] ** 2
        difference = first.logits[0] - second.logits[0]
        means, left = self._given(difference, self._kernel(apart), own, apart)
        noise = sum(
            models.local[0] + _shown(models.logits[0], wanted)
            for models, wanted in ((first, one), (second, other))
        )
        deviations = means / np.sqrt(left[:, None] + noise)
        weights = self._weights_after.ravel()
        return float(weights @ ndtr(deviations.ravel()) / weights.sum())

    def _models(self, wanted: Wanted) -> _Models:
        return _Models.of(wanted.accuracies[None], wanted.noise[None], self._weights, self._mean)

    def _kernel(self, profile: Floats) -> Floats:
        """Of a profile with those of the past ones, `(G, K)`."""
        return np.asarray(self._residual[:, 1:2] ** 2 * (self._past.profile @ profile))

    def _given(
        self, logits: Floats, across: Floats, own: Floats, profile: Floats
    ) -> tuple[Floats, Floats]:
        """Means `(G, S)` and variances `(G,)` given the past scores.

        across: covariances with these, `(G, K)`. own: variance beside the profile's, `(G,)`.
        """
        means = logits + np.einsum("gk,gks->gs", across, self._solved[0])
        explained = np.einsum("gk,gkl,gl->g", across, self._inverses[0], across)
        whole = own + self._residual[:, 1] ** 2 * float(profile @ profile)
        return means, np.maximum(whole - explained, 0.0)

    @cached_property
    def _weights_after(self) -> Floats:
        """Of every choice and mixture by the past scores, `(G, S)`, unnormalised."""
        logs = self._solved[1]
        return np.asarray(np.exp(logs - logs.max()))

    def left_out(self) -> tuple[Floats, Floats, Floats]:
        """Each past score predicted from the others, `(K,)` each.

        `log` of these, the mean, and the standard deviation. A score has no say in the weights of
        its own prediction.
        """
        solved, logs = self._solved
        precision = np.einsum("gkk->gk", self._inverses[0])[:, :, None]
        errors, variances = solved / precision, 1 / precision
        alone = logs[:, None, :] + 0.5 * (errors**2 * precision - np.log(precision))
        most = alone.max((0, 2))
        heights = np.exp(alone - most[None, :, None])
        total = heights.sum((0, 2))
        guesses = self._observed[None, :, None] - errors
        mean = (heights * guesses).sum((0, 2)) / total
        spread = variances + (guesses - mean[None, :, None]) ** 2
        log = most + np.log(self._chance * total / logs.size)
        return log, mean, np.sqrt((heights * spread).sum((0, 2)) / total)


def _shown(logits: Floats, wanted: Wanted) -> Floats:
    """Variance between a true accuracy and how it is shown: finite hidden images, rounding."""
    share = np.clip(expit(logits), EDGE, 1 - EDGE)
    width = share * (1 - share)
    return np.asarray(1 / (wanted.hidden * width) + wanted.rounding / width**2)
