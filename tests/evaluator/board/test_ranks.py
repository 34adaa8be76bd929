"""Rank ranges: that they hold, and that ties stay ties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.board.ranks import Ranks, ahead, places, rank_text, ranked, scattered
from evaluator.metrics import resamples


def drawn_of(right: NDArray[np.float64], seed: int = 0) -> NDArray[np.float32]:
    """Accuracies on the same resamples; right: `(s, n)`."""
    draws = resamples(np.zeros(right.shape[1], np.int64), seed).astype(np.float32)
    return np.asarray((draws @ right.T / draws.sum(axis=1, keepdims=True)).T, np.float32)


def ranks_of(right: NDArray[np.float64]) -> Ranks:
    """Of answers by submission and image."""
    return ranked(right.mean(axis=1), drawn_of(right), right.shape[1])


def test_all_ranges_hold_at_once() -> None:
    """Else one in many ranks on every course's board is called wrongly."""
    skills = np.repeat([0.9, 0.85, 0.85, 0.8, 0.8, 0.7], 3)
    best = np.array([1 + (skills > one).sum() for one in skills])
    worst = np.array([(skills >= one).sum() for one in skills])
    missed, worlds = 0, 60
    for world in range(worlds):
        rng = np.random.default_rng(world)
        hard = rng.normal(0, 0.1, 250)
        right = (rng.random((len(skills), 250)) < skills[:, None] - hard).astype(float)
        found = ranks_of(right)
        # Among equals any order is the true one: a range must reach into their places.
        missed += bool((found.low > worst).any() or (found.high < best).any())
        wrong = found.verdicts * np.sign(skills[:, None] - skills[None, :])
        missed += bool((wrong < 0).any() or found.verdicts[skills[:, None] == skills].any())
    assert missed <= 0.05 * worlds + 4, missed


def test_equal_answers_are_a_tie() -> None:
    """Else copies of one zip get ranks of their own."""
    right = np.tile((np.arange(100) < 80).astype(float), (4, 1))
    found = ranks_of(right)
    assert found.low.tolist() == [1] * 4
    assert found.high.tolist() == [4] * 4
    assert not found.verdicts.any()
    assert (ahead(drawn_of(right)) == 0.5).all()


@pytest.mark.parametrize("images", [2, 400])
def test_all_right_against_all_wrong(images: int) -> None:
    """No two images differ: that so few cannot tell and so many can must not hang on a zero."""
    right = np.array([np.ones(images), np.zeros(images)])
    found = ranks_of(right)
    assert found.low.tolist() == ([1, 2] if images == 400 else [1, 1])


def test_verdicts_and_ranges_agree() -> None:
    """Else the matrix says another thing than the table beside it, or hangs on the order."""
    rng = np.random.default_rng(1)
    right = (rng.random((12, 150)) < np.linspace(0.5, 0.95, 12)[:, None]).astype(float)
    found, order = ranks_of(right), rng.permutation(12)
    assert (found.verdicts == -found.verdicts.T).all()
    assert (found.low == 1 + (found.verdicts < 0).sum(axis=1)).all()
    assert (found.high == 12 - (found.verdicts > 0).sum(axis=1)).all()
    mixed = ranks_of(right[order])
    assert mixed.low.tolist() == found.low[order].tolist()
    assert mixed.critical == pytest.approx(found.critical, rel=1e-5)
    by_figure = places(right.mean(axis=1))
    assert ((found.low <= by_figure) & (by_figure <= found.high)).all()


def test_one_alone_and_units() -> None:
    """One zip has rank 1; a loss in other units has the ranks of the same loss in these."""
    assert ranks_of(np.ones((1, 10))).low.tolist() == [1]
    rng = np.random.default_rng(2)
    drawn = rng.normal(np.array([[1.0], [2.0], [2.1]]), 0.1, (3, 500)).astype(np.float32)
    values = drawn.mean(axis=1).astype(float)
    small, large = (ranked(values * u, drawn * np.float32(u), 50) for u in (1e-6, 1e3))
    assert small.verdicts.tolist() == large.verdicts.tolist()
    assert small.verdicts[0].tolist() == [0, -1, -1]


def test_noise_of_training_widens_ranges() -> None:
    """Else a lucky run of a program that trains on the server is called the surely better one."""
    right = np.array([np.arange(400) < 360, np.arange(400) < 320, np.arange(400) < 200], float)
    drawn, values = drawn_of(right), right.mean(axis=1)
    still = scattered(drawn, [0.0, 0.0, 0.0], 0)
    assert (still == drawn).all()
    noisy = scattered(drawn, [0.1, 0.0, 0.0], 0)
    assert (noisy[1:] == drawn[1:]).all()
    assert noisy[0].std() == pytest.approx(0.1 / np.sqrt(2), rel=0.2)
    assert ranked(values, still, 400).high.tolist() == [1, 2, 3]
    assert ranked(values, noisy, 400).high.tolist() == [2, 2, 3]


def test_words() -> None:
    """A tie is shown as one."""
    assert [rank_text(3, 3), rank_text(2, 7)] == ["3", "2\N{EN DASH}7"]
