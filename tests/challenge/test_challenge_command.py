"""`codabench-challenge`: exit codes, what is printed, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codabench_rehearsal.commands.codabench_challenge import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.bundles import Draft


def test_check_of_a_sound_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script that uploads after a check never does."""
    source = Draft().as_zip(tmp_path / "bundle.zip")
    assert main(["check", str(source)]) == Exit.FINE
    said = capsys.readouterr().out
    assert said == f"{source}: nothing wrong found; the site would take it, as far as is known\n"


def test_check_of_a_bundle_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the organiser reads neither what is wrong nor what to do."""
    draft = Draft()
    draft.yaml.pop("title")
    draft.yaml["tasks"][0]["public_data"] = "kit"
    source = draft.as_zip(tmp_path / "bundle.zip")
    assert main(["check", str(source), "--json", "-"]) == Exit.FINDINGS
    first, second = json.loads(capsys.readouterr().out)["findings"]
    assert (first["code"], first["severity"]) == ("B104", "error")
    assert (second["code"], second["severity"]) == ("B106", "warning")
    assert main(["check", str(source)]) == Exit.FINDINGS
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "error    B104  title is missing"
    assert said[1].strip() == first["advice"]
    assert said[-1].endswith(
        "1 error, 1 warning: the site would refuse it, or fail every submission"
    )


@pytest.mark.parametrize("words", [["check"], ["check", "none.zip"], ["show", "none.zip"]])
def test_no_bundle_is_a_mistake_of_use(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else a slip of the hand is taken for a bad bundle."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == Exit.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["wrong"], ["show"]])
def test_no_command_is_a_mistake_of_use(words: list[str]) -> None:
    """Else a typing mistake ends as if all were well."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == Exit.USAGE


def test_the_checks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Else nobody knows what is looked for."""
    assert main(["check", "--list-checks"]) == Exit.FINE
    assert "B140 error    no metadata" in capsys.readouterr().out


def test_show_says_what_a_submission_must_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a participant learns it from failed uploads."""
    draft = Draft()
    for name in [name for name in draft.files if name.startswith("reference_data/final")]:
        del draft.files[name]
    source = draft.as_zip(tmp_path / "bundle.zip")
    assert main(["show", str(source)]) == Exit.FINE
    said = capsys.readouterr().out
    for line in (
        "a zip with model.py that defines Model (ingestion.py:4)",
        "called as Model() (ingestion.py:7)",
        "then called: fit(",
        "0 Development: 2026-01-01 00:00:00 to 2026-02-01 12:00:00; 600 s a program, 5 submissions",
        "accuracy (Accuracy): largest first, 2 decimals",
        "reference_data (reference_data/final) not in the bundle",
        "codalab/codalab-legacy:py312",
    ):
        assert line in said
    assert len(said.splitlines()) < 24


def test_show_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else other programs cannot read it."""
    source = Draft().as_folder(tmp_path / "bundle")
    assert main(["show", str(source), "--json", "-"]) == Exit.FINE
    found = json.loads(capsys.readouterr().out)
    taken = {"module": "model", "name": "Model", "place": "ingestion.py:4"}
    assert found["submission"][0]["imports"][0] == taken
    assert [column["key"] for column in found["columns"]] == ["accuracy", "loss_of_it"]
    assert found["tasks"][0]["inside"]["input_data"] == {"files": 2, "bytes": 350}


def test_show_of_results_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a participant writes code where predictions are wanted."""
    draft = Draft()
    for task in draft.yaml["tasks"]:
        task.pop("ingestion_program")
    assert main(["show", str(draft.as_zip(tmp_path / "b.zip"))]) == Exit.FINE
    assert "submission  predictions" in capsys.readouterr().out
