"""Leave one model out: predict its hidden score from a few of the others', with every method.

Past ones are drawn at random, the same for all methods and nested in K, and never from the same
training as the target: another checkpoint would tell too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from bench.demonstration_figures import Rehearsed
from bench.estimation_rivals import TUNED
from bench.estimation_study import Forecast, Summary
from bench.estimation_worlds import Trial
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Belief, LibraryCondition, PastScore, Target
from evaluator.estimate.result import HIGH, LOW

OURS, BELIEVING = "ours", "ours, believing `an2dl-2024`"
PASTS = (0, 1, 3, 5)
DECIMALS = 4  # of a score on the leaderboard
SEED = 2031


@dataclass(frozen=True)
class Guess:
    """One method's forecast of one model's score on one hidden set, from `past` scores."""

    hidden: str
    past: int
    draw: int
    model: str
    method: str
    forecast: Forecast


@dataclass(frozen=True)
class Task:
    """One hidden set: its conditions are unknown, its size is not. belief: held of it, or not."""

    hidden: str
    images: int
    conditions: tuple[LibraryCondition, ...]
    models: tuple[Rehearsed, ...]
    belief: Belief

    def guesses(self, draws: int) -> Iterator[Guess]:
        """Of all models; `draws` choices of past ones, where there are any."""
        for place, target in enumerate(self.models):
            for draw in range(draws):
                order = self._past(place, draw)
                for past in PASTS:
                    if len(order) >= past and (past or not draw):
                        yield from self._guess(target, order[:past], draw)

    def _past(self, place: int, draw: int) -> list[Rehearsed]:
        training = self.models[place].training
        others = [model for model in self.models if model.training != training]
        rng = np.random.default_rng((SEED, ord(self.hidden[0]), place, draw))
        return [others[i] for i in rng.permutation(len(others))]

    def _guess(self, target: Rehearsed, past: list[Rehearsed], draw: int) -> Iterator[Guess]:
        found = {OURS: self.ours(target, past), BELIEVING: self.ours(target, past, (self.belief,))}
        trial = self._trial(target, past)
        actual = round(target.scores[self.hidden], DECIMALS)
        for name, rival in TUNED.items():
            seen = rival.predict(trial, len(past))
            if seen is not None:
                low, median, high = (float(expit(seen.quantile(s))) for s in (LOW, 0.5, HIGH))
                found[name] = Forecast(low, median, high, actual)
        for method, forecast in found.items():
            yield Guess(self.hidden, len(past), draw, target.name, method, forecast)

    def ours(
        self, target: Rehearsed, past: Sequence[Rehearsed], beliefs: tuple[Belief, ...] = ()
    ) -> Forecast:
        """By the estimate as local-eval shows it."""
        scores = [
            PastScore(
                one.figures, round(one.scores[self.hidden], DECIMALS), DECIMALS, self.images, "dev"
            )
            for one in past
        ]
        aim = Target("dev", self.images, DECIMALS)
        made = estimate(self.conditions, target.figures, scores, aim, beliefs)
        actual = round(target.scores[self.hidden], DECIMALS)
        return Forecast(made.low, made.median, made.high, actual)

    def _trial(self, target: Rehearsed, past: Sequence[Rehearsed]) -> Trial:
        """What the rivals know; the target comes last."""
        everyone = [*past, target]
        library = np.array([one.figures.accuracies for one in everyone])
        scores = np.array([one.scores[self.hidden] for one in everyone])
        return Trial(self.conditions, library, np.empty((len(everyone), 0)), scores, scores)


def summed(guesses: Sequence[Guess], hidden: str, method: str, past: int) -> Summary | None:
    """Of one line of the table; None where there are no guesses.

    Its standard error counts models: the draws of one model are not independent.
    """
    chosen = [g for g in guesses if (g.hidden, g.method, g.past) == (hidden, method, past)]
    if not chosen:
        return None
    by_model: dict[str, list[float]] = {}
    for one in chosen:
        error = 100 * abs(one.forecast.median - one.forecast.actual)
        by_model.setdefault(one.model, []).append(error)
    means = np.array([np.mean(errors) for errors in by_model.values()])
    spread = float(means.std(ddof=min(1, len(means) - 1)) / math.sqrt(len(means)))
    return replace(Summary.of([one.forecast for one in chosen]), error_sd=spread)
