"""The cached environment: built once, found at once, repaired when damaged, built by one at a time.

uv is a stand-in here that installs packages of one line; test_server_real.py has the real one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codabench_rehearsal.console.temporary import BUILT
from codabench_rehearsal.sandbox.server import (
    Pins,
    build,
    cpu_tensorflow,
    default_cache,
    find,
    keras_pins,
)
from tests.sandbox.stand_ins import put_uv

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PINS = Pins(("tinypin==1.0",), (HERE,))
BUILD = (
    "import sys, uv\nfrom pathlib import Path\n"
    "from codabench_rehearsal.sandbox.server import Pins, build\n"
    "cache = Path(sys.argv[1])\nuv.find_uv_bin = lambda: str(cache.parent / 'bin' / 'uv')\n"
    f"print(build({PINS!r}, cache, lambda line: print(line, flush=True)))"
)
Damage = Callable[[Path], object]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that does what it is asked, and the file of its calls."""
    return put_uv(tmp_path / "bin", monkeypatch, {})


def quiet(_: str) -> None:
    """Say nothing."""


def start_build(cache: Path) -> subprocess.Popen[str]:
    """A build in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(cache)], stdout=subprocess.PIPE, text=True
    )


def wait_for(sign: Callable[[], bool]) -> None:
    """Wait until something is seen, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not sign():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("calls")
def test_what_was_built_runs_and_is_found(tmp_path: Path) -> None:
    """Else the dry run under the server's versions would have no Python."""
    assert find(PINS, tmp_path / "cache") is None
    said: list[str] = []
    python = build(PINS, tmp_path / "cache", said.append)
    seen = subprocess.run(
        [python, "-c", "import tinypin; print(tinypin.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "1.0"
    assert find(PINS, tmp_path / "cache") == python
    note = json.loads((python.parent.parent / BUILT).read_text(encoding="utf-8"))
    assert note["versions"] == {"tinypin": "1.0"}
    assert said[0].startswith("building tinypin==1.0 on Python 3.")
    assert "Resolved 1 package in 1ms" in said


def test_the_second_build_asks_nobody(tmp_path: Path, calls: Path) -> None:
    """Else every dry run would wait for uv, and fail offline."""
    python = build(PINS, tmp_path / "cache", quiet)
    before = calls.read_text()
    said: list[str] = []
    assert build(PINS, tmp_path / "cache", said.append) == python
    assert calls.read_text() == before
    assert said == []


@pytest.mark.usefixtures("calls")
def test_finding_starts_nothing_and_takes_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each command pays for an import of TensorFlow only to learn that it is there."""
    python = build(PINS, tmp_path / "cache", quiet)
    monkeypatch.setattr(subprocess, "Popen", None)
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        assert find(PINS, tmp_path / "cache") == python
        best = min(best, time.perf_counter() - started)
    assert best < 0.02


@pytest.mark.usefixtures("calls")
def test_an_environment_serves_its_own_pins_only(tmp_path: Path) -> None:
    """Else a zip would be called ready by versions that the server has not."""
    python = build(PINS, tmp_path / "cache", quiet)
    for pins in (
        Pins(("tinypin==1.1",), (HERE,)),
        Pins(PINS.packages, ("3.8",)),
        Pins((), (HERE,)),
    ):
        assert find(pins, tmp_path / "cache") is None
    assert find(Pins(PINS.packages, ("3.8", HERE)), tmp_path / "cache") == python


def in_site(name: str) -> str:
    """A path in the environment's packages."""
    return f"lib/python{HERE}/site-packages/{name}"


def write(name: str, text: str) -> Damage:
    """Overwrite a file."""
    return lambda folder: (folder / name).write_text(text)


def lose(name: str) -> Damage:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


def base_gone(folder: Path) -> None:
    """The Python that it was built on is removed or updated."""
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to("/nowhere/python3.11")


def package_added(folder: Path) -> None:
    """Somebody installed a package that the server may lack."""
    (folder / in_site("extra-1.0.dist-info")).mkdir()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "half-built": (lose(BUILT), "never finished"),
    "marker empty": (write(BUILT, ""), "never finished"),
    "marker cut": (write(BUILT, '{"schema": 1, "packages": ["tin'), "never finished"),
    "marker a list": (write(BUILT, "[]"), "never finished"),
    "marker null": (write(BUILT, "null"), "never finished"),
    "marker of a later schema": (write(BUILT, '{"schema": 99}'), "never finished"),
    "marker without stamps": (write(BUILT, '{"schema": 1, "packages": []}'), "never finished"),
    "base Python gone": (base_gone, "Python that it was built on is gone"),
    "file lost": (lose(in_site("tinypin/__init__.py")), "__init__.py is missing or was changed"),
    "file cut": (write(in_site("tinypin/__init__.py"), ""), "__init__.py is missing"),
    "configuration lost": (lose("pyvenv.cfg"), "pyvenv.cfg is missing"),
    "package added": (package_added, "packages were added or taken away"),
}


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed_and_mended(tmp_path: Path, name: str) -> None:
    """Else the dry run would blame the submission for our broken cache."""
    damage, why = DAMAGES[name]
    python = build(PINS, tmp_path / "cache", quiet)
    damage(python.parent.parent)
    assert find(PINS, tmp_path / "cache") is None
    said: list[str] = []
    assert build(PINS, tmp_path / "cache", said.append) == python
    assert why in said[0]
    assert find(PINS, tmp_path / "cache") == python


def test_a_killed_build_is_waited_for_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two uvs would write into one folder, or the half-built one would count."""
    calls = put_uv(tmp_path / "bin", monkeypatch, {"pip": {"seconds": 1.0}})
    cache = tmp_path / "cache"
    first = start_build(cache)
    wait_for(lambda: "pip" in calls.read_text())
    first.kill()  # its uv goes on, and keeps the lock
    first.communicate()
    assert find(PINS, cache) is None
    (tmp_path / "bin" / "plan.json").write_text("{}")
    said: list[str] = []
    python = build(PINS, cache, said.append)
    assert "another build is going on" in said[0]
    assert "never finished" in said[1]
    assert find(PINS, cache) == python


def test_an_interrupt_ends_the_installer_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a gigabyte goes on loading after Ctrl-C, and lies about for ever."""
    calls = put_uv(tmp_path / "bin", monkeypatch, {"pip": {"seconds": 600}})
    cache = tmp_path / "cache"
    first = start_build(cache)
    wait_for(lambda: "pip" in calls.read_text())
    first.send_signal(signal.SIGINT)
    with first:
        assert first.wait(timeout=10) != 0
    assert list(cache.glob("server-*/")) == []
    (tmp_path / "bin" / "plan.json").write_text("{}")
    said: list[str] = []
    build(PINS, cache, said.append)  # at once: nobody holds the lock any more
    assert said[0].startswith("building")


def test_two_builds_at_once_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two terminals would spoil each other's cache."""
    calls = put_uv(tmp_path / "bin", monkeypatch, {"pip": {"seconds": 0.5}})
    both = [start_build(tmp_path / "cache") for _ in range(2)]
    said = [build.communicate(timeout=30)[0].splitlines() for build in both]
    assert [build.returncode for build in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert calls.read_text().count("pip install") == 1
    assert sum("another build is going on" in lines[0] for lines in said) == 1


@pytest.mark.usefixtures("calls")
def test_other_pins_have_an_environment_of_their_own(tmp_path: Path) -> None:
    """Else two challenges would build over each other's versions, time after time."""
    cache, other = tmp_path / "cache", Pins(("tinypin==2.0",), (HERE,))
    pythons = [build(pins, cache, quiet) for pins in (PINS, other)]
    assert pythons[0] != pythons[1]
    assert [find(pins, cache) for pins in (PINS, other)] == pythons


CACHES = [
    ({"CODABENCH_REHEARSAL_CACHE": "/big/disk"}, "/big/disk"),
    ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/codabench-rehearsal"),
    ({"XDG_CACHE_HOME": "relative"}, "/home/someone/.cache/codabench-rehearsal"),
    ({"XDG_CACHE_HOME": ""}, "/home/someone/.cache/codabench-rehearsal"),
    ({}, "/home/someone/.cache/codabench-rehearsal"),
]


@pytest.mark.parametrize(("settings", "expected"), CACHES)
def test_the_cache_is_where_the_user_wants_it(
    settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a full or slow home folder is filled against the user's settings."""
    for name in ("CODABENCH_REHEARSAL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/someone", **settings}.items():
        monkeypatch.setenv(name, value)
    assert default_cache() == Path(expected)


def test_the_pins_of_a_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the GPU's gigabytes are fetched, or a package that is not there for a machine."""
    for system, processor, name in [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
    ]:
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr("platform.machine", lambda found=processor: found)
        assert cpu_tensorflow("2.17.0") == f"{name}==2.17.0"
    assert keras_pins("", "3.4.1", "3.10.12") == Pins(("keras==3.4.1",), ("3.10",))
    assert "3.11" in keras_pins("2.17.0", "3.4.1").pythons
