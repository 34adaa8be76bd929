"""Figures by class, family and corruption, against plain counting and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from codabench_rehearsal.images import Dataset
from corruptions.presets import Condition, Preset, Step
from evaluator.answers import (
    Answers,
    clean_weights,
    clustered,
    confusion,
    drops,
    family_losses,
    mix_ups,
)
from evaluator.metrics import answer_weights, score
from evaluator.plan import CLEAN, Benchmark, Questions
from tests.evaluator.sheets import questions_of

CONDITIONS = (
    Condition("noise", "noise", (Step("gaussian_noise", 3),), 0.5),
    Condition("fog", "weather", (Step("fog", 5),), 0.3),
    Condition("snow", "weather", (Step("snow", 5),), 0.2),
)
K = 3


def sheet(count: int, wrong: tuple[float, ...], seed: int = 0) -> Answers:
    """Every image under every condition; the next class is answered with these chances."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, count)
    data = Dataset(np.zeros((count, 2, 2, 3), np.uint8), labels, np.arange(count))
    dealt = np.tile(np.arange(1, 4), (count, 1))
    benchmark = Benchmark(
        data, Preset("three", CONDITIONS, 3, ""), seed, (CLEAN, *CONDITIONS), dealt
    )
    questions = questions_of(benchmark)
    off = rng.random(len(questions)) < np.array(wrong)[questions.conditions]
    given = (labels[questions.rows] + off) % K
    return Answers("a.zip", "0" * 64, benchmark, questions, given)


def damaged(one: Answers) -> NDArray[np.float64]:
    """The benchmark's weights of a sheet's answers."""
    return answer_weights(one.benchmark, one.questions)


def test_confusion_is_scikit_learns() -> None:
    """Else a class would be said to be taken for another that it is not."""
    one = sheet(200, (0.1, 0.3, 0.5, 0.7))
    truth = one.benchmark.data.labels[one.questions.rows]
    for weights in (clean_weights(one), damaged(one)):
        wanted = confusion_matrix(truth, one.labels, sample_weight=weights, normalize="true")
        assert confusion(one, weights, K).shares == pytest.approx(wanted)


def test_a_class_without_images_is_left_out() -> None:
    """Else a set without platelets would report their recall."""
    one = sheet(60, (0.1, 0.2, 0.2, 0.2))
    found = confusion(one, damaged(one), K + 1)
    names = ("a", "b", "c", "none of them")
    assert np.isnan(found.shares[K]).all()
    assert found.images[K] == 0
    assert {drop.name for drop in drops(found, found, names)} == {"a", "b", "c"}


def test_drops_are_sorted_and_agree_with_the_scores() -> None:
    """Else the page would contradict the table of recalls."""
    one = sheet(300, (0.05, 0.4, 0.4, 0.4))
    scores = score(one.benchmark, one.questions, one.labels, K)
    clean, hurt = confusion(one, clean_weights(one), K), confusion(one, damaged(one), K)
    found = drops(clean, hurt, ("a", "b", "c"))
    by_name = {drop.name: drop for drop in found}
    for i, name in enumerate(("a", "b", "c")):
        assert by_name[name].clean.value == pytest.approx(scores.validation.recall[i])
        assert by_name[name].corrupted.value == pytest.approx(scores.benchmark.recall[i])
    assert [drop.lost for drop in found] == sorted((drop.lost for drop in found), reverse=True)


def test_mix_ups_name_what_corruption_adds() -> None:
    """Else a confusion that clean images have as well would be blamed on the damage."""
    one = sheet(300, (0.0, 0.5, 0.5, 0.5))
    clean, hurt = confusion(one, clean_weights(one), K), confusion(one, damaged(one), K)
    found = mix_ups(clean, hurt, ("a", "b", "c"))
    assert {(m.true, m.given) for m in found} == {("a", "b"), ("b", "c"), ("c", "a")}
    assert all(m.corrupted.low <= m.corrupted.value <= m.corrupted.high for m in found)
    assert mix_ups(clean, clean, ("a", "b", "c")) == ()


def test_families_add_up_to_the_gap() -> None:
    """Else the parts of the loss would not be the loss."""
    one = sheet(300, (0.05, 0.1, 0.5, 0.6))
    scores = score(one.benchmark, one.questions, one.labels, K)
    found = family_losses(one)
    assert sum(loss.points.value for loss in found) == pytest.approx(scores.gap.value)
    assert sum(loss.share for loss in found) == pytest.approx(1)
    assert [loss.family for loss in found] == ["weather", "noise"]
    said = {loss.family: loss.accuracy for loss in scores.losses}
    assert {loss.family: loss.accuracy.value for loss in found} == pytest.approx(said)


def correlated(count: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Four answers an image, right with 0.7 on average; images are hard or easy."""
    chance = rng.beta(1.4, 0.6, count)
    rows = np.repeat(np.arange(count), 4)
    return rng.random(4 * count) < chance[rows], rows


def test_intervals_of_correlated_answers_cover() -> None:
    """Else recalls would look surer than they are: answers of one image hang together."""
    rng = np.random.default_rng(1)
    held = counted = 0
    for _ in range(600):
        values, rows = correlated(60, rng)
        found = clustered(values, np.ones(240), rows)
        held += found.low <= 0.7 <= found.high
        apart = clustered(values, np.ones(240), np.arange(240))
        counted += apart.low <= 0.7 <= apart.high
    assert 0.92 <= held / 600 <= 0.98
    assert counted / 600 < 0.85, "the simulation must be one where counting answers fails"


def test_family_intervals_cover() -> None:
    """Else a family would be called weak by chance more often than said."""
    wrong = (0.1, 0.3, 0.4, 0.4)
    true = {"noise": 0.5 * 0.2, "weather": 0.5 * 0.3}
    held = {"noise": 0, "weather": 0}
    for seed in range(400):
        for loss in family_losses(sheet(80, wrong, seed)):
            held[loss.family] += loss.points.low <= true[loss.family] <= loss.points.high
    assert all(0.91 <= count / 400 <= 0.98 for count in held.values()), held


@pytest.mark.parametrize("right", [True, False])
def test_all_alike_is_not_certain(right: bool) -> None:
    """Else ten right answers would promise that no eleventh is wrong."""
    found = clustered(np.full(40, right), np.ones(40), np.repeat(np.arange(10), 4))
    assert found.n == 10
    assert found.high - found.low == pytest.approx(0.2775, abs=0.001)  # Wilson's of 10 of 10


def test_one_sheet_without_questions() -> None:
    """Else an empty family would stop the report."""
    none = Questions(np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = clustered(np.zeros(0, bool), np.zeros(0), none.rows)
    assert found.n == 0
    assert (found.low, found.high) == (0.0, 1.0)
