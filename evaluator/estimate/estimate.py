"""What hidden score to expect from local figures and past scores: the headline card's data.

Three regimes, one formula (`shift_matching`). Without past scores the estimate is uncalibrated: it
says how far hidden mixtures of these conditions may lie apart. With one to three it is mainly an offset.
From four on it matches the shift, and its interval is widened by its own leave-one-out errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from codabench_rehearsal.challenge.profile import ASSUMED_HIDDEN_IMAGES
from evaluator.estimate.beliefs import Belief, beliefs
from evaluator.estimate.gaussians import Floats, Gaussians, expit, logit, one_thread
from evaluator.estimate.inputs import (
    MATCHING,
    Figures,
    LibraryCondition,
    PastScore,
    Target,
    check_figures,
    check_past,
)
from evaluator.estimate.shift_matching import Match, Matching, Scored, Strengths, Wanted, prior_of

Regime = Literal["uncalibrated", "offset", "shift matching"]
LOW, HIGH = 0.05, 0.95
TOLERANCE = 0.1  # share of the variance that finite local images may have without being named
WIDENING_PRIOR = 4  # the interval starts as if four leave-one-out errors had been as expected
# Chosen by bench.estimation_tuning, on other seeds than those of the study.
STRENGTHS = Strengths.grid(
    family=(0.05,),
    severity=(0.05,),
    condition=(0.05, 0.2),
    offset=(0.1, 0.4),
    profile=(0.03, 0.3, 1.0),
    own=(0.01, 0.03, 0.1),
)
# Without past scores: the narrowest of a few that covered 90 % in every scenario, on those seeds.
ALONE = Strengths.grid(
    family=(0.3,),
    severity=(0.05,),
    condition=(0.1,),
    offset=(0.3, 0.8, 1.2),
    profile=(0.3, 1.0),
    own=(0.1,),
)


@dataclass(frozen=True)
class LeaveOneOut:
    """One past score, predicted from the others. z: error over the predicted standard deviation."""

    name: str
    score: float
    predicted: float
    z: float


@dataclass(frozen=True)
class Estimate:
    """The score to expect on the leaderboard, 0..1.

    low, high: 90 % of the probability lies between them. past: scores used. error: mean absolute
    leave-one-out error, None below two past scores. widened: factor by which those errors widened
    the interval. beats_best: chance of a higher shown score than the best past one, None without.
    consistent_with: what past scores speak for, never what was found. finite_share: share of the
    variance that is due to finite local images; own_share: to those of this submission alone.
    assumed: sentences.
    """

    median: float
    low: float
    high: float
    past: int
    regime: Regime
    error: float | None
    widened: float
    left_out: tuple[LeaveOneOut, ...]
    best: float | None
    beats_best: float | None
    consistent_with: tuple[Belief, ...]
    finite_share: float
    own_share: float
    assumed: tuple[str, ...]


class Estimator:
    """Estimates from the same past scores, which are looked into once.

    library, past and target as in `estimate`. Raises `EvaluationError`, as `estimate` does.
    """

    def __init__(
        self, library: Sequence[LibraryCondition], past: Sequence[PastScore], target: Target
    ) -> None:
        check_past(library, past, target)
        self._library, self._past, self._target = library, past, target
        self._used = [score for score in past if score.phase == target.phase]
        self._prior = prior_of([c.family for c in library], [c.severity for c in library])
        strengths = STRENGTHS if self._used else ALONE
        self._matching = Matching(_scored(self._used, target, len(library)), self._prior, strengths)
        self._best = max((score.value for score in self._used), default=None)

    def rests_on(self, past: Sequence[PastScore], target: Target) -> bool:
        """Whether it was made of these very scores, for a target of the same phase and size."""
        same = (target.phase, target.hidden) == (self._target.phase, self._target.hidden)
        return same and [*map(id, past)] == [*map(id, self._past)]

    def aimed(self, target: Target) -> Estimator:
        """The same for another target of this phase and size."""
        made = copy(self)
        made._target = target
        return made

    @one_thread()
    def without(self, place: int, target: Target) -> Estimator:
        """As `aimed`, with one of the phase's past scores left out, not the only one."""
        made = copy(self)
        made.__dict__.pop("_judged", None)
        made._past = [score for score in self._past if score is not self._used[place]]
        made._used = [*self._used[:place], *self._used[place + 1 :]]
        made._target = target
        made._best = max((score.value for score in made._used), default=None)
        made._matching = self._matching.without(place)
        return made

    @one_thread()
    def estimate(self, figures: Figures) -> Estimate:
        """The hidden score of the submission with these local figures."""
        check_figures(figures, self._library)
        matched = self._matching.match(_wanted(figures, self._target))
        left_out, widened = self._judged
        seen = matched.predicted.stretched(widened)
        low, median, high = (float(expit(seen.quantile(share))) for share in (LOW, 0.5, HIGH))
        best, used = self._best, self._used
        return Estimate(
            median,
            low,
            high,
            len(used),
            regime_of(len(used)),
            _mean_error(left_out),
            widened,
            left_out,
            best,
            None if best is None else _chance_above(seen, best, self._target.decimals),
            beliefs(self._library, self._prior, matched.weights) if used else (),
            _share(matched, matched.exact),
            _share(matched, matched.own_exact),
            _assumed(self._library, self._past, used, self._target),
        )

    @cached_property
    def _judged(self) -> tuple[tuple[LeaveOneOut, ...], float]:
        """The leave-one-out errors of the past scores, and by how much they widen the interval."""
        left_out = _left_out(self._matching, self._used)
        return left_out, widening([one.z for one in left_out])


def estimate(
    library: Sequence[LibraryCondition],
    figures: Figures,
    past: Sequence[PastScore] = (),
    target: Target | None = None,
) -> Estimate:
    """The hidden score of the submission with these local figures.

    figures and past hold accuracies in the order of `library`; past scores of other phases than
    the target's are left aside. Raises `EvaluationError`.
    """
    return Estimator(library, past, target or Target()).estimate(figures)


def regime_of(past: int) -> Regime:
    """By the number of past scores."""
    if past == 0:
        return "uncalibrated"
    return "shift matching" if past >= MATCHING else "offset"


def _scored(used: Sequence[PastScore], aim: Target, conditions: int) -> Scored:
    sizes = np.array([score.hidden or aim.hidden or ASSUMED_HIDDEN_IMAGES for score in used], float)
    shown = np.array([score.value for score in used], float)
    scores = (shown * sizes + 0.5) / (sizes + 1)  # 0 and 1 have no logit
    rounding = np.array([_rounding(score.decimals) for score in used])
    return Scored(
        np.array([score.figures.accuracies for score in used], float).reshape(-1, conditions),
        np.array([_local_variance(score.figures) for score in used]).reshape(-1, conditions),
        scores,
        scores * (1 - scores) / sizes + rounding,
    )


def _wanted(figures: Figures, aim: Target) -> Wanted:
    return Wanted(
        np.array(figures.accuracies, float),
        _local_variance(figures),
        aim.hidden or ASSUMED_HIDDEN_IMAGES,
        _rounding(aim.decimals),
    )


def _local_variance(figures: Figures) -> Floats:
    """Of accuracies measured on finite images; all right is not certain, so one half is added."""
    accuracies = np.asarray(figures.accuracies, float)
    if figures.images is None:
        return np.zeros_like(accuracies)
    images = np.asarray(figures.images, float)
    shrunk = (accuracies * images + 0.5) / (images + 1)
    return np.asarray(shrunk * (1 - shrunk) / images)


def _rounding(decimals: int | None) -> float:
    """Variance of rounding: uniform over the last digit shown."""
    return 0.0 if decimals is None else float(10.0 ** (-2 * decimals) / 12)


def _left_out(matching: Matching, used: Sequence[PastScore]) -> tuple[LeaveOneOut, ...]:
    if len(used) < 2:
        return ()
    return tuple(
        LeaveOneOut(
            score.figures.name,
            score.value,
            float(expit(guess.mean)),
            float((seen - guess.mean) / math.sqrt(guess.variance)),
        )
        for score, guess, seen in zip(used, matching.left_out, matching.observed, strict=True)
    )


def widening(errors: Sequence[float]) -> float:
    """Factor by which standardised leave-one-out errors widen the interval, never below 1.

    Below `MATCHING` of them there is not enough to judge by.
    """
    if len(errors) < MATCHING:
        return 1.0
    total = sum(z * z for z in errors) + WIDENING_PRIOR
    return max(1.0, math.sqrt(total / (len(errors) + WIDENING_PRIOR)))


def _mean_error(left_out: Sequence[LeaveOneOut]) -> float | None:
    if not left_out:
        return None
    return sum(abs(one.predicted - one.score) for one in left_out) / len(left_out)


def _chance_above(seen: Gaussians, best: float, decimals: int | None) -> float:
    """Of a score that is shown as higher; a tie is no win."""
    needed = best + (0.5 * 10.0**-decimals if decimals is not None else 0.0)
    if needed >= 1:
        return 0.0
    return 1.0 if needed <= 0 else max(0.0, 1 - seen.below(float(logit(needed))))  # of rounding


def _share(matched: Match, without: float) -> float:
    return min(1.0, max(0.0, 1 - without / matched.predicted.variance))


def _assumed(
    library: Sequence[LibraryCondition],
    past: Sequence[PastScore],
    used: Sequence[PastScore],
    aim: Target,
) -> tuple[str, ...]:
    """What the figures rest on and nobody has said."""
    said = []
    if not aim.hidden:
        said.append(
            f"The hidden set has about {ASSUMED_HIDDEN_IMAGES:,} images: nobody said how many."
        )
    if len(used) < len(past):
        said.append(f"{len(past) - len(used)} past scores of another phase are left aside.")
    if used:
        said.append("Past scores were not picked for being high: a best of many is optimistic.")
        said.append(
            "All scores come from the same hidden images; what their chance has in common counts as"
            " part of the offset."
        )
    else:
        said.append("No past score: the hidden set is taken for some mixture of our conditions.")
    if not any(condition.composite for condition in library):
        said.append("No condition does several kinds of damage at once: expect twice the error.")
    return tuple(said)
