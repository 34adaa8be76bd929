"""Scores as the site takes and shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.challenge.worker.scores_file import (
    NO_SCORES,
    NOT_DECODED,
    NOT_FINITE,
    Score,
    child_scores,
    parent_scores,
    read_scores,
    site_scores,
)
from tests.challenge.worker.bundles import Files, written

A = Column(0, "a", "A", precision=3)
B = Column(1, "b", "B")
MEAN = Column(2, "m", "Mean", computation="avg", of=(0, 1))
BEST = Column(3, "best", "Best", computation="max", of=(0, 1))
SUM = Column(4, "sum", "Sum", computation="sum", of=(0, 2))
COLUMNS = (SUM, A, BEST, B, MEAN)  # in no order: the index counts
BOM = '\ufeff{"a": 1}'
# files -> what is shown by key
SHOWN: list[tuple[Files, dict[str, str]]] = [
    ({"scores.json": '{"a": 0.123456, "b": 1}'}, {"a": "0.123", "b": "1.0"}),
    ({"scores.json": '{"a": 0.1}', "scores.txt": "a: 0.9"}, {"a": "0.1"}),
    ({"scores.txt": "a: 0.9\nb: 1e-3\n"}, {"a": "0.9", "b": "0.0"}),  # YAML: 1e-3 is a text
    ({"scores.txt": "a: .5\nb: 1:30\n"}, {"a": "0.5", "b": "90.0"}),  # base 60
    ({"scores.txt": "a: 010\nb: 1_000\n"}, {"a": "8.0", "b": "1000.0"}),  # base 8
    ({"scores.txt": "a: yes\n"}, {"a": "1.0"}),
    ({"scores.txt": "a:0.9\n"}, {}),  # no space: one text
    ({"scores.txt": ""}, {}),
    ({"scores.json": '{"a": "0.25", "b": true}'}, {"a": "0.25", "b": "1.0"}),
    ({"scores.json": '{"a": 1, "a": 2}'}, {"a": "2.0"}),
    ({"scores.json": '{"A": 1, "other": [1]}'}, {}),
    ({"scores.json": '{"a": 1, "b": [1]}'}, {"a": "1.0"}),
    ({"scores.json": '{"b": null, "a": 1}'}, {}),
    ({"scores.json": '{"b": "good", "a": 1}'}, {}),
    ({"scores.json": '{"b": 1e30, "a": 1}'}, {}),  # 20 digits
    ({"scores.json": "[0.5]"}, {}),
    ({"scores.json": '{"a": -0.0004}'}, {"a": "-0.0"}),
    ({"scores.json": '{"a": 2.5e-11}'}, {"a": "0.0"}),  # ten digits are kept
]
# files -> the platform's sentence
MESSAGES: list[tuple[Files, str]] = [
    ({}, NO_SCORES),
    ({"scores.csv": "a,1"}, NO_SCORES),
    ({"scores.json": ""}, NOT_DECODED.format("Expecting value")),
    ({"scores.json": "{'a': 1}"}, "Could not decode scores json properly"),
    ({"scores.json": BOM}, NOT_DECODED.format("Unexpected UTF-8 BOM (decode using utf-8-sig)")),
    ({"scores.json": '{"a": NaN}'}, NOT_FINITE),
    ({"scores.json": '{"a": 1, "other": Infinity}'}, NOT_FINITE),
    ({"scores.txt": "a: .nan"}, NOT_FINITE),
    ({"scores.txt": "a: 2026-01-01"}, "Object of type date is not JSON serializable"),
    ({"scores.txt": "a: [1"}, "while parsing a flow sequence"),
    ({"scores.json": "[" * 100_000}, "scores.json: it is nested more than 200 deep"),
]


def test_each_message_begins_a_failure(tmp_path: Path) -> None:
    """Else a submission counts as scored that the platform fails, or with another sentence."""
    for number, (files, message) in enumerate(MESSAGES):
        found = read_scores(written(tmp_path / str(number), files), COLUMNS)
        assert found.message.startswith(message), (files, found)
        assert found.kept == {}


@pytest.mark.parametrize(("files", "shown"), SHOWN)
def test_scores_are_shown_as_on_the_site(
    tmp_path: Path, files: Files, shown: dict[str, str]
) -> None:
    """Else the user compares a figure with the leaderboard's that it never shows."""
    found = read_scores(written(tmp_path, files), (A, B))
    assert found.message == ""
    assert {score.key: score.shown for score in site_scores(found, (A, B))} == shown


def test_what_is_dropped_or_not_taken_is_said(tmp_path: Path) -> None:
    """Else a misspelt column leaves an empty leaderboard, and nobody knows why."""
    found = read_scores(written(tmp_path / "0", {"scores.json": '{"A": 1, "b": 2}'}), (A, B))
    assert (found.dropped, found.remark) == (("A",), "")
    found = read_scores(written(tmp_path / "1", {"scores.json": '{"b": [2], "a": 1}'}), (A, B))
    assert "from 'b' on: [2] is no number" in found.remark
    found = read_scores(written(tmp_path / "2", {"scores.json": "3"}), (A, B))
    assert found.remark == "the site took no score: expected keys and values, received a number"
    found = read_scores(written(tmp_path / "3", {"scores.txt": ""}), (A, B))
    assert "received nothing" in found.remark


def test_the_site_computes_columns_of_others(tmp_path: Path) -> None:
    """Else an average column is empty here, or ranks by another figure."""
    text = '{"a": 0.1, "b": 0.25, "m": 9}'
    found = read_scores(written(tmp_path, {"scores.json": text}), COLUMNS)
    assert site_scores(found, COLUMNS) == (
        Score("a", "A", 0.1, "0.1"),
        Score("b", "B", 0.25, "0.25"),
        Score("m", "Mean", 0.175, "0.17", "site"),
        Score("best", "Best", 0.25, "0.25", "site"),
        Score("sum", "Sum", 0.275, "0.28", "site"),
    )
    assert [score.key for score in child_scores(found, (A, B, BEST))] == ["a", "b"]


def test_a_hidden_column_is_called_so(tmp_path: Path) -> None:
    """Else a participant waits for a figure that organisers alone see."""
    columns = (A, replace(B, hidden=True))
    found = read_scores(written(tmp_path, {"scores.json": '{"a": 0.1, "b": 0.25}'}), columns)
    assert [str(score) for score in site_scores(found, columns)] == ["a 0.1", "b 0.25 (hidden)"]


def test_a_value_keeps_all_its_digits(tmp_path: Path) -> None:
    """Else a score of k out of n cannot be told from its neighbour."""
    text = '{"a": 0.8496961069841662, "b": 0.2830188679245283}'
    found = read_scores(written(tmp_path, {"scores.json": text}), (A, B))
    assert [score.value for score in site_scores(found, (A, B))] == [
        *(0.8496961069841662, 0.2830188679245283),
    ]
    assert [str(value) for value in found.kept.values()] == ["0.8496961070", "0.2830188679"]


def test_several_tasks_have_a_parent(tmp_path: Path) -> None:
    """Else a submission to ten tasks has no figure of its own, or another than the site's."""
    texts = ('{"a": 0.1, "b": 0.2}', '{"a": 0.5}', "")
    files = [
        read_scores(written(tmp_path / str(n), {"scores.json": text} if text else {}), COLUMNS)
        for n, text in enumerate(texts)
    ]
    scores = parent_scores(files, COLUMNS)
    found = {score.key: (round(score.value, 14), score.origin) for score in scores}
    assert found == {
        "a": (0.3, "mean"),
        "b": (0.2, "mean"),
        "m": (0.26666666666667, "site"),  # of all three figures
        "best": (0.5, "site"),
        "sum": (0.86666666666667, "site"),
    }


def test_a_pipe_in_the_place_of_scores_is_not_waited_for(tmp_path: Path) -> None:
    """Else a scoring program keeps the user waiting for ever."""
    import os

    os.mkfifo(tmp_path / "scores.json")
    assert read_scores(tmp_path, COLUMNS).message == "scores.json is no regular file"
