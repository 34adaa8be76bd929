"""Which Python runs a submission: what is named, what is active, and what cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox import places as choice
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import (
    Python,
    active_python,
    chosen_python,
    own_python,
    python_at,
)
from tests.sandbox.pythons import environment


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what we have; its folder."""
    return environment(tmp_path_factory.mktemp("envs") / "full").parent.parent


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without numpy; its folder."""
    return environment(tmp_path_factory.mktemp("envs") / "empty", numpy=False).parent.parent


def test_an_environment_is_named_by_its_program_or_its_folder(full: Path) -> None:
    """Else --python ~/venv, as everybody types it, is refused; or its link followed to the base."""
    by_folder, by_program = python_at(str(full)), python_at(str(full / "bin" / "python"))
    assert by_folder == by_program
    assert by_folder.path == str(full / "bin" / "python")
    assert by_folder.versions["numpy"] == own_python().versions["numpy"]
    assert not by_folder.is_own
    assert str(by_folder).startswith(f"{by_folder.path} (Python 3.")


def test_our_own_is_known_as_such() -> None:
    """Else what is stored of it would count for nothing once it is named."""
    assert python_at(sys.executable) is own_python()
    assert python_at(sys.prefix) is own_python()


UNUSABLE = [
    ("no/such/python", "no/such/python is not there: expected a Python such as"),
    ("empty-folder", "is a folder without bin/python"),
    ("note.txt", "is no program that may be started"),
    ("shell", "is no Python 3 (--version says"),
    ("python2", "is no Python 3 (--version says 'Python 2.7.18')"),
    ("python38", "is Python 3.8.1: expected 3.9 or newer"),
    ("mute", "did not say what it has"),
]


@pytest.mark.parametrize(("name", "said"), UNUSABLE)
def test_what_is_no_python_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """Else a typo ends in a traceback, or our code is handed to a shell."""
    monkeypatch.chdir(tmp_path)
    Path("empty-folder").mkdir()
    Path("note.txt").write_text("a note", encoding="utf-8")
    old = '{"version": "3.8.1", "versions": {}, "lacks": ""}'
    programs = {
        "shell": "[ $# = 1 ] || touch was-given-code; echo GNU bash",
        "python2": "[ $# = 1 ] || touch was-given-code; echo Python 2.7.18",
        "python38": f"[ $# = 1 ] && echo Python 3.8.1 || echo '{old}'",
        "mute": "[ $# = 1 ] && echo Python 3.12.1",
    }
    for program, line in programs.items():
        Path(program).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        Path(program).chmod(0o755)
    with pytest.raises(SandboxError) as caught:
        chosen_python(f"./{name}" if name in programs else name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("was-given-code").exists()


def test_one_without_numpy_is_told_how_to_get_it(empty: Path) -> None:
    """Else the run cannot even start, and the log blames our ingestion program."""
    with pytest.raises(SandboxError, match="cannot import numpy") as caught:
        python_at(str(empty))
    assert f"uv pip install --python {empty}/bin/python numpy" in str(caught.value)


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_the_active_environment_runs_it(
    monkeypatch: pytest.MonkeyPatch, full: Path, variable: str
) -> None:
    """Else an isolated install (uvx, pipx) hides the user's packages: the zip fails here alone."""
    monkeypatch.setenv(variable, str(full))
    assert active_python().path == str(full / "bin" / "python")
    assert chosen_python(None) == active_python()


def test_what_is_of_no_use_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: Path, empty: Path
) -> None:
    """Else a forgotten or bare environment fails every zip with a missing package."""
    for name in (str(tmp_path), str(tmp_path / "gone"), str(empty), sys.prefix):
        monkeypatch.setenv("VIRTUAL_ENV", name)
        assert active_python().is_own, name
    monkeypatch.setenv("CONDA_PREFIX", str(full))
    assert active_python().is_own, "ours is active, within a conda environment"
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "gone"))
    assert active_python().path == str(full / "bin" / "python")


@pytest.mark.parametrize(
    ("theirs", "ours", "taken"),
    [
        (("keras",), ("keras",), True),
        (("torch",), ("keras",), True),
        (("keras", "torch"), ("keras",), True),
        ((), ("keras",), False),
        (("keras",), ("keras", "torch"), False),
        ((), (), True),
    ],
)
def test_one_that_offers_less_than_ours_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
    full: Path,
    theirs: tuple[str, ...],
    ours: tuple[str, ...],
    taken: bool,
) -> None:
    """Else conda's base, active in every shell, would stand in for the environment that we are in."""
    made = Python("/theirs/bin/python", "3.12.1", dict.fromkeys(theirs, "1"))
    own = Python(sys.executable, "3.12.1", dict.fromkeys(ours, "1"))
    monkeypatch.setattr(choice, "python_at", lambda _: made)
    monkeypatch.setattr(choice, "own_python", lambda: own)
    monkeypatch.setenv("CONDA_PREFIX", str(full))
    assert active_python() is (made if taken else own)


def test_a_package_is_installed_where_it_is_missing() -> None:
    """Else "pip install x" fills another environment than the one that lacks it."""
    with_pip = Python("/v/bin/python", "3.12.1", {"pip": "24"})
    assert with_pip.install("keras-cv") == "/v/bin/python -m pip install keras-cv"
    without = Python("/v/bin/python", "3.12.1", {})
    assert without.install("keras-cv") == "uv pip install --python /v/bin/python keras-cv"
