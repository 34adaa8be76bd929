"""Each limit holds at each level of isolation; every bomb is capped, so that a hole harms nobody."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.sandbox.children import LEVELS, at_level, child, linux_only

pytestmark = linux_only
MIB = 1 << 20


# Without walls the same means hold the limits as behind fences.
@pytest.fixture(params=[*LEVELS[:2], pytest.param("none", marks=pytest.mark.slow)], autouse=True)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs at each level."""
    at_level(request.param, monkeypatch)
    return str(request.param)


SLEEP = "import time; time.sleep(30)"
GREEDY = """
kept = []
while len(kept) < 60:  # 3 GiB
    kept.append(b"x" * (50 << 20))
"""
GREEDY_FAMILY = """
import os, time
for _ in range(12):
    if os.fork() == 0:
        kept = b"x" * (40 << 20)
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""
FORK_BOMB = """
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""
FLOOD = """
import sys
for _ in range(1024):  # 1 GiB
    sys.stdout.write("y" * (1 << 20))
"""
ONE_FILE = """
import os
with open(os.environ["OUT"] + "/big", "wb") as file:
    for _ in range(1024):  # 1 GiB
        file.write(b"z" * (1 << 20))
"""
MANY_FILES = """
import os
for number in range(1024):  # 1 GiB
    with open(f"{os.environ['OUT']}/{number}", "wb") as file:
        file.write(b"z" * (1 << 20))
"""
NAMELESS_FILES = """
import os, time
kept = []
for number in range(128):  # 1 GiB
    file = open(os.environ["OUT"] + "/gone", "wb")
    os.unlink(os.environ["OUT"] + "/gone")
    file.write(b"z" * (8 << 20))
    file.flush()
    os.fsync(file.fileno())
    kept.append(file)
time.sleep(30)
"""
BROKEN = [
    ("time", {"seconds": 0.6}, SLEEP),
    ("memory", {"memory_bytes": 300 * MIB}, GREEDY),
    ("memory", {"memory_bytes": 300 * MIB}, GREEDY_FAMILY),
    ("processes", {"processes": 20}, FORK_BOMB),
    ("log", {"log_bytes": 5 * MIB}, FLOOD),
    ("disk", {"disk_bytes": 20 * MIB}, ONE_FILE),
    ("disk", {"disk_bytes": 20 * MIB}, MANY_FILES),
    ("disk", {"disk_bytes": 20 * MIB}, NAMELESS_FILES),
]
NAMES = [
    *("time", "memory", "memory-of-many", "processes"),
    *("log", "one-file", "many-files", "nameless-files"),
]


@pytest.mark.parametrize(("ended", "limits", "code"), BROKEN, ids=NAMES)
def test_a_broken_limit_ends_the_job(
    tmp_path: Path, ended: str, limits: dict[str, float], code: str
) -> None:
    """Else one submission could take the user's machine with it."""
    started = time.monotonic()
    code = f"import os; os.environ['OUT'] = {str(tmp_path / 'out')!r}\n{code}"
    result = child(tmp_path, code, **limits)
    assert result.ended == ended, result
    assert time.monotonic() - started < 10
    assert result.peak_memory_bytes < 1500 * MIB


COUNTED_BOMB = """
import os, time
made = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except BlockingIOError:
    print("refused after", made)
"""


@pytest.mark.parametrize("level", ["namespaces"], indirect=True)
def test_the_kernel_refuses_what_is_too_fast_to_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fork bomb fills the machine between two looks."""
    monkeypatch.setattr("codabench_rehearsal.sandbox.isolation.THREADS", 10)
    result = child(tmp_path, COUNTED_BOMB, processes=40)
    if not result.limits["processes"].startswith(("control group", "rlimit")):
        pytest.skip(f"the kernel does not count here: {result.limits['processes']}")
    assert result.ended == "processes" or "refused after" in result.log
    assert "refused after 4" in result.log or not result.log


@pytest.mark.parametrize("code", [ONE_FILE, MANY_FILES], ids=["one-file", "many-files"])
def test_little_more_than_allowed_is_ever_written(tmp_path: Path, code: str) -> None:
    """Else the limit is told after the disk is full."""
    code = f"import os; os.environ['OUT'] = {str(tmp_path / 'out')!r}\n{code}"
    child(tmp_path, code, disk_bytes=20 * MIB)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert 10 * MIB < written < 600 * MIB


@pytest.mark.parametrize("level", ["namespaces"], indirect=True)  # elsewhere /tmp is on a disk
def test_files_in_memory_count_as_memory(tmp_path: Path) -> None:
    """Else a submission could fill the memory by way of /tmp."""
    code = """
    import time
    with open("/tmp/big", "wb") as file:
        for _ in range(400):
            file.write(b"z" * (1 << 20))
    time.sleep(30)
    """
    assert child(tmp_path, code, memory_bytes=100 * MIB).ended == "memory"
    assert "No space left" in child(tmp_path, code, disk_bytes=100 * MIB).log


def test_shared_memory_counts_once(tmp_path: Path) -> None:
    """Else a submission with worker processes would be said to use many times what it does."""
    code = """
    import os, time
    kept = b"x" * (150 << 20)
    for _ in range(5):
        if os.fork() == 0:
            time.sleep(0.4)
            os._exit(0)
    for _ in range(5):
        os.wait()
    """
    result = child(tmp_path, code, memory_bytes=400 * MIB)
    assert (result.ended, result.exit_code) == ("exit", 0), result
    assert 150 * MIB < result.peak_memory_bytes < 400 * MIB


def test_our_own_memory_is_not_counted(tmp_path: Path) -> None:
    """Else a submission would be said to need what the data of the tool itself takes."""
    ours = b"x" * (300 << 20)
    result = child(tmp_path, "import time; time.sleep(0.2)", memory_bytes=100 * MIB)
    assert (result.ended, len(ours)) == ("exit", 300 << 20), result
    assert result.peak_memory_bytes < 100 * MIB


def test_what_we_take_meanwhile_is_not_counted(tmp_path: Path) -> None:
    """Else another thread's data, loaded as the child starts, is said to be the submission's."""
    kept: list[bytes] = []
    ended = threading.Event()

    def grow() -> None:
        while not ended.wait(0.002):
            kept.append(b"x" * (2 << 20))
            del kept[:-200]

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        results = [child(tmp_path, "", memory_bytes=100 * MIB) for _ in range(4)]
    finally:
        ended.set()
        thread.join()
    assert max(one.peak_memory_bytes for one in results) < 100 * MIB, results


def test_threads_are_no_processes(tmp_path: Path) -> None:
    """Else TensorFlow's own threads would look like a fork bomb."""
    code = """
    import threading, time
    for _ in range(60):
        threading.Thread(target=time.sleep, args=(0.2,)).start()
    """
    result = child(tmp_path, code, processes=4)
    assert (result.ended, result.exit_code) == ("exit", 0), result


def test_open_files_are_bounded(tmp_path: Path) -> None:
    """Else a leak of files shows on the server first."""
    code = "kept = []\nwhile len(kept) < 5000: kept.append(open('/dev/null'))"
    result = child(tmp_path, code, open_files=64)
    assert result.exit_code == 1
    assert "Too many open files" in result.log


def test_a_job_within_its_limits_is_left_alone(tmp_path: Path, level: str) -> None:
    """Else good submissions would be refused; and the report must name what held."""
    code = "import os; open(os.environ.get('OUT', '/dev/null'), 'w').write('x'); print('done')"
    limits = {"memory_bytes": 500 * MIB, "processes": 8, "log_bytes": 10**6, "open_files": 64}
    result = child(tmp_path, code, disk_bytes=10 * MIB, **limits)
    assert (result.ended, result.exit_code, result.log) == ("exit", 0, "done\n"), result
    assert all("no limit" not in held for held in result.limits.values())
    if level == "none":
        assert "not held" in result.limits["network"]


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
)
def test_the_end_of_the_command_comes_through(tmp_path: Path, code: str, exit_code: int) -> None:
    """Else a crash would look like a success, or like a limit."""
    result = child(tmp_path, code, memory_bytes=500 * MIB)
    assert (result.ended, result.exit_code) == ("exit", exit_code)
