"""A process and everything it started, found in /proc; standard library only.

A signal's handler calls this, so nothing here imports on the way, as a rarer encoding would.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")
LONGEST_KILL_SECONDS = 5.0
_PAUSE_SECONDS = 0.005


def members(pid: int) -> list[int]:
    """The process and its living descendants; those that were adopted away are not seen."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting += children(current)
    return found


def children(pid: int) -> list[int]:
    """Its children; Linux tells them by thread, at a hundredth of the cost of a walk."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
        texts = [(task / "children").read_text(encoding="utf-8") for task in tasks]
        return [int(word) for text in texts for word in text.split()]
    except OSError:
        return [child for child, parent in _parents() if parent == pid]


def end_children() -> None:
    """Kill all children and theirs, also those adopted, until none is left; takes their statuses.

    The children of one that dies come to us, and only the kernel's word that none is left is
    believed: a walk through the tree is too slow for who moves on, and misses who is adopted.
    """
    deadline = time.monotonic() + LONGEST_KILL_SECONDS
    while _has_children() and time.monotonic() < deadline:
        for pid in children(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _has_children() -> bool:
    """Whether this process has a living child; takes the status of those that are dead."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def state(pid: int) -> str:
    """The letter that the kernel gives: R, S, D, T (stopped), Z ...; "" where it is gone."""
    return "".join(_stat(place(pid))[:1])


def place(pid: int) -> Path:
    """Its folder in /proc; a living thread's where the first has ended, which shows nothing."""
    first = PROC / str(pid)
    if _stat(first)[:1] == ["Z"]:
        with contextlib.suppress(OSError):
            for thread in (first / "task").iterdir():
                if _stat(thread)[:1] not in (["Z"], ["X"], []):
                    return thread
    return first


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of all processes."""
    numbers = [int(path.name) for path in PROC.glob("[0-9]*")]
    return [(pid, int(found[1])) for pid in numbers if len(found := _stat(PROC / str(pid))) > 1]


def _stat(folder: Path) -> list[str]:
    """The words after the name in /proc/PID/stat, or a thread's: state, parent, ..."""
    with contextlib.suppress(OSError):
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()
    return []
