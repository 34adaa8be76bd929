"""`python -m bench.estimation_tuning`: choose hyper-parameters, for every method by the same rule.

The best mean log density of the target's logit score over all scenarios and K = 1, 2, 3, 6, 12, on
trials of other seeds than the study's. What it prints is copied into `estimation_rivals.TUNED` and
`evaluator.estimate.estimate.STRENGTHS`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from scipy.special import logit

from bench.estimation_rivals import GRIDS
from bench.estimation_worlds import HIDDEN_IMAGES, Trial, scenarios
from bench.report import console
from evaluator.estimate.estimate import STRENGTHS, widening
from evaluator.estimate.gaussians import Gaussians
from evaluator.estimate.inputs import Strengths, prior_of
from evaluator.estimate.shift_matching import Matching, Scored, Wanted

SEED = 777
TRIALS = 100
PASTS = (1, 2, 3, 6, 12)
Predict = Callable[[Trial, int], Gaussians | None]


def grids() -> list[Strengths]:
    """For our own estimate: as many choices as a rival has."""
    conditions = ((0.05, 0.2), (0.1, 0.2))
    offsets = ((0.03, 0.2), (0.1, 0.4), (0.1, 0.3, 0.8))
    profiles = ((1e-6,), (0.03, 0.3, 1.0), (0.03, 0.2, 0.5))
    owns = ((0.01, 0.03, 0.1), (0.02, 0.06, 0.15))
    return [
        Strengths.grid(family=(0.05,), severity=(0.05,), condition=c, offset=o, profile=p, own=t)
        for c, o, p, t in product(conditions, offsets, profiles, owns)
    ]


def ours(strengths: Strengths) -> Predict:
    """Our estimate with these strengths, on the logit scale."""

    def predict(trial: Trial, past: int) -> Gaussians:
        shown = (trial.scores[:past] * HIDDEN_IMAGES + 0.5) / (HIDDEN_IMAGES + 1)
        scored = Scored(
            trial.library[:past],
            np.zeros((past, len(trial.conditions))),
            shown,
            shown * (1 - shown) / HIDDEN_IMAGES,
            np.arange(past),
        )
        prior = prior_of(
            [c.family for c in trial.conditions], [c.severity for c in trial.conditions]
        )
        wanted = Wanted(trial.library[-1], np.zeros(len(trial.conditions)), HIDDEN_IMAGES)
        matching = Matching(scored, prior, strengths)
        errors = [
            float((seen - guess.mean) / np.sqrt(guess.variance))
            for seen, guess in zip(matching.observed, matching.left_out, strict=True)
        ]
        return matching.match(wanted).predicted.stretched(widening(errors))

    return predict


def density(mixture: Gaussians, value: float) -> float:
    """Of a mixture at a value."""
    heights = np.exp(-0.5 * (value - mixture.means) ** 2 / mixture.variances)
    return float(mixture.weights @ (heights / np.sqrt(2 * np.pi * mixture.variances)))


def log_density(predict: Predict, trials: Sequence[Trial]) -> float:
    """Mean over trials and numbers of past scores; trials that it cannot predict are left out."""
    found = []
    for trial, past in product(trials, PASTS):
        seen = predict(trial, past)
        if seen is not None:
            found.append(np.log(max(density(seen, float(logit(trial.scores[-1]))), 1e-12)))
    return float(np.mean(found))


def main(argv: list[str] | None = None) -> int:
    """Prints the best choice of every method."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimation_tuning", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    options = parser.parse_args(argv)
    trials = [t for s in scenarios() for t in s.trials(options.trials, SEED)]
    for name, choices in GRIDS.items():
        scores = [log_density(rival.predict, trials) for rival in choices]
        _show(name, repr(choices[int(np.argmax(scores))]), scores)
    candidates = [STRENGTHS, *grids()]
    scores = [log_density(ours(strengths), trials) for strengths in candidates]
    _show("shift matching", repr(_sets(candidates[int(np.argmax(scores))])), scores)
    console().print(f"as shipped: {scores[0]:.4f}")
    return 0


def _sets(strengths: Strengths) -> list[list[float]]:
    return [sorted(set(column)) for column in strengths.values.T.tolist()]


def _show(name: str, best: str, scores: Sequence[float]) -> None:
    spread = f"best {max(scores):.4f}, worst {min(scores):.4f} of {len(scores)}"
    console().print(f"{name}: {best}: {spread}", markup=False, highlight=False)


if __name__ == "__main__":
    raise SystemExit(main())
