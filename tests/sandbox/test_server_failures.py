"""What the user reads when an environment cannot be built: one sentence, and what to do."""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.sandbox.installing import BuildError, Uv
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.server import Pins, build, find
from tests.sandbox.stand_ins import put_uv

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PINS = Pins(("tinypin==1.0",), (HERE,))

# As uv 0.13 and pip 26 said it on this project's machine.
UV_OFFLINE = """error: Request failed after 3 retries in 6.9s
  cause: Failed to fetch: `https://pypi.org/simple/keras/`
  cause: error sending request for url (https://pypi.org/simple/keras/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Name or service not known"""
UV_TOLD_OFFLINE = """error: No solution found when resolving dependencies
  cause: Because keras was not found in the cache, your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled."""
UV_FULL = """error: Failed to install: pygments-2.21.0-py3-none-any.whl (pygments==2.21.0)
  cause: Failed to copy to `/x/pygments/styles/gruvbox.py`
  cause: failed to copy file from /y to /x: No space left on device (os error 28)"""
UV_NO_WHEEL = """error: No solution found when resolving dependencies
  cause: Because tensorflow==2.17.0 has no wheels with a matching platform tag"""
UV_NO_TRUST = """error: Failed to fetch: `https://pypi.org/simple/keras/`
  cause: error sending request for url (https://pypi.org/simple/keras/)
  cause: invalid peer certificate: UnknownIssuer"""
UV_DENIED = "error: failed to create file `/x/y`: Permission denied (os error 13)"
UV_ODD = "Resolved 1 package in 1ms\nerror: the moon is in the wrong house\n  cause: stars"

FAILURES: list[tuple[str, dict[str, Any], str]] = [
    ("offline", {"pip": {"code": 2, "say": UV_OFFLINE}}, "no way to the network.*Connect, or"),
    ("told offline", {"pip": {"code": 1, "say": UV_TOLD_OFFLINE}}, "no way to the network"),
    ("disk full", {"pip": {"code": 2, "say": UV_FULL}}, r"the disk of .* is full \(.* GB free\)"),
    ("disk full at once", {"venv": {"code": 2, "say": UV_FULL}}, "CODABENCH_REHEARSAL_CACHE"),
    (
        "no wheel",
        {"pip": {"code": 1, "say": UV_NO_WHEEL}},
        "no tinypin==1.0 for Python 3.* on this",
    ),
    ("proxy", {"pip": {"code": 2, "say": UV_NO_TRUST}}, "certificate .* set SSL_CERT_FILE"),
    ("denied", {"pip": {"code": 2, "say": UV_DENIED}}, "may not be written to"),
    ("odd", {"pip": {"code": 7, "say": UV_ODD}}, "exit code 7.*the moon is in the wrong house"),
    ("mute", {"pip": {"code": 7}}, "exit code 7.*it said nothing"),
]


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize(("plan", "said"), [case[1:] for case in FAILURES], ids=lambda _: "")
def test_one_sentence_and_no_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any], said: str
) -> None:
    """Else the user reads a page of uv's words, and a full disk stays full."""
    put_uv(tmp_path / "bin", monkeypatch, plan)
    with pytest.raises(SandboxError, match=said) as raised:
        build(PINS, tmp_path / "cache", quiet)
    assert len(str(raised.value).splitlines()) == 1
    assert list((tmp_path / "cache").glob("server-*/")) == []
    assert find(PINS, tmp_path / "cache") is None


def test_the_installers_words_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody could find out more."""
    put_uv(tmp_path / "bin", monkeypatch, {"pip": {"code": 7, "say": UV_ODD}})
    with pytest.raises(BuildError) as raised:
        build(PINS, tmp_path / "cache", quiet)
    assert "cause: stars" in raised.value.detail


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('libcuda.so.1: not there')", "ImportError: libcuda.so.1: not there"),
        ("import os; os.kill(os.getpid(), 4)", "SIGILL: this processor is too old"),
    ],
)
def test_what_does_not_start_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    """Else every submission would fail there, and seem at fault."""
    put_uv(tmp_path / "bin", monkeypatch, {"pip": {"module": code}})
    with pytest.raises(SandboxError, match=said):
        build(PINS, tmp_path / "cache", quiet)
    assert list((tmp_path / "cache").glob("server-*/")) == []


def test_a_cache_that_cannot_be(tmp_path: Path) -> None:
    """Else a mistyped setting ends in our traceback."""
    (tmp_path / "file").touch()
    for cache in (tmp_path / "file", tmp_path / "file" / "cache"):
        with pytest.raises(SandboxError, match="set CODABENCH_REHEARSAL_CACHE to a folder"):
            build(PINS, cache, quiet)
        assert find(PINS, cache) is None


def test_no_python_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the user does not know which Python to install."""
    put_uv(tmp_path / "bin", monkeypatch, {"python": {"code": 1, "say": UV_OFFLINE}})
    with pytest.raises(SandboxError) as raised:
        build(Pins(("tinypin==1.0",), ("3.98", "3.97")), tmp_path / "cache", quiet)
    assert str(raised.value).startswith("none of Python 3.98, 3.97 was found here, and fetching")
    assert "no way to the network" in str(raised.value)


def test_a_python_is_fetched_into_our_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a machine with only a newer Python could not rehearse; ~/.local stays as it was.

    uv's real download was not seen: GitHub, where it lies, cannot be reached from here.
    """
    calls = put_uv(tmp_path / "bin", monkeypatch, {})
    (tmp_path / "cache").mkdir()
    with (tmp_path / "lock").open("a") as lock:
        said: list[str] = []
        _, version = Uv(tmp_path / "cache", lock.fileno(), said.append).python(("3.98", "3.97"))
    assert version == "3.98.0"
    assert calls.read_text() == "python install 3.98\n"
    assert list((tmp_path / "cache/tools/pythons").glob("cpython-3.98.*"))
    assert said == ["none of Python 3.98, 3.97 was found here; uv fetches 3.98"]


def test_without_uv_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an install without dependencies ends in our traceback."""

    def lost() -> str:
        raise FileNotFoundError("no uv")

    monkeypatch.setattr("uv.find_uv_bin", lost)
    with pytest.raises(SandboxError, match="-m pip install uv"):
        build(PINS, tmp_path / "cache", quiet)


def wheel(folder: Path) -> Path:
    """A package of one line, as a wheel."""
    path, notes = folder / "tinypin-1.0-py3-none-any.whl", "tinypin-1.0.dist-info"
    files = {
        "tinypin/__init__.py": "__version__ = '1.0'\n",
        f"{notes}/METADATA": "Metadata-Version: 2.1\nName: tinypin\nVersion: 1.0\n",
        f"{notes}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{notes}/RECORD"])
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {**files, f"{notes}/RECORD": record}.items():
            file.writestr(name, text)
    return path


def test_a_real_uv_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the stand-in's obedience would hide what uv refuses."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    pins = Pins((f"tinypin @ {wheel(tmp_path).as_uri()}",), (HERE,))
    python = build(pins, tmp_path / "cache", quiet)
    assert find(pins, tmp_path / "cache") == python
    with pytest.raises(SandboxError, match="no way to the network"):
        build(Pins(("keras==3.4.1",), (HERE,)), tmp_path / "cache", quiet)


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else homes on some network disks could not rehearse."""
    real = fcntl.flock

    def refuse(file: int, how: int) -> None:
        lock = tmp_path / "cache" / "server.lock"
        if lock.exists() and os.path.samestat(os.fstat(file), lock.stat()):
            raise OSError(errno.ENOLCK, "No locks available")
        real(file, how)

    monkeypatch.setattr("fcntl.flock", refuse)
    put_uv(tmp_path / "bin", monkeypatch, {})
    said: list[str] = []
    build(PINS, tmp_path / "cache", said.append)
    assert "disk without locks" in said[0]


ON_A_TERMINAL = """
import os, pty, sys
from pathlib import Path
ours, its = pty.openpty()
os.dup2(its, 2)
from codabench_rehearsal.sandbox.shown import run_shown
said = []
code = "import sys; print(sys.stderr.isatty(), chr(27) + '[1mhalf' + chr(27) + '[0m')"
ended = run_shown([sys.executable, "-c", code], os.environ, Path.cwd(), said.append)
os.close(2), os.close(its)
print(repr((ended[1], os.read(ours, 1000), said)))
"""


def test_on_a_terminal_the_installer_draws_its_progress() -> None:
    """Else minutes pass without a sign, or its words are lost for the error."""
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL], capture_output=True, text=True, check=True
    )
    output, drawn, said = ast.literal_eval(done.stdout)
    assert output == "True half\n"
    assert b"True \x1b[1mhalf\x1b[0m" in drawn
    assert said == []
