"""How right past predictions were, and how many scores are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.report.history import progress, summary, usable, verdict
from evaluator.store.store import HistoryRow, LeaderboardScore, Prediction, Submission


def row_of(submission: Submission, value: float, phase: str = "dev") -> HistoryRow:
    """A submission with answers and a score of three decimals."""
    score = LeaderboardScore(0, submission, phase, value, 3, "", None, "", "")
    return HistoryRow(submission, score, None, 1, 10)


PEOPLE = [Submission(n, sha * 64, f"{n}.zip", "", "", "") for n, sha in enumerate("abcdef")]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "No score"),
        (1, "1 past score in phase dev: few to rest an estimate on."),
        (4, "4 past scores in phase dev: the estimate is tested on them."),
        (5, "5 past scores in phase dev: the estimate is tested on them."),
    ],
)
def test_progress_counts_submissions_that_the_estimate_can_use(count: int, said: str) -> None:
    """Else a zip's second score, or one without its zip, would promise too much."""
    rows = [row_of(one, value) for one in PEOPLE[:count] for value in (0.8, 0.81)]
    rows += [row_of(replace(PEOPLE[5], sha256=""), 0.7), replace(row_of(PEOPLE[5], 0.7), answers=0)]
    assert usable(rows) == count
    final = row_of(PEOPLE[5], 0.7, "final")
    first, second = progress([*rows, final, replace(final, score=None)])
    assert first.startswith(said)
    assert second.startswith("1 past score in phase final")


SHARE = st.floats(0, 1)
INTERVAL = st.lists(SHARE, min_size=3, max_size=3).map(sorted)


@given(st.lists(st.tuples(SHARE, INTERVAL), min_size=1, max_size=6))
def test_a_summary_is_the_mean_of_its_rows(figures: list[tuple[float, list[float]]]) -> None:
    """Else the tool would be called more right, or more wrong, than it was."""
    rows = [
        replace(
            row_of(PEOPLE[0], score),
            prediction=Prediction("dev", value, low, high, 0.9, 1, "test"),
        )
        for score, (low, value, high) in figures
    ]
    waiting = replace(rows[0], score=None)
    seen = summary([*rows, waiting, replace(rows[0], prediction=None)])
    assert seen is not None
    assert seen.count == len(figures)
    assert seen.error == pytest.approx(
        100 * sum(abs(score - value) for score, (_, value, _) in figures) / len(figures)
    )
    assert seen.held == sum(low <= score <= high for score, (low, _, high) in figures)
    assert seen.expected == pytest.approx(0.9 * len(figures))
    assert (seen.standard_error is None) == (len(figures) == 1)
    assert verdict(waiting) is None
