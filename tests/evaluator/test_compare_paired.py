"""Differences on the same images: their size under the null, their power, their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from evaluator.comparison.paired import (
    ALPHA,
    Contrast,
    Difference,
    Side,
    holm,
    judged_together,
    measure,
    sign_flips,
)

IMAGES, CONDITIONS, TRIALS = 150, 8, 1000
CORRELATIONS = (
    0.0,
    0.2,
    0.5,
    0.8,
)  # of one submission's answers to an image, beside its difficulty
DIFFICULTY = 0.2  # of what decides an answer, shared by all submissions
ERROR = 3 * np.sqrt(ALPHA * (1 - ALPHA) / TRIALS)  # three standard errors of a 5 % share
Bools = NDArray[np.bool_]
TRUTH = np.random.default_rng(0).integers(0, 4, IMAGES)


def pairs(own: float, second: float = 0.7, seed: int = 0) -> tuple[Bools, Bools]:
    """Right answers of two submissions, `(trials, images, conditions)`; the first has 0.7."""
    rng = np.random.default_rng((seed, int(100 * own)))
    hard = np.sqrt(DIFFICULTY) * rng.normal(size=(TRIALS, IMAGES, 1))

    def answers(accuracy: float) -> Bools:
        mood = np.sqrt(own * (1 - DIFFICULTY)) * rng.normal(size=(TRIALS, IMAGES, 1))
        chance = rng.normal(size=(TRIALS, IMAGES, CONDITIONS)) * np.sqrt(
            (1 - own) * (1 - DIFFICULTY)
        )
        return np.asarray(hard + mood + chance < norm.ppf(accuracy))

    return answers(0.7), answers(second)


def side(right: Bools) -> Side:
    """One trial's answers, `(images, conditions)`."""
    return Side(right.sum(1).astype(float), np.full(len(right), float(right.shape[1])))


def measured(first: Bools, second: Bools) -> tuple[Difference, ...]:
    """Every trial's difference."""
    contrasts = [Contrast("", side(a), side(b)) for a, b in zip(first, second, strict=True)]
    return measure(contrasts, TRUTH, 0)


def resolved(found: Sequence[Difference]) -> float:
    """The share of trials with a verdict."""
    return float(np.mean([one.verdict != "not resolved" for one in found]))


def answer_wise(first: Bools, second: Bools) -> float:
    """What a paired test that takes answers for independent would claim: its share of verdicts."""
    gains = second.reshape(TRIALS, -1).astype(float) - first.reshape(TRIALS, -1)
    z = gains.mean(1) / (gains.std(1) / np.sqrt(gains.shape[1]))
    return float(np.mean(np.abs(z) > norm.ppf(1 - ALPHA / 2)))


@pytest.mark.parametrize("own", CORRELATIONS)
def test_equal_submissions_are_told_apart_one_time_in_twenty(own: float) -> None:
    """Else "better" would be said of equals, the more so the more conditions there are."""
    found = measured(*pairs(own))
    assert np.mean([one.p < ALPHA for one in found]) == pytest.approx(ALPHA, abs=ERROR)
    assert 0.025 < resolved(found) < ALPHA + ERROR
    held = np.mean([one.change.low <= 0 <= one.change.high for one in found])
    assert held == pytest.approx(0.95, abs=ERROR + 0.01)  # percentile intervals are a bit narrow


def test_the_trials_could_have_shown_too_many_claims() -> None:
    """Else the table above would pass with any test."""
    assert answer_wise(*pairs(0.8)) > 0.2


@pytest.mark.parametrize("own", [0.0, 0.8])
def test_the_gap_of_a_submission_without_one_is_rarely_claimed(own: float) -> None:
    """Else a benchmark would be called harder than the clean images when it is not."""
    answers, _ = pairs(own)
    contrasts = [Contrast("gap", side(one[:, :1]), side(one[:, 1:])) for one in answers]
    found = measure(contrasts, TRUTH, 0)
    assert np.mean([one.p < ALPHA for one in found]) == pytest.approx(ALPHA, abs=ERROR)


@pytest.mark.parametrize("own", [0.5])
def test_the_detectable_difference_is_resolved_four_times_in_five(own: float) -> None:
    """Else "so many images resolve 3 points" would be a promise that is not kept."""
    detectable = float(np.median([one.detectable for one in measured(*pairs(own))]))
    found = measured(*pairs(own, 0.7 + detectable, seed=1))
    assert np.mean([one.change.value for one in found]) == pytest.approx(detectable, abs=0.005)
    assert 0.74 < resolved(found) < 0.88


@pytest.mark.parametrize(("gained", "lost"), [(4, 0), (9, 1), (12, 6), (30, 10)])
def test_with_one_answer_an_image_it_is_mcnemars_exact_test(gained: int, lost: int) -> None:
    """Else few discordant images would count for more than they are."""
    shares = np.zeros((100, 1))
    shares[:gained], shares[gained : gained + lost] = 0.01, -0.01
    exact = binomtest(gained, gained + lost).pvalue
    (p,) = sign_flips(shares, 0)
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / 9999))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_ever_raises_a_p_value(chances: list[float]) -> None:
    """Else judging many families would make claims easier."""
    adjusted = holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, adjusted, strict=True))
    order = np.argsort(chances, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert min(adjusted) == min(1.0, len(chances) * min(chances))


def test_holm_by_hand() -> None:
    """Else the correction would be another one than the documents name (Holm 1979's steps)."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_a_verdict_needs_the_adjusted_p_and_the_interval() -> None:
    """Else one of many rows would be called better by chance, or against its own interval."""
    (found,) = measure([Contrast("", side(np.zeros((40, 1), bool)), _half(25))], TRUTH[:40], 0)
    assert found.verdict == "better"
    many = judged_together([found, *[found] * 3000])
    assert many[0].p == found.p
    assert many[0].verdict == "not resolved"


@pytest.mark.parametrize(("first", "second"), [(0, 0), (40, 40), (0, 40), (40, 0)])
def test_no_spread_is_not_taken_for_certainty(first: int, second: int) -> None:
    """Else 40 images of 40 would be sold as an exact difference, or as a division by zero."""
    (found,) = measure([Contrast("", _half(first), _half(second))], TRUTH[:40], 0)
    change = found.change
    assert change.value == (second - first) / 40
    assert change.high - change.low > 0.05
    assert -1 <= change.low <= change.value <= change.high <= 1
    assert found.detectable > 0.05
    assert (found.verdict == "not resolved") == (first == second)


def test_a_family_that_some_resamples_miss_has_an_interval() -> None:
    """Else a family with a handful of images would end in not-a-number."""
    asked = np.zeros(40)
    asked[:2] = 1.0
    rare, rarer = Side(np.array([1.0, *[0.0] * 39]), asked), Side(np.zeros(40), asked)
    (found,) = measure([Contrast("", rare, rarer)], TRUTH[:40], 0)
    assert np.isfinite([found.change.low, found.change.high, found.detectable, found.p]).all()
    assert found.change.n == 2
    assert found.verdict == "not resolved"


def _half(right: int) -> Side:
    """Forty images, so many of them right."""
    return Side((np.arange(40) < right).astype(float), np.ones(40))
