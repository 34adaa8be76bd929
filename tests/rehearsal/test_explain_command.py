"""`local-eval explain`: what a participant types after a failed upload."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.challenge.site.uploads import Upload
from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.bundles import zipped

LOG = """Traceback (most recent call last):
  File "/app/ingested_program/model.py", line 3, in <module>
    import lightgbm
ModuleNotFoundError: No module named 'lightgbm'
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs" / "prediction").mkdir(parents=True)
    (tmp_path / "logs" / "prediction" / "ingestion.log").write_text(LOG)
    (tmp_path / "logs" / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "logs.zip").write_bytes(zipped({"stderr.txt": LOG.encode()}))
    (tmp_path / "submission.zip").write_bytes(zipped({"model.py": b"import lightgbm\n"}))


@pytest.mark.parametrize("place", ["logs/prediction/ingestion.log", "logs", "logs.zip"])
def test_a_log_a_folder_and_a_zip_are_read(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The site gives files and zips: all of them are taken as they come."""
    assert main(["explain", place]) == 0
    out = capsys.readouterr().out
    assert out.startswith("the submission's own code ended with ModuleNotFoundError")
    assert "| ModuleNotFoundError: No module named 'lightgbm'" in out


def test_the_message_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pasted from the site, with the zip beside it: the command that shows it here is named."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Bad or empty zip file"))
    assert main(["explain", "-", "submission.zip", "--challenge", "bundle.zip"]) == 0
    out = capsys.readouterr().out
    assert "could not open the zip" in out
    assert "here: make-submission --check-only submission.zip --challenge bundle.zip" in out


def test_json_and_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """Machines get the causes; nothing known ends with exit code 1 and what to give instead."""
    assert main(["explain", "logs", "--json", "-"]) == 0
    (cause,) = json.loads(capsys.readouterr().out)["causes"]
    assert cause["sure"]
    Path("fine.log").write_text("loss 0.1\n")
    assert main(["explain", "fine.log"]) == 1
    assert "No cause found: this tool knows none" in capsys.readouterr().out
    assert main(["explain", "nowhere.log"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_logs_are_explained_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a notebook has to start the command."""
    found = rehearsal.explain("logs", Path("submission.zip"), challenge="bundle.zip")
    assert main(["explain", "logs", "submission.zip", "--challenge", "bundle.zip"]) == 0
    assert capsys.readouterr().out == f"{found}\n"
    assert repr(found) == str(found)
    assert "could not open the zip" in str(rehearsal.explain(message="Bad or empty zip file"))
    with pytest.raises(rehearsal.UserError, match="no such file"):
        rehearsal.explain("nowhere.log")


def test_the_end_of_a_large_log_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a program that printed a bar for hours keeps the cause of its end to itself."""
    from codabench_rehearsal.rehearsal import explained

    monkeypatch.setattr(explained, "LARGEST", 4096)
    Path("logs/prediction/ingestion.log").write_text("epoch 1 of 9 ...\n" * 9999 + LOG)
    for place in ("logs", "logs/prediction/ingestion.log"):
        assert main(["explain", place]) == Exit.FINE
        assert "lightgbm" in capsys.readouterr().out


def test_one_number_on_two_sites_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the logs of another site's submission are explained."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for at, base in enumerate(("https://a.example", "https://b.example")):
        zip_, day = f"{tmp_path}/zip-{at}.zip", "2026-03-10T12:00:00"
        one = Upload(base, 1, 2, "dev", zip_, "0" * 64, 9, day, submission=500)
        one.place.parent.mkdir(parents=True)
        one.keep()
    assert main(["explain", "500"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "is on several sites: name its folder" in said
    assert "zip-0.submission-500" in said
    assert "zip-1.submission-500" in said
