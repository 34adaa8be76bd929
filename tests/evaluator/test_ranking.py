"""The ranking: what is suggested, and what is left to say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.comparison.ranking import (
    Entry,
    Uploads,
    rank,
    show,
    uploads_text,
    used_today,
)
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, LibraryCondition
from evaluator.metrics import Score
from evaluator.store.rows import LeaderboardScore, Submission

UNKNOWN = Uploads(None, 0)
SOME = estimate([LibraryCondition("clean", "clean", 0, clean=True)], Figures("a", (0.9,)))


def entry(
    name: str, median: float, chance: float | None = None, recorded: str | None = None
) -> Entry:
    """A submission with this estimate; a chance of beating 0.8 if there are past scores."""
    made = replace(
        SOME,
        median=median,
        low=median - 0.1,
        high=median + 0.1,
        past=0 if chance is None else 3,
        best=None if chance is None else 0.8,
        beats_best=chance,
    )
    score = Score(median, median - 0.02, median + 0.02, 500)
    return Entry(name, name * 8, made, score, score, recorded)


SUGGESTED = [
    # a higher chance wins over a higher median
    ([entry("a", 0.80, 0.4), entry("b", 0.79, 0.6)], "b", "60 %"),
    # without past scores the median decides, and it is said so
    ([entry("a", 0.7), entry("b", 0.8)], "b", "nothing known of the hidden set"),
    # one with a score is never suggested, however good
    ([entry("a", 0.9, 0.99, "0.88"), entry("b", 0.5, 0.01)], "b", "1 %"),
    # none is left
    ([entry("a", 0.9, 0.99, "0.88")], None, "All of them have a score"),
]


@pytest.mark.parametrize(("entries", "next_one", "said"), SUGGESTED)
def test_submit_this_next(entries: list[Entry], next_one: str | None, said: str) -> None:
    """Else an upload would be wasted."""
    found = rank(entries, "dev", UNKNOWN)
    assert (found.next.name if found.next else None) == next_one
    assert said in found.why
    assert len(found.entries) == len(entries)


def test_those_with_scores_stand_behind() -> None:
    """Else the table would seem to suggest them."""
    entries = [entry("old", 0.9, 0.9, "0.88"), entry("a", 0.7, 0.2), entry("b", 0.8, 0.5)]
    assert [one.name for one in rank(entries, "dev", UNKNOWN).entries] == ["b", "a", "old"]


def test_close_ones_are_named() -> None:
    """Else a difference of nothing would look like a reason."""
    entries = [entry("a", 0.8, 0.52), entry("b", 0.8, 0.50), entry("c", 0.7, 0.2)]
    found = rank(entries, "dev", UNKNOWN)
    assert [one.name for one in found.close] == ["b"]
    assert "As good a choice: b." in found.why


def test_nothing_to_rank_is_a_sentence() -> None:
    """Else an empty folder would end in our traceback."""
    with pytest.raises(EvaluationError, match="at least one"):
        rank([], "dev", UNKNOWN)


def scored(phase: str, day: str, recorded: str) -> LeaderboardScore:
    """A score of that day."""
    owner = Submission(1, "a" * 64, "a.zip", "", recorded, "")
    return LeaderboardScore(1, owner, phase, 0.8, 2, day, None, "", recorded)


def test_uploads_of_today_count() -> None:
    """Else the user would be told of uploads that the platform refuses."""
    noon = "2026-11-21T12:00:00.000000+00:00"
    scores = [
        scored("dev", "", noon),
        scored("dev", "2026-11-21", "2026-11-23T00:00:00+00:00"),
        scored("dev", "2026-11-20", noon),  # uploaded yesterday, recorded today
        scored("final", "", noon),
    ]
    assert used_today(scores, "dev", date(2026, 11, 21)) == (2, 1)
    theirs = [replace(score, mine=False) for score in scores]
    assert used_today(theirs, "dev", date(2026, 11, 21)) == (0, 0)


def test_a_baseline_alone_is_no_best_to_beat() -> None:
    """Else the organisers' score would be called the user's best, or their score forgotten."""
    one = entry("a", 0.8, None)
    calibrated = replace(one, estimate=replace(one.estimate, past=1))
    assert "No score of your own of phase 'dev'" in (why := rank([calibrated], "dev", UNKNOWN).why)
    assert "from 1 past score." in why


UPLOADS = [
    (Uploads(5, 2), 3, "at most 3 of 5"),
    (Uploads(5, 2, 1), 3, "about 3 of 5; 2 recorded today in phase 'dev' (UTC), 1 of them without"),
    (Uploads(2, 4), 0, "at most 0 of 2"),
    (Uploads(None, 1), None, "not known"),
]


@pytest.mark.parametrize(("uploads", "left", "said"), UPLOADS)
def test_uploads_left(uploads: Uploads, left: int | None, said: str) -> None:
    """Else a limit that nobody gave would be made up."""
    assert uploads.left == left
    assert said in uploads_text(uploads, "dev")


def test_no_uploads_left_is_said_beside_the_suggestion() -> None:
    """Else the suggestion could not be followed today."""
    assert "No uploads are left" in rank([entry("a", 0.8, 0.5)], "dev", Uploads(1, 1)).why


def test_the_table_fits_and_the_json_holds_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the figures would be cut off, or lost to a script."""
    from rich.console import Console

    long = "a_name_that_somebody_gave_to_a_submission_in_a_hurry.zip"
    found = rank([entry(long, 0.8, 0.5), entry("b", 0.7, 0.2, "0.71")], "dev", Uploads(3, 1))
    show(found, Console(width=80))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert f"Submit this next: {long}" in shown
    for figure in ("0.700-0.900", "0.780-0.820", "50 %", "0.71"):
        assert figure in shown
    document = json.loads(found.to_json())
    assert document["next"] == long
    assert document["uploads"] == {"allowed": 3, "used": 1, "left": 2}
    assert [one["score"] for one in document["submissions"]] == [None, "0.71"]
