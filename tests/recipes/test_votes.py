"""How the networks of an ensemble answer together."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    # Keras's own conversion of a variable, with NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def test_votes_are_counted_as_the_zip_counts_them() -> None:
    """Else the accuracy that is shown is of another vote than the one that is uploaded."""
    from codabench_rehearsal.recipes.train import together

    page = importlib.import_module("submission.template.model")  # ships, so it has no types

    rng = np.random.default_rng(4)
    answers = [rng.dirichlet(np.ones(5), 200) for _ in range(3)]
    wanted = np.sum([page.votes(answer) for answer in answers], axis=0).argmax(axis=1)
    found = together(answers, "vote").argmax(axis=1)
    assert np.array_equal(found, wanted)
    chosen = np.sort([answer.argmax(axis=1) for answer in answers], axis=0)
    assert (np.diff(chosen, axis=0) > 0).all(axis=0).any(), "some votes are ties"
