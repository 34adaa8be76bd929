"""Weights that are shares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from evaluator.estimate.gaussians import RIDGE, shares

EXPECTED = np.array([0.5, 0.3, 0.2])


def test_without_scores_nothing_is_learnt() -> None:
    """Else a prediction without past scores is no longer the expected mixture's."""
    assert shares(np.zeros((0, 3)), np.zeros(0), EXPECTED) == pytest.approx(EXPECTED)


def test_they_are_shares_even_where_the_scores_ask_for_more() -> None:
    """Else the prediction leaves what any mixture of the conditions can give."""
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


@pytest.mark.parametrize("scores", [1, 7, 60])
def test_they_are_those_of_least_squares(scores: int) -> None:
    """Else predictions differ from those that the study has judged."""
    rng = np.random.default_rng(scores)
    expected = np.full(30, 1 / 30)
    accuracies, wanted = rng.uniform(0, 1, (scores, 30)), rng.uniform(0, 1, scores)
    rows = np.vstack([accuracies, np.sqrt(RIDGE) * np.eye(30), np.full((1, 30), 100.0)])
    weights = nnls(rows, np.concatenate([wanted, np.sqrt(RIDGE) * expected, [100.0]]))[0]
    assert shares(accuracies, wanted, expected) == pytest.approx(weights / weights.sum(), abs=1e-8)
