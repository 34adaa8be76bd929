"""What a job sees of its surroundings, and what starting one refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox.job import Job, SandboxError
from codabench_rehearsal.sandbox.run import run


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
