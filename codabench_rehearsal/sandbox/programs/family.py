"""A process and everything it started, found in /proc; standard library only."""

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
        texts = [(task / "children").read_text(encoding="ascii") for task in tasks]
        return [int(word) for text in texts for word in text.split()]
    except OSError:
        return [child for child, parent in _parents() if parent == pid]


def end_children() -> None:
    """Kill all children and theirs, also those adopted, until none is left."""
    deadline = time.monotonic() + LONGEST_KILL_SECONDS
    while _kill_descendants() and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)


def _kill_descendants() -> bool:
    """Kill all descendants of this process that are not dead; whether there was any."""
    alive = [pid for pid in members(os.getpid())[1:] if not _is_dead(pid)]
    for pid in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(alive)


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


def _is_dead(pid: int) -> bool:
    """Whether it is gone, or only waits for its parent to notice."""
    return state(pid) in ("", "Z", "X")


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of all processes."""
    numbers = [int(path.name) for path in PROC.glob("[0-9]*")]
    return [(pid, int(found[1])) for pid in numbers if len(found := _stat(PROC / str(pid))) > 1]


def _stat(folder: Path) -> list[str]:
    """The words after the name in /proc/PID/stat, or a thread's: state, parent, ..."""
    with contextlib.suppress(OSError):
        text = (folder / "stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(")")[2].split()
    return []
