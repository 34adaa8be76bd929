"""Jobs as plain data, and what starting one refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox.job import Job, JobResult, Limits, SandboxError
from codabench_rehearsal.sandbox.run import run


def test_a_job_survives_json() -> None:
    """Else a job could not be handed to another machine later."""
    job = Job(
        ("python", "$program/x.py"),
        {"program": "/p", "out": "/o"},
        "program",
        {"A": "1"},
        Limits(2.0, 10, 5, 100, 1000, 64, network=True),
        writable=("out",),
        copied=("program",),
        reads=("/opt/python",),
        image="an/image:1",
    )
    assert Job.from_json(job.to_json()) == job


def test_a_result_survives_json() -> None:
    """Else a remote run's result could not come back."""
    result = JobResult("exit", 0, "log", 1.5, 1.0, 1000, {"seconds": "watched"})
    assert JobResult.from_json(result.to_json()) == result


def test_words_are_replaced_but_never_given_to_a_shell(tmp_path: Path) -> None:
    """Else commands would behave otherwise than on Codabench."""
    code = "import sys; print(sys.argv[1:])"
    command = (sys.executable, "-c", code, "$program/a", "$program_b", "&&", "$HOME", "*")
    folders = {"program": str(tmp_path), "program_b": str(tmp_path)}
    result = run(Job(command, folders, "program"))
    assert result.exit_code == 0
    assert result.log.strip() == str([f"{tmp_path}/a", str(tmp_path), "&&", "$HOME", "*"])


def test_a_missing_folder_is_named() -> None:
    """Else the child would fail with a riddle."""
    with pytest.raises(SandboxError, match="'program' of the job is not there"):
        run(Job(("true",), {"program": "/nowhere/at/all"}, "program"))


def test_the_environment_is_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else secrets of the user's shell would reach foreign code."""
    monkeypatch.setenv("MY_API_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code = "import os; print(sorted(os.environ))"
    result = run(Job((sys.executable, "-c", code), {"here": str(tmp_path)}, "here"))
    assert "MY_API_TOKEN" not in result.log
    assert "PYTHONPATH" not in result.log
