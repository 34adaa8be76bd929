"""A made challenge under the worker: its baseline's scores, bad submissions, its starting kit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.bundle import Bundle
from codabench_rehearsal.challenge.profile import Worker, load_challenge
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.challenge.worker.outcome import Ran
from codabench_rehearsal.challenge.worker.submission import NOT_ZERO, run_submission
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.console.command import Exit
from evaluator.evaluate import local_eval as rehearse
from evaluator.metrics import Tally
from tests.challenge.made_challenges import NAMES, USUAL, WORDS, contents, make, opened, profile
from tests.challenge.test_make import VARIANTS
from tests.challenge.worker.bundles import BOTH, FAILED, FINISHED, figures, log, reason, zipped
from tests.sandbox.children import at_level, linux_only
from tests.tables import thinned

pytestmark = linux_only


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a bundle with the usual options lies, and its kit unpacked."""
    folder = tmp_path_factory.mktemp("made")
    unpack(make(folder, *USUAL, *WORDS), folder)
    return folder


@pytest.fixture(scope="module")
def bundle(place: Path) -> Bundle:
    """It, as the worker has it."""
    return opened(place / "bundle.zip", place)


def unpack(made: Path, folder: Path) -> None:
    """The starting kit, as a participant unpacks it."""
    with zipfile.ZipFile(made) as file, file.open("starting_kit.zip") as kit:
        zipfile.ZipFile(kit).extractall(folder / "kit")


def ran(
    bundle: Bundle, archive: Path, worker: Worker, phase: int = 0, keep: Path | None = None
) -> Ran:
    """Run a zip through a phase."""
    machine = Machine(sys.executable)
    return run_submission(bundle, archive, bundle.phases[phase], worker, machine, keep=keep)


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("worker", BOTH)
def test_the_baselines_scores_are_the_evaluators(
    bundle: Bundle, place: Path, tmp_path: Path, worker: Worker, phase: int
) -> None:
    """Else the leaderboard and local-eval disagree about the same answers."""
    result = ran(bundle, place / "kit" / "baseline.zip", worker, phase, tmp_path / "kept")
    assert (result.status, result.message) == (FINISHED, "")
    answers = np.load(tmp_path / "kept/task-0/prediction/output/predictions.npy")
    reference = bundle.tasks[phase].reference_data
    assert reference is not None
    truth, k = np.load(reference / "labels.npy"), len(NAMES)
    assert len(answers) == len(truth) == 48
    counts = (np.bincount(one, minlength=k) for one in (truth[answers == truth], answers, truth))
    tally = Tally(*(count.astype(np.float64) for count in counts))
    assert figures(result) == {
        "accuracy": float(tally.accuracy()),
        "balanced_accuracy": float(tally.balanced_accuracy()),
        "macro_f1": float(tally.macro_f1()),
        **{f"recall_{i}": float(value) for i, value in enumerate(tally.recall())},
    }
    assert figures(result)["accuracy"] > 0.4  # no hidden label was shuffled away


def test_local_eval_on_the_hidden_images_gives_the_leaderboards_score(
    bundle: Bundle, place: Path
) -> None:
    """Else the kit's profile asks the baseline otherwise than the platform does."""
    task = bundle.tasks[1]
    assert task.input_data is not None
    assert task.reference_data is not None
    images = np.load(task.input_data / "images.npy")
    labels = np.load(task.reference_data / "labels.npy")
    how = {"corrupt": "clean", "store": "none", "estimate": False, "held_out": True}
    profile_place, archive = str(place / "kit" / "profile.toml"), place / "kit" / "baseline.zip"
    report = rehearse(archive, images, labels, challenge=profile_place, count=None, **how)
    assert report.scores is not None
    part = report.scores.validation
    assert figures(ran(bundle, archive, "2026-10", 1)) == {
        "accuracy": part.accuracy.value,
        "balanced_accuracy": part.balanced_accuracy,
        "macro_f1": part.macro_f1,
        **{f"recall_{i}": value for i, value in enumerate(part.recall)},
    }


@pytest.mark.parametrize(("level", "worker"), [("fences", BOTH[0]), ("none", BOTH[1])])
def test_it_runs_where_nothing_can_be_mounted(
    bundle: Bundle, place: Path, monkeypatch: pytest.MonkeyPatch, level: str, worker: Worker
) -> None:
    """Else it cannot be rehearsed in a container of one's own, or on a Mac."""
    expected = figures(ran(bundle, place / "kit" / "baseline.zip", worker))
    at_level(level, monkeypatch)
    result = ran(bundle, place / "kit" / "baseline.zip", worker)
    assert (result.status, figures(result)) == (FINISHED, expected)


def test_detailed_results_are_a_page(bundle: Bundle, place: Path) -> None:
    """Else participants see nothing, or a class's name breaks the page."""
    result = ran(bundle, place / "kit" / "baseline.zip", "2026-10")
    page = (result.tasks[0].detailed_results or b"").decode("utf-8")
    assert "&lt;b&gt;eosin|ophil&lt;/b&gt;" in page
    assert "<b>" not in page
    assert f"{figures(result)['macro_f1']:.4f}" in page
    assert page.count("<td>12</td>") >= len(NAMES)  # images of each class


MODEL = "import numpy as np\nclass Model:\n    def predict(self, X):\n        return {}\n"
RIGHT = {"model.py": MODEL.format("np.zeros(len(X), int)")}
LATE = {"model.py": MODEL.format("1 / 0")}
STALE = {"predictions.npy": "left over"}
# what happens -> the zip, what the scoring program's log says
BAD: dict[str, tuple[dict[str, str], str]] = {
    "crash while it is imported": (
        {"model.py": "import no_such_package\n"},
        "failed with ModuleNotFoundError: No module named 'no_such_package'",
    ),
    "crash while it predicts": (LATE, "failed with ZeroDivisionError: division by zero"),
    "crash, and answers in the zip": (LATE | STALE, "the zip holds predictions.npy"),
    "answers in the zip": (RIGHT | STALE, "the zip holds predictions.npy"),
    "leaves": ({"model.py": "import sys\nsys.exit(0)\n"}, "failed with SystemExit: 0"),
    "leaves at once": ({"model.py": "import os\nos._exit(0)\n"}, "there are no answers"),
    "no module": (
        {"sub/model.py": "x"},
        "failed with ModuleNotFoundError: No module named 'model'",
    ),
    "one label less": (
        {"model.py": MODEL.format("np.zeros(len(X) - 1, int)")},
        "expected 48 labels, one for each image, received 47",
    ),
    "one label alone": ({"model.py": MODEL.format("3")}, "expected labels of shape (48,)"),
    "scores for labels": (
        {"model.py": MODEL.format("np.ones((len(X), 4))")},
        "expected labels of shape (48,), one for each image, received (48, 4)",
    ),
    "NaN": (
        {"model.py": MODEL.format("np.where(np.arange(len(X)) == 5, np.nan, 1)")},
        "expected a finite label, received nan for image 5",
    ),
    "a half": ({"model.py": MODEL.format("np.full(len(X), 0.5)")}, "expected a whole number"),
    "no class": (
        {"model.py": MODEL.format("np.arange(len(X)) % 5")},
        "expected a label from 0 to 3, received 4 for image 4 (9 are none)",
    ),
    "words": ({"model.py": MODEL.format("['a'] * len(X)")}, "expected labels as integers"),
    "objects": ({"model.py": MODEL.format("[None] * len(X)")}, "expected labels as numbers"),
}


@pytest.mark.parametrize(
    ("name", "worker"),
    thinned(
        (name, worker)
        for at, (name, (files, _)) in enumerate(BAD.items())
        for worker in (BOTH if len(files) > 1 else BOTH[at % 2 :][:1])
    ),
)
def test_a_bad_submission_fails_and_is_told_why(
    bundle: Bundle, tmp_path: Path, name: str, worker: Worker
) -> None:
    """Else it gets a score, or its author reads "Child task failed" and no more."""
    files, said = BAD[name]
    result = ran(bundle, zipped(tmp_path, files), worker)
    assert (result.status, reason(result)) == (FAILED, NOT_ZERO)
    told = log(result, "scoring", "scoring")
    assert "not scored: " in told
    assert said in told
    assert result.scores == ()


FINE = {
    "floats": "np.zeros(len(X))",
    "a list": "[0] * len(X)",
    "a column": "np.zeros((len(X), 1), np.uint8)",
}


@pytest.mark.parametrize("name", thinned(FINE))
def test_labels_in_another_dress_are_scored(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """Else the made challenge refuses what our own profile calls fine."""
    result = ran(bundle, zipped(tmp_path, {"model.py": MODEL.format(FINE[name])}), "2026-10")
    assert result.status == FINISHED
    assert figures(result)["accuracy"] == 0.25


def test_the_log_of_ingestion_has_the_traceback(bundle: Bundle, tmp_path: Path) -> None:
    """Else nobody finds the line that broke."""
    said = log(ran(bundle, zipped(tmp_path, LATE), "2026-10"), "prediction", "ingestion")
    assert 'model.py", line 4, in predict' in said


@pytest.mark.parametrize("name", thinned(VARIANTS))
def test_every_interface_runs(tmp_path: Path, name: str) -> None:
    """Else the programs ask otherwise than the pages, the profile and the kit say."""
    made = make(tmp_path, *USUAL, *WORDS, given=profile(tmp_path, **VARIANTS[name]))
    bundle = opened(made, tmp_path)
    unpack(made, tmp_path)
    also = ("sample_submission",) if name in ("as usual", "scores of one image") else ()
    for one in ("baseline", *also):  # they are written alike
        result = ran(bundle, tmp_path / "kit" / f"{one}.zip", "2026-10")
        assert (result.status, log(result, "scoring", "scoring")[:6]) == (FINISHED, "scored"), one
        assert figures(result)["accuracy"] > 0.4, one


def test_relative_names_are_found_where_the_profile_says(tmp_path: Path) -> None:
    """Else weights that open at home are missing on the site."""
    given = profile(tmp_path, server='working_folder = "submission"')
    bundle = opened(make(tmp_path, *USUAL, *WORDS, given=given), tmp_path)
    files = {"w.txt": "0", "model.py": MODEL.format("np.full(len(X), int(open('w.txt').read()))")}
    assert ran(bundle, zipped(tmp_path, files), "2026-10").status == FINISHED


def cells_of(notebook: Path) -> str:
    """The code of a notebook's cells, one after the other."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(one["source"]) for one in found if one["cell_type"] == "code")


@pytest.mark.parametrize(
    "name", ["as usual", pytest.param("scores of one image", marks=pytest.mark.slow)]
)
def test_the_notebook_runs(tmp_path: Path, name: str) -> None:
    """Else a participant's first step ends in an error."""
    unpack(make(tmp_path, *USUAL, *WORDS, given=profile(tmp_path, **VARIANTS[name])), tmp_path)
    kit = tmp_path / "kit"
    code = cells_of(kit / "start.ipynb")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=kit,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^accuracy 0\.[4-9]", done.stdout, re.M)
    assert "error" not in done.stdout


def test_local_eval_runs_the_kits_sample(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else what the kit's README says to type does not work."""
    monkeypatch.chdir(place / "kit")
    use = ["--challenge", "profile.toml", "--data", "sample.npz", "--held-out", "--store", "none"]
    assert local_eval(["sample_submission.zip", "--corrupt", "light", *use]) == Exit.FINE
    assert "validation (clean)" in capsys.readouterr().out
    assert load_challenge("profile.toml").label_names == NAMES


def test_the_sample_is_what_the_kit_shows(place: Path) -> None:
    """Else what participants change is not what runs."""
    files = contents(place / "bundle.zip")
    sample = files["starting_kit.zip/sample_submission.zip/model.py"]
    assert files["starting_kit.zip/model.py"] == sample
