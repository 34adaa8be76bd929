"""Figures and their intervals, against scikit-learn and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from codabench_rehearsal.images import Dataset
from corruptions.presets import Condition, Preset, Step
from evaluator.metrics import score, wilson
from evaluator.plan import Benchmark, Questions
from tests.evaluator.sheets import questions_of

CLASSES = 4
NOISE = Condition("noise", "noise", (Step("gaussian_noise", 3),), 0.75)
FOG = Condition("fog", "weather", (Step("fog", 5),), 0.25)


def bench(count: int, seed: int = 0) -> tuple[Benchmark, Questions, NDArray[np.int64]]:
    """A benchmark of two conditions on tiny images, its questions, and the true answer to each."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    data = Dataset(np.zeros((count, 2, 2, 3), np.uint8), labels, np.arange(count))
    preset = Preset("two", (NOISE, FOG), 2, "")
    clean = Condition("clean", "clean", (), 0.0)
    dealt = np.tile(np.array([1, 2]), (count, 1))
    benchmark = Benchmark(data, preset, seed, (clean, NOISE, FOG), dealt)
    questions = questions_of(benchmark)
    return benchmark, questions, labels[questions.rows]


def answers(truth: NDArray[np.int64], wrong: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The truth, with the next class where wrong."""
    return np.where(wrong, (truth + 1) % CLASSES, truth)


def test_figures_are_scikit_learns() -> None:
    """Else our accuracy would not be the platform's."""
    benchmark, questions, truth = bench(300)
    given = answers(truth, np.random.default_rng(1).random(len(truth)) < 0.3)
    scores = score(benchmark, questions, given, CLASSES, "macro-F1")
    clean = questions.conditions == 0
    part = scores.validation
    assert part.accuracy.value == pytest.approx(accuracy_score(truth[clean], given[clean]))
    assert part.balanced_accuracy == pytest.approx(
        balanced_accuracy_score(truth[clean], given[clean])
    )
    assert part.score.value == pytest.approx(f1_score(truth[clean], given[clean], average="macro"))
    assert part.recall == pytest.approx(recall_score(truth[clean], given[clean], average=None))
    weights = np.where(questions.conditions == 1, 0.75, 0.25)[~clean]
    expected = accuracy_score(truth[~clean], given[~clean], sample_weight=weights)
    assert scores.benchmark.accuracy.value == pytest.approx(expected)


def test_the_benchmark_weighs_conditions_as_the_preset_says() -> None:
    """Else "families equally weighted" would be a word only."""
    benchmark, questions, truth = bench(200)
    scores = score(benchmark, questions, answers(truth, questions.conditions == 2), CLASSES)
    assert scores.validation.accuracy.value == 1.0
    assert scores.benchmark.accuracy.value == pytest.approx(0.75)
    assert scores.gap.value == pytest.approx(0.25)
    assert [(loss.family, loss.share) for loss in scores.losses] == [
        ("weather", 1.0),
        ("noise", 0.0),
    ]
    assert [condition.name for condition in scores.worst(1)] == ["fog"]


def test_intervals_cover_when_an_images_answers_fall_together() -> None:
    """Else the interval would be too narrow: answers to one image are not independent."""
    covered = 0
    trials = 120
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        benchmark, questions, truth = bench(150, seed=trial)
        hard = rng.random(150) < 0.4  # a hard image is answered wrongly under every condition
        scores = score(benchmark, questions, answers(truth, hard[questions.rows]), CLASSES)
        covered += scores.benchmark.accuracy.low <= 0.6 <= scores.benchmark.accuracy.high
    assert 0.88 <= covered / trials <= 0.99


def test_a_perfect_score_is_not_certain() -> None:
    """Else 20 images of 20 would be sold as 100 % for sure."""
    benchmark, questions, truth = bench(20)
    scores = score(benchmark, questions, truth, CLASSES)
    assert scores.validation.accuracy.value == 1.0
    assert scores.validation.accuracy.low < 0.9


def test_a_class_without_images_has_no_recall() -> None:
    """Else a missing class would count as 0 or as a crash."""
    benchmark, questions, truth = bench(50)
    scores = score(benchmark, questions, truth, CLASSES + 1, "balanced accuracy")
    assert np.isnan(scores.validation.recall[-1])
    assert scores.validation.score.value == 1.0


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278)]
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    """Else the intervals of single conditions would be wrong (values: Newcombe 1998's formula by hand)."""
    found = wilson(right, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)
