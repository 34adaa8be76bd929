"""Which Python an environment is built on: uv names what it sees, and each is tried before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox.installing import Uv
from codabench_rehearsal.sandbox.job import SandboxError
from tests.sandbox.stand_ins import put_uv

VERSION = "3.98"  # none of this machine's


def put_python(
    folder: Path,
    name: str = "python3.98",
    version: str = "3.98.4",
    kind: str = "cpython",
    tried: str = "",
) -> None:
    """A program that says its version, and does something of its own when it is tried."""
    tried = tried or f"echo {version}"
    put_script(folder / name, f'[ "$1" = --version ] && echo {kind} {version} && exit\n{tried}')


def put_script(path: Path, text: str) -> None:
    """A shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with little on PATH, an empty home, and a uv that can fetch nothing."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    put_uv(tmp_path / "uv", monkeypatch, {"python": {"code": 1}})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{tmp_path / 'later'}")


def found(tmp_path: Path, *versions: str) -> str:
    """The version found, or "none"."""
    with (tmp_path / "lock").open("a") as lock:
        try:
            uv = Uv(tmp_path, lock.fileno(), lambda _: None)
            return uv.python(versions or (VERSION,))[1]
        except SandboxError:
            return "none"


PLACES = [
    "bin/python3.98",
    "later/python3.98",
    "home/.pyenv/versions/3.98.4/bin/python3.98",
    "home/.local/share/uv/python/cpython-3.98.4-linux-x86_64-gnu/bin/python3.98",
    "tools/pythons/cpython-3.98.4-linux-x86_64-gnu/bin/python3.98",
]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_looked_into(tmp_path: Path, place: str) -> None:
    """Else a Python is downloaded that is here, or asked of the user."""
    put_python((tmp_path / place).parent, Path(place).name)
    assert found(tmp_path) == "3.98.4"


UNFIT = {
    "another version": {"version": "3.97.1"},
    "a version that begins alike": {"version": "3.9.8"},
    "PyPy": {"kind": "pypy"},
    "another one behind its name": {"tried": "echo 3.97.1"},
    "a module lacks": {"tried": "echo no ssl >&2; exit 1"},
    "pyenv's shim": {"tried": "echo pyenv: command not found; exit 127"},
    "killed": {"tried": "kill -9 $$"},
    "mute": {"tried": "true"},
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_would_not_carry_tensorflow_is_passed_over(tmp_path: Path, name: str) -> None:
    """Else the build fails later, with a riddle; the good one stands further on."""
    put_python(tmp_path / "bin", **UNFIT[name])
    assert found(tmp_path) == "none"
    put_python(tmp_path / "later")
    assert found(tmp_path) == "3.98.4"


def test_what_does_not_answer_uv_is_passed_over(tmp_path: Path) -> None:
    """Else pyenv's shims and broken links end in our traceback."""
    put_script(tmp_path / "bin" / "python3.98", "exit 127")
    (tmp_path / "bin" / "python3.97").symlink_to("/nowhere")
    assert found(tmp_path) == "none"


def test_the_newest_patch_and_the_first_version_win(tmp_path: Path) -> None:
    """Else an old release with known faults is taken, or a Python less like the server's."""
    for patch in (2, 11, 9):
        folder = tmp_path / f"home/.pyenv/versions/3.98.{patch}/bin"
        put_python(folder, version=f"3.98.{patch}")
    put_python(tmp_path / "bin", "python3.97", version="3.97.1")
    assert found(tmp_path) == "3.98.11"
    assert found(tmp_path, "3.97", VERSION) == "3.97.1"


def test_our_own_python_is_taken_by_its_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the environment would break when the project's .venv is removed."""
    monkeypatch.undo()  # the real uv
    with (tmp_path / "lock").open("a") as lock:
        uv = Uv(tmp_path, lock.fileno(), lambda _: None)
        program, version = uv.python((f"3.{sys.version_info.minor}",))
        uv.run("venv", "--quiet", "--python", program, str(tmp_path / "made"), asked="it")
    assert version == ".".join(map(str, sys.version_info[:3]))
    ask = "import sys; print(sys.base_prefix)"
    made = [str(tmp_path / "made" / "bin" / "python"), "-c", ask]
    assert subprocess.check_output(made, text=True).strip() == sys.base_prefix
    leads_to = (tmp_path / "made" / "bin" / "python").resolve()
    assert not leads_to.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix
