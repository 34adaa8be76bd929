"""Evaluations with a store where something is odd: past zips, options, late failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evaluator.store.file
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import DataError, Dataset, split
from corruptions.presets import FORMER
from evaluator import EvaluationError, local_eval
from evaluator.comparison.compare import stored_answers
from evaluator.estimate.estimate import Estimator
from evaluator.estimate.inputs import PastScore
from evaluator.options import NO_STORE, Options
from evaluator.report.page import to_page
from evaluator.store.leaderboard import class_scores
from evaluator.store.store import Store, StoreError, find_store
from submission.archive import sha256_of
from tests.evaluator.corner import DATA, SOURCE, marked, recorded, submission
from tests.evaluator.stores import counts

QUICK: dict[str, Any] = {"corrupt": "fog:3", "estimate": False}
COUNTING = SOURCE.replace("def predict", "n = 0\n    def predict").replace(
    "        corner",
    "        Model.n += len(X)\n        if Model.n > {most}: raise ValueError('enough')\n        corner",
    1,
)

BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"images": 0}, "images: expected a whole number from 1, received 0"),
    ({"images": 20.0}, "images: expected a whole number"),
    ({"images": True}, "images: expected a whole number"),
    ({"seed": -1}, "seed: expected a whole number from 0, received -1"),
    ({"seed": None}, "seed: expected a whole number"),
    ({"block": 0}, "block: expected a whole number from 1"),
    ({"memory_bytes": -1}, "memory_bytes: expected"),
    ({"hidden_images": 0}, "hidden_images: expected"),
    ({"tolerance": 5}, "tolerance: expected 0 to 1, received 5"),
    ({"tolerance": "a"}, "tolerance: expected 0 to 1"),
    ({"seconds": 0}, "seconds: expected a number above 0, received 0"),
    ({"seconds": float("nan")}, "seconds: expected a number above 0"),
    ({"device": "cuda"}, "device: expected cpu or gpu"),
    ({"trained_on": "fog"}, "trained_on: expected a tuple"),
    ({"phase": None}, "phase: expected a name"),
    ({"phase": ""}, "phase"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_a_meaningless_option_is_refused(options: dict[str, Any], message: str) -> None:
    """Else it would end in a traceback after minutes, or in figures of nothing."""
    with pytest.raises(ValueError, match=message):  # both kinds of error are ValueErrors
        Options(**options)


def test_options_take_what_numpy_and_pathlib_give() -> None:
    """Else a seed out of an array, or a path, would be refused or break the JSON."""
    made = Options(seed=np.int64(3), images=np.int32(5), store=Path("a"))  # type: ignore[arg-type]  # what users pass
    assert (made.seed, made.images, made.store) == (3, 5, "a")
    assert type(made.seed) is type(made.images) is int
    assert Options(phase="Final phase") == Options(phase="final phase")


def test_a_past_submission_is_not_asked_everything(tmp_path: Path) -> None:
    """Else one past zip would cost ten times as much as the new one."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    report = local_eval(new, DATA, corrupt="fog:3")
    assert [line.name for line in report.past] == ["side24.zip"]
    with Store.open(find_store()) as store:
        asked = {
            s.name: sum(counts(store, store.runs(s.sha256)[0]).values())
            for s in store.submissions()
        }
    assert asked["side24.zip"] <= asked["side8.zip"] <= 20 * len(DATA)


def test_a_past_submission_with_a_broken_split_is_left_out(tmp_path: Path) -> None:
    """Else another submission's file would stop this one's evaluation."""
    (tmp_path / "old").mkdir()
    old, new = submission(tmp_path / "old", 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    (tmp_path / "old" / "split.json").write_text("{")
    report = local_eval(new, DATA, corrupt="fog:3")
    assert report.scores is not None
    assert report.past == ()
    assert any("side24.zip" in note and "is not used" in note for note in report.source.notes)


def test_a_past_submission_that_learnt_all_images_is_left_out(tmp_path: Path) -> None:
    """Else there would be nothing to ask it, and no report."""
    whole = marked(200)
    parts = split(whole, seed=0)
    (tmp_path / "old").mkdir()
    old, new = submission(tmp_path / "old", 24), submission(tmp_path, 8)
    parts.save(tmp_path / "old" / "split.json")
    recorded(old, 0.55)
    report = local_eval(new, parts.train, corrupt="fog:3")
    assert report.scores is not None
    assert any("side24.zip" in note and "is not used" in note for note in report.source.notes)


def test_a_past_submission_without_a_split_is_named(tmp_path: Path) -> None:
    """Else its figures on images that it has learnt would bend the estimate without a word."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    said = "No split is known of side24.zip"
    assert said in "\n".join(local_eval(new, DATA, corrupt="fog:3").source.notes)
    split(DATA, seed=0).save(tmp_path / "split.json")
    assert said not in "\n".join(local_eval(new, DATA, corrupt="fog:3").source.notes)


def test_scores_by_name_alone_are_named(tmp_path: Path) -> None:
    """Else the user would believe that they sharpen the estimate."""
    with Store.open(find_store()) as store:
        store.record_score(store.add_submission("", "our first try"), 0.7, 2)
    report = local_eval(submission(tmp_path), DATA, corrupt="fog:3")
    assert any("our first try" in note for note in report.source.notes)


def test_a_read_only_store_asks_no_past_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every look would ask it again, for answers that cannot be kept."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    monkeypatch.setattr(evaluator.store.file, "may_write", lambda _: False)
    report = local_eval(new, DATA, corrupt="fog:3")
    assert report.scores is not None
    assert any("may only be read" in n and "side24.zip" in n for n in report.source.notes)


def test_past_figures_are_of_the_shown_preset_or_missing(tmp_path: Path) -> None:
    """Else the plot would show the library's mean as the benchmark's."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    shown = "fog:3+shot_noise:2"  # no condition of the library
    report = local_eval(new, DATA, corrupt=shown)
    assert [line.benchmark for line in report.past] == [None]
    assert "No benchmark figure of side24.zip" in to_page(report)
    assert report.figure("scatter") is not None
    of_its_own = local_eval(old, DATA, corrupt=shown).scores
    line = local_eval(new, DATA, corrupt=shown).past[0]
    assert of_its_own is not None
    assert line.benchmark is not None
    assert line.benchmark.value == pytest.approx(of_its_own.benchmark.accuracy.value, abs=0.001)


def test_a_failed_submission_predicts_nothing(tmp_path: Path) -> None:
    """Else the history would hold a forecast for a zip that gets no score."""
    path = submission(tmp_path, 8, COUNTING.replace("{most}", str(20 * len(DATA))))
    report = local_eval(path, DATA, tolerance=0.0)
    assert report.scores is None
    assert report.asked > 10 * len(DATA)
    with Store.open(find_store()) as store:
        assert [row.prediction for row in store.history()] == [None]


def test_a_forecast_that_cannot_be_kept_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a full disk would cost the finished report."""

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "record_prediction", full)
    report = local_eval(submission(tmp_path), DATA, corrupt="fog:3")
    assert report.scores is not None
    assert "The expected score could not be kept: the disk is full" in report.source.notes


def test_a_time_limit_on_stored_answers_is_said(tmp_path: Path) -> None:
    """Else a limit that nothing was held against would look kept."""
    path = submission(tmp_path)
    local_eval(path, DATA, **QUICK)
    again = local_eval(path, DATA, **QUICK, seconds=60)
    assert f"tested on 0 of {2 * len(DATA)} answers" in "\n".join(again.source.notes)
    fresh = local_eval(path, DATA, **QUICK, seconds=60, store=NO_STORE)
    assert "was tested on" not in "\n".join(fresh.source.notes)


def test_everything_is_every_condition_of_the_preset(tmp_path: Path) -> None:
    """Else `--full` would show a sample of the benchmark."""
    report = local_eval(submission(tmp_path), DATA, corrupt="heavy", full=True, estimate=False)
    assert report.sheet is not None
    assert len(report.sheet.questions.rows) == len(DATA) * len(report.sheet.benchmark.conditions)


def test_labels_of_another_challenge_are_refused(tmp_path: Path) -> None:
    """Else every image of a class that is not there would count as wrong."""
    strange = Dataset(DATA.images, DATA.labels + 8, DATA.ids)
    with pytest.raises(DataError, match="expected labels from 0 to 7"):
        local_eval(submission(tmp_path), strange, **QUICK)


def test_a_misspelt_training_is_told_before_anything_runs(tmp_path: Path) -> None:
    """Else minutes would pass until a slip of the finger is told."""
    broken = submission(tmp_path, source="raise ValueError('was run')")
    with pytest.raises(EvaluationError, match="frog"):
        local_eval(broken, DATA, **QUICK, trained_on=("frog",))


def test_stored_answers_of_other_presets_do_not_count(tmp_path: Path) -> None:
    """Else submissions without an answer under the preset would be voted on."""
    paths = [submission(tmp_path, side) for side in (24, 12)]
    for path in paths:
        local_eval(path, DATA, corrupt="fog:3", estimate=False)
    with pytest.raises(EvaluationError, match="no image is answered by all 2"):
        stored_answers(paths, DATA, Options(corrupt="frost:3"))


def test_class_scores_reach_the_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else recalls that were recorded would be shown, and never used."""
    seen: list[PastScore] = []

    class Watched(Estimator):
        def __init__(self, library: Any, past: Any, target: Any, beliefs: Any) -> None:
            seen.extend(past)
            super().__init__(library, past, target, beliefs)

    monkeypatch.setattr("evaluator.expectation.Estimator", Watched)
    names = load_challenge().label_names
    recalls = {name: f"0.{90 - place}" for place, name in enumerate(names)}
    for side, known in ((24, recalls), (20, {"cat": "0.9", "dog": "0.8"})):
        path = submission(tmp_path, side)
        with Store.open(find_store()) as store:
            own = store.add_submission(sha256_of(path), path.name, path)
            classes = class_scores(list(known.items()), "recall")
            store.record_score(own, 0.6, 2, mine=False, class_scores=classes)
    made = local_eval(submission(tmp_path, 8), DATA, corrupt="fog:3").estimate
    assert made is not None
    assert (made.past, made.best) == (2, None)
    first, second = seen  # recalls of other classes are of another challenge
    assert [one.value for one in first.classes] == [float(text) for text in recalls.values()]
    assert {one.decimals for one in first.classes} == {2}
    assert sum(one.share for one in first.classes) == pytest.approx(1)
    whole, parts = first.figures, [one.figures for one in first.classes]
    assert whole.images is not None
    clean = [(one.accuracies[0], one.images[0]) for one in parts if one.images]
    assert sum(n for _, n in clean) == whole.images[0]
    right = sum(share * n for share, n in clean)
    assert right == pytest.approx(whole.accuracies[0] * whole.images[0])
    assert second.classes == ()


def test_unrounded_scores_say_how_many_hidden_images_there_are(tmp_path: Path) -> None:
    """Else a score with all its decimals ends the estimate, or the card says that nobody said."""
    path = submission(tmp_path)
    with Store.open(find_store()) as store:
        own = store.add_submission(sha256_of(path), path.name, path)
        other = store.add_submission("", "a colleague's, by name only")
        for right in (2139, 2005):
            store.record_score(other, right / 2392, 16, mine=False)
        store.record_score(own, 1801 / 2392, 16)
    found = local_eval(submission(tmp_path, 8), DATA).estimate
    assert found is not None
    assert found.past == 1
    assert "2,392 images, or a multiple of that, by 3 unrounded scores" in found.assumed[0]
    with Store.open(find_store()) as store:
        store.record_score(other, 0.75, 2, hidden_images=3000)
    again = local_eval(submission(tmp_path, 8), DATA).estimate
    assert again is not None
    assert not any("hidden set has" in sentence for sentence in again.assumed)


def test_answers_to_the_former_library_are_said_to_be_of_it(tmp_path: Path) -> None:
    """Else a past score stops counting after an update, and nobody knows why."""
    old = submission(tmp_path, 24)
    local_eval(old, DATA, corrupt=FORMER, estimate=False, full=True)
    recorded(old, 0.55)
    old.unlink()
    notes = local_eval(submission(tmp_path, 8), DATA, corrupt="fog:3").source.notes
    said = (
        "its answers are for the older conditions estimate-v1, not for estimate-v2, and its zip "
        "cannot be found"
    )
    assert any(said in note for note in notes)
