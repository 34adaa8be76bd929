"""What no walk through folders and no sum of pages shows is counted as well; every attack is capped.

With a control group the kernel counts memory; without one (most plain users) it is found in /proc.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path

import pytest

from codabench_rehearsal.console.temporary import remove
from tests.sandbox.children import LEVELS, at_level, child, linux_only, running

pytestmark = linux_only
MIB = 1 << 20
SHARED = Path("/dev/shm")


@pytest.fixture(params=[*LEVELS[:2], pytest.param("none", marks=pytest.mark.slow)])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each level of isolation."""
    at_level(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture(params=["without", pytest.param("with", marks=pytest.mark.slow)])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the control groups that there are here, and without any."""
    if request.param == "without":
        monkeypatch.setattr("codabench_rehearsal.sandbox.run._groups", lambda _: [])
    return str(request.param)


MEMFDS = """
import os, time
kept = []
for _ in range(20):  # 320 MiB that no page of the process shows
    kept.append(os.memfd_create("x"))
    os.write(kept[-1], b"x" * (16 << 20))
time.sleep(10)
"""
MAPPED_MEMFDS = """
import mmap, os, time
kept = []
for _ in range(20):
    file = os.memfd_create("x")
    os.ftruncate(file, 16 << 20)
    kept.append(mmap.mmap(file, 16 << 20))
    kept[-1].write(b"x" * (16 << 20))
    os.close(file)
time.sleep(10)
"""
NAMELESS = """
import os, sys, time
try:
    file = open(sys.argv[1] + "/" + sys.argv[2], "wb")
    os.unlink(file.name)
    for _ in range(300):
        file.write(b"x" * (1 << 20))
except OSError as error:
    print("refused", error, flush=True)
    time.sleep(0.5)  # to be looked at
else:
    time.sleep(10)
"""
NAMED = """
import sys, time
try:
    with open("/dev/shm/" + sys.argv[2], "wb") as file:
        for _ in range(300):
            file.write(b"x" * (1 << 20))
except OSError as error:
    print("refused", error)
else:
    time.sleep(10)
"""
SYSTEM_V = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype, libc.shmdt.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
kept = []
for _ in range(20):
    number = libc.shmget(0, 16 << 20, 0o1600)
    if number < 0:
        print("refused", ctypes.get_errno())
        sys.exit()
    place = libc.shmat(number, None, 0)
    libc.shmctl(number, 0, None)  # it goes with its last user
    ctypes.memset(place, 1, 16 << 20)
    kept.append(place)
time.sleep(10)
"""
BUFFERS = """
import socket, time
kept = []
for _ in range(1500):  # 600 MiB at most
    kept += socket.socketpair()
    kept[-1].setblocking(False)
    try:
        while True:
            kept[-1].send(b"x" * 65536)
    except BlockingIOError:
        pass
time.sleep(10)
"""
BY_A_THREAD = """
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
def fill():
    {before}
    file = os.memfd_create("x")
    try:
        for _ in range(300):
            os.write(file, b"x" * (1 << 20))
    finally:
        time.sleep(10)
        os._exit(0)
threading.Thread(target=fill).start()
{after}
"""
# The first thread ends, and with it what /proc shows of the process; or one has files of its own.
WITHOUT_ITS_FIRST = BY_A_THREAD.format(before="time.sleep(0.2)", after="libc.pthread_exit(None)")
PARTED = BY_A_THREAD.format(before="libc.syscall(436, 3, 3, 2)", after="time.sleep(10)")
MEMORY = {
    "memfd": MEMFDS,
    "mapped-memfd": MAPPED_MEMFDS,
    "nameless-in-shared-memory": NAMELESS,
    "named-in-shared-memory": NAMED,
    "system-v": SYSTEM_V,
    "buffers": BUFFERS,
    "without-its-first-thread": WITHOUT_ITS_FIRST,
    "a-thread-with-files-of-its-own": PARTED,
}
SLOW = {"mapped-memfd", "system-v", "buffers", "nameless-in-shared-memory"}


@pytest.mark.parametrize(
    "attack",
    [pytest.param(key, marks=pytest.mark.slow if key in SLOW else ()) for key in MEMORY],
)
def test_memory_that_no_page_shows_is_held(
    tmp_path: Path, level: str, groups: str, attack: str
) -> None:
    """Else a submission fills the machine's memory while its own figure stays at 20 MB."""
    if level == "none" and MEMORY[attack] == PARTED:
        pytest.skip("nothing is refused here")
    name = f"rehearsal-test-{secrets.token_hex(8)}"
    try:
        result = child(tmp_path, MEMORY[attack], str(SHARED), name, memory_bytes=150 * MIB)
    finally:
        with contextlib.suppress(OSError):
            (SHARED / name).unlink()
    held = result.ended == "memory" or result.log.startswith("refused")
    assert held, (level, groups, result)


@pytest.mark.parametrize("level", ["namespaces"], indirect=True)  # elsewhere /tmp is on a disk
@pytest.mark.parametrize("place", ["/tmp", pytest.param("/dev/shm", marks=pytest.mark.slow)])
def test_files_without_a_name_in_memory_count(
    tmp_path: Path, level: str, groups: str, place: str
) -> None:
    """Else /tmp, which lies in memory, is memory without a limit."""
    limits = {"memory_bytes": 50 * MIB, "disk_bytes": 400 * MIB}
    result = child(tmp_path, NAMELESS, place, "gone", **limits)
    assert result.ended == "memory", (level, groups, result)


TCP = """
import socket, time
kept, server = [], socket.create_server(("127.0.0.1", 0))
for _ in range(40):
    kept.append(socket.create_connection(server.getsockname()))
    kept.append(server.accept()[0])
    kept[-1].setblocking(False)
    for _ in range(10):
        try:
            while True:
                kept[-1].send(b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.002)
found = open("/proc/net/sockstat").read().split("mem ")[1].split()[0]
print(int(found) * 4096 >> 20)
"""


@pytest.mark.slow
@pytest.mark.parametrize("level", ["namespaces"], indirect=True)  # elsewhere there is no TCP
def test_buffers_of_the_loopback_are_small(tmp_path: Path, level: str, groups: str) -> None:
    """Else a few connections to itself hold gigabytes that no control group of version 1 counts."""
    before = TCP[TCP.index("found") :]
    idle = int(child(tmp_path, before, network=True).log)
    filled = int(child(tmp_path, TCP, memory_bytes=150 * MIB).log)
    assert filled - idle < 60, (level, groups)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["namespaces"], indirect=True)
def test_a_mapped_file_counts_once(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a submission that maps its arrays from /tmp, as joblib does, is ended for twice its memory."""
    monkeypatch.setattr("codabench_rehearsal.sandbox.run._groups", lambda _: [])
    code = """
    import mmap, os, time
    for name in ("/tmp/array", None):
        file = os.open(name, os.O_RDWR | os.O_CREAT) if name else os.memfd_create("x")
        os.ftruncate(file, 60 << 20)
        kept = mmap.mmap(file, 60 << 20)
        for _ in range(60):
            kept.write(b"x" * (1 << 20))
        time.sleep(0.3)
        del kept
        os.ftruncate(file, 0)
    """
    result = child(tmp_path, code, memory_bytes=100 * MIB)
    assert (result.ended, result.exit_code) == ("exit", 0), (level, result)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["fences"], indirect=True)
def test_other_peoples_shared_memory_is_not_the_childs(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a submission is ended for what another program of the user's does meanwhile."""
    monkeypatch.setattr("codabench_rehearsal.sandbox.run._groups", lambda _: [])
    name = SHARED / f"rehearsal-test-{secrets.token_hex(8)}"
    limit = 60 * MIB
    with running(tmp_path, "import time; time.sleep(1)", memory_bytes=limit) as job:
        time.sleep(0.3)
        try:
            with name.open("wb") as file:
                file.write(b"x" * (100 * MIB))
                file.flush()
                result = job.wait()
        finally:
            name.unlink()
    assert result.ended == "exit", (level, result)


FORKED = """
import os, sys, time
kept = []
for number in range(12):  # 120 MiB; nobody who wrote it lives, and no folder shows it
    kept.append(os.open(f"{sys.argv[1]}/gone", os.O_RDWR | os.O_CREAT))
    os.unlink(f"{sys.argv[1]}/gone")
    if os.fork() == 0:
        os.write(kept[-1], b"z" * (10 << 20))
        os._exit(0)
    os.wait()
time.sleep(10)
"""
EMPTY = """
import os, sys, time
os.mkdir(sys.argv[1] + "/many")
try:
    for number in range(3000):
        (os.mkdir if number % 2 else os.mknod)(f"{sys.argv[1]}/many/{number}")
    time.sleep(10)
except OSError as error:
    time.sleep(0.5)
    print("refused", error)
"""


@pytest.mark.parametrize("folder", ["$out", pytest.param("$sub", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "attack",
    [pytest.param(FORKED, id="forked"), pytest.param(EMPTY, id="empty", marks=pytest.mark.slow)],
)
def test_disk_that_no_walk_shows_is_held(
    tmp_path: Path, level: str, attack: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nameless files fill the disk, and empty ones use up all that it can name."""
    for module in ("isolation", "watch"):
        monkeypatch.setattr(f"codabench_rehearsal.sandbox.{module}.MOST_FILES", 1000)
    result = child(tmp_path, attack, folder, disk_bytes=30 * MIB)
    assert result.ended == "disk", (level, result)


STOPS = {
    "itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "its-group": "import os, signal; os.kill(0, signal.SIGSTOP)",
    "its-launcher": """
    import os, signal, time
    while True:
        try:
            os.kill(os.getppid(), signal.SIGSTOP)
        except OSError:
            pass
        time.sleep(0.005)
    """,
}


@pytest.mark.parametrize(
    "attack",
    ["itself", *(pytest.param(key, marks=pytest.mark.slow) for key in list(STOPS)[1:])],
)
def test_what_stops_itself_is_ended_in_time(tmp_path: Path, level: str, attack: str) -> None:
    """Else one signal keeps the user waiting for seconds beyond the limit, and nobody says why."""
    started = time.monotonic()
    result = child(tmp_path, STOPS[attack], seconds=0.8)
    assert (result.ended, result.stopped) == ("time", attack != "its-launcher"), (level, result)
    assert time.monotonic() - started < 0.8 + 1


@pytest.mark.slow
def test_what_is_slow_is_not_said_to_be_stopped(tmp_path: Path, level: str) -> None:
    """Else an endless loop is told as a signal that nobody sent."""
    result = child(tmp_path, "while True: pass", seconds=0.5)
    assert (result.ended, result.stopped) == ("time", False), level


DEEP = """
import os, sys, time
os.chdir(sys.argv[1])
for _ in range(2500):
    os.mkdir("d")
    os.chdir("d")
with open("x", "wb") as file:
    file.write(b"x" * 4096)
time.sleep(10)
"""


def test_a_folder_too_deep_to_be_looked_into_is_the_end(tmp_path: Path, level: str) -> None:
    """Else what lies beyond the longest path is counted by nobody."""
    try:
        result = child(tmp_path, DEEP, str(tmp_path / "out"), disk_bytes=1 << 28)
    finally:
        remove(tmp_path / "out")  # pytest could not
    assert result.ended == "disk", level


@linux_only
def test_a_process_goes_on_without_its_first_thread(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that lives is taken for dead, and stays when the run is over."""
    monkeypatch.setattr(
        "codabench_rehearsal.sandbox.processes.marked", lambda _: []
    )  # the first look must find it
    code = """
    import ctypes, os, sys, threading, time
    if os.fork() == 0:
        threading.Thread(target=time.sleep, args=(60,)).start()
        ctypes.CDLL(None).pthread_exit(None)
    time.sleep(0.5)
    """
    mark = f"left-{tmp_path.name}-{level}"
    child(tmp_path, code, mark)
    left = [pid for pid in Path("/proc").glob("[0-9]*") if mark in _words(pid)]
    assert left == []


def _words(process: Path) -> str:
    """The command line of a process, of any of its threads that live."""
    for thread in (process / "task").glob("*/cmdline"):
        with contextlib.suppress(OSError):
            if text := thread.read_text(errors="replace"):
                return text
    return ""
