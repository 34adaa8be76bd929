"""The study of the estimate: what it draws, what it counts, and that our intervals cover."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from bench import estimate as command
from bench import estimation_tuning as tuning
from bench.estimation_extras import measured, rounded, shared
from bench.estimation_oracle import Oracle
from bench.estimation_pairs import coverage, read_pairs
from bench.estimation_rivals import GRIDS, TUNED, Line, Validation
from bench.estimation_study import SEED, Forecast, Summary, known, ours
from bench.estimation_synthetic import KINDS, Composed
from bench.estimation_worlds import HIDDEN_IMAGES, PAST, Scenario, mixtures, read_matrix, scenarios
from evaluator.estimate.estimate import STRENGTHS

NOWHERE = Path("no such file")
COMPOSED = {scenario.name: scenario for scenario in scenarios(NOWHERE)}
KINDS_IN_FILE = ("gaussian_noise", "fog", "contrast", "glass_blur", "snow", "pixelate")


@pytest.fixture(name="matrix")
def _matrix(tmp_path: Path) -> Path:
    """A file in the format of the CIFAR-10-C matrix: 14 models, 6 corruptions."""
    rng = np.random.default_rng(0)
    kinds = [kind for kind in KINDS_IN_FILE for _ in range(5)]
    rows: list[list[object]] = [["", *kinds], ["", *([1, 2, 3, 4, 5] * len(KINDS_IN_FILE))]]
    rows += [[f"m{i}", *rng.uniform(0.4, 0.9, len(kinds))] for i in range(PAST + 2)]
    path = tmp_path / "matrix.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_mixtures_follow_the_protocol() -> None:
    """Else the study answers another question than it says."""
    drawn = mixtures(np.random.default_rng(0), 40, 4000)
    sizes = (drawn > 0).sum(1)
    assert drawn.sum(1) == pytest.approx(1)
    assert set(sizes) == set(range(5, 16))
    assert (drawn > 0).mean(0) == pytest.approx(0.25, abs=0.04)


def test_disjoint_means_disjoint(matrix: Path) -> None:
    """Else hidden corruptions leak into the library, and the figure is too good."""
    table = read_matrix(matrix)
    for index in range(20):
        pool = table.disjoint(np.random.default_rng(index))
        inside = {condition.name.split(":")[0] for condition in pool.conditions}
        assert len(inside) == 4
        columns = {tuple(column) for column in pool.library.T}
        hidden = {tuple(column) for column in pool.candidates.T}
        assert len(hidden) == 10
        assert not columns & hidden


def test_composed_worlds_hide_what_they_say() -> None:
    """Else 'disjoint' chains are made of known corruptions, or 'no recipes' has some."""
    rng = np.random.default_rng(1)
    conditions, library, hidden = Composed(disjoint=True).draw(rng)
    kinds = {
        step.split(":")[0]
        for condition in conditions
        if not condition.clean
        for step in condition.name.split("+")
    }
    assert len(kinds) == KINDS * 2 // 3
    assert library.shape[1] == len(conditions)
    assert ((hidden > 0) & (hidden < 1)).all()
    assert not any(condition.composite for condition in Composed(recipes=0).draw(rng)[0])


def test_trials_repeat_and_differ_from_the_tuning_ones() -> None:
    """Else figures cannot be repeated, or are tuned on themselves."""
    assert SEED != tuning.SEED
    scenario = COMPOSED["composed"]
    one, again = (list(scenario.trials(2, SEED)) for _ in range(2))
    assert (one[1].scores == again[1].scores).all()
    assert not (one[0].scores == next(iter(scenario.trials(1, tuning.SEED))).scores).any()


def test_what_is_shipped_was_among_the_choices() -> None:
    """Else the shipped strengths, or a rival's, come from nowhere."""
    assert any(np.array_equal(g.values, STRENGTHS.values) for g in tuning.grids())
    for name, rival in TUNED.items():
        assert rival in GRIDS[name]


def test_summary_counts() -> None:
    """Else error, coverage and width in the tables are wrong."""
    found = Summary.of([Forecast(0.5, 0.6, 0.7, 0.65), Forecast(0.5, 0.6, 0.9, 0.45)])
    assert (found.error, found.coverage, found.width) == pytest.approx((10, 0.5, 30))
    assert found.error_sd == pytest.approx(5 / 2**0.5)


def test_an_offset_rival_learns_an_offset() -> None:
    """Else the rival loses for being broken."""
    trial = next(iter(COMPOSED["composed"].trials(1, 5)))
    means = np.clip(trial.library.mean(1), 0.01, 0.99)
    flat = np.repeat(means[:, None], len(trial.conditions), axis=1)
    moved = type(trial)(
        trial.conditions, flat, trial.candidates, trial.truth, expit(logit(means) - 1)
    )
    found = Line((1.2,), (0.0,), (0.05,)).predict(moved, PAST)
    assert found.quantile(0.5) == pytest.approx(logit(means[-1]) - 1, abs=0.05)


def test_validation_alone_needs_a_clean_condition(matrix: Path) -> None:
    """Else a rival is shown where it does not exist."""
    table = read_matrix(matrix)
    trial = next(iter(Scenario("x", table.inside).trials(1, 0)))
    assert Validation(1.0, 1.0).predict(trial, 3) is None
    assert Validation(1.0, 1.0).predict(next(iter(COMPOSED["composed"].trials(1, 0))), 3)


@pytest.mark.parametrize("name", TUNED)
def test_rivals_cover_and_improve_or_say_so(name: str) -> None:
    """Else a rival loses by its interval's arithmetic, not by its idea."""
    trials = list(COMPOSED["composed"].trials(25, 11))
    hits = []
    for trial in trials:
        seen = TUNED[name].predict(trial, 6)
        assert seen is not None
        low, high = expit(seen.quantile(0.05)), expit(seen.quantile(0.95))
        hits.append(low <= trial.scores[-1] <= high)
    assert np.mean(hits) > 0.5


def test_the_oracle_is_the_floor() -> None:
    """Else the floor shown is none."""
    trials = list(COMPOSED["composed"].trials(25, 12))
    oracle = Oracle.over(trials[0].candidates.shape[1], 1, 5000)
    errors = {"oracle": 0.0, "ours": 0.0, "sampling": 0.0}
    for trial in trials:
        actual = trial.scores[-1]
        first, _, last = oracle.guesses(trial, (0, 3, 6))
        assert first.drawn == pytest.approx(5000)
        assert last.drawn < first.drawn
        errors["oracle"] += abs(last.median - actual)
        errors["ours"] += abs(ours(trial, 6).median - actual)
        errors["sampling"] += abs(known(trial).median - actual)
    assert errors["sampling"] < errors["oracle"] < errors["ours"]


@pytest.mark.slow
def test_our_intervals_cover_on_other_seeds() -> None:
    """Else 90 % is a word: not the study's trials, but the same law."""
    trials = list(COMPOSED["composed"].trials(60, 13))
    for past in (0, 3, 6):
        found = Summary.of([ours(trial, past) for trial in trials])
        assert 0.8 <= found.coverage <= 1


def test_measured_rounds_are_nested_and_converge() -> None:
    """Else the stopping rule is tested on rounds that forget what they saw."""
    trial = next(iter(COMPOSED["composed"].trials(1, 3)))
    rounds = list(measured(trial, np.random.default_rng(0)))
    for (few, before), (many, after) in pairwise(rounds):
        gained = after.library * many - before.library * few
        assert (gained > -1e-6).all()
        assert (gained < many - few + 1e-6).all()
    assert np.abs(rounds[-1][1].library - trial.library).max() < 0.1


def test_shared_images_make_scores_rise_and_fall_together() -> None:
    """Else the row 'models err on the same images' is the protocol again."""
    trial = next(iter(COMPOSED["composed"].trials(1, 3)))
    rng = np.random.default_rng(0)
    errors = np.array([shared(trial, rng).scores - trial.truth for _ in range(200)])
    between = np.corrcoef(errors.T)[~np.eye(PAST + 1, dtype=bool)]
    assert 0.15 < between.mean() < 0.5
    spread = np.sqrt(trial.truth * (1 - trial.truth) / HIDDEN_IMAGES)
    assert errors.std(0) == pytest.approx(spread, rel=0.25)
    assert rounded(trial).scores * 100 == pytest.approx(np.round(trial.scores * 100))


def test_pairs_leave_a_whole_team_out(tmp_path: Path) -> None:
    """Else a team's own other models vouch for it."""
    path = tmp_path / "pairs.csv"
    rows = ["team,model,val_acc,bench_acc,codabench_acc,phase,note"]
    rows += [f"{team},m{i},0.9,,{0.8 + 0.001 * i},dev," for team in "abcd" for i in range(5)]
    rows += ["odd,m,0.9,,0.2,dev,", "odd,n,0.9,,<0.5,dev,", "odd,o,0.9,,0.21,dev,"]
    path.write_text("\n".join(rows), encoding="utf-8")
    pairs = read_pairs(path, "val_acc")
    assert len(pairs) == 22
    found = coverage(pairs, "val_acc")
    assert found.teams == 5
    assert found.covered == pytest.approx(20 / 22)
    assert found.by_team == pytest.approx(0.8)
    assert not found.may_ship(1.0)


def test_the_command_runs_without_the_shared_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else only we can repeat the study."""
    path = tmp_path / "found.json"
    options = ["--trials", "1", "--json", str(path), "--matrix", str(NOWHERE), "--pairs", "none"]
    assert command.main(options) in (0, 1)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [study["scenario"] for study in found["studies"]] == list(COMPOSED)
    for study in found["studies"]:
        assert set(study["methods"]) >= {*TUNED, "ours", "floor: oracle"}
        assert all(len(row) == PAST + 1 for row in study["methods"].values())
    assert "CIFAR-10-C's matrix is not there" in capsys.readouterr().out
