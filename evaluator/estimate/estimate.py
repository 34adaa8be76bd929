"""What hidden score to expect from local figures and past scores: the headline card's data.

Mixtures of the library's conditions are drawn, and weighed by the past scores (`drawn`). Those that
rest on a belief about the hidden set are a part of their own: without scores it is shown beside the
others, never averaged with them; with scores their evidence decides how far it counts. From a few
scores on the closed form (`shift_matching`) has half a say in what rests on no belief, and from
many on it stands alone. From four on the interval is widened by its own leave-one-out errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from functools import cached_property

import numpy as np

from evaluator.estimate.drawn import Posterior, Residual
from evaluator.estimate.gaussians import Floats, expit, logit, one_thread
from evaluator.estimate.inputs import (
    MATCHING,
    Belief,
    Figures,
    LibraryCondition,
    PastScore,
    Strengths,
    Target,
    best_of,
    check_beliefs,
    check_figures,
    check_past,
    prior_of,
)
from evaluator.estimate.mixtures import drawn
from evaluator.estimate.result import (
    HIGH,
    LOW,
    Estimate,
    LeaveOneOut,
    Part,
    assumed,
    moved,
    regime_of,
)
from evaluator.estimate.shift_matching import Match, Matching, as_scored, as_wanted
from evaluator.estimate.spread import Spread

WIDENING_PRIOR = 4  # the interval starts as if four leave-one-out errors had been as expected
AVERAGED = 8  # past scores from which the closed form has half a say
MOST_DRAWN = 24  # past scores: with more of them hardly any drawn mixture fits
# Chosen by bench.estimation_tuning, on other seeds than those of the study.
STRENGTHS = Strengths.grid(
    family=(0.05,),
    severity=(0.05,),
    condition=(0.05, 0.2),
    offset=(0.1, 0.4),
    profile=(0.03, 0.3, 1.0),
    own=(0.01, 0.03, 0.1),
)
UNEXPLAINED = Residual.grid(offset=(0.1, 0.4), profile=(0.1, 0.5, 1.5), own=(0.03, 0.1))
# Without past scores: the narrowest of a few that covered 90 % on those seeds in every scenario
# whose library has chains, as ours has (71 % where it has none).
ALONE = Residual.grid(offset=(0.3, 0.8, 1.2), profile=(0.3, 1.0), own=(0.1,))
BELIEVED = Residual.grid(offset=(0.1, 0.25), profile=(0.03,), own=(0.05, 0.15))


class Estimator:
    """Estimates from the same past scores, which are looked into once.

    library, past, target and beliefs as in `estimate`. Raises `EvaluationError`, as it does.
    """

    def __init__(
        self,
        library: Sequence[LibraryCondition],
        past: Sequence[PastScore],
        target: Target,
        beliefs: Sequence[Belief] = (),
    ) -> None:
        check_past(library, past, target)
        check_beliefs(beliefs, library)
        self._library, self._past, self._target = library, past, target
        self._used = [score for score in past if score.phase == target.phase]
        self._prior = prior_of([c.family for c in library], [c.severity for c in library])
        self._beliefs = beliefs if len(self._used) <= MOST_DRAWN else ()
        self._matching = Matching(
            as_scored(self._used, target, len(library)), self._prior, STRENGTHS
        )

    def rests_on(self, past: Sequence[PastScore], target: Target) -> bool:
        """Whether it was made of these very scores, for a target of the same phase and size."""
        same = (target.phase, target.size) == (self._target.phase, self._target.size)
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
        for name in ("_judged", "_posteriors", "_informed"):
            made.__dict__.pop(name, None)
        made._past = [score for score in self._past if score is not self._used[place]]
        made._used = [*self._used[:place], *self._used[place + 1 :]]
        made._target = target
        made._matching = self._matching.without(place)
        return made

    @one_thread()
    def estimate(self, figures: Figures) -> Estimate:
        """The hidden score of the submission with these local figures."""
        check_figures(figures, self._library)
        matched = self._matching.match(as_wanted(figures, self._target))
        parts, spreads = self._parts(figures, matched)
        chances = self._chances(parts)
        seen = Spread.mixed([one for one, _ in spreads], chances)
        local = float(np.dot(chances, [one for _, one in spreads]))
        own_share = _share_of(local, seen)
        left_out, widened = self._judged
        missed = [abs(one.predicted - one.score) for one in left_out]
        best, used = best_of(self._used), self._used
        low, median, high = _shown(seen)
        return Estimate(
            median,
            low,
            high,
            len(used),
            regime_of(len(used)),
            sum(missed) / len(missed) if missed else None,
            widened,
            left_out,
            best,
            None if best is None else _chance_above(seen, best, self._target.decimals),
            moved(self._library, self._prior, matched.weights) if used else (),
            max(own_share, _share(matched, matched.exact)),
            own_share,
            assumed(self._library, self._past, used, self._target),
            tuple(parts),
        )

    @one_thread()
    def ahead(self, one: Figures, other: Figures) -> float:
        """The probability that one submission scores above another on the hidden set.

        With very many past scores it rests on the newest of them.
        """
        for figures in (one, other):
            check_figures(figures, self._library)
        if len(self._used) > MOST_DRAWN:
            newest = self._used[-MOST_DRAWN:]
            return Estimator(self._library, newest, self._target).ahead(one, other)
        pair = as_wanted(one, self._target), as_wanted(other, self._target)
        chances = _chances([part.log for part in self._informed])
        each = [part.ahead(*pair) for part in self._informed]
        return float(np.dot(chances, each))

    def _parts(
        self, figures: Figures, matched: Match
    ) -> tuple[list[Part], list[tuple[Spread, float]]]:
        """Under each belief, and last under none; with the variance that finite images add."""
        widened = self._judged[1]
        found = self._spreads(figures, matched)
        spreads = [(one.stretched(widened), local) for one, local in found]
        after = _chances([one.log for one in self._informed]) if self._beliefs else [1.0]
        none = Belief("", (), 1.0 - sum(one.confidence for one in self._beliefs))
        parts = [
            Part(
                *(belief.name, belief.reason, belief.confidence, chance),
                *(*_shown(spread), _share_of(local, spread)),
            )
            for belief, chance, (spread, local) in zip(
                (*self._beliefs, none), after, spreads, strict=True
            )
        ]
        return parts, spreads

    def _spreads(self, figures: Figures, matched: Match) -> list[tuple[Spread, float]]:
        closed = Spread.of(matched.predicted)
        if len(self._used) > MOST_DRAWN:
            return [(closed, _share(matched, matched.own_exact) * closed.variance)]
        wanted = as_wanted(figures, self._target)
        found = [one.predict(wanted) for one in self._informed]
        if len(self._used) >= AVERAGED:
            spread, local = found[-1]
            found[-1] = spread.averaged(closed), local
        return found

    def _chances(self, parts: Sequence[Part]) -> list[float]:
        """Of the parts; without scores the likeliest one is all that is shown."""
        if self._used:
            return [one.after for one in parts]
        likeliest = max(range(len(parts)), key=lambda i: parts[i].before)
        return [float(i == likeliest) for i in range(len(parts))]

    @cached_property
    def _posteriors(self) -> list[Posterior]:
        """Of the beliefs, and last of what rests on none."""
        return self._weighed(classes=False)

    @cached_property
    def _informed(self) -> list[Posterior]:
        """The same, by the scores of single classes where they are known.

        With fewer than `MATCHING` scores what is particular to a class outweighs what it tells.
        """
        if len(self._used) < MATCHING or not any(score.classes for score in self._used):
            return self._posteriors
        return self._weighed(classes=True)

    def _weighed(self, *, classes: bool) -> list[Posterior]:
        scored = as_scored(self._used, self._target, len(self._library), classes=classes)
        mixtures = drawn(self._library, self._beliefs)
        rest = UNEXPLAINED if self._used else ALONE
        residuals = [*(BELIEVED for _ in self._beliefs), rest]
        return [
            Posterior(scored, part, residual, self._prior.mean)
            for part, residual in zip(mixtures, residuals, strict=True)
        ]

    @cached_property
    def _judged(self) -> tuple[tuple[LeaveOneOut, ...], float]:
        """The leave-one-out errors of the past scores, and by how much they widen the interval."""
        used = self._used
        if len(used) < 2:
            return (), 1.0
        left_out = tuple(
            LeaveOneOut(
                score.figures.name, score.value, float(expit(mean)), float((seen - mean) / width)
            )
            for score, seen, mean, width in zip(
                used, self._matching.observed, *self._left_out(), strict=True
            )
        )
        return left_out, widening([one.z for one in left_out])

    def _left_out(self) -> tuple[Floats, Floats]:
        """Each past score from the others: mean and standard deviation on the logit scale."""
        guesses = self._matching.left_out
        mean = np.array([one.mean for one in guesses])
        width = np.sqrt([one.variance for one in guesses])
        if len(guesses) > MOST_DRAWN:
            return mean, width
        each = [one.left_out() for one in self._posteriors]
        if len(guesses) > AVERAGED:
            log, drawn_mean, drawn_width = each[-1]
            each[-1] = log, (mean + drawn_mean) / 2, (width + drawn_width) / 2
        return _joined(each)


def estimate(
    library: Sequence[LibraryCondition],
    figures: Figures,
    past: Sequence[PastScore] = (),
    target: Target | None = None,
    beliefs: Sequence[Belief] = (),
) -> Estimate:
    """The hidden score of the submission with these local figures.

    figures and past hold accuracies in the order of `library`, and beliefs weights; past scores of
    other phases than the target's are left aside. Raises `EvaluationError`.
    """
    return Estimator(library, past, target or Target(), beliefs).estimate(figures)


def _share_of(local: float, spread: Spread) -> float:
    """The share of a spread's variance that a part of it makes up."""
    return min(1.0, local / spread.variance)


def _shown(spread: Spread) -> tuple[float, float, float]:
    low, median, high = (float(expit(spread.quantile(share))) for share in (LOW, 0.5, HIGH))
    return low, median, high


def _chances(logs: Sequence[float]) -> list[float]:
    """Probabilities out of log evidence."""
    heights = np.exp(np.array(logs) - max(logs))
    return [float(one) for one in heights / heights.sum()]


def _joined(each: Sequence[tuple[Floats, Floats, Floats]]) -> tuple[Floats, Floats]:
    """Means and standard deviations of mixtures, out of log evidence, means and deviations."""
    logs, means, widths = (np.array(some) for some in zip(*each, strict=True))
    chances = np.exp(logs - logs.max(0))
    chances /= chances.sum(0)
    mean = (chances * means).sum(0)
    return mean, np.sqrt((chances * (widths**2 + (means - mean) ** 2)).sum(0))


def widening(errors: Sequence[float]) -> float:
    """Factor by which standardised leave-one-out errors widen the interval, never below 1.

    Below `MATCHING` of them there is not enough to judge by.
    """
    if len(errors) < MATCHING:
        return 1.0
    total = sum(z * z for z in errors) + WIDENING_PRIOR
    return max(1.0, math.sqrt(total / (len(errors) + WIDENING_PRIOR)))


def _chance_above(seen: Spread, best: float, decimals: int | None) -> float:
    """Of a score that is shown as higher; a tie is no win."""
    needed = best + (0.5 * 10.0**-decimals if decimals is not None else 0.0)
    if needed >= 1:
        return 0.0
    return 1.0 if needed <= 0 else seen.above(float(logit(needed)))


def _share(matched: Match, without: float) -> float:
    return min(1.0, max(0.0, 1 - without / matched.predicted.variance))
