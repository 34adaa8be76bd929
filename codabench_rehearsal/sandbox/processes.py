"""A process and everything it started: what they use and hold, and how to end them all.

What they hold beside their own pages (files without a name, shared memory, buffers) is found in
/proc from outside. A control group counts all of it; this stands in where none can be had. What a
process sent to itself through a socket is in nobody's list.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from codabench_rehearsal.sandbox.programs import family
from codabench_rehearsal.sandbox.programs.family import place
from codabench_rehearsal.sandbox.programs.root import BUFFER_BYTES, TEMPORARY

PROC = Path("/proc")
SHARED = Path("/dev/shm")  # noqa: S108 - memory with names, for all processes of the machine
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FREE_ENDS = 200  # sockets, and pipes, that count nothing: few honest programs have more
_PIPE_BYTES = 8192  # a user's many pipes are made small
_GONE = " (deleted)"
_IN_MEMORY = ("/memfd:", "/SYSV", "/dev/zero", f"{SHARED}/")
Key = tuple[int, int]  # device, inode


@dataclass(frozen=True)
class Inside:
    """The foreign processes of a launcher, and what lies in their own /tmp and /dev/shm in memory.

    scratch_bytes, scratch_files: /tmp, changes to copied folders included, files without a name
    too. shared_bytes: /dev/shm. devices: of both; none where they are the machine's.
    """

    pids: Sequence[int]
    scratch_bytes: int = 0
    scratch_files: int = 0
    shared_bytes: int = 0
    devices: Collection[int] = ()


@dataclass
class Held:
    """What open files hold. shared: bytes in memory by file; nameless: bytes on disks by file."""

    shared: dict[Key, int] = field(default_factory=dict)
    nameless: dict[Key, int] = field(default_factory=dict)
    sockets: set[str] = field(default_factory=set)
    pipes: set[str] = field(default_factory=set)

    @property
    def memory_bytes(self) -> int:
        """Memory in all; the buffers of very many sockets and pipes count as full."""
        sockets, pipes = (max(0, len(ends) - _FREE_ENDS) for ends in (self.sockets, self.pipes))
        return sum(self.shared.values()) + sockets * BUFFER_BYTES + pipes * _PIPE_BYTES

    @property
    def disk_bytes(self) -> int:
        """What files without a name hold on disks."""
        return sum(self.nameless.values())


def members(pid: int) -> list[int]:
    """The process and its living descendants; those that were adopted away are not seen."""
    if shows_all():
        return family.members(pid)
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


def resident_bytes(pids: Iterable[int]) -> list[int]:
    """Resident memory of each; pages shared by processes count in all of them. Microseconds."""
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


def shows_all() -> bool:
    """Whether this system tells what processes hold beside their own pages, as Linux's /proc."""
    return PROC.is_dir()


def marked(word: str) -> list[int]:
    """The processes whose environment holds this text when they started, wherever they went."""
    if not shows_all():
        return [one.pid for one in psutil.process_iter() if word in _environment(one)]
    found = []
    for path in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (place(int(path.name)) / "environ").read_bytes():
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


def look_inside(launcher: int, facts: Mapping[str, Any]) -> Inside:
    """The foreign processes below a launcher. facts: what it reported."""
    pids = members(launcher)[1:]
    if facts.get("level") != "namespaces" or not pids:
        return Inside(pids)
    first = family.children(launcher)[:1]
    foreign = [pid for pid in pids if pid not in first]
    try:
        roots = [Path(f"/proc/{first[0]}/root{folder}") for folder in (TEMPORARY, SHARED)]
        scratch, shared = (os.statvfs(root) for root in roots)
        devices = {root.stat().st_dev for root in roots}
    except (OSError, IndexError):
        return Inside(foreign)
    sizes = [(found.f_blocks - found.f_bfree) * found.f_frsize for found in (scratch, shared)]
    return Inside(foreign, sizes[0], scratch.f_files - scratch.f_ffree, sizes[1], devices)


def open_files(inside: Inside) -> Held:
    """What the open files of the processes hold, each once; 2 microseconds a file."""
    held = Held()
    for pid in inside.pids:
        with contextlib.suppress(OSError):
            folder = f"{place(pid)}/fd"
            for number in os.listdir(folder):  # noqa: PTH208 - names alone, and quickly
                with contextlib.suppress(OSError):
                    _note(f"{folder}/{number}", inside.devices, held)
    return held


def mapped_bytes(pids: Iterable[int], files: Collection[Key], devices: Collection[int]) -> int:
    """The share of the processes' pages that belongs to these files, or to any on these devices."""
    total = 0
    for pid in pids:
        counts = False
        with contextlib.suppress(OSError):
            for line in (place(pid) / "smaps").read_text(errors="replace").splitlines():
                words = line.split(maxsplit=5)
                if "-" in words[0]:
                    major, _, minor = words[3].partition(":")
                    device = os.makedev(int(major, 16), int(minor, 16))
                    counts = (device, int(words[4])) in files or device in devices
                elif counts and words[0] == "Pss:":
                    total += int(words[1]) * 1024
    return total


def named_memory() -> dict[tuple[Key, str], int]:
    """This user's files in the machine's own /dev/shm: memory that need not be open anywhere."""
    found = {}
    with contextlib.suppress(OSError), os.scandir(SHARED) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode) and seen.st_uid == os.geteuid():
                    found[(seen.st_dev, seen.st_ino), entry.path] = seen.st_blocks * 512
    return found


def held_by_others(paths: Collection[str], inside: Inside) -> set[str]:
    """The files that a process of somebody else's has open or mapped."""
    found: set[str] = set()
    for folder in PROC.glob("[0-9]*"):
        if int(folder.name) not in inside.pids:
            with contextlib.suppress(OSError):
                text = (folder / "maps").read_text(errors="replace")
                links = {_leads_to(file) for file in (folder / "fd").iterdir()}
                found |= {path for path in paths if path in links or path in text}
    return found


def _environment(process: psutil.Process) -> Collection[str]:
    """The values of a process's variables; none of one that is gone, or another user's."""
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().values()
    return ()


def _resident(pid: int) -> int:
    try:
        return int((place(pid) / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(pid).memory_info().rss)
    return 0


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (place(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


def _note(file: str, devices: Collection[int], held: Held) -> None:
    leads_to = os.readlink(file)  # noqa: PTH115 - thousands of them
    if leads_to.startswith("socket:"):
        held.sockets.add(leads_to)
    elif leads_to.startswith("pipe:"):
        held.pipes.add(leads_to)
    elif leads_to.startswith(_IN_MEMORY) or leads_to.endswith(_GONE):
        found = os.stat(file)  # noqa: PTH116 - thousands of them
        if stat.S_ISREG(found.st_mode) and found.st_dev not in devices:
            kind = held.shared if leads_to.startswith(_IN_MEMORY) else held.nameless
            kind[found.st_dev, found.st_ino] = found.st_blocks * 512


def _leads_to(file: Path) -> str:
    with contextlib.suppress(OSError):
        return str(file.readlink())
    return ""  # closed meanwhile
