"""`local-eval` as a user types it, on submissions that need no TensorFlow."""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import Dataset, from_arrays, save, split, synthetic
from evaluator import EvaluationError, Report, local_eval
from submission.archive import sha256_of
from tests.sandbox.children import carrying, wait_until
from tests.submission.corpus.pictures import labelled_images

ORACLE = """
import numpy as np
class Model:
    def predict(self, X):
        return np.arange(len(X)) % 8
"""


def submission(folder: Path, source: str, extra: Mapping[str, str] | None = None) -> Path:
    """A zip of one model.py and a file that passes for weights."""
    path = folder / "submission.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"model.py": source, "w.npy": "x", **(extra or {})}.items():
            file.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def conditions() -> Dataset:
    """A few drawn cells."""
    return synthetic(48, seed=1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Dataset) -> Path:
    """Work in a folder that holds training_set.npz."""
    monkeypatch.chdir(tmp_path)
    save(conditions, tmp_path / "training_set.npz")
    return tmp_path


def test_a_page_in_a_folder_says_which_zip(here: Path) -> None:
    """Else the pages of ten zips would overwrite each other, or say neither which nor when."""
    submission(here, ORACLE).rename(here / "colours.zip")
    (here / "pages").mkdir()
    words = ["colours.zip", "--no-estimate", "--corrupt", "fog:3", "--html", "pages"]
    assert main(words) == 0
    page = (here / "pages" / "colours.html").read_text(encoding="utf-8")
    digest = sha256_of(here / "colours.zip")[:8]
    today = datetime.now().astimezone()
    assert f"<title>Dress rehearsal of colours.zip {digest} {today:%Y-}" in page
    assert "local-eval colours.zip --no-estimate" in re.sub("<[^>]+>", "", page)


def test_without_arguments_it_takes_what_is_here(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the shortest command would need arguments."""
    submission(here, ORACLE)
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"runs with {sys.executable} (Python 3.")
    assert "may have been trained on" in shown.splitlines()[1]
    assert "validation (clean)" in shown


def test_every_figure_carries_the_flag_when_no_split_is_known(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else flattering figures would be quoted without their flag."""
    submission(here, ORACLE)
    main(["--corrupt", "light"])
    shown = capsys.readouterr().out
    for title in ("benchmark 'light' †", "severity †", "by class †", "Worst conditions †"):
        assert title in shown


MISTAKES = [
    (["nothing.zip"], "nothing.zip: no such file"),
    (["--data", "nothing.npz"], "nothing.npz"),
    (["--corrupt", "hevy"], "heavy"),
    (["--corrupt", "fog:9"], "fog"),
    (["--corrupt", "fogg:3"], "fog"),
    (["--split", "nothing.json"], "nothing.json"),
    (["--challenge", "nothing"], "an2dl-2024"),
    (["--html", "nowhere/report.html"], "there is no folder"),
    (["--json", "."], "received a folder"),
    (["--trained-on", "frog"], "frog"),
    (["--phase", ""], "phase"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_a_users_mistake_is_one_line(
    here: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the user meets a traceback of ours."""
    submission(here, ORACLE)
    assert main(arguments) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard


def test_an_empty_folder_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a newcomer does not know how to begin."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main([]) == 2
    assert "no submission.zip in this folder" in capsys.readouterr().err


BROKEN = [
    ("import tensorflo\n" + ORACLE, "S601"),
    (
        "class Model:\n    def __init__(self): open('w.keras')\n    def predict(self, X): pass\n",
        "S603",
    ),
    (ORACLE.replace("np.arange(len(X)) % 8", "helper(X)"), "S605"),
    (ORACLE.replace("np.arange(len(X)) % 8", "np.eye(8)[np.arange(len(X)) % 8]"), "S606"),
    (ORACLE.replace("np.arange(len(X)) % 8", "np.full(len(X), 3)"), "S709"),
    (ORACLE.replace("return", "import os; os._exit(0); return"), "S609"),
]


@pytest.mark.parametrize(("source", "code"), BROKEN)
def test_a_broken_submission_is_a_finding(
    here: Path, source: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a submission's fault would look like ours, or pass."""
    submission(here, source)
    assert main(["--corrupt", "light", "--json", "report.json"]) == 1
    found = json.loads((here / "report.json").read_text(encoding="utf-8"))["findings"]
    assert code in {finding["code"] for finding in found}
    assert "fault of ours" not in capsys.readouterr().err


def test_a_hanging_submission_ends_at_the_limit(here: Path) -> None:
    """Else the command would never return."""
    submission(here, ORACLE.replace("return", "import time; time.sleep(99); return"))
    assert main(["--corrupt", "light", "--time-limit", "1.5", "--json", "report.json"]) == 1
    found = json.loads((here / "report.json").read_text(encoding="utf-8"))["findings"]
    assert [f["code"] for f in found if f["severity"] == "error"] == ["S607"]


def test_ctrl_c_ends_the_child_too(here: Path) -> None:
    """Else an impatient user would leave a model computing in the background."""
    mark = "hangs-" + secrets.token_hex(8)  # nothing but its command line shows outside its walls
    hang = f"import os; os.execv('/bin/sh', ['sh', '-c', 'sleep 99; : {mark}']); return"
    submission(here, ORACLE.replace("return", hang))
    command = [str(Path(sys.executable).parent / "local-eval"), "--corrupt", "light"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert wait_until(lambda: carrying(mark), seconds=30)
    run.send_signal(signal.SIGINT)
    _, heard = run.communicate(timeout=20)
    assert run.returncode == 130
    kept, said = filter(None, heard.splitlines())
    assert "the same command goes on from there" in kept
    assert said == "local-eval: interrupted"
    assert not carrying(mark)


def test_an_unsafe_name_stays_in_the_folder(here: Path) -> None:
    """Else a zip could write into the user's home, or one that is scored be refused."""
    submission(here, ORACLE, {"../../evil.py": "x"})
    assert main(["--json", "report.json"]) == 0
    found = json.loads((here / "report.json").read_text(encoding="utf-8"))
    assert "S104" in {finding["code"] for finding in found["findings"]}
    assert not list(here.parent.glob("evil.py"))


def test_what_ran_refutes_what_was_read(here: Path) -> None:
    """Else a method made at run time is an error beside its own score."""
    put = "type.__setattr__(Model, 'predict', Model.answer)\n"
    submission(here, ORACLE.replace("def predict", "def answer") + put)
    assert main(["--json", "report.json"]) == 0
    found = json.loads((here / "report.json").read_text(encoding="utf-8"))["findings"]
    [read] = [finding for finding in found if finding["code"] == "S204"]
    assert read["severity"] == "note"
    assert "it ran here" in read["message"]


BRIGHTNESS = """
import numpy as np
CENTRES = np.array([60, 85, 110, 132, 152, 172, 192, 212]) / {divisor}
class Model:
    def predict(self, X):
        means = np.asarray(X, "float64").mean(axis=(1, 2, 3))
        return {order}[np.abs(means[:, None] - CENTRES[None]).argmin(axis=1)]
"""
MISREAD = [
    ("255", "np.arange(8)", "when fed X / 255"),
    ("1", "np.arange(8)[::-1]", "renumbered 0->7, 1->6"),
    ("1", "np.arange(8)", ""),
]


@pytest.mark.parametrize(("divisor", "order", "said"), MISREAD)
def test_another_reading_is_told_each_time(here: Path, divisor: str, order: str, said: str) -> None:
    """Else a wrong scale costs every corruption's accuracy, and the second run is silent about it."""
    save(from_arrays(*labelled_images(each=14)), here / "training_set.npz")
    submission(here, BRIGHTNESS.format(divisor=divisor, order=order))
    for asked in (True, False):
        main(["--corrupt", "light", "--json", "report.json", "--no-estimate"])
        found = json.loads((here / "report.json").read_text(encoding="utf-8"))
        told = [f["message"] for f in found["findings"] if f["severity"] == "error"]
        assert len(told) == bool(said)
        assert all(said in message for message in told)
        assert bool(found["asked"]) == asked
        assert bool(found["timing"]["seconds_per_thousand"]) == asked
        assert bool(found["timing"]["start_seconds"]) == asked


def test_json_on_standard_output_is_json_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a pipe to another program would break."""
    submission(here, ORACLE)
    assert main(["--corrupt", "shot_noise:2", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == "unknown"
    assert [condition["name"] for condition in found["benchmark"]["conditions"]] == ["shot_noise:2"]


def test_the_three_lines_of_a_notebook(here: Path, conditions: Dataset) -> None:
    """Else a notebook would need the command line."""
    path = submission(here, ORACLE)
    report = local_eval(path, conditions.images, conditions.labels, corrupt="light")
    assert isinstance(report, Report)
    assert report.scores is not None
    shown = report._repr_html_()
    assert "<table>" in shown
    assert "<script" not in shown
    assert (
        json.loads(report.to_json())["validation"]["accuracy"]
        == report.scores.validation.accuracy.value
    )


def test_foreign_words_are_escaped_in_html(here: Path, conditions: Dataset) -> None:
    """Else a submission could run a script in the user's notebook."""
    path = submission(here, "raise RuntimeError('<script>alert(1)</script>')\n" + ORACLE)
    shown = local_eval(path, conditions, corrupt="light")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_an_unknown_option_is_named(here: Path, conditions: Dataset) -> None:
    """Else a typo would be ignored in silence."""
    with pytest.raises(EvaluationError, match="corupt"):
        local_eval(submission(here, ORACLE), conditions, corupt="light")


def test_the_validation_side_is_found_beside_the_zip(here: Path, conditions: Dataset) -> None:
    """Else the score would be that of learnt images."""
    path = submission(here, ORACLE)
    sides = split(conditions, 0.25, seed=0)
    sides.save(here / "submission.split.json")
    report = local_eval(path, conditions, corrupt="light")
    assert report.source.split == "validation"
    assert report.scores is not None
    assert report.scores.validation.accuracy.n == len(sides.validation)


def test_labels_never_reach_the_child(here: Path, conditions: Dataset) -> None:
    """Else a submission could read the truth."""
    spy = """
import numpy as np, pathlib, os, sys
class Model:
    def predict(self, X):
        told = open("/proc/self/environ").read().split("\\0")
        given = next(word.split("=")[1] for word in told if word.startswith("INGESTION_INPUT="))
        places = [os.getcwd(), pathlib.Path(__file__).parent, pathlib.Path(given).parent, "/app"]
        seen = [str(p) for place in places for p in pathlib.Path(place).rglob("*")]
        assert any("block" in s for s in seen), seen
        assert not any("label" in s or "training_set" in s for s in seen), seen
        assert "labels" not in str(os.environ)
        return np.arange(len(X)) % 8
"""
    report = local_eval(submission(here, spy), conditions, corrupt="light")
    assert report.scores is not None, report.findings


def test_inspect_writes_clean_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a user could not get rid of what is found."""
    data = synthetic(20, seed=2)
    images = np.concatenate([data.images, data.images[:2]])
    save(
        Dataset(images, np.concatenate([data.labels, data.labels[:2]]), np.arange(22)),
        here / "d.npz",
    )
    assert main(["inspect", "d.npz", "--out", "clean.npz"]) == 1
    assert "2 dropped" in capsys.readouterr().out
    assert main(["inspect", "clean.npz"]) == 0


def test_show_draws_a_sheet(here: Path) -> None:
    """Else nobody could see what a preset does."""
    assert main(["show", "--corrupt", "light", "--out", "sheet.png", "--images", "3"]) == 0
    assert (here / "sheet.png").read_bytes().startswith(b"\x89PNG")
