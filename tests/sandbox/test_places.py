"""Which files a Python needs: found without starting it, and nothing of the user's beside them."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.sandbox.job import Job
from codabench_rehearsal.sandbox.places import interpreter_places, our_rooms
from codabench_rehearsal.sandbox.run import run
from tests.sandbox.children import linux_only


def is_within(path: str | Path, places: tuple[str, ...]) -> bool:
    """Whether one of the places holds the path."""
    return any(Path(path).is_relative_to(place) for place in places)


def test_this_pythons_library_and_packages_are_there() -> None:
    """Else nothing starts in the child."""
    places = interpreter_places(sys.executable)
    system = ("/usr", "/lib", "/bin")
    for needed in (sys.executable, subprocess.__file__, sysconfig.get_path("purelib")):
        assert is_within(needed, (*places, *system)), needed


def test_the_checkout_is_not_among_them() -> None:
    """Else foreign code could read the user's project, and import ours."""
    root = Path(__file__).parents[2]
    assert not is_within(
        root / "codabench_rehearsal" / "sandbox" / "run.py", interpreter_places(sys.executable)
    )
    assert str(root / "codabench_rehearsal") in our_rooms()


def test_a_program_that_is_no_python_gives_itself() -> None:
    """Else /bin/true would show all of /."""
    assert all(Path(place).is_file() for place in interpreter_places("true"))
    assert interpreter_places("no-such-program-anywhere") == ()


@linux_only
@pytest.mark.parametrize("linked", [False, True], ids=["plain", "through a link"])
def test_a_virtual_environment_runs_in_the_child(tmp_path: Path, linked: bool) -> None:
    """Else the server's environment, built by uv in a cache, would not start."""
    venv.create(tmp_path / "real" / "env", with_pip=False, symlinks=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    python = tmp_path / ("link" if linked else "real") / "env" / "bin" / "python"
    site = next((tmp_path / "real" / "env").glob("lib/python3*/site-packages"))
    (site / "mine.py").write_text("print('found')", encoding="utf-8")
    (site / "more.pth").write_text(
        f"{sysconfig.get_path('purelib')}\n{tmp_path}\n", encoding="utf-8"
    )
    (tmp_path / "here").mkdir()
    secret = tmp_path / "real" / "secret"
    secret.write_text("labels", encoding="utf-8")
    code = f"import mine, numpy, os; print(os.path.exists({str(secret)!r}))"
    result = run(Job((str(python), "-c", code), {"here": str(tmp_path / "here")}, "here"))
    assert result.log == "found\nFalse\n", result


def test_a_base_that_this_user_may_not_look_into_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an environment that root made ends every run of a plain user in a traceback."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch(mode=0o755)
    (tmp_path / "pyvenv.cfg").write_text("home = /closed/bin\n", encoding="utf-8")
    stat = os.stat

    def refuse(path: Any, **how: Any) -> os.stat_result:
        if str(path).startswith("/closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr("os.stat", refuse)
    monkeypatch.setattr("os.lstat", lambda path: refuse(path, follow_symlinks=False))
    assert str(tmp_path) in interpreter_places(str(tmp_path / "bin" / "python"))
