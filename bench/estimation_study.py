"""Runs the trials of one scenario with every method; sums up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bench.estimation_oracle import Oracle
from bench.estimation_rivals import TUNED, Rival
from bench.estimation_worlds import HIDDEN_IMAGES, PAST, Scenario, Trial
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, PastScore, Target

Floats = NDArray[np.float64]
OURS, SAMPLING, ORACLE = "ours", "floor: sampling", "floor: oracle"
PASTS = tuple(range(PAST + 1))
SEED = 2026  # of the reported trials; what was chosen was chosen on others


@dataclass(frozen=True)
class Forecast:
    """Of one trial: the score predicted, its 90 % interval, and what came."""

    low: float
    median: float
    high: float
    actual: float


@dataclass(frozen=True)
class Summary:
    """Over the trials. error: mean absolute, its standard error; width: of the interval; points."""

    error: float
    error_sd: float
    coverage: float
    width: float
    trials: int

    @classmethod
    def of(cls, forecasts: Sequence[Forecast]) -> Summary:
        """All in points of accuracy but coverage, a share."""
        low, median, high, actual = np.array(
            [(f.low, f.median, f.high, f.actual) for f in forecasts]
        ).T
        errors = 100 * np.abs(median - actual)
        return cls(
            float(errors.mean()),
            float(errors.std() / math.sqrt(len(errors))),
            float(((low <= actual) & (actual <= high)).mean()),
            float(100 * (high - low).mean()),
            len(errors),
        )


Table = dict[str, dict[int, Summary]]  # method -> past scores -> summary


@dataclass(frozen=True)
class Behind:
    """How far a rival is ahead of us on the same trials, in points and in its standard error."""

    rival: str
    points: float
    error: float

    @property
    def sigmas(self) -> float:
        """In standard errors."""
        return self.points / self.error if self.error else 0.0


@dataclass(frozen=True)
class Study:
    """One scenario. drawn: median number of independent draws behind the oracle, by past scores.

    behind: the rival that is furthest ahead of us, in standard errors of the paired difference.
    """

    scenario: str
    table: Table
    drawn: dict[int, float]
    behind: dict[int, Behind]

    def plain(self) -> dict[str, object]:
        """For JSON."""
        table = {
            name: {str(past): asdict(found) for past, found in row.items()}
            for name, row in self.table.items()
        }
        drawn = {str(past): count for past, count in self.drawn.items()}
        behind = {str(past): asdict(one) for past, one in self.behind.items()}
        return {"scenario": self.scenario, "methods": table, "drawn": drawn, "behind": behind}


@dataclass(frozen=True)
class Shown:
    """How past scores and the target are shown, and how finely the library was measured."""

    decimals: int | None = None
    hidden: int = HIDDEN_IMAGES
    images: int | None = None  # a condition


def ours(trial: Trial, past: int, shown: Shown | None = None) -> Forecast:
    """By the public function."""
    how = shown or Shown()
    counts = None if how.images is None else (how.images,) * len(trial.conditions)
    figures = [Figures(str(i), tuple(row), counts) for i, row in enumerate(trial.library.tolist())]
    history = [
        PastScore(figures[i], float(trial.scores[i]), how.decimals, how.hidden) for i in range(past)
    ]
    target = Target(hidden=how.hidden, decimals=how.decimals)
    found = estimate(trial.conditions, figures[-1], history, target)
    return Forecast(found.low, found.median, found.high, float(trial.scores[-1]))


def theirs(rival: Rival, trial: Trial, past: int) -> Forecast | None:
    """A rival's, from the logit scale."""
    seen = rival.predict(trial, past)
    if seen is None:
        return None
    low, median, high = (float(expit(seen.quantile(share))) for share in (0.05, 0.5, 0.95))
    return Forecast(low, median, high, float(trial.scores[-1]))


def known(trial: Trial) -> Forecast:
    """By one who knows the accuracy on the hidden mixture."""
    truth = float(trial.truth[-1])
    half = 1.6449 * math.sqrt(truth * (1 - truth) / HIDDEN_IMAGES)
    return Forecast(truth - half, truth, truth + half, float(trial.scores[-1]))


def study(scenario: Scenario, trials: int, say: Callable[[str], None], seed: int = SEED) -> Study:
    """Every method on the same trials."""
    found: dict[str, dict[int, list[Forecast]]] = {}
    drawn: dict[int, list[float]] = {past: [] for past in PASTS}
    oracle: Oracle | None = None
    for count, trial in enumerate(scenario.trials(trials, seed)):
        say(f"{scenario.name}: {count} of {trials}")
        for name, past, forecast in _all_methods(trial):
            found.setdefault(name, {}).setdefault(past, []).append(forecast)
        oracle = oracle or Oracle.over(trial.candidates.shape[1], seed)
        for past, guess in zip(PASTS, oracle.guesses(trial, PASTS), strict=True):
            drawn[past].append(guess.drawn)
            forecast = Forecast(guess.low, guess.median, guess.high, float(trial.scores[-1]))
            found.setdefault(ORACLE, {}).setdefault(past, []).append(forecast)
    table = {name: {k: Summary.of(some) for k, some in row.items()} for name, row in found.items()}
    medians = {past: float(np.median(some)) for past, some in drawn.items()}
    return Study(scenario.name, table, medians, {past: behind(found, past) for past in PASTS})


def behind(found: Mapping[str, Mapping[int, Sequence[Forecast]]], past: int) -> Behind:
    """The worst of all comparisons with a rival, at so many past scores."""
    mine = _errors(found[OURS][past])
    each = []
    for name in TUNED:
        if past in found.get(name, {}):
            apart = mine - _errors(found[name][past])
            spread = float(apart.std(ddof=1)) / math.sqrt(len(apart)) if len(apart) > 1 else 0.0
            each.append(Behind(name, float(apart.mean()), spread))
    return max(each, key=lambda one: one.sigmas)


def _errors(forecasts: Sequence[Forecast]) -> Floats:
    return np.array([100 * abs(one.median - one.actual) for one in forecasts])


def _all_methods(trial: Trial) -> list[tuple[str, int, Forecast]]:
    found = []
    for past in PASTS:
        found.append((OURS, past, ours(trial, past)))
        for name, rival in TUNED.items():
            forecast = theirs(rival, trial, past)
            if forecast is not None:
                found.append((name, past, forecast))
        found.append((SAMPLING, past, known(trial)))
    return found
