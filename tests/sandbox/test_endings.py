"""Whatever a child started is dead when the job has ended, however it ended."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.sandbox.cgroups import make_groups
from tests.sandbox.children import (
    LEVELS,
    at_level,
    carrying,
    child,
    linux_only,
    running,
    wait_until,
)

pytestmark = linux_only

# A daemon as in the books: own session, twice forked, no open files, a bare environment.
DAEMON = """
import os, subprocess, sys, time
def daemon(mark):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            os.execve("/bin/sh", ["sh", "-c", "sleep 60; : " + mark], {})
        os._exit(0)
    os.wait()
for _ in range(3):
    daemon(sys.argv[1])
print("started", flush=True)
"""
# Never long where it was seen: each process starts the next one and ends.
MOVING = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    open(sys.argv[2], "w").close()
    while True:
        time.sleep(0.001)
        if os.fork():
            os._exit(0)
"""
STARTING_SECONDS = 30.0  # Pythons start one another; what they start would last twice as long
STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each level of isolation."""
    at_level(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
def mark() -> str:
    """A word on the command line of this test's processes alone."""
    return f"marked-{secrets.token_hex(8)}"


def test_daemons_end_with_the_command(tmp_path: Path, level: str, mark: str) -> None:
    """Else every rehearsal would leave processes behind."""
    result = child(tmp_path, DAEMON, mark)
    assert result.log == "started\n", result
    assert not carrying(mark), level


@pytest.mark.parametrize("code", [DAEMON + "time.sleep(60)", STUBBORN], ids=["daemon", "stubborn"])
def test_cancelling_ends_everything(tmp_path: Path, level: str, mark: str, code: str) -> None:
    """Else Ctrl-C would leave a model computing for hours."""
    with running(tmp_path, code, mark) as job:
        wanted = 4 if "daemon" in code else 1
        assert wait_until(lambda: len(carrying(mark)) >= wanted, STARTING_SECONDS)
        time.sleep(0.1)
        result = job.cancel()
    assert result.ended == "cancelled"
    assert not carrying(mark), level


def test_killing_the_launcher_frees_nobody(tmp_path: Path, level: str, mark: str) -> None:
    """Else foreign code could end what ends it, and stay."""
    code = """
    import os, signal, subprocess, time
    sleeper = subprocess.Popen(["sh", "-c", "sleep 60; : " + os.sys.argv[1]], start_new_session=True)
    print("started", flush=True)
    try:
        os.kill(os.getppid(), signal.SIGKILL)
    except PermissionError:
        pass
    """
    result = child(tmp_path, code, mark, seconds=5.0)
    assert "started" in result.log, level
    assert not carrying(mark), level


def test_a_broken_limit_ends_daemons_too(tmp_path: Path, level: str, mark: str) -> None:
    """Else a submission past its time goes on in the background."""
    result = child(tmp_path, DAEMON + "time.sleep(60)", mark, seconds=0.7)
    assert result.ended == "time"
    assert not carrying(mark), level


PARENT = """
import sys
from pathlib import Path
from codabench_rehearsal.sandbox import isolation
from tests.sandbox.children import running
place, level, mark, code = sys.argv[1:]
isolation.LEVEL = level
with running(Path(place), code, mark) as job:
    job.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_all_end_when_we_are_killed(
    tmp_path: Path, level: str, mark: str, number: signal.Signals
) -> None:
    """Else a crash of ours, or the machine's memory killer, would leave processes behind."""
    code = DAEMON + "time.sleep(60)"
    words = [sys.executable, "-c", PARENT, str(tmp_path), level, mark, code]
    parent = subprocess.Popen(words)
    try:
        # Parent, launcher, command and three daemons; the namespace has a first process too.
        wanted = 6 + (level == "namespaces")
        assert wait_until(lambda: len(carrying(mark)) >= wanted, STARTING_SECONDS)
        time.sleep(0.1)
    finally:
        parent.send_signal(number)
        parent.wait()
    assert wait_until(lambda: not carrying(mark)), level


@pytest.mark.parametrize("code", [DAEMON, MOVING], ids=["daemon", "moving"])
def test_a_hail_of_signals_ends_all(tmp_path: Path, level: str, mark: str, code: str) -> None:
    """Else a second signal breaks off what the first began: a parent's threads send one each."""
    started = tmp_path / "out" / "started"
    code += "open(sys.argv[2], 'w').close(); time.sleep(60)"
    with running(tmp_path, code, mark, str(started)):
        assert wait_until(started.exists, STARTING_SECONDS)
        (launcher,) = psutil.Process().children()
        for _ in range(200):
            os.kill(launcher.pid, signal.SIGTERM)
            time.sleep(0.0001)
        # One that moves is not in every look.
        assert wait_until(lambda: not any(carrying(mark) for _ in range(10))), level


@pytest.fixture
def groups() -> Path:
    """The folder in which our control groups are made."""
    found = make_groups({"pids": 10_000})
    if not found:
        pytest.skip("no control groups of our own here")
    probe = found[0]
    probe.close()
    return probe.path.parent


def test_control_groups_are_removed(tmp_path: Path, groups: Path) -> None:
    """Else each run would leave folders in the kernel's memory."""
    with running(tmp_path, "import time; time.sleep(60)", processes=50):
        assert list(groups.glob(f"rehearsal-{os.getpid()}-*"))
    assert not list(groups.glob(f"rehearsal-{os.getpid()}-*"))


def test_control_groups_of_the_dead_are_removed(tmp_path: Path, groups: Path) -> None:
    """Else killed runs would leave them for ever."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = groups / f"rehearsal-{dead.pid}-0"
    left.mkdir()
    child(tmp_path, "pass", processes=50)
    assert not left.exists()


def test_a_folder_made_unreadable_is_removed_too() -> None:
    """Else a submission could make its rubbish stay."""
    with TemporaryFolder("test-") as folder:
        inner = folder / "inner"
        inner.mkdir()
        (inner / "file").write_text("x", encoding="utf-8")
        inner.chmod(0)
    assert not folder.exists()
