"""Weights that are shares."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.estimation.simplex import shares

EXPECTED = np.array([0.5, 0.3, 0.2])


def test_without_scores_nothing_is_learnt() -> None:
    """Else a prediction without past scores is no longer the expected mixture's."""
    assert shares(np.zeros((0, 3)), np.zeros(0), EXPECTED) == pytest.approx(EXPECTED)


def test_they_are_shares_even_where_the_scores_ask_for_more() -> None:
    """Else the prediction leaves what any mixture of the cells can give."""
    accuracies = np.array([[0.9, 0.5, 0.1], [0.8, 0.4, 0.3]])
    found = shares(accuracies, np.array([0.99, 0.95]), EXPECTED)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert found[0] > 0.95


def test_a_mixture_is_found() -> None:
    """Else past scores that one mixture explains exactly do not lead to it."""
    rng = np.random.default_rng(0)
    accuracies = rng.uniform(0, 1, (40, 3))
    mixture = np.array([0.1, 0.2, 0.7])
    assert shares(accuracies, accuracies @ mixture, EXPECTED) == pytest.approx(mixture, abs=0.01)
