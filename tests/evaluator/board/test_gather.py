"""A board out of a store: which figures it shows, of whom, and what it keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.console.errors import EvaluationError
from corruptions.presets import resolve
from evaluator.board.gather import BoardOptions, board
from evaluator.board.names import Teams
from evaluator.board.page import to_page
from evaluator.board.result import Board, Row
from evaluator.metrics import score
from evaluator.plan import CLEAN, Benchmark, Questions
from evaluator.store.rows import Run, Submission
from evaluator.store.store import Store
from tests.evaluator.board.made import DATA, answer, filled, known, sha_of, world
from tests.evaluator.corner import DATA as IMAGES

LIGHT = BoardOptions(preset="light")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Five submissions, from bad to good."""
    return filled(tmp_path / "store.sqlite", np.linspace(0.55, 0.95, 5).tolist())


def by_name(made: Board) -> dict[str, Row]:
    """The rows."""
    return {row.name: row for row in made.rows}


def test_everything_of_a_submission(store: Store) -> None:
    """Else a column of the board is of another submission, or missing."""
    made = board(store, LIGHT)
    assert [row.name for row in made.rows] == [f"s00{n}.zip" for n in (4, 3, 2, 1, 0)]
    best = made.rows[0]
    assert best.rank
    assert best.rank[0] == 1
    assert best.score
    assert best.score.text == "0.8500"
    assert best.expected
    assert best.expected.low == pytest.approx(0.75)
    assert best.measured
    assert best.measured.bytes == 2_500_000
    assert best.findings("warning") == 1
    assert len(best.families) == len(made.families)
    assert made.source.images == 200
    document = json.loads(made.to_json())
    assert [one["name"] for one in document["submissions"]] == [row.name for row in made.rows]
    assert document["pairs"]["verdicts"][0][4] == 1
    assert document["submissions"][0]["peak_memory_bytes"] == 700_000_000


def test_the_figures_are_those_of_a_report(tmp_path: Path) -> None:
    """Else the board says another accuracy than local-eval does of the same answers."""
    images, drawn = IMAGES, world(len(IMAGES), "light")
    with Store.open(tmp_path / "store.sqlite") as store:
        answer(store, drawn, "a.zip", 0.8)
        found = board(store, LIGHT).rows[0]
        run = Run(sha_of("a.zip"), "python 3.11", DATA, 0)
        answers = store.run_answers(run)
    preset = resolve("light")
    place = {text: at for at, text in enumerate(drawn.texts)}
    conditions = np.repeat([place[text] for text in answers.conditions], answers.counts)
    data = type(images)(images.images, drawn.labels, np.arange(len(images)))
    benchmark = Benchmark(data, preset, 0, (CLEAN, *preset.conditions), drawn.dealt)
    questions = Questions(answers.ids(), conditions)
    wanted = score(benchmark, questions, answers.labels.astype(np.int64), 8)
    assert found.clean
    assert found.benchmark
    assert found.clean.value == pytest.approx(wanted.validation.accuracy.value)
    assert found.benchmark.value == pytest.approx(wanted.benchmark.accuracy.value)
    assert found.benchmark.low == pytest.approx(wanted.benchmark.accuracy.low, abs=1e-5)
    assert found.clean.high == pytest.approx(wanted.validation.accuracy.high, abs=1e-5)
    losses = {one.family: one.accuracy for one in wanted.losses}
    families = board_families(found, tmp_path)
    assert families == pytest.approx(losses, abs=1e-6)


def board_families(row: Row, folder: Path) -> dict[str, float]:
    """Accuracies by family."""
    with Store.open(folder / "store.sqlite") as store:
        return dict(zip(board(store, LIGHT).families, row.families, strict=True))


def test_only_the_same_questions_are_compared(store: Store) -> None:
    """Else a hasty run on a few easy images leads the board, or drags all others down to them."""
    drawn = world(200)
    answer(store, drawn, "hasty.zip", 0.99, rows=slice(10))
    answer(store, drawn, "half.zip", 0.7, rows=slice(100))
    rows = by_name(made := board(store, LIGHT))
    assert made.source.images == 100, "what all but the hasty one have answered"
    assert rows["hasty.zip"].rank is None
    assert "some answers are missing" in rows["hasty.zip"].why
    assert rows["half.zip"].rank is not None


def test_other_images_are_told(store: Store) -> None:
    """Else figures on two data sets stand in one column."""
    answer(store, world(300, seed=9), "other.zip", 0.8, data="e" * 32)
    rows = by_name(made := board(store, LIGHT))
    assert rows["other.zip"].why == "answered on other images alone"
    assert any("eeeeeeee (seed 0)" in note for note in made.notes)
    chosen = board(store, BoardOptions(preset="light", data="eee"))
    assert [row.name for row in chosen.ranked] == ["other.zip"]
    with pytest.raises(EvaluationError, match="the store has those on ffffffff"):
        board(store, BoardOptions(preset="light", seed=7))


def test_environments_are_told_and_never_mixed(store: Store) -> None:
    """Else half a submission's answers are of one Keras, half of another."""
    drawn = world(200)
    answer(store, drawn, "s000.zip", 0.99, rows=slice(50), environment="python 3.12")
    answer(store, drawn, "new.zip", 0.9, environment="python 3.12")
    made = board(store, LIGHT)
    assert by_name(made)["s000.zip"].rank_text.endswith("6"), "of the whole run alone"
    assert any("2 environments (5 under python 3.11; 1 under python 3.12)" in n for n in made.notes)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """An empty board that does not say why leaves its reader helpless."""
    with Store.open(tmp_path / "a.sqlite") as store:
        with pytest.raises(EvaluationError, match="knows no submission yet"):
            board(store, LIGHT)
        store.add_submission("", "by_name.zip")
        store.add_submission("b" * 64, "new.zip")
        made = board(store, LIGHT)
        assert any("No answers are stored yet" in note for note in made.notes)
        rows = by_name(made)
        assert rows["by_name.zip"].why == "known by name only"
        assert "no answers stored" in rows["new.zip"].why
        store.put_block(Run("b" * 64, "python", "d" * 32, 0), [("clean", [0], [1])])
        assert any("right labels" in note for note in board(store, LIGHT).notes)
        store.put_truth("d" * 32, "cells.npz", [0, 1], [1, 1])
        assert any("Nobody has answered benchmark 'light'" in n for n in board(store, LIGHT).notes)


def test_only_some(store: Store) -> None:
    """`board a.zip b.zip` is about these two."""
    only = {sha_of("s001.zip"), sha_of("s003.zip")}
    made = board(store, BoardOptions(preset="light", only=only))
    assert [row.name for row in made.rows] == ["s003.zip", "s001.zip"]


def test_nobody_is_named(store: Store) -> None:
    """Else a student reads who is last."""
    teams = Teams("teams.csv", {f"s00{n}.zip": f"Team Zebra{n}" for n in range(5)})
    options = BoardOptions(
        preset="light", teams=teams, anonymous=True, command="local-eval board s001.zip"
    )
    made = board(store, options)
    for told in (made.to_json(), to_page(made)):
        for secret in ("s00", "Zebra", "weights.h5", sha_of("s001.zip")[:8]):
            assert secret not in told
    before = {row.score.text: (row.name, row.team) for row in made.rows if row.score}
    answer(store, world(200), "late.zip", 0.9)
    known_again = board(store, options)
    for row in known_again.rows:
        if row.score:
            assert before[row.score.text] == (row.name, row.team), "letters stay"
    assert len({row.name for row in known_again.rows}) == 6


def test_teams(store: Store) -> None:
    """Each team is shown by its best; who is in no team, and what is nobody's zip, is told."""
    teams = Teams(
        "teams.csv", {"s000": "Red", "s004.zip": "Red", "s002.zip": "Blue", "x.zip": "Red"}
    )
    made = board(store, BoardOptions(preset="light", teams=teams))
    best = [(row.team, row.name, count) for row, count, _ in made.best_of_teams()]
    assert best == [("Red", "s004.zip", 2), ("Blue", "s002.zip", 1)]
    said = " ".join(made.notes)
    assert "x.zip" in said
    assert "2 submissions without a team" in said
    assert teams.of(Submission(1, "a" * 64, "s000.zip", "", "", "")) == "Red"


def test_a_name_twice_and_a_report(tmp_path: Path) -> None:
    """Two zips of one name are told apart; a row leads to the submission's own page."""
    with Store.open(tmp_path / "store.sqlite") as store:
        answer(store, world(50), "a.zip", 0.9, path=str(tmp_path / "a.zip"))
        answer(store, world(50), "b.zip", 0.8, path=str(tmp_path / "elsewhere" / "b.zip"))
        store.add_submission(sha_of("b.zip"), "a.zip", tmp_path / "elsewhere" / "a.zip")
        (tmp_path / "a.html").write_text("page")
        rows = board(store, LIGHT).rows
        assert {row.name for row in rows} == {
            f"a.zip ({sha_of(n)[:8]})" for n in ("a.zip", "b.zip")
        }
        assert {Path(row.report).name for row in rows} == {"a.html", ""}
        known(store, "a.zip", 0.9)
        folder = tmp_path / "pages"
        assert 'href="../a.html"' in to_page(board(store, LIGHT), folder)
