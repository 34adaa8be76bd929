"""Which Python an environment is built on: each candidate is run, and most of what lies about fails."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.sandbox.interpreters import ask, find_interpreter

VERSION = "3.98"  # none of this machine's
GOOD: dict[str, Any] = {
    "path": "/opt/real/python3.98",
    "version": "3.98.4",
    "lacks": [],
    "kind": "CPython",
    "wide": True,
}


def put_python(folder: Path, name: str = "python3.98", **differs: Any) -> Path:
    """A program that answers our question like a Python."""
    return put_script(folder / name, f"echo '{json.dumps({**GOOD, **differs})}'")


def put_script(path: Path, line: str) -> Path:
    """A shell script of one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing but `tmp_path/bin` on PATH and an empty home."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{tmp_path / 'later'}")


def found(tmp_path: Path, *, needs_venv: bool = False) -> str:
    """The version found, or "none"."""
    python = find_interpreter((VERSION,), tmp_path / "own", needs_venv=needs_venv)
    return python.version if python else "none"


PLACES = [
    "bin/python3.98",
    "later/python3.98",
    "bin/python3",
    "home/.pyenv/versions/3.98.4/bin/python3.98",
    "home/.local/share/uv/python/cpython-3.98.4-linux-x86_64-gnu/bin/python3.98",
    "own/cpython-3.98.4-linux-x86_64-gnu/bin/python3.98",
]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_looked_into(tmp_path: Path, place: str) -> None:
    """Else a Python is downloaded that is here, or asked of the user."""
    put_python((tmp_path / place).parent, Path(place).name)
    assert found(tmp_path) == "3.98.4"


UNFIT: list[dict[str, Any]] = [
    {"version": "3.97.1"},
    {"version": "3.9.8"},
    {"kind": "PyPy"},
    {"wide": False},
    {"lacks": ["ssl"]},
    {"lacks": ["ctypes"]},
]


@pytest.mark.parametrize("differs", UNFIT, ids=str)
def test_what_would_not_carry_tensorflow_is_passed_over(
    tmp_path: Path, differs: dict[str, Any]
) -> None:
    """Else the build fails later, with a riddle; the good one stands further on."""
    put_python(tmp_path / "bin", **differs)
    assert found(tmp_path) == "none"
    put_python(tmp_path / "later")
    assert found(tmp_path) == "3.98.4"


BROKEN = ["exit 127", "echo pyenv: command not found", "kill -9 $$", "echo '[1]'", "echo '{}'"]


@pytest.mark.parametrize("line", BROKEN)
def test_what_does_not_answer_is_passed_over(tmp_path: Path, line: str) -> None:
    """Else pyenv's shims and broken links end in our traceback."""
    put_script(tmp_path / "bin" / "python3.98", line)
    (tmp_path / "bin" / "python3").symlink_to("/nowhere")
    assert found(tmp_path) == "none"


def test_venv_is_asked_of_it_only_where_uv_does_not_make_it(tmp_path: Path) -> None:
    """Else Debian's Pythons, which lack it, would be no use even with uv; or fail without."""
    put_python(tmp_path / "bin", lacks=["ensurepip"])
    assert found(tmp_path) == "3.98.4"
    assert found(tmp_path, needs_venv=True) == "none"


def test_the_newest_patch_and_the_first_version_win(tmp_path: Path) -> None:
    """Else an old release with known faults is taken, or a Python less like the server's."""
    for patch in (2, 11, 9):
        folder = tmp_path / f"home/.pyenv/versions/3.98.{patch}/bin"
        put_python(folder, version=f"3.98.{patch}")
    put_python(tmp_path / "bin", "python3.97", version="3.97.1")
    assert found(tmp_path) == "3.98.11"
    both = find_interpreter(("3.97", VERSION), tmp_path / "own")
    assert both is not None
    assert both.version == "3.97.1"


def test_our_own_python_answers_with_its_base(tmp_path: Path) -> None:
    """Else the environment would break when the project's .venv is removed."""
    own = find_interpreter((f"3.{sys.version_info.minor}",), tmp_path)
    assert own is not None
    assert own == ask(Path(sys.executable))
    assert own.version == ".".join(map(str, sys.version_info[:3]))
    assert not Path(own.path).is_symlink()
    assert not Path(own.path).is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix
