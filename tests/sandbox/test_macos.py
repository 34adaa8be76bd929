"""What macOS lacks, taken away from Linux: no /proc, none of its calls, a ceiling of open files.

A double can show what we do without them; it cannot show what macOS does of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.sandbox import isolation, processes
from codabench_rehearsal.sandbox.ingest import Request
from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.programs import family
from tests.sandbox.children import carrying, child, linux_only, running, wait_until
from tests.sandbox.test_ingest import ask, numbered

pytestmark = linux_only
ROOT = Path(__file__).parents[2]
OPEN_MAX = 10_240
# A launcher that finds itself on a Mac. A raw system call there would be another one: it ends it.
LAUNCHER = f"""
import ctypes, os, resource, sys
from pathlib import Path
sys.path.append({str(ROOT)!r})
sys.platform = "darwin"

class Library:
    def __getattr__(self, name):
        os._exit(99) if name == "syscall" else None
        raise AttributeError(name)

ctypes.CDLL = ctypes.PyDLL = lambda *_, **__: Library()
for name in ("O_PATH", "posix_fallocate", "sched_getaffinity", "memfd_create", "pidfd_open"):
    delattr(os, name)
set_limit = resource.setrlimit

def limited(kind, pair):
    if kind == resource.RLIMIT_NOFILE and pair[0] > {OPEN_MAX}:
        raise ValueError("current limit exceeds maximum limit")
    set_limit(kind, pair)

resource.setrlimit = limited
from codabench_rehearsal.sandbox.programs import family, jail
family.PROC = Path("/no/proc")
jail.main(sys.argv[1])
"""


@pytest.fixture(autouse=True)
def on_a_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent has no /proc and no control groups either; psutil stays, which a Mac has."""
    launcher = tmp_path / "launcher.py"
    launcher.write_text(LAUNCHER, encoding="utf-8")
    monkeypatch.setattr("codabench_rehearsal.sandbox.run.LAUNCHER", launcher)
    monkeypatch.setattr("codabench_rehearsal.sandbox.run.make_groups", lambda _: [])
    for module in (processes, family):
        monkeypatch.setattr(module, "PROC", tmp_path / "no" / "proc")
    monkeypatch.setattr(processes, "SHARED", tmp_path / "no" / "shm")
    monkeypatch.setattr(sys, "platform", "darwin")


def job(place: Path, code: str, *more: str, **limits: Any) -> JobResult:
    """Run code in folders of its own."""
    (place / "job").mkdir()
    return child(place / "job", code, *more, **limits)


def test_a_job_runs_and_says_what_holds(tmp_path: Path) -> None:
    """Else nothing works on a Mac, or a limit is said to hold that nobody looks at."""
    files = OPEN_MAX * 2
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    done = job(tmp_path, code, memory_bytes=1 << 30, disk_bytes=10**8, open_files=files)
    assert (done.ended, done.exit_code, done.log) == ("exit", 0, f"{OPEN_MAX}\n")
    assert {name for name, how in done.limits.items() if "not held" in how} == {
        "network", "sockets", "system calls", "files",
    }  # fmt: skip
    assert "darwin" in done.limits["namespaces"]
    assert done.limits["open files"] == "rlimit"
    assert done.limits["submission"] == "its own copy"
    words = " ".join(done.limits[name] for name in ("memory", "disk", "leftovers"))
    assert "leaves the tree is not seen" in words
    assert not [word for word in ("memfd", "nameless", "adopted") if word in words]


BREAKS: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": (
        "import time; x = bytearray(400 << 20); time.sleep(30)",
        {"memory_bytes": 200 << 20},
    ),
    "processes": (
        "import subprocess, time\nfor _ in range(6): subprocess.Popen(['sleep', '30'])\ntime.sleep(30)",
        {"processes": 3},
    ),
    "time": ("import time; time.sleep(30)", {"seconds": 0.5}),
    "disk": (
        "import sys, time\nfor n in range(9): open(f'{sys.argv[1]}/{n}', 'wb').write(bytes(10**6))\ntime.sleep(30)",
        {"disk_bytes": 5 * 10**6},
    ),
    "log": ("while True: print('x' * 1000)", {"log_bytes": 10**5}),
}


@pytest.mark.parametrize("limit", BREAKS)
def test_a_limit_ends_it(tmp_path: Path, limit: str) -> None:
    """Else a zip that eats all memory takes a Mac with it."""
    code, limits = BREAKS[limit]
    began = time.monotonic()
    assert job(tmp_path, code, "$out", **limits).ended == limit
    assert time.monotonic() - began < 20


def test_what_left_its_group_is_found_by_its_mark(tmp_path: Path) -> None:
    """Else a program that a zip left behind runs on a Mac for ever."""
    mark = uuid.uuid4().hex
    code = f"import subprocess; subprocess.Popen(['sh', '-c', 'sleep 60; : {mark}'], start_new_session=True)"
    (tmp_path / "job").mkdir()
    with running(tmp_path / "job", code) as started:
        assert started.wait().ended == "exit"
    assert wait_until(lambda: not carrying(mark))
    assert "a mark in their environment" in isolation._leftovers(own_root=False)


def test_a_launcher_ends_with_its_parent(tmp_path: Path) -> None:
    """Else a closed terminal leaves a zip running: no signal of the kernel tells a Mac's child."""
    mark = uuid.uuid4().hex
    (tmp_path / "job").mkdir()
    parent = f"""
import sys, time
sys.path.append({str(ROOT)!r})
from pathlib import Path
from codabench_rehearsal.sandbox import run
from tests.sandbox.children import running
run.LAUNCHER = Path({str(tmp_path / "launcher.py")!r})
run.make_groups = lambda _: []
with running(Path({str(tmp_path / "job")!r}), "import time; time.sleep(60)", {mark!r}) as started:
    print("started", flush=True)
    while True:
        started.poll()
        time.sleep(0.05)
"""
    words = [sys.executable, "-c", parent]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        assert wait_until(lambda: len(carrying(mark)) > 2)  # parent, launcher, command
        process.kill()
    assert wait_until(lambda: not carrying(mark))


SPAWNS = """
import multiprocessing
import numpy as np

def first(image):
    return int(image[0, 0, 0]) % 8

class Model:
    def predict(self, X):
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            return np.array(pool.map(first, list(X)))
"""


def test_a_submission_whose_processes_start_anew(tmp_path: Path) -> None:
    """Else a zip with a Pool, which copies itself on Linux, starts the rehearsal again on a Mac."""
    place = tmp_path / "zip"
    place.mkdir()
    (place / "model.py").write_text(SPAWNS, encoding="utf-8")
    outcome = ask(Request(place, classes=8), (5, 3), numbered)
    assert outcome.problem is None, outcome
    assert [list(np.asarray(labels)) for labels in outcome.labels] == [[0, 1, 2, 3, 4], [1, 2, 3]]
