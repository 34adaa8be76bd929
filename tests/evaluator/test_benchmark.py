"""The benchmark: balanced, nested, and the same whoever asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions.presets import resolve
from evaluator.dealing import deal
from evaluator.options import Choice, Options
from evaluator.plan import Questions, Round, draw_benchmark, fill_block, plan_on
from tests.evaluator.sheets import questions_of


def pictures(count: int, side: int = 40, channels: int = 3) -> Dataset:
    """Noise images with labels 0..3."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return Dataset(images, np.arange(count) % 4, np.arange(count) + 100)


@given(
    st.integers(1, 60),
    st.lists(st.floats(0.05, 1.0), min_size=3, max_size=9),
    st.integers(1, 3),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_every_image_gets_different_conditions(
    count: int, weights: list[float], draws: int, seed: int
) -> None:
    """Else one damage would count twice for an image."""
    dealt = deal(count, np.array(weights), draws, seed)
    assert dealt.shape == (count, draws)
    assert all(len(set(row)) == draws for row in dealt)


def test_conditions_get_their_share() -> None:
    """Else the benchmark's accuracy would weigh families other than stated."""
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    counts = np.bincount(deal(500, weights, 2, 0).ravel(), minlength=4)
    assert np.abs(counts / 1000 - weights).max() < 0.01


def test_a_prefix_keeps_its_conditions() -> None:
    """Else --images 200 would be another benchmark than the beginning of --images 1000."""
    weights = np.ones(7) / 7
    assert np.array_equal(deal(50, weights, 3, 1), deal(200, weights, 3, 1)[:50])


def test_questions_hold_every_image_clean_once_and_its_conditions() -> None:
    """Else validation and benchmark would not be about the same images."""
    plan = plan_on(Choice(pictures(30), "all", ()), Options(corrupt="light", estimate=False))
    questions = plan.questions("shown", Round(30, 0))
    assert sorted(questions.rows[questions.conditions == 0]) == list(range(30))
    for row in range(30):
        asked = questions.conditions[(questions.rows == row) & (questions.conditions > 0)]
        assert sorted(asked) == sorted(plan.benchmark("shown").dealt[row])
    shuffled = plan.wanted(Round(30, 0)).shuffled(0)
    assert not np.array_equal(shuffled.rows, np.sort(shuffled.rows))


@pytest.mark.parametrize("size", [7, 40, 1000])
def test_blocks_change_nothing(size: int) -> None:
    """Else the figures would depend on the memory of the machine."""
    benchmark = draw_benchmark(pictures(12), resolve("shot_noise:3"))
    questions = questions_of(benchmark)

    def made(blocks: list[Questions], workers: int) -> NDArray[np.uint8]:
        out = [np.empty((len(block), 40, 40, 3), np.uint8) for block in blocks]
        for block, images in zip(blocks, out, strict=True):
            fill_block(benchmark, block, images, workers)
        return np.concatenate(out)

    assert np.array_equal(made([questions], 1), made(questions.blocks(size), 3))


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (28, 3), (31, 1), (40, 1)])
def test_small_and_grey_images_keep_their_shape(side: int, channels: int) -> None:
    """Else a 28x28 grey challenge could not be rehearsed."""
    benchmark = draw_benchmark(pictures(6, side, channels), resolve("gaussian_noise:2"))
    seen = benchmark.images(1, np.arange(6))
    assert seen.shape == (6, side, side, channels)
    assert (seen != benchmark.data.images).any()
    assert np.array_equal(benchmark.images(0, np.arange(6)), benchmark.data.images)
