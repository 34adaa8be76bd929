"""The vote: who wins it, who is chosen, and what is not claimed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Answers, Labels
from evaluator.comparison.vote import (
    _Ballots,
    _best_addition,
    greedy_vote,
    halves,
    next_step,
)
from evaluator.estimate.gaussians import one_thread
from evaluator.plan import Benchmark, Questions
from tests.evaluator.sheets import CLASSES, careless, drawn, sheet

ASKED = drawn(300)
ballots = st.integers(1, 7).flatmap(
    lambda voters: st.lists(
        st.lists(st.integers(0, 3), min_size=voters, max_size=voters), min_size=1, max_size=20
    )
)


def majority(labels: Sequence[Labels], classes: int) -> Labels:
    """The winner of every question, when all have voted."""
    counted = _Ballots(len(labels[0]), classes)
    for voter in labels:
        counted.add(voter)
    return counted.winner()


@given(ballots)
def test_the_winner_has_most_votes_ties_to_the_earliest(rows: list[list[int]]) -> None:
    """Else the vote would be another one than the text says."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    for votes, winner in zip(rows, majority(columns, 4), strict=True):
        count = Counter(votes)
        best = max(count.values())
        assert winner == next(label for label in votes if count[label] == best)


def test_three_that_err_apart_outvote_the_best() -> None:
    """Else the command would miss what it is for."""
    sheets = [careless(name, ASKED, 0.3, i, off=1 + i) for i, name in enumerate("abc")]
    found = greedy_vote(sheets)
    assert len(found.members) == 3
    assert found.gain.benchmark.change.low > 0.05
    assert found.gain.benchmark.verdict == "better"
    assert found.members[-1].vote.value > max(one.alone.value for one in found.members)


def test_the_gain_is_not_the_one_that_chose() -> None:
    """Else the best of many votes by luck would be sold as a gain."""
    chosen, scored = [], []
    for trial in range(12):
        asked = drawn(100, seed=trial)
        sheets = [_coins(f"m{i}", asked, seed) for i, seed in enumerate(range(9))]
        found = greedy_vote(sheets)
        by_name = {one.name: one for one in sheets}
        members = [by_name[one.name] for one in found.members]
        vote = replace(members[0], labels=majority([one.labels for one in members], CLASSES))
        half, _ = halves(sheets[0])
        chosen.append(_accuracy(vote, half) - _accuracy(members[0], half))
        scored.append(found.gain.benchmark.change.value)
    assert np.mean(chosen) > 0.04  # luck: coins do not vote better than a coin
    assert abs(np.mean(scored)) < 0.04


def _coins(name: str, asked: tuple[Benchmark, Questions], seed: int) -> Answers:
    """Right on half of the images, by chance."""
    images = len(asked[0].data)
    return sheet(
        name,
        asked,
        np.random.default_rng((asked[0].seed, seed)).random(images)[asked[1].rows] < 0.5,
    )


def test_copies_of_the_best_gain_nothing() -> None:
    """Else a vote of one model with itself would be packed."""
    best, worse = careless("a", ASKED, 0.1), careless("b", ASKED, 0.8, 1)
    found = greedy_vote([worse, best, replace(best, name="copy.zip", sha256="c")])
    assert [one.name for one in found.members] == ["a.zip"]
    assert found.gain.benchmark.verdict == "not resolved"
    assert "nothing to pack" in next_step(found)


def test_the_first_member_is_the_best_of_the_choosing_half() -> None:
    """Else "the single best beside it" would have been picked on the half that scores it."""
    choosing, _ = halves(ASKED_SHEETS[0])
    best = max(ASKED_SHEETS, key=lambda one: _accuracy(one, choosing))
    assert greedy_vote(ASKED_SHEETS).members[0].name == best.name


ASKED_SHEETS = [careless(name, ASKED, 0.3, i) for i, name in enumerate("abcde")]


def _accuracy(one: Answers, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Of the preset's three conditions by their weights."""
    conditions, right = one.questions.conditions[chosen], one.right[chosen]
    weights = [condition.weight for condition in one.benchmark.conditions]
    return sum(weights[c] * float(right[conditions == c].mean()) for c in (1, 2, 3))


def test_halves_share_no_image_and_hold_every_class() -> None:
    """Else the vote would be scored on images that chose it."""
    one, two = halves(ASKED_SHEETS[0])
    rows, truth = ASKED[1].rows, ASKED[0].data.labels
    first, second = set(rows[one]), set(rows[two])
    assert not first & second
    assert len(first | second) == 300
    counts = [np.bincount(truth[list(part)], minlength=4) for part in (first, second)]
    assert np.abs(counts[0] - counts[1]).max() <= 1


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_no_more_members_than_allowed(most: int) -> None:
    """Else the zip would grow past what the server takes."""
    sheets = [careless(f"m{i}", ASKED, 0.35, i, off=1 + i % 3) for i in range(8)]
    assert 1 <= len(greedy_vote(sheets, most).members) <= most


def test_one_submission_is_no_vote() -> None:
    """Else the user would wait for a vote of one."""
    with pytest.raises(EvaluationError, match="two different"):
        greedy_vote([ASKED_SHEETS[0], ASKED_SHEETS[0]])


def test_a_zip_named_twice_votes_once() -> None:
    """Else `ensemble *.zip again.zip` would let one submission outvote the others."""
    sheets = [careless(name, ASKED, 0.3, i, off=1 + i) for i, name in enumerate("abc")]
    found = greedy_vote([sheets[0], *sheets, sheets[0]])
    assert found.candidates == 3
    assert len({one.sha256 for one in found.members}) == len(found.members)


def test_too_few_images_are_refused() -> None:
    """Else a half without images would end in our traceback."""
    asked = drawn(1)
    with pytest.raises(EvaluationError, match="too few"):
        greedy_vote([careless("a", asked, 0.0), careless("b", asked, 1.0)])


def test_the_json_and_the_command_name_the_members() -> None:
    """Else the user could not pack what was found."""
    sheets = [careless(name, ASKED, 0.3, i, off=1 + i) for i, name in enumerate("abc")]
    found = greedy_vote(sheets)
    document = json.loads(found.to_json())
    assert {one["name"] for one in document["members"]} == {"a.zip", "b.zip", "c.zip"}
    assert document["gain"]["benchmark"]["change"] == found.gain.benchmark.change.value
    command = next_step(found)
    assert all(f"FOLDER_OF_{name}" in command for name in "abc")


def test_two_more_voters_are_counted_as_if_they_had_been_added() -> None:
    """Else the vote that is chosen is not the one that is scored."""
    rng = np.random.default_rng(0)
    voters = rng.integers(0, 4, (5, 300))
    for count in range(4):
        ballots = _Ballots(300, 4)
        for voter in voters[:count]:
            ballots.add(voter)
        for more in (1, 2):
            added = list(voters[count : count + more])
            if len(added) == more and (count or more == 1):
                wanted = majority(list(voters[: count + more]), 4)
                assert ballots.winner(added).tolist() == wanted.tolist()


def test_many_candidates_are_voted_on_in_time() -> None:
    """Else trying every pair of hundreds of submissions never ends."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, 500)
    labels = [np.where(rng.random(500) < 0.6, truth, rng.integers(0, 8, 500)) for _ in range(120)]
    ballots = _Ballots(500, 8)
    ballots.add(labels[0])
    with one_thread():
        started = time.process_time()
        found, worth = _best_addition(ballots, labels, [0], 7, np.ones(500), truth)
        assert time.process_time() - started < 1
    assert len(found) in (1, 2)
    assert worth > (labels[0] == truth).sum()
