"""A Job: one command to run on some folders under limits, and how it ended. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from codabench_rehearsal.console.errors import UserError

Ended = Literal["exit", "time", "memory", "processes", "log", "disk", "cancelled"]


class SandboxError(UserError):
    """The sandbox could not do its part (a missing folder, a Python that does not start)."""

    keeps_lines = True


@dataclass(frozen=True)
class Limits:
    """What a job may use; None means no limit is set here.

    seconds: wall time. memory_bytes: resident memory of the whole process tree. processes: how
    many at a time; threads do not count. log_bytes: printed. disk_bytes: in the folders it may
    write, and written in all. open_files: of each process. network: whether it has one.
    """

    seconds: float | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    log_bytes: int | None = None
    disk_bytes: int | None = None
    open_files: int | None = None
    network: bool = False


# Beyond these no honest submission goes, whatever its platform allows.
CEILINGS = Limits(processes=100, log_bytes=20_000_000, disk_bytes=500_000_000, open_files=65_536)


@dataclass(frozen=True)
class Job:
    """A command, the folders it sees, and its limits.

    command: words; `$name` in a word stands for that folder's path, as in Codabench's metadata; so
    it does in the environment's values.
    folders: name -> path of an existing folder. working_folder: one of those names.
    environment: the whole environment of the command, apart from what it needs to start.
    writable: names of the folders that it may write. copied: names of those that it may change in
    a copy of its own, which goes when the job ends. All others it can only read. reads: absolute
    paths of more that it must be able to read. image: a docker image to run it in. places: name ->
    where the command sees that folder, as far as mounts can be made; else at its own path. One path
    may have several names; without mounts only the first of them counts.
    """

    command: tuple[str, ...]
    folders: Mapping[str, str]
    working_folder: str
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    writable: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    image: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def inside(self) -> dict[str, str]:
        """Folder -> where the command sees it when mounts can be made."""
        return {**self.folders, **self.places}


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    ended: "exit" (by itself), or the limit that ended it, or "cancelled" by us.
    exit_code: negative for a signal, as in `subprocess`. log: standard output and error, the
    middle cut out when long. seconds: wall time. peak_memory_bytes: the highest resident memory
    seen of the process tree; 0 where it ended before the first look and stayed below what this
    process holds itself. limits: limit -> the mechanism that holds it on this machine.
    stopped: all its processes were stopped by a signal (SIGSTOP) when the limit ended it.
    """

    ended: Ended
    exit_code: int
    log: str
    seconds: float
    peak_memory_bytes: int
    limits: Mapping[str, str]
    stopped: bool = False
