"""Submissions, leaderboard scores and predictions in the store."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.store.scores import read_date, read_images, read_phase, read_score
from evaluator.store.store import Prediction, Store, StoreError
from tests.evaluator.stores import KEY, SHA, answered, put, store_at

FIGURES = [
    ("0.89", (0.89, 2)),
    ("0,89", (0.89, 2)),
    (" .9 ", (0.9, 1)),
    ("0.90", (0.9, 2)),
    ("1", (1.0, 0)),
    ("1.000", (1.0, 3)),
    ("0", (0.0, 0)),
    ("89%", (0.89, 2)),
    ("89,5 %", (0.895, 3)),
    ("87.31", (0.8731, 4)),
    ("89", (0.89, 2)),
    ("100 %", (1.0, 2)),
    ("0.5 %", (0.005, 3)),
]


@pytest.mark.parametrize(("text", "found"), FIGURES)
def test_a_score_is_read_as_it_was_shown(text: str, found: tuple[float, int]) -> None:
    """Else a rounded score would be taken for an exact one, or 89 for a fault."""
    assert read_score(text) == found


@given(st.integers(0, 10_000))
def test_a_percentage_is_the_same_score(hundredths: int) -> None:
    """Else a sheet in percent would give other scores than one in fractions."""
    fraction, percent = f"{hundredths / 1e4:.4f}", f"{hundredths / 100:.2f} %"
    assert read_score(fraction) == read_score(percent) == (float(fraction), 4)


@pytest.mark.parametrize(
    "text", ["", "n/a", "<0.5", "1.5", "101", "-0.5", "0.8.9", ".", "1e-1", "٣"]
)
def test_what_is_no_score_is_refused(text: str) -> None:
    """Else a slip of the finger would enter the estimate as a score."""
    with pytest.raises(StoreError, match=r"such as 0\.89 or 89 %"):
        read_score(text)


OTHER_TEXTS = [
    (read_phase, "Development  Phase", "dev"),
    (read_phase, "FINAL", "final"),
    (read_phase, "Phase 2", "phase 2"),
    (read_date, "2024-11-23", "2024-11-23"),
    (read_date, "2024-11-23T10:30:00+01:00", "2024-11-23"),
    (read_date, "2024-11-23 10:30", "2024-11-23"),
    (read_date, "23/11/2024", "2024-11-23"),
    (read_date, "3.11.2024 10:30", "2024-11-03"),
    (read_date, "", ""),
    (read_images, "2000", 2000),
    (read_images, "2.000", 2000),
    (read_images, "", None),
]


@pytest.mark.parametrize(("read", "text", "found"), OTHER_TEXTS)
def test_phase_date_and_size_are_read(read: object, text: str, found: object) -> None:
    """Else "Development" and "dev" would be two targets, or a date be lost."""
    assert callable(read)
    assert read(text) == found


@pytest.mark.parametrize(
    ("read", "text"),
    [(read_phase, " "), (read_date, "yesterday"), (read_date, "11/23/2024"), (read_images, "many")],
)
def test_a_slip_is_said(read: object, text: str) -> None:
    """Else the user learns of it when the estimate is odd."""
    assert callable(read)
    with pytest.raises(StoreError, match="expected"):
        read(text)


def test_a_score_is_kept_with_all_that_is_known(tmp_path: Path) -> None:
    """Else rounding and sampling noise could not be told later."""
    with Store.open(tmp_path / "s.sqlite") as store:
        mine = store.add_submission(SHA, "a.zip", "/x/a.zip")
        assert store.record_score(mine, 0.9, 2, "Development", hidden_images=1500, note="ran late")
        assert store.record_score(mine, 0.88, 2, "final", date="23/11/2024")
        (dev,) = store.scores("dev")
    assert (dev.submission, dev.value, dev.decimals, str(dev)) == (mine, 0.9, 2, "0.90")
    assert (dev.hidden_images, dev.note, dev.date) == (1500, "ran late", "")
    with Store.open(tmp_path / "s.sqlite") as store:
        assert [score.phase for score in store.scores()] == ["dev", "final"]
        assert store.scores("final")[0].date == "2024-11-23"


def test_a_score_typed_twice_counts_once(tmp_path: Path) -> None:
    """Else pressing the up arrow would make the estimate surer than it is."""
    with store_at(tmp_path / "s.sqlite") as store:
        mine = store.submissions()[0]
        assert store.record_score(mine, 0.89, 2)
        assert not store.record_score(mine, 0.89, 2, date="2024-11-23", hidden_images=10, note="x")
        assert not store.record_score(mine, 0.89, 2)
        (score,) = store.scores()
        assert (score.date, score.hidden_images, score.note) == ("2024-11-23", 10, "x")
        assert store.record_score(mine, 0.89, 2, date="2024-11-24")
        assert store.record_score(mine, 0.89, 2, "final")
        assert store.record_score(mine, 0.8912, 4)


@pytest.mark.parametrize(
    ("value", "decimals", "images"),
    [(1.2, 2, None), (-0.1, 2, None), (math.nan, 2, None), (0.5, -1, None), (0.5, 2, 0)],
)
def test_an_impossible_score_is_refused(
    tmp_path: Path, value: float, decimals: int, images: int | None
) -> None:
    """Else 89 meant as 0.89 would ruin the estimate."""
    with store_at(tmp_path / "s.sqlite") as store:
        mine = store.submissions()[0]
        with pytest.raises(StoreError, match="expected"):
            store.record_score(mine, value, decimals, hidden_images=images)
        assert store.scores() == ()


def test_a_submission_is_known_by_its_content(tmp_path: Path) -> None:
    """Else a renamed zip would lose its past, or a rebuilt one inherit another's."""
    with Store.open(tmp_path / "s.sqlite") as store:
        first = store.add_submission(SHA, "a.zip", "/x/a.zip", "the first")
        again = store.add_submission(SHA, "b.zip")
        assert again == replace(first, name="b.zip")
        other = store.add_submission("b" * 64, "b.zip")
        named = store.add_submission("", "b.zip")
        assert store.add_submission("", "b.zip", note="lost") == replace(named, note="lost")
        assert len({first.id, other.id, named.id}) == len(store.submissions()) == 3
        with pytest.raises(StoreError, match="64 hex digits"):
            store.add_submission("abc", "c.zip")
        with pytest.raises(StoreError, match="the name"):
            store.add_submission(SHA, "")


def test_a_name_that_is_no_unicode_is_kept_readable(tmp_path: Path) -> None:
    """Else a zip from another system's archive would end in a fault of ours."""
    with Store.open(tmp_path / "s.sqlite") as store:
        named = store.add_submission("", "caf\udce9.zip")
        assert named.name == store.submissions()[0].name == r"caf\udce9.zip"


WORDS = [("best.zip", 1), ("best", 1), ("/x/best.zip", 1), ("AAAA", 1), ("aaa", 0), ("bes", 0)]


@pytest.mark.parametrize(("word", "count"), WORDS)
def test_a_submission_is_found_by_what_people_call_it(
    tmp_path: Path, word: str, count: int
) -> None:
    """Else `forget` would need 64 digits, or take the wrong one."""
    with Store.open(tmp_path / "s.sqlite") as store:
        store.add_submission(SHA, "best.zip", "/x/best.zip")
        store.add_submission("", "aa")
        assert len(store.find(word)) == count


def test_forgetting_takes_what_hangs_on_it_and_no_more(tmp_path: Path) -> None:
    """Else forgotten scores would still bend the estimate, or others be lost."""
    with store_at(tmp_path / "s.sqlite") as store:
        mine, other = store.submissions()[0], store.add_submission("b" * 64, "b.zip")
        put(store, KEY, [1], [1])
        for submission in (mine, other):
            store.record_score(submission, 0.8, 1)
            store.record_score(submission, 0.9, 1)
        assert store.forget(store.scores()[0])
        assert len(store.scores()) == 3
        assert store.forget_answers(mine)
        assert answered(store, KEY, [1]) is None
        assert store.forget(mine)
        assert not store.forget(mine)
        assert {score.submission for score in store.scores()} == {other}
        with pytest.raises(StoreError, match="forgotten"):
            store.record_score(mine, 0.5, 1)


def expected(value: float, phase: str = "dev", made: str = "") -> Prediction:
    """A prediction with an interval around it."""
    return Prediction(phase, value, value - 0.1, value + 0.1, 0.9, 3, "test", made)


def test_history_holds_a_score_against_what_was_expected_before_it(tmp_path: Path) -> None:
    """Else the tool would look better than it is, by predictions made knowing the score."""
    with store_at(tmp_path / "s.sqlite") as store:
        mine, other = store.submissions()[0], store.add_submission("b" * 64, "b.zip")
        put(store, KEY, [1, 2, 3], [1, 1, 1])
        store.record_prediction(mine, expected(0.5))
        store.record_prediction(mine, expected(0.6))
        store.record_prediction(mine, expected(0.7, "final"))
        store.record_score(mine, 0.65, 2)
        store.record_prediction(mine, expected(0.65))
        store.record_score(other, 0.9, 1, date="2020-01-01")
        unscored = store.add_submission("c" * 64, "c.zip")
        store.record_prediction(unscored, expected(0.8))
        first, second, third = store.history()
    assert (first.submission, first.prediction, first.answers) == (other, None, 0)
    assert second.score is not None
    assert second.prediction is not None
    assert (second.score.value, second.prediction.value) == (0.65, 0.6)
    assert (second.conditions, second.answers) == (1, 3)
    assert (third.submission, third.score) == (unscored, None)
    assert third.prediction is not None
    assert third.prediction.value == 0.8


@pytest.mark.parametrize("low", [0.9, math.nan])
def test_a_prediction_without_sense_is_refused(tmp_path: Path, low: float) -> None:
    """Else the history would show an interval that does not hold its value."""
    with store_at(tmp_path / "s.sqlite") as store, pytest.raises(StoreError, match="low <= value"):
        store.record_prediction(store.submissions()[0], replace(expected(0.5), low=low))
