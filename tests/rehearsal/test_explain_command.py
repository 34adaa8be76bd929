"""`local-eval explain`: what a participant types after a failed upload."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.commands.local_eval import main
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
