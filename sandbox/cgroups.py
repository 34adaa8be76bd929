"""Limits of a process tree held by the kernel: control groups, version 1 or 2, where we may make them."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PREFIX = "rehearsal-"
_LIMIT_FILES = {
    ("memory", 1): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ("memory", 2): ("memory.max", "memory.swap.max"),
    ("pids", 1): ("pids.max",),
    ("pids", 2): ("pids.max",),
}
_EVENTS = {
    ("memory", 1): ("memory.oom_control", "oom_kill"),
    ("memory", 2): ("memory.events", "oom_kill"),
    ("pids", 1): ("pids.events", "max"),
    ("pids", 2): ("pids.events", "max"),
}
_REMOVE_SECONDS = 2.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """One control group that we made. kind: memory or pids; version: of control groups."""

    path: Path
    kind: str
    version: int

    @property
    def door(self) -> Path:
        """The file into which a process writes itself."""
        return self.path / "cgroup.procs"

    def ran_out(self) -> bool:
        """Whether the kernel killed a process for want of memory, or refused a new one."""
        name, key = _EVENTS[self.kind, self.version]
        return _count(self.path / name, key) > 0

    def members(self) -> list[int]:
        """The processes in it, wherever they went."""
        with contextlib.suppress(OSError, ValueError):
            return [int(word) for word in self.door.read_text(encoding="ascii").split()]
        return []

    def close(self) -> None:
        """Kill what is left in it and remove it."""
        deadline = time.monotonic() + _REMOVE_SECONDS
        while time.monotonic() < deadline:
            for pid in self.members():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # still busy: its processes are dying
                time.sleep(0.005)
            else:
                return


def make_group(kind: str, limit: int | None, proc: Path = PROC) -> Group | None:
    """A new group with this limit, or None: no limit is wanted, or this machine does not let us."""
    found = _home(kind, proc) if limit is not None else None
    if found is None:
        return None
    home, version = found
    _remove_abandoned(home)
    group = Group(home / f"{PREFIX}{os.getpid()}-{next(_numbers)}", kind, version)
    first, *more = _LIMIT_FILES[kind, version]
    try:
        group.path.mkdir()
        (group.path / first).write_text(str(limit), encoding="ascii")
        if not os.access(group.door, os.W_OK):
            raise PermissionError(group.door)
    except OSError:
        group.close()
        return None
    for name in more:  # swap counts too, where the kernel counts it
        with contextlib.suppress(OSError):
            text = "0" if version == 2 else str(limit)
            (group.path / name).write_text(text, encoding="ascii")
    return group


def _home(kind: str, proc: Path) -> tuple[Path, int] | None:
    """The folder in which a group for this kind can be made, and the version."""
    for controllers, inside in _own_groups(proc):
        for root, mounted, version, offered in _mounts(proc):
            if version == 1 and kind in controllers and kind in offered:
                return _below(mounted, root, inside), 1
            if version == 2 and controllers == [""]:
                found = _delegated(kind, _below(mounted, root, inside), mounted)
                if found is not None:
                    return found, 2
    return None


def _own_groups(proc: Path) -> list[tuple[list[str], str]]:
    """(controllers, path) of the groups that this process is in; [""] stands for version 2."""
    with contextlib.suppress(OSError):
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
        parts = [line.split(":", 2) for line in lines]
        return [(part[1].split(","), part[2]) for part in parts if len(part) == 3]
    return []


def _mounts(proc: Path) -> list[tuple[str, Path, int, list[str]]]:
    """(root, mount point, version, controllers) of the mounted hierarchies."""
    found = []
    with contextlib.suppress(OSError):
        for line in (proc / "self" / "mountinfo").read_text(encoding="utf-8").splitlines():
            left, _, right = line.partition(" - ")
            kind, _, options = right.partition(" ")
            words = left.split()
            if kind in ("cgroup", "cgroup2") and len(words) > 4:
                offered = options.split()[-1].split(",")
                found.append((words[3], Path(words[4]), 2 if kind == "cgroup2" else 1, offered))
    return found


def _below(mounted: Path, root: str, inside: str) -> Path:
    rest = inside.removeprefix(root) if root != "/" else inside
    return mounted / rest.strip("/")


def _delegated(kind: str, own: Path, top: Path) -> Path | None:
    """Version 2: the nearest group above, itself included, that passes this limit on to new ones."""
    for place in (own, *own.parents):
        with contextlib.suppress(OSError):
            text = (place / "cgroup.subtree_control").read_text(encoding="ascii")
            if kind in text.split() and os.access(place, os.W_OK):
                return place
        if place == top:
            break
    return None


def _remove_abandoned(home: Path) -> None:
    """Remove the groups of dead processes of ours; one that is in use cannot be removed."""
    for path in home.glob(f"{PREFIX}*"):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not (PROC / owner).exists():
            with contextlib.suppress(OSError):
                path.rmdir()


def _count(path: Path, key: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
