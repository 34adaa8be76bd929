"""Drawn mixtures and their posterior, held against what is computed in another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import multivariate_normal

from corruptions.presets import LIBRARY, resolve
from evaluator.estimate.drawn import Posterior, Residual
from evaluator.estimate.estimate import Estimator
from evaluator.estimate.gaussians import Gaussians
from evaluator.estimate.inputs import Figures, LibraryCondition, PastScore, Target, prior_of
from evaluator.estimate.mixtures import Mixtures, drawn
from evaluator.estimate.shift_matching import Scored, Wanted
from evaluator.estimate.spread import Spread
from evaluator.plan import CLEAN, described

KNOWN = described((CLEAN, *resolve(LIBRARY).conditions))
SMALL = tuple(
    LibraryCondition(f"{family}:{level}", family, level)
    for family in ("blur", "noise")
    for level in (1, 3)
)
LIBRARIES = [KNOWN, SMALL, KNOWN[:1], KNOWN[:2]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_mixtures_are_mixtures(library: tuple[LibraryCondition, ...]) -> None:
    """Else a hidden set has a negative share of something."""
    (one,) = drawn(library)
    assert one.chance == 1
    assert one.weights.shape[1] == len(library)
    assert len(one.weights) == 3000
    assert one.weights.min() >= 0
    assert one.weights.sum(1) == pytest.approx(1)


def test_mixtures_are_of_every_kind() -> None:
    """Else a kind of hidden set that organisers make is never thought of."""
    weights = drawn(KNOWN)[0].weights
    composite = np.array([c.composite for c in KNOWN])
    families = np.array([c.family for c in KNOWN])
    in_one = np.array([max(row[families == f].sum() for f in set(families)) for row in weights])
    assert (weights[:, composite].sum(1) > 0.999).mean() > 0.35
    assert (in_one > 0.999).mean() > 0.12
    assert ((weights > 0).sum(1) > 50).mean() > 0.15
    assert (weights > 0.01).any(0).all(), "a condition that no mixture has"


def test_mixtures_do_not_depend_on_the_order_of_conditions() -> None:
    """Else a library read in another order gives another estimate."""
    order = np.random.default_rng(0).permutation(len(KNOWN))
    shuffled = drawn([KNOWN[i] for i in order])[0].weights
    assert np.array_equal(shuffled, drawn(KNOWN)[0].weights[:, order])


def scored(count: int, seed: int = 0) -> tuple[Scored, Wanted]:
    """Past submissions and a target, measured on finite images."""
    rng = np.random.default_rng(seed)
    accuracies = rng.uniform(0.3, 0.95, (count + 1, len(SMALL)))
    noise = accuracies * (1 - accuracies) / 200
    scores = accuracies[:count].mean(1) - 0.05
    past = Scored(
        accuracies[:count], noise[:count], scores, scores * (1 - scores) / 2000, np.arange(count)
    )
    return past, Wanted(accuracies[-1], noise[-1], 2000, 1e-6)


RESIDUAL = Residual.grid(offset=(0.1, 0.4), profile=(0.3,), own=(0.05, 0.1))
FEW = Mixtures(np.random.default_rng(5).dirichlet(np.ones(len(SMALL)), 7), 0.5)
MEAN = prior_of([c.family for c in SMALL], [c.severity for c in SMALL]).mean


def by_hand(past: Scored, wanted: Wanted) -> tuple[float, Gaussians]:
    """Evidence and prediction, mixture by mixture, by multivariate normal distributions."""
    rows = np.vstack([past.accuracies, wanted.accuracies])
    noise = np.vstack([past.noise, wanted.noise])
    clipped = np.clip(rows, 1e-3, 1 - 1e-3)
    flat = noise / (clipped * (1 - clipped)) ** 2
    profile = (logit(clipped) - logit(rows @ MEAN)[:, None]) / (1 + flat) * np.sqrt(MEAN)
    count = len(past.scores)
    steep = past.scores * (1 - past.scores)
    logs, means, variances = [], [], []
    shares = rows @ FEW.weights.T
    local = (noise @ (FEW.weights**2).T) / (shares * (1 - shares)) ** 2
    for offset, size, own in RESIDUAL.values:
        whole = offset**2 + size**2 * profile @ profile.T + own**2 * np.eye(count + 1)
        seen = whole[:count, :count] + np.diag(past.score_noise / steep**2 + local[:count].mean(1))
        gain = np.linalg.solve(seen, whole[:count, count]) if count else np.zeros(0)
        for s in range(len(FEW.weights)):
            residual = logit(past.scores) - logit(shares[:count, s])
            logs.append(multivariate_normal.logpdf(residual, cov=seen) if count else 0.0)
            mean = logit(shares[count, s]) + gain @ residual
            width = expit(mean) * (1 - expit(mean))
            shown = 1 / (2000 * width) + 1e-6 / width**2
            left = whole[count, count] - gain @ whole[:count, count]
            means.append(mean)
            variances.append(left + local[count, s] + shown)
    heights = np.exp(np.array(logs) - max(logs))
    evidence = max(logs) + np.log(0.5 * heights.mean()) + 0.5 * count * np.log(2 * np.pi)
    return evidence, Gaussians(heights / heights.sum(), np.array(means), np.array(variances))


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_posterior_is_bayes_rule(count: int) -> None:
    """Else the estimate, and the odds of a belief, are figures of something else."""
    past, wanted = scored(count)
    found = Posterior(past, FEW, RESIDUAL, MEAN)
    evidence, prediction = by_hand(past, wanted)
    assert found.log == pytest.approx(evidence)
    spread, local = found.predict(wanted)
    assert local > 0
    for share in (0.05, 0.5, 0.95):
        assert spread.quantile(share) == pytest.approx(prediction.quantile(share), abs=0.01)


def test_leaving_out_is_as_if_it_had_never_been() -> None:
    """Else the error that the card shows is not one of prediction."""
    past, _ = scored(5)
    log, mean, deviation = Posterior(past, FEW, RESIDUAL, MEAN).left_out()
    for place in range(5):
        others = Posterior(past.without(place), FEW, RESIDUAL, MEAN)
        steep = past.scores[place] * (1 - past.scores[place])
        noise = past.score_noise[place] / steep**2
        one = Wanted(past.accuracies[place], past.noise[place], 10**9)
        seen, _ = others.predict(one)
        assert log[place] == pytest.approx(others.log, abs=1e-6)
        assert mean[place] == pytest.approx(seen.points.mean(), abs=0.02)
        expected = np.sqrt(seen.points.var() + noise)
        assert deviation[place] == pytest.approx(expected, rel=0.1)


def test_spreads_have_the_quantiles_of_their_mixtures() -> None:
    """Else ranges are wider or narrower than what was computed."""
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.ones(5000))
    many = Gaussians(weights, rng.normal(0, 1, 5000), rng.uniform(0.01, 0.2, 5000))
    made = Spread.of(many)
    for share in (0.05, 0.3, 0.5, 0.95):
        assert made.quantile(share) == pytest.approx(many.quantile(share), abs=0.02)
    assert made.above(0.5) == pytest.approx(1 - many.below(0.5), abs=0.01)
    wide = made.stretched(2)
    assert wide.quantile(0.5) == pytest.approx(made.quantile(0.5))
    reach = wide.quantile(0.95) - wide.quantile(0.05)
    assert reach == pytest.approx(2 * (made.quantile(0.95) - made.quantile(0.05)))


def test_a_mixture_of_spreads_follows_its_chances() -> None:
    """Else a belief counts more or less than its odds."""
    low, high = (Spread(np.full(1000, value)) for value in (-1.0, 1.0))
    both = Spread.mixed([low, high], [0.8, 0.2])
    assert both.above(0.0) == pytest.approx(0.2, abs=0.01)
    assert Spread.mixed([low], [1.0]) is low


def strong_and_weak() -> tuple[Figures, Figures, list[PastScore]]:
    """Two that differ everywhere, and scores of others."""
    rng = np.random.default_rng(2)
    rows = expit(rng.normal(1.0, 0.8, (6, len(KNOWN))))
    figures = [Figures(str(i), tuple(row), (500,) * len(KNOWN)) for i, row in enumerate(rows)]
    strong = replace(figures[0], accuracies=tuple(a + 0.5 * (1 - a) for a in rows[1]))
    past = [PastScore(f, float(np.mean(f.accuracies)), 3, 2000) for f in figures[2:]]
    return strong, figures[1], past


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_stronger_one_is_ahead_on_the_hidden_set(count: int) -> None:
    """Else rank and compare name the wrong one."""
    strong, weak, past = strong_and_weak()
    judge = Estimator(KNOWN, past[:count], Target(hidden=2000))
    assert judge.ahead(strong, weak) > 0.95
    assert judge.ahead(weak, strong) == pytest.approx(1 - judge.ahead(strong, weak))
    assert judge.ahead(weak, weak) == pytest.approx(0.5)


def test_who_is_ahead_depends_on_the_hidden_damage() -> None:
    """Else past scores would not tell which strength counts."""
    noisy = np.array([c.family == "noise" for c in KNOWN])
    good = np.where(noisy, 0.9, 0.4)
    bad = np.where(noisy, 0.4, 0.7)
    rng = np.random.default_rng(8)
    rows = np.clip(
        np.where(noisy, rng.uniform(0.2, 0.9, (5, 1)), rng.uniform(0.2, 0.9, (5, 1))), 0, 1
    )
    rows = np.clip(rows + rng.normal(0, 0.02, rows.shape), 0.05, 0.95)
    past = [
        PastScore(Figures(str(i), tuple(row)), float(row[noisy].mean()), 4, 2000)
        for i, row in enumerate(rows)
    ]
    one, other = Figures("a", tuple(good)), Figures("b", tuple(bad))
    without = Estimator(KNOWN, [], Target(hidden=2000)).ahead(one, other)
    assert without < 0.4
    assert Estimator(KNOWN, past, Target(hidden=2000)).ahead(one, other) > 0.9


def by_class(hidden: str) -> tuple[list[PastScore], Figures, float]:
    """Six submissions, alike on the whole; noise hurts one class of them, blur the other one."""
    rng = np.random.default_rng(6)
    noisy, blurred = (np.array([c.family == f for c in KNOWN]) for f in ("noise", "blur"))
    chosen = noisy if hidden == "noise" else blurred
    past = []
    for i, strength in enumerate(rng.uniform(0.4, 0.6, 6)):
        rows = [np.where(hurt, 0.9 - strength, 0.9) for hurt in (noisy, blurred)]
        parts = tuple(
            PastScore(Figures(str(i), tuple(row)), float(row[chosen].mean()), 3, 2000, share=0.5)
            for row in rows
        )
        whole = np.mean(rows, axis=0)
        own = Figures(str(i), tuple(whole))
        past.append(PastScore(own, float(whole[chosen].mean()), 4, 2000, classes=parts))
    new = np.where(noisy, 0.5, np.where(blurred, 0.9, 0.7))  # noise hurts it, blur does not
    return past, Figures("new", tuple(new)), float(new[chosen].mean())


@pytest.mark.parametrize("hidden", ["noise", "blur"])
def test_recalls_by_class_tell_what_one_score_cannot(hidden: str) -> None:
    """Else `record --class-scores` would be kept, and help nobody."""
    past, new, score = by_class(hidden)
    bare = [replace(one, classes=()) for one in past]
    without, made = (Estimator(KNOWN, p, Target(hidden=2000)).estimate(new) for p in (bare, past))
    assert abs(made.median - score) < 0.5 * abs(without.median - score)
    assert made.low <= score <= made.high
