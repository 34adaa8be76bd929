"""Calls and sockets that foreign code goes without, and honest programs that need none of them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox import run
from codabench_rehearsal.sandbox.programs import fences, kernel
from tests.sandbox.children import LEVELS, at_level, child, job, linux_only

pytestmark = [
    linux_only,
    pytest.mark.skipif(kernel.MACHINE not in kernel.AUDIT_ARCH, reason="no filter is known here"),
]


@pytest.fixture(params=LEVELS[:2])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each level that has a filter."""
    at_level(request.param, monkeypatch)
    return str(request.param)


TRY = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
found = {}
for name, number, *values in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    words = [ctypes.c_long(v) for v in (*values, *[-1] * (6 - len(values)))]
    answer = libc.syscall(ctypes.c_long(number), *words)
    found[name] = ctypes.get_errno() if answer < 0 else 0
print(json.dumps(found))
"""
MACHINE = (
    list(kernel.AUDIT_ARCH).index(kernel.MACHINE) if kernel.MACHINE in kernel.AUDIT_ARCH else 0
)
NEVER = {
    **{name: (numbers[MACHINE],) for name, numbers in fences._CALLS.items()},
    "a namespace by clone": (fences._CLONE[MACHINE], 0x10000000),
    "a thread with files of its own": (fences._CLONE[MACHINE], 0x10900),
    "hidden from us": (fences._PRCTL[MACHINE], 4, 0),
}
SHARED = {name: (numbers[MACHINE],) for name, numbers in fences._SHARED.items()}


def refused(tmp_path: Path, tried: Mapping[str, Sequence[int]], **limits: float) -> dict[str, int]:
    """The error number of each call that a child makes with senseless arguments; 0 for none."""
    words = json.dumps([(name, *values) for name, values in tried.items()])
    result = child(tmp_path, TRY, words, **limits)
    assert result.exit_code == 0, result
    found: dict[str, int] = json.loads(result.log)
    return found


def test_calls_that_docker_refuses_are_refused(tmp_path: Path, level: str) -> None:
    """Else foreign code has a way into the kernel that it has on no platform."""
    assert refused(tmp_path, NEVER) == dict.fromkeys(NEVER, 1), level
    assert refused(tmp_path, {"clone3": (435, 0, 0)}) == {"clone3": 38}  # glibc then takes clone


def test_what_other_processes_may_join_is_refused(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is read by, or left to, others of the machine; or it is memory that nobody counts."""
    monkeypatch.setattr("codabench_rehearsal.sandbox.run._groups", lambda _: [])
    assert refused(tmp_path, SHARED) == dict.fromkeys(SHARED, 1), level


FAMILIES = {
    name: (fences._SOCKET[MACHINE], number, 1, 0)
    for name, number in [
        *(("local", 1), ("inet", 2), ("inet6", 10), ("netlink", 16), ("packet", 17)),
        *(("can", 29), ("bluetooth", 31), ("alg", 38), ("vsock", 40), ("xdp", 44)),
    ]
}


@pytest.mark.parametrize("network", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_families_of_sockets(tmp_path: Path, level: str, network: bool) -> None:
    """Else a virtual machine's host is reached past the wall that keeps the network away."""
    found = refused(tmp_path, FAMILIES, network=network)
    local = level == "namespaces" or fences.landlock_version() >= 9
    internet = level == "namespaces" or network
    assert found.pop("netlink") in (0, 93, 94)  # of this type there is none
    assert (found.pop("local") == 0) == local
    assert [found.pop("inet"), found.pop("inet6")] == [0 if internet else 13] * 2
    assert found == dict.fromkeys(found, 97), level


LARGER = """
import socket
pair = socket.socketpair()
sizes = [end.getsockopt(1, option) for end in pair for option in (7, 8)]
for end in pair:
    end.setsockopt(1, 7, 1 << 22)
    end.setsockopt(1, 8, 1 << 22)
    end.setsockopt(1, 9, 1)
print(sizes == [end.getsockopt(1, option) for end in pair for option in (7, 8)], pair[0].getsockopt(1, 9))
"""


@pytest.mark.slow
def test_buffers_are_not_made_larger(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each socket is megabytes that belong to no process; an error would end honest programs."""
    monkeypatch.setattr("codabench_rehearsal.sandbox.run._groups", lambda _: [])
    assert child(tmp_path, LARGER).log == "True 1\n", level


REACH = """
import os, signal, socket, sys
path, pid = sys.argv[1:]
for what in (path, "\\0" + os.path.basename(path)):
    try:
        socket.socket(socket.AF_UNIX).connect(what)
        print("reached", repr(what))
    except OSError:
        pass
for target in (int(pid), -1):
    try:
        os.kill(target, 0 if target == -1 else signal.SIGCONT)
        print("signalled", target)
    except OSError:
        pass
try:
    print(os.listdir("/dev/shm"))
except PermissionError:
    pass
"""


def test_others_of_the_machine_are_not_reached(tmp_path: Path, level: str) -> None:
    """Else foreign code asks the user's session, or docker, to run something outside of the walls."""
    path = str(tmp_path / "door")
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        for server, name in ((named, path), (abstract, "\0door")):
            server.bind(name)
            server.listen()
        other = subprocess.Popen(["sleep", "30"])
        try:
            result = child(tmp_path, REACH, path, str(other.pid))
        finally:
            other.kill()
            other.wait()
    said = result.log.replace("[]\n", "")
    if level == "namespaces":
        said = said.replace("signalled -1\n", "")  # all of its own, which is itself
    elif fences.landlock_version() < 6:
        said = said.replace(f"signalled {other.pid}\n", "")
    assert said == "", (level, result)


def test_the_report_says_what_is_refused_and_what_stays_open(tmp_path: Path, level: str) -> None:
    """Else a user believes in a wall that is not there."""
    held = child(tmp_path, "pass").limits
    assert "seccomp" in held["system calls"]
    assert ("command lines" in held["stays open"]) == (level == "fences")


PROGRAMS = {
    "pool": "import multiprocessing as m\nwith m.Pool(2) as p: print(sum(p.map(abs, range(9))))",
    "executor": "from concurrent.futures import ProcessPoolExecutor as P\nwith P(2) as p: print(sum(p.map(abs, range(9))))",
    "queue": "import multiprocessing as m\nq, l = m.Queue(), m.Lock()\np = m.Process(target=lambda: q.put(36)); p.start(); print(q.get()); p.join()",
    "array": "import multiprocessing as m\na = m.Array('i', 9)\np = m.Process(target=lambda: a.__setitem__(0, 36)); p.start(); p.join(); print(a[0])",
    "shared-memory": "from multiprocessing.shared_memory import SharedMemory as S\nx = S(create=True, size=9); x.buf[0] = 36; y = S(x.name); print(y.buf[0]); y.close(); x.close(); x.unlink()",
    "spawn": "import multiprocessing as m\nif __name__ == '__main__':\n  p = m.get_context('spawn').Process(target=print, args=(36,)); p.start(); p.join()",
    "asyncio": "import asyncio\nasync def f():\n  p = await asyncio.create_subprocess_exec('echo', '36', stdout=-1)\n  print((await p.communicate())[0].decode())\nasyncio.run(f())",
    "subprocess": "import subprocess\nprint(subprocess.run(['sh', '-c', 'echo 36'], capture_output=True, text=True).stdout)",
    "kill": "import subprocess\np = subprocess.Popen(['sleep', '9']); p.terminate(); print(21 - p.wait())",
    "threads": "from concurrent.futures import ThreadPoolExecutor as T\nprint(sum(T(9).map(abs, range(9))))",
    "tempfile": "import tempfile\nf = tempfile.TemporaryFile(); f.write(b'36'); f.seek(0); print(f.read().decode())",
    "psutil": "import psutil\np = psutil.Process(); p.memory_info(); p.children(); p.open_files(); psutil.virtual_memory(); print(36)",
    "joblib": "import joblib, numpy as n\na = n.ones(4_000_000)\nprint(int(sum(joblib.Parallel(2)(joblib.delayed(n.sum)(a) for _ in range(9))) / 1e6))",
    "numba": "import numba, numpy as n\n@numba.njit(parallel=True)\ndef f(x):\n  s = 0\n  for i in numba.prange(x.size): s += x[i]\n  return s\nprint(f(n.arange(9)))",
    "keras": "import keras, numpy as n, tensorflow as t\nm = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])\nm.predict(n.zeros((9, 8, 8, 3)), verbose=0)\nd = t.data.Dataset.range(9).map(lambda x: x, num_parallel_calls=4).batch(3).prefetch(2)\nprint(sum(int(t.reduce_sum(b)) for b in d))",
}
# These talk through a local socket with a name, which is refused behind fences alone.
LOCAL = {
    "manager": "import multiprocessing as m\nwith m.Manager() as g: d = g.dict(); d[1] = 36; print(d[1])",
    "forkserver": "import multiprocessing as m\nif __name__ == '__main__':\n  p = m.get_context('forkserver').Process(target=print, args=(36,)); p.start(); p.join()",
    "loopback": "import socket\ns = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); c.send(b'36'); print(s.accept()[0].recv(2).decode())",
}
QUICK = ("pool", "shared-memory", "asyncio")


def runs(tmp_path: Path, code: str) -> bool:
    """Whether a program comes to its end with what it should print."""
    asked = job(
        tmp_path, "", seconds=120.0, processes=100, memory_bytes=3 << 30, disk_bytes=1 << 28
    )
    (tmp_path / "sub" / "program.py").write_text(code, encoding="utf-8")
    words = (sys.executable, "$sub/program.py")
    environment = {**run.python_environment(), "HOME": "$out"}  # a user's has a Keras of its own
    result = run.run(replace(asked, command=words, environment=environment))
    return result.exit_code == 0 and result.log.split()[-1:] == ["36"]


def _marks(name: str) -> tuple[pytest.MarkDecorator, ...]:
    slow = () if name in QUICK else (pytest.mark.slow,)
    return (*slow, *((pytest.mark.keras,) if name == "keras" else ()))


@pytest.mark.parametrize("name", [pytest.param(key, marks=_marks(key)) for key in PROGRAMS])
def test_an_honest_program_notices_nothing(tmp_path: Path, level: str, name: str) -> None:
    """Else a submission that works on the platform fails here."""
    assert runs(tmp_path, PROGRAMS[name]), level


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCAL)
def test_local_sockets_work_where_there_are_namespaces(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else multiprocessing.Manager and a DataLoader of torch fail here alone."""
    at_level("namespaces", monkeypatch)
    assert runs(tmp_path, LOCAL[name])
