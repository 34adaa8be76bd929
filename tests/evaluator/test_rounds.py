"""Evaluations with a store: nothing is asked twice, nothing is lost, past scores are used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset, split
from corruptions.presets import LIBRARY, resolve
from evaluator import EvaluationError, Report, local_eval
from evaluator.comparison.compare import answered, stored_answers
from evaluator.options import NO_STORE, Options
from evaluator.report.expected import headline
from evaluator.store.store import Store, find_store
from tests.evaluator.corner import DATA, SOURCE, recorded, submission
from tests.evaluator.stores import counts

CHALLENGE = load_challenge()


def figures(report: Report) -> dict[str, Any]:
    """The report's figures, without what a clock or a store changes."""
    document = json.loads(report.to_json())
    for key in ("timing", "peak_memory_bytes", "versions", "limits", "asked", "order_seed"):
        document.pop(key)
    document["data"].pop("notes")
    return dict(document)


def test_a_finished_evaluation_is_not_repeated(tmp_path: Path) -> None:
    """Else every look at the figures would cost the whole run again."""
    path = submission(tmp_path)
    first, second = (local_eval(path, DATA, corrupt="heavy") for _ in range(2))
    assert first.asked > 0
    assert second.asked == second.blocks == 0
    assert second.peak_memory_bytes == 0
    assert figures(first) == figures(second)
    assert "nothing was run" in " ".join(str(second).split())


def test_without_a_store_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `--store none` would leave files behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCAL_EVAL_STORE")
    path = submission(tmp_path)
    reports = [local_eval(path, DATA, corrupt="fog:3", store=NO_STORE) for _ in range(2)]
    assert [report.asked > 0 for report in reports] == [True, True]
    assert figures(reports[0]) == figures(reports[1])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_store_changes_no_figure(tmp_path: Path) -> None:
    """Else figures would depend on what was asked at other times."""
    path = submission(tmp_path)
    alone = local_eval(path, DATA, corrupt="an2dl-2024", store=NO_STORE)
    local_eval(path, DATA, corrupt="heavy", sweep=True)
    local_eval(path, DATA, corrupt="fog:3", full=True)
    after = local_eval(path, DATA, corrupt="an2dl-2024")
    assert figures(alone) == figures(after)


def test_what_depends_on_the_run_is_asked_anew(tmp_path: Path) -> None:
    """Else answers of another zip, other images or another seed would pass for this run's."""
    path = submission(tmp_path)
    first = local_eval(path, DATA, corrupt="fog:3", estimate=False)
    assert local_eval(path, DATA, corrupt="fog:3", estimate=False).asked == 0
    assert local_eval(path, DATA, corrupt="fog:4", estimate=False).asked == len(DATA)
    assert local_eval(path, DATA, corrupt="fog:3", estimate=False, seed=1).asked == first.asked
    other = Dataset(DATA.images, np.roll(DATA.labels, 1), DATA.ids)
    assert local_eval(path, other, corrupt="fog:3", estimate=False).asked == first.asked
    changed = submission(tmp_path, 20)
    assert local_eval(changed, DATA, corrupt="fog:3", estimate=False).asked == first.asked


def test_a_failure_keeps_the_answers_before_it(tmp_path: Path) -> None:
    """Else a crash in the last block would cost all blocks."""
    source = SOURCE.replace("def predict", "calls = 0\n    def predict").replace(
        "        corner",
        "        Model.calls += 1\n        if Model.calls > 2: raise ValueError('enough')\n        corner",
    )
    path = submission(tmp_path, source=source)
    failed = local_eval(path, DATA, corrupt="fog:3", estimate=False, block=50)
    assert failed.scores is None
    assert failed.asked == 100
    again = local_eval(path, DATA, corrupt="fog:3", estimate=False, block=300)
    assert again.scores is not None
    assert again.asked == 2 * len(DATA) - 100


KILLED = """
import sys
from pathlib import Path
from evaluator import local_eval
from tests.evaluator.corner import DATA
local_eval(Path(sys.argv[1]), DATA, corrupt="heavy", block=100)
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """Else a closed laptop would cost the evening."""
    slow = SOURCE.replace("        corner", "        import time; time.sleep(0.15)\n        corner")
    path = submission(tmp_path, source=slow)
    words = [sys.executable, "-c", KILLED, str(path)]
    running = subprocess.Popen(words, cwd=Path(__file__).parents[2])
    store, stored = find_store(), 0
    deadline = time.monotonic() + 60
    while stored < 200 and time.monotonic() < deadline:
        time.sleep(0.05)
        stored = _answers(store) if store.exists() else 0
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = _answers(store)
    assert kept >= 200
    resumed = local_eval(path, DATA, corrupt="heavy")
    untouched = local_eval(path, DATA, corrupt="heavy", store=NO_STORE, block=1000)
    assert resumed.asked == untouched.asked - kept
    assert figures(resumed) == figures(untouched)


def _answers(path: Path) -> int:
    with Store.open(path) as store:
        return sum(
            count
            for found in store.submissions()
            for run in store.runs(found.sha256)
            for count in counts(store, run).values()
        )


def test_past_scores_make_the_estimate(tmp_path: Path) -> None:
    """Else the interval would stay as wide as on the first day."""
    report = local_eval(submission(tmp_path, 16), DATA, believe="nothing")
    assert report.estimate is not None
    assert report.estimate.regime == "uncalibrated"
    for side in (24, 12, 8, 4):
        path = submission(tmp_path, side)
        past = local_eval(path, DATA, estimate=False).scores
        assert past is not None
        recorded(path, round(past.benchmark.accuracy.value, 2))
    after = local_eval(tmp_path / "side16.zip", DATA, believe="nothing")
    assert after.estimate is not None
    assert after.estimate.past == len(after.past) == 4
    assert after.estimate.regime == "calibrated"
    widths = [made.high - made.low for made in (after.estimate, report.estimate)]
    assert widths[0] < widths[1] / 2
    assert "from 4 past scores" in headline(after.estimate)
    assert "Expected hidden score" in str(after)
    with Store.open(find_store()) as store:
        rows = {row.submission.name: row for row in store.history()}
    assert rows["side16.zip"].prediction is not None
    assert rows["side16.zip"].prediction.known == 4


def test_a_submission_does_not_predict_itself(tmp_path: Path) -> None:
    """Else its own score would make its estimate look right."""
    path = submission(tmp_path)
    recorded(path, 0.55)
    report = local_eval(path, DATA)
    assert report.past == ()


def test_a_past_submission_without_answers_is_asked(tmp_path: Path) -> None:
    """Else scores from before this tool was used would count for nothing."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    recorded(old, 0.55)
    report = local_eval(new, DATA)
    assert [line.name for line in report.past] == ["side24.zip"]
    assert local_eval(new, DATA).asked == 0


def test_a_past_submission_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    """Else a score would be missing from the estimate without a word."""
    gone, broken, other = (submission(tmp_path, side) for side in (24, 20, 16))
    recorded(gone, 0.5)
    gone.unlink()
    broken.write_bytes(b"")
    recorded(broken, 0.5)
    recorded(other, 0.5)
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("model.py", "class Model: ...")
    report = local_eval(submission(tmp_path, 8), DATA)
    notes = "\n".join(report.source.notes)
    for word in (
        "side24.zip",
        "cannot be found",
        "side20.zip",
        "not a readable zip",
        "another zip now",
    ):
        assert word in notes
    assert report.past == ()


def test_answers_of_trained_images_are_left_out(tmp_path: Path) -> None:
    """Else a past submission would look better than it is on images that it has learnt."""
    old, new = submission(tmp_path, 24), submission(tmp_path, 8)
    local_eval(old, DATA)  # no split yet: all images are asked
    recorded(old, 0.55)
    split(DATA, seed=0).save(tmp_path / "split.json")
    report = local_eval(new, DATA)
    held_out = len(split(DATA, seed=0).validation)
    assert [line.validation.n for line in report.past] == [held_out]


def test_a_sweep_asks_every_severity(tmp_path: Path) -> None:
    """Else the heatmap would have holes."""
    report = local_eval(submission(tmp_path), DATA, corrupt="fog:3", sweep=True, estimate=False)
    assert report.sweep is not None
    asked = {
        report.sweep.benchmark.conditions[condition].name
        for condition in report.sweep.questions.conditions
    }
    assert len(asked) == 96


def test_asking_ends_when_more_would_not_help(tmp_path: Path) -> None:
    """Else a first look would take as long as the last one."""
    path = submission(tmp_path)
    first = local_eval(path, DATA, store=NO_STORE)
    strict = local_eval(path, DATA, tolerance=0.0, store=NO_STORE)
    assert strict.asked == len(DATA) * (1 + len(resolve(LIBRARY).conditions))
    assert first.asked < strict.asked / 4
    assert first.estimate is not None
    assert strict.estimate is not None
    assert abs(first.estimate.median - strict.estimate.median) < 0.05


def test_the_library_is_asked_whatever_is_shown(tmp_path: Path) -> None:
    """Else estimates under different presets would not compare."""
    path = submission(tmp_path)
    reports = [local_eval(path, DATA, corrupt=name) for name in ("fog:3", "light")]
    assert reports[0].estimate == reports[1].estimate
    assert reports[0].estimate is not None


def test_a_benchmark_of_what_was_trained_on_is_said_to_flatter(tmp_path: Path) -> None:
    """Else a model trained on fog would be praised for standing fog."""
    path = submission(tmp_path)
    options: dict[str, Any] = {"corrupt": "fog:3", "estimate": False}
    assert "trained with" not in str(local_eval(path, DATA, **options))
    assert "trained with fog" in str(local_eval(path, DATA, trained_on=("fog",), **options))
    recipe = tmp_path / "side24.recipe.json"
    recipe.write_text('{"schema": 1, "augmentation": ["fog"]}', encoding="utf-8")
    assert "trained with fog" in str(local_eval(path, DATA, **options))


def test_several_zips_answer_the_same_questions(tmp_path: Path) -> None:
    """Else a comparison would be one of images, not of models."""
    paths = [submission(tmp_path, side) for side in (24, 12, 4)]
    sheets = answered(paths, DATA, CHALLENGE, Options(corrupt="heavy"))
    for sheet in sheets[1:]:
        assert np.array_equal(sheet.questions.rows, sheets[0].questions.rows)
        assert np.array_equal(sheet.questions.conditions, sheets[0].questions.conditions)
    assert not np.array_equal(sheets[0].labels, sheets[2].labels)
    stored = stored_answers(paths, DATA, Options(corrupt="heavy"))
    for fresh, kept in zip(sheets, stored, strict=True):
        assert len(kept.labels) == len(fresh.labels)
        assert kept.right.mean() == fresh.right.mean()


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    """Else a failing zip would end in a traceback, or in a comparison with nothing."""
    good = submission(tmp_path)
    bad = submission(tmp_path, 2, "import nothing_of_that_name")
    with pytest.raises(EvaluationError, match=r"side2\.zip cannot be compared.*nothing_of_that"):
        answered([good, bad], DATA, CHALLENGE, Options())
    with pytest.raises(EvaluationError, match="no image is answered by all 2"):
        stored_answers([good, bad], DATA, Options())


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    """Else a shared, read-only store would stop the evaluation."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    path = submission(tmp_path)
    first = local_eval(path, DATA, corrupt="fog:3", estimate=False)
    shutil.copy(find_store(), tmp_path / "kept.sqlite")
    (tmp_path / "kept.sqlite").chmod(0o400)
    again = local_eval(
        path, DATA, corrupt="fog:4", estimate=False, store=str(tmp_path / "kept.sqlite")
    )
    assert again.asked == first.asked // 2
