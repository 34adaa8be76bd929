"""What the protocol leaves out: rounded scores, other hidden sizes, shared images, finite ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from bench.estimation_study import SEED, Forecast, Shown, Summary, ours
from bench.estimation_worlds import HIDDEN_IMAGES, Scenario, Trial
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, PastScore, Target
from evaluator.estimate.result import TOLERANCE

PASTS = (1, 3, 6, 12)
PAST_IMAGES = 64  # a condition: about what 1,000 images with 8 draws leave
ROUNDS = (8, 16, 32, 64, 128, 256, 512, 1024)  # images a condition, nested
COINCIDE = 0.5  # correlation of two models' difficulties with the same image
DECIMALS = 2
Sums = dict[int, Summary]  # by past scores


def rounded(trial: Trial) -> Trial:
    """Scores as a leaderboard with two decimals shows them."""
    return replace(trial, scores=np.round(trial.scores, DECIMALS))


def shared(trial: Trial, rng: np.random.Generator) -> Trial:
    """All models judged on the same images, which are hard for all or easy for all."""
    common = rng.standard_normal(HIDDEN_IMAGES) * np.sqrt(COINCIDE)
    limits = ndtri(np.clip(trial.truth, 1e-9, 1 - 1e-9))
    chance = ndtr((limits[:, None] - common) / np.sqrt(1 - COINCIDE))
    right = rng.random(chance.shape) < chance
    return replace(trial, scores=right.mean(1))


def resized(trial: Trial, rng: np.random.Generator, hidden: int) -> Trial:
    """Scores on so many hidden images."""
    return replace(trial, scores=rng.binomial(hidden, trial.truth) / hidden)


def measured(trial: Trial, rng: np.random.Generator) -> Iterator[tuple[int, Trial]]:
    """The library as measured on more and more images a condition: nested rounds."""
    right = np.zeros(trial.library.shape)
    done = 0
    for images in ROUNDS:
        right += rng.binomial(images - done, trial.library)
        done = images
        yield images, replace(trial, library=right / images)


def sensitivity(scenario: Scenario, trials: int, say: Callable[[str], None]) -> dict[str, Sums]:
    """Our estimate in other circumstances than the protocol's."""
    found: dict[str, dict[int, list[Forecast]]] = {}
    for count, trial in enumerate(scenario.trials(trials, SEED)):
        say(f"{scenario.name}, other circumstances: {count} of {trials}")
        for name, (changed, how) in _circumstances(trial, count).items():
            for past in PASTS:
                row = found.setdefault(name, {}).setdefault(past, [])
                row.append(ours(changed, past, how))
    return {name: _summed(row) for name, row in found.items()}


def _circumstances(trial: Trial, index: int) -> dict[str, tuple[Trial, Shown]]:
    rng = np.random.default_rng((SEED, index, 2))
    return {
        "protocol": (trial, Shown()),
        "scores with 2 decimals": (rounded(trial), Shown(DECIMALS)),
        "models err on the same images": (shared(trial, rng), Shown()),
        "500 hidden images": (resized(trial, rng, 500), Shown(hidden=500)),
        "10,000 hidden images": (resized(trial, rng, 10_000), Shown(hidden=10_000)),
        "hidden size wrong: 500, said 2,000": (resized(trial, rng, 500), Shown()),
    }


@dataclass(frozen=True)
class Stopped:
    """Our estimate when it stops by its own rule. images: a condition, mean over the trials."""

    stopped: Sums
    full: Sums
    images: dict[int, float]
    unfinished: dict[int, float]  # share of the trials that never met the rule


def stopping(scenario: Scenario, trials: int, say: Callable[[str], None]) -> Stopped:
    """Rounds of more images until those of the new submission are under a tenth of the variance."""
    found: dict[int, list[tuple[Forecast, Forecast, int, bool]]] = {past: [] for past in PASTS}
    for count, trial in enumerate(scenario.trials(trials, SEED)):
        say(f"{scenario.name}, stopping rule: {count} of {trials}")
        rounds = list(measured(trial, np.random.default_rng((SEED, count, 3))))
        for past in PASTS:
            found[past].append(_until_settled(rounds, past))
    return Stopped(
        {past: Summary.of([one[0] for one in some]) for past, some in found.items()},
        {past: Summary.of([one[1] for one in some]) for past, some in found.items()},
        {past: float(np.mean([one[2] for one in some])) for past, some in found.items()},
        {past: float(np.mean([not one[3] for one in some])) for past, some in found.items()},
    )


def _until_settled(
    rounds: Sequence[tuple[int, Trial]], past: int
) -> tuple[Forecast, Forecast, int, bool]:
    """The first forecast to meet the rule, the last one, the images of the first, whether met."""
    images, trial = rounds[-1]
    last = ours(trial, past, Shown(images=images))
    measured_past = dict(rounds)[PAST_IMAGES]
    for images, trial in rounds:
        said, settled = _round(measured_past, trial, past, images)
        if settled:
            return said, last, images, True
    return last, last, ROUNDS[-1], False


def _round(measured_past: Trial, trial: Trial, past: int, images: int) -> tuple[Forecast, bool]:
    """As `local-eval` does: past submissions stay as they were measured, the new one goes on."""
    history = [
        PastScore(
            _figures(measured_past, i, PAST_IMAGES), float(trial.scores[i]), None, HIDDEN_IMAGES
        )
        for i in range(past)
    ]
    target = Target(hidden=HIDDEN_IMAGES)
    found = estimate(trial.conditions, _figures(trial, -1, images), history, target)
    said = Forecast(found.low, found.median, found.high, float(trial.scores[-1]))
    return said, found.own_share < TOLERANCE


def _figures(trial: Trial, model: int, images: int) -> Figures:
    accuracies = tuple(map(float, trial.library[model]))
    return Figures(str(model), accuracies, (images,) * len(accuracies))


def _summed(row: dict[int, list[Forecast]]) -> Sums:
    return {past: Summary.of(forecasts) for past, forecasts in row.items()}
