"""Limits of a process tree held by the kernel: control groups, version 1 or 2, where we may."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.sandbox.processes import PROC, send

PREFIX = "rehearsal-"
# The first file of each must take the limit; the others where the kernel has them.
_LIMIT_FILES = {
    ("memory", 1): (
        *("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        "memory.kmem.tcp.limit_in_bytes",  # apart from all others in this version
    ),
    ("memory", 2): ("memory.max", "memory.swap.max", "memory.oom.group"),
    ("pids", 1): ("pids.max",),
    ("pids", 2): ("pids.max",),
}
_FIXED = {"memory.swap.max": "0", "memory.oom.group": "1"}
_EVENTS = {
    ("memory", 1): ("memory.oom_control", "oom_kill"),
    ("memory", 2): ("memory.events", "oom_kill"),
    ("pids", 1): ("pids.events", "max"),
    ("pids", 2): ("pids.events", "max"),
}
_REMOVE_SECONDS = 2.0
_DOOR = "cgroup.procs"
_numbers = itertools.count()


@dataclass(frozen=True)
class ControlGroup:
    """One control group that we made. kinds: memory, pids or both; version: of control groups."""

    path: Path
    kinds: tuple[str, ...]
    version: int

    @property
    def door(self) -> Path:
        """The file into which a process writes itself."""
        return self.path / _DOOR

    def ran_out(self) -> str:
        """The kind for want of which the kernel killed a process or refused a new one, or ""."""
        for kind in self.kinds:
            name, key = _EVENTS[kind, self.version]
            with contextlib.suppress(OSError, ValueError):
                lines = (self.path / name).read_text(encoding="ascii").splitlines()
                if int(dict(line.partition(" ")[::2] for line in lines).get(key, 0)) > 0:
                    return kind
        return ""

    def close(self) -> None:
        """Kill what is left in it and remove it."""
        deadline = time.monotonic() + _REMOVE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                for word in _words(self.door):
                    send(int(word), signal.SIGKILL)
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # still busy: its processes are dying
                time.sleep(0.005)
            else:
                return


def make_groups(limits: Mapping[str, int | None], proc: Path = PROC) -> list[ControlGroup]:
    """New groups with these limits by kind; what is not wanted, or not let us, is in none.

    In version 2 a process is in one group alone, so that one group holds all kinds.
    """
    homes: dict[tuple[Path, int], list[str]] = {}
    for kind, limit in limits.items():
        found = _home(kind, proc) if limit is not None else None
        if found is not None:
            homes.setdefault(found, []).append(kind)
    made = [_make(home, version, kinds, limits) for (home, version), kinds in homes.items()]
    return [group for group in made if group is not None]


def _make(
    home: Path, version: int, kinds: Sequence[str], limits: Mapping[str, int | None]
) -> ControlGroup | None:
    """A new group in a home; None where it is not let us after all."""
    _remove_abandoned(home)
    group = ControlGroup(home / f"{PREFIX}{os.getpid()}-{next(_numbers)}", tuple(kinds), version)
    try:
        group.path.mkdir()
        for kind in kinds:
            first, *more = _LIMIT_FILES[kind, version]
            (group.path / first).write_text(str(limits[kind]), encoding="ascii")
            for name in more:  # swap counts too, where the kernel counts it
                with contextlib.suppress(OSError):
                    text = _FIXED.get(name, str(limits[kind]))
                    (group.path / name).write_text(text, encoding="ascii")
        # In version 2 a process comes in only from below a group that we may change as well.
        doors = [group.door, home / _DOOR][:version]
        if not all(os.access(door, os.W_OK) for door in doors):
            raise PermissionError(group.door)
    except OSError:
        group.close()
        return None
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
    """Version 2: the nearest group above, itself included, that passes this limit on to new ones.

    systemd gives a user's manager such a tree (`user@1000.service`, with all that a desktop
    starts); a group that holds processes passes nothing on, and is left as it is.
    """
    for place in (own, *own.parents):
        if os.access(place, os.W_OK) and _passes_on(place, kind):
            return place
        if place == top:
            break
    return None


def _passes_on(place: Path, kind: str) -> bool:
    """Whether new groups in this one get the limit; it is asked for where nothing forbids it."""
    switch = place / "cgroup.subtree_control"
    with contextlib.suppress(OSError):
        if kind in _words(switch):
            return True
        if kind in _words(place / "cgroup.controllers") and not _words(place / _DOOR):
            switch.write_text(f"+{kind}", encoding="ascii")
            return kind in _words(switch)
    return False


def _words(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split()


def _remove_abandoned(home: Path) -> None:
    """Remove the groups of dead processes of ours; one that is in use cannot be removed."""
    for path in home.glob(f"{PREFIX}*"):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not (PROC / owner).exists():
            with contextlib.suppress(OSError):
                path.rmdir()
