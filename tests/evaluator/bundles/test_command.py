"""`local-eval ZIP --challenge BUNDLE` as it is typed, and the same in a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.commands.local_eval import main
from evaluator.store.store import Store
from tests.challenge.worker.bundles import of_letters, zipped
from tests.evaluator.bundles.made import MODEL, bundle_zip
from tests.sandbox.children import linux_only

pytestmark = linux_only


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle's zip with images, in the working folder; a submission beside it."""
    monkeypatch.chdir(tmp_path)
    zipped(tmp_path, {"model.py": MODEL})
    return bundle_zip(tmp_path)


def test_the_command(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Three words: the clean score, then how far it falls; page and JSON hold the same."""
    words = ["--phase", "0", "--corrupt", "fog:5", "--html", "r.html", "--json", "r.json"]
    assert main(["submission.zip", "--challenge", source, *words, "--logs", "kept"]) == 0
    out = capsys.readouterr().out
    assert "submission.zip: Finished, accuracy" in out
    assert "fog:5" in out
    found = json.loads(Path("r.json").read_text())
    assert found["conditions"][0]["status"] == "Finished"
    assert "fog:5" in Path("r.html").read_text()
    assert list(Path("kept").rglob("ingestion.log"))


def test_predictions_keep_the_name_that_the_user_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the report and the store speak of a zip that nobody made and that is gone."""
    monkeypatch.chdir(tmp_path)
    draft = of_letters()
    for task in draft.yaml["tasks"]:
        task.pop("ingestion_program")
        task.pop("input_data", None)
    bundle = str(draft.as_zip(tmp_path / "bundle.zip"))
    Path("answers.txt").write_text("ABxx")
    words = ["--challenge", bundle, "--phase", "0", "--store", "s.sqlite", "--json", "r.json"]
    assert main(["answers.txt", *words]) == 0
    assert "answers.txt: Finished" in capsys.readouterr().out
    assert json.loads(Path("r.json").read_text())["submission"]["path"] == "answers.txt"
    with Store.open("s.sqlite") as store:
        assert [one.path for one in store.submissions()] == [str(Path("answers.txt").absolute())]


@pytest.mark.usefixtures("source")
def test_a_bundle_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Else who mistypes its name is asked for images that the challenge does not take."""
    assert main(["submission.zip", "--challenge", "other.zip"]) == 2
    assert "other.zip: no such file. Expected a bundle" in capsys.readouterr().err


def test_a_failure_ends_with_one(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read the exit code: what the platform would fail is no success here."""
    zipped(Path(), {"model.py": "1/0\n"}).rename("bad.zip")
    assert main(["bad.zip", "--challenge", source, "--phase", "0", "--store", "none"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data", "cells.npz"], "--data does not go with --challenge BUNDLE"),
        (["--images", "10"], "--images does not go with --challenge BUNDLE"),
        (["--column", "auc"], "--column auc: expected one of"),
        (["--phase", "9"], "expected a phase of"),
    ],
)
def test_options_of_the_other_kind(
    words: list[str], says: str, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that would be passed over in silence is refused, with the reason."""
    assert main(["submission.zip", "--challenge", source, *words]) == 2
    assert says in capsys.readouterr().err
    assert main(["submission.zip", "--budget", "5"]) == 2
    assert "--budget goes with --challenge BUNDLE" in capsys.readouterr().err


def test_in_a_notebook(source: str) -> None:
    """The same in a line of Python."""
    report = rehearsal.local_eval_in_bundle("submission.zip", source, "0", corrupt="fog:5")
    assert report.clean.status == "Finished"
    assert [one.name for one in report.conditions] == ["fog:5"]
    with pytest.raises(rehearsal.UserError, match="unknown option"):
        rehearsal.local_eval_in_bundle("submission.zip", source, nonsense=1)
