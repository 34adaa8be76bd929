"""A process and everything it started: what they use, and how to end them all."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from codabench_rehearsal.sandbox.programs import family

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def members(pid: int) -> list[int]:
    """The process and its living descendants; those that were adopted away are not seen."""
    if PROC.is_dir():
        return family.members(pid)
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def children(pid: int) -> list[int]:
    """Its children alone."""
    return family.children(pid)


def resident_bytes(pids: Iterable[int]) -> list[int]:
    """Resident memory of each; pages shared between processes count in all of them. Microseconds."""
    return [_resident(pid) for pid in pids]


def own_bytes(pids: Iterable[int]) -> int:
    """Resident memory; a page shared by n processes counts 1/n in each. Milliseconds a process."""
    return sum(_proportional(pid) for pid in pids)


def written_bytes(pids: Iterable[int]) -> dict[int, int]:
    """What each has written to disks since it began, also into files that are gone again."""
    written = {}
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (PROC / str(pid) / "io").read_text(encoding="ascii").splitlines()
            found = dict(line.split(": ") for line in lines)
            written[pid] = int(found["write_bytes"]) - int(found["cancelled_write_bytes"])
    return written


def are_stopped(pids: Iterable[int]) -> bool:
    """Whether there are processes, and a signal (SIGSTOP) keeps all of them from running."""
    return set(map(family.state, pids)) == {"T"}


def marked(word: str) -> list[int]:
    """The processes whose environment holds this text when they started, wherever they went."""
    found = []
    for path in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (family.place(int(path.name)) / "environ").read_bytes():
                found.append(int(path.name))
    return found


def kill(pid: int) -> None:
    """Kill the tree, and the process group that it was started in."""
    for member in members(pid):
        send(member, signal.SIGKILL)
    kill_group(pid)


def send(pid: int, number: int) -> None:
    """Send a signal, if the process is there and may be sent one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_group(pid: int) -> None:
    """Kill whatever is left of the process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _resident(pid: int) -> int:
    try:
        return int((family.place(pid) / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(pid).memory_info().rss)
    return 0


def _proportional(pid: int) -> int:
    try:
        text = (family.place(pid) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return _resident(pid)
    sizes = [line.split()[1] for line in text.splitlines() if line.startswith("Pss:")]
    return int(sizes[0]) * 1024 if sizes else _resident(pid)
