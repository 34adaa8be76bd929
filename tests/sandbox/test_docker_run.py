"""Whole jobs and submissions in a docker image, with the program that stands in for docker."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.ingest import Request, Session
from codabench_rehearsal.sandbox.job import Job, Limits
from codabench_rehearsal.sandbox.run import run
from tests.sandbox.children import ask
from tests.sandbox.stand_ins import put_on_path

IMAGE = "an/image:1"
SUBMISSION = """
import numpy as np
open("note", "w").write("mine")
class Model:
    def predict(self, X):
        return X[:, 0, 0, 0].astype(int) % 8
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The docker of PATH; its folder."""
    return put_on_path("docker", tmp_path / "bin", monkeypatch, {}).parent


def job(place: Path, code: str, limits: Limits) -> Job:
    """A job of one line in the image."""
    (place / "work").mkdir()
    command = ("/here/python", "-c", code)
    return Job(command, {"work": str(place / "work")}, "work", {}, limits, image=IMAGE)


def test_its_words_and_its_end_come_back(tmp_path: Path) -> None:
    """Else what a submission said before it failed is lost."""
    result = run(job(tmp_path, "print('hello'); raise SystemExit(3)", Limits()))
    assert (result.ended, result.exit_code) == ("exit", 3)
    assert "hello" in result.log


def test_its_time_limit_holds(tmp_path: Path, stand_in: Path) -> None:
    """Else a hung submission goes on in its container when the report is long written."""
    result = run(job(tmp_path, "import time; time.sleep(60)", Limits(seconds=0.7)))
    assert result.ended == "time"
    (note,) = stand_in.glob("*.pid")
    pid = int(note.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_submission_answers_in_it(tmp_path: Path, stand_in: Path) -> None:
    """Else `--docker` rehearses nothing; what it writes beside itself stays in its copy."""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "model.py").write_text(textwrap.dedent(SUBMISSION), encoding="utf-8")

    def fill(_: int, out: NDArray[np.uint8]) -> None:
        out[:, 0, 0, 0] = np.arange(len(out))

    with Session(Request(folder, classes=8, image=IMAGE)) as session:
        outcome = ask(session, (4, 4, 3), [5], fill)
    assert outcome.problem is None
    assert outcome.labels[0].tolist() == [0, 1, 2, 3, 4]
    assert [path.name for path in folder.iterdir()] == ["model.py"]
    assert "an/image:1" in (stand_in / "calls").read_text()
