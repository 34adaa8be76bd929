"""The estimate: what it promises for any input, and what it refuses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.estimate.estimate import Estimator, estimate, widening
from evaluator.estimate.inputs import Figures, LibraryCondition, PastScore, Target
from evaluator.estimate.result import Estimate

FAMILIES = ("noise", "blur", "weather", "color")
SEVERITIES = (1, 3, 5)
LIBRARY = (
    LibraryCondition("clean", "clean", 0, clean=True),
    *(LibraryCondition(f"{f}:{s}", f, s) for f in FAMILIES for s in SEVERITIES),
    LibraryCondition("noise:3+color:3", "composite", 3, composite=True),
)
HIDDEN = 2000


def models(count: int, seed: int = 0) -> list[Figures]:
    """Models that differ in how much each family hurts them."""
    rng = np.random.default_rng(seed)
    weak = dict(zip(FAMILIES, rng.uniform(0.02, 0.08, (len(FAMILIES), count)), strict=True))
    weak |= {"clean": np.zeros(count), "composite": weak["noise"] + weak["color"]}
    lost = np.array([condition.severity * weak[condition.family] for condition in LIBRARY]).T
    return [Figures(f"m{i}", tuple(0.98 - row)) for i, row in enumerate(lost)]


def scored(everyone: Sequence[Figures], weights: Sequence[float], seed: int = 0) -> list[PastScore]:
    """Their scores on a mixture of the library, with the chance of 2,000 images."""
    rng = np.random.default_rng(seed)
    shares = np.asarray(weights) / np.sum(weights)
    return [
        PastScore(one, rng.binomial(HIDDEN, np.dot(one.accuracies, shares)) / HIDDEN, None, HIDDEN)
        for one in everyone
    ]


NOISY = [4.0 if condition.family == "noise" else 0.2 for condition in LIBRARY]
EVERYONE = models(13)
PAST = scored(EVERYONE[1:], NOISY)


def width(found: Estimate) -> float:
    """Of the interval."""
    return found.high - found.low


@pytest.mark.parametrize(
    ("past", "regime"),
    [
        (0, "uncalibrated"),
        (1, "few scores"),
        (3, "few scores"),
        (4, "calibrated"),
        (12, "calibrated"),
    ],
)
def test_the_regime_follows_the_past_scores(past: int, regime: str) -> None:
    """Else an uncalibrated figure is shown as a calibrated one."""
    found = estimate(LIBRARY, EVERYONE[0], PAST[:past])
    assert (found.regime, found.past) == (regime, past)
    assert (found.best is None) == (found.beats_best is None) == (past == 0)
    assert (found.error is None) == (past < 2)
    assert len(found.left_out) == (past if past >= 2 else 0)


def test_past_scores_narrow_and_find_the_shift() -> None:
    """Else recording scores would not pay."""
    widths, errors = [], []
    for seed in range(12):
        everyone = models(13, seed)
        (target, *past) = scored(everyone, NOISY, seed)
        found = [estimate(LIBRARY, everyone[0], past[:k]) for k in (0, 1, 3, 6, 12)]
        widths.append([width(one) for one in found])
        errors.append([abs(one.median - target.value) for one in found])
    mean_widths, mean_errors = np.mean(widths, axis=0), np.mean(errors, axis=0)
    assert (np.diff(mean_widths) < 0).all()
    assert mean_errors[-1] < 0.015
    assert mean_errors[-1] < 0.4 * mean_errors[0]


def test_without_past_scores_it_is_wide() -> None:
    """Else a guess looks like a measurement."""
    found = estimate(LIBRARY, EVERYONE[0])
    assert width(found) > 0.2
    assert any("a mix of conditions" in sentence for sentence in found.assumed)


def test_order_does_not_matter() -> None:
    """Else the same facts would give two answers."""
    rng = np.random.default_rng(3)
    conditions, past = rng.permutation(len(LIBRARY)), rng.permutation(len(PAST))

    def shuffled(figures: Figures) -> Figures:
        return replace(figures, accuracies=tuple(figures.accuracies[i] for i in conditions))

    one = estimate(LIBRARY, EVERYONE[0], PAST)
    other = estimate(
        [LIBRARY[i] for i in conditions],
        shuffled(EVERYONE[0]),
        [replace(PAST[i], figures=shuffled(PAST[i].figures)) for i in past],
    )
    for name in ("low", "median", "high", "beats_best", "widened", "error", "finite_share"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)
    assert [b.name for b in one.consistent_with] == [b.name for b in other.consistent_with]


def test_it_is_deterministic() -> None:
    """Else the card changes when it is shown again."""
    assert estimate(LIBRARY, EVERYONE[0], PAST) == estimate(LIBRARY, EVERYONE[0], PAST)


shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
rows = st.lists(shares, min_size=len(LIBRARY), max_size=len(LIBRARY)).map(tuple)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(rows, shares), max_size=6), rows, st.integers(0, 4))
def test_any_figures_give_an_ordered_answer(
    past: list[tuple[tuple[float, ...], float]], target: tuple[float, ...], decimals: int
) -> None:
    """Else a perfect or a useless model breaks the card."""
    history = [PastScore(Figures("p", row), value, decimals) for row, value in past]
    found = estimate(LIBRARY, Figures("t", target), history, Target(decimals=decimals))
    assert 0 <= found.low <= found.median <= found.high <= 1
    assert found.beats_best is None or 0 <= found.beats_best <= 1
    assert 0 <= found.finite_share <= 1
    assert found.widened >= 1


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_one_condition_is_enough(accuracy: float, score: float) -> None:
    """Else a library of one condition fails with a mathematical error."""
    past = [PastScore(Figures("p", (0.8,)), score)]
    found = estimate(LIBRARY[:1], Figures("t", (accuracy,)), past)
    assert 0 <= found.low <= found.median <= found.high <= 1


def test_coarser_scores_say_less() -> None:
    """Else a score of one decimal counts like an exact one."""
    widths = [
        width(estimate(LIBRARY, EVERYONE[0], [replace(p, decimals=d) for p in PAST[:3]]))
        for d in (None, 1)
    ]
    assert widths[1] > 1.1 * widths[0]


def test_fewer_hidden_images_say_less() -> None:
    """Else chance in the hidden set is taken for skill."""
    sizes = (100, 1000, 10_000)
    found = [
        estimate(LIBRARY, EVERYONE[0], [replace(p, hidden=n) for p in PAST[:6]], Target(hidden=n))
        for n in sizes
    ]
    assert width(found[0]) > width(found[1]) > width(found[2])
    assert not any("nobody said" in sentence for one in found for sentence in one.assumed)


def test_identical_models_are_no_problem() -> None:
    """Else a resubmission, or a model submitted twice, makes the matrix singular."""
    past = [PastScore(EVERYONE[0], 0.71, 2, HIDDEN)] * 6
    found = estimate(LIBRARY, EVERYONE[0], past, Target(hidden=HIDDEN))
    assert found.median == pytest.approx(0.71, abs=0.01)
    assert found.low < 0.71 < found.high


def test_other_phases_are_left_aside() -> None:
    """Else a development score calibrates the final phase's other images."""
    past = [replace(p, phase="dev") for p in PAST]
    found = estimate(LIBRARY, EVERYONE[0], past, Target(phase="final"))
    assert found.past == 0
    assert any("12 past scores of another phase" in sentence for sentence in found.assumed)


def test_beating_the_best_needs_more_than_a_tie() -> None:
    """Else 71 % chance counts scores that are shown as equal."""
    near = [p for p in PAST if p.value < 0.83]
    past = [replace(p, decimals=2, value=round(p.value, 2)) for p in near]
    exact = estimate(LIBRARY, EVERYONE[0], past)
    shown = estimate(LIBRARY, EVERYONE[0], past, Target(decimals=2))
    assert exact.best == shown.best == max(p.value for p in past)
    assert exact.beats_best is not None
    assert shown.beats_best is not None
    assert 0 <= shown.beats_best < exact.beats_best
    top = [*past, PastScore(EVERYONE[1], 1.0, 2)]
    assert estimate(LIBRARY, EVERYONE[0], top, Target(decimals=2)).beats_best == 0


def test_a_score_that_does_not_fit_widens() -> None:
    """Else one strange past score leaves a narrow interval that it refutes itself."""
    fits = estimate(LIBRARY, EVERYONE[0], PAST[:6])
    strange = [*PAST[:5], replace(PAST[5], value=PAST[5].value - 0.25)]
    found = estimate(LIBRARY, EVERYONE[0], strange)
    assert width(found) > 2 * width(fits)
    assert found.error is not None
    assert fits.error is not None
    assert found.error > fits.error


@pytest.mark.parametrize(
    ("errors", "factor"),
    [([], 1), ([9, 9, 9], 1), ([0, 0, 0, 0], 1), ([1] * 4, 1), ([2] * 4, 2.5**0.5)],
)
def test_widening(errors: list[float], factor: float) -> None:
    """Else intervals are widened by chance, or never."""
    assert widening(errors) == pytest.approx(factor)


def test_finite_images_show() -> None:
    """Else nobody learns that more local images would narrow the interval."""
    found = []
    for images in (10, 100, 10_000):
        counts = (images,) * len(LIBRARY)
        past = [replace(p, figures=replace(p.figures, images=counts)) for p in PAST]
        found.append(estimate(LIBRARY, replace(EVERYONE[0], images=counts), past))
    parts = [one.finite_share for one in found]
    assert parts == sorted(parts, reverse=True)
    assert parts[0] > 0.1 > parts[2]
    assert estimate(LIBRARY, EVERYONE[0], PAST).finite_share == pytest.approx(0, abs=1e-9)


def test_beliefs_are_worded_as_such() -> None:
    """Else a user takes a fitted mixture for the hidden set."""
    found = estimate(LIBRARY, EVERYONE[0], PAST).consistent_with
    noise = next(belief for belief in found if belief.name == "noise")
    assert noise.after > noise.before
    assert noise.sentence().startswith("the past scores fit better with more noise")
    assert "other mixes would fit them as well" in noise.sentence()
    assert estimate(LIBRARY, EVERYONE[0]).consistent_with == ()


def test_a_library_without_recipes_is_said() -> None:
    """Else an error twice as large comes as a surprise."""
    plain = [condition for condition in LIBRARY if not condition.composite]
    figures = replace(EVERYONE[0], accuracies=EVERYONE[0].accuracies[:-1])
    assert any("combines several corruptions" in s for s in estimate(plain, figures).assumed)


GOOD, SCORE = EVERYONE[0], PAST[0]
NAN = replace(GOOD, accuracies=(float("nan"), *GOOD.accuracies[1:]))


@pytest.mark.parametrize(
    ("library", "figures", "past", "target", "said"),
    [
        ((), GOOD, [], Target(), "at least one condition"),
        (LIBRARY + LIBRARY[:1], GOOD, [], Target(), "'clean' twice"),
        (LIBRARY, NAN, [], Target(), "from 0 to 1, received nan"),
        (LIBRARY, replace(GOOD, accuracies=(0.5,)), [], Target(), "received 1"),
        (LIBRARY, replace(GOOD, images=(1,)), [], Target(), "numbers of images"),
        (LIBRARY, replace(GOOD, images=(0,) * len(LIBRARY)), [], Target(), "1 image or more"),
        (LIBRARY, GOOD, [replace(SCORE, value=89)], Target(), "Write 0.89, not 89"),
        (LIBRARY, GOOD, [replace(SCORE, value=float("nan"))], Target(), "received nan"),
        (LIBRARY, GOOD, [replace(SCORE, decimals=-1)], Target(), "decimals, received -1"),
        (LIBRARY, GOOD, [replace(SCORE, hidden=0)], Target(), "hidden set of 1 image"),
        (LIBRARY, GOOD, [replace(SCORE, figures=NAN)], Target(), "received nan"),
        (LIBRARY, GOOD, [], Target(decimals=99), "the score to predict"),
    ],
)
def test_what_cannot_be_used_is_refused(
    library: Sequence[LibraryCondition],
    figures: Figures,
    past: list[PastScore],
    target: Target,
    said: str,
) -> None:
    """Else a typing mistake becomes a prediction."""
    with pytest.raises(EvaluationError, match=said):
        estimate(library, figures, past, target)


def test_it_takes_milliseconds() -> None:
    """Else the card cannot refine on screen."""
    conditions = [LibraryCondition(f"c{i}", f"f{i % 10}", i % 5 + 1) for i in range(110)]
    rng = np.random.default_rng(0)
    everyone = [Figures(f"m{i}", tuple(rng.uniform(0.5, 1, 110))) for i in range(21)]
    past = [PastScore(one, 0.8) for one in everyone[1:]]
    times = []
    for _ in range(5):
        start = time.process_time()
        estimate(conditions, everyone[0], past)
        times.append(time.process_time() - start)
    assert min(times) < 0.1


def test_few_images_are_no_profile() -> None:
    """Else chance in a few images looks like contrast of conditions: wide, yet told to stop."""
    rng = np.random.default_rng(0)
    images = 16
    library = [LibraryCondition(f"c{i}", f"f{i % 8}", i % 5 + 1) for i in range(80)]
    exact = [Figures(f"m{i}", tuple(rng.uniform(0.85, 0.99, 80))) for i in range(2)]
    drawn = [
        Figures(m.name, tuple(rng.binomial(images, m.accuracies) / images), (images,) * 80)
        for m in exact
    ]
    sure, unsure = (
        estimate(library, one[0], [PastScore(one[1], 0.9, None, HIDDEN)]) for one in (exact, drawn)
    )
    assert width(unsure) < 2 * width(sure)
    assert unsure.finite_share > 0.1


def many(
    scores: int, zips: int, conditions: int = 100
) -> tuple[list[LibraryCondition], list[PastScore]]:
    """So many scores of so many submissions, scored again and again with some contradiction."""
    rng = np.random.default_rng(scores)
    library = [
        LibraryCondition(f"c{i}", f"f{i % 9}", 1 + i % 5, composite=i > 50)
        for i in range(conditions)
    ]
    rows = [tuple(row.tolist()) for row in rng.uniform(0.2, 0.99, (zips, conditions))]
    made = [Figures(f"m{i}", row, (64,) * conditions) for i, row in enumerate(rows)]
    values = [float(np.clip(np.mean(made[i % zips].accuracies) + 0.05 * rng.normal(), 0, 1))
              for i in range(scores)]  # fmt: skip
    return library, [PastScore(made[i % zips], v, 2, 2000) for i, v in enumerate(values)]


@pytest.mark.parametrize(("scores", "zips"), [(10, 1), (30, 3), (250, 3), (250, 250)])
def test_repeated_and_contradictory_scores_give_a_sound_estimate(scores: int, zips: int) -> None:
    """Else the same zip scored ten times breaks the estimate, or makes it too sure."""
    library, past = many(scores, zips)
    found = estimate(library, past[0].figures, past, Target(hidden=2000))
    assert 0 < found.low < found.median < found.high < 1
    own = np.mean([p.value for p in past if p.figures is past[0].figures])
    assert found.low < own < found.high
    assert all(np.isfinite(one.z) for one in found.left_out)
    again = Estimator(library, past, Target(hidden=2000))
    assert [again.estimate(past[i].figures) for i in (-1, 0)][1] == found


def test_a_thousand_past_scores_take_seconds_for_all_rounds() -> None:
    """Else a team's whole history makes every rehearsal hang, as 450 scores did."""
    library, past = many(1000, 1000)
    started = time.process_time()
    estimator = Estimator(library, past, Target(hidden=2000))
    rounds = [estimator.estimate(replace(past[0].figures, images=(n,) * 100)) for n in (8, 64, 512)]
    assert time.process_time() - started < 3
    assert len({one.median for one in rounds}) == 3


@pytest.mark.parametrize("scores", [2, 5, 40, 81, 82, 83])
def test_one_left_out_of_all_is_as_if_it_had_never_been(scores: int) -> None:
    """`rank` gives another estimate of a zip that has a score than `local-eval` does."""
    library, past = many(scores, scores, conditions=40)  # from 81 scores on, by the unknowns
    target = Target(hidden=2000, decimals=2)
    whole = Estimator(library, past, Target(hidden=2000))
    for place in {0, scores // 2, scores - 1}:
        own, rest = past[place].figures, [*past[:place], *past[place + 1 :]]
        found, wanted = (
            whole.without(place, target).estimate(own),
            estimate(library, own, rest, target),
        )
        assert found.past == wanted.past == scores - 1
        for name in ("low", "median", "high", "widened", "beats_best", "finite_share", "own_share"):
            assert getattr(found, name) == pytest.approx(getattr(wanted, name), abs=1e-9)
        assert [one.name for one in found.left_out] == [one.name for one in wanted.left_out]
