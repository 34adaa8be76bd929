"""Looks at a running process tree from outside, and tells which limit it has broken."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codabench_rehearsal.sandbox import processes
from codabench_rehearsal.sandbox.cgroups import ControlGroup
from codabench_rehearsal.sandbox.isolation import MOST_FILES
from codabench_rehearsal.sandbox.job import Ended, Job
from codabench_rehearsal.sandbox.processes import Held, Inside

POLL_SECONDS = 0.05
DISK_POLL_SECONDS = 0.1
MOST_RENEWALS = 8  # of the disk's limit: what is left lying by call after call fills it at last
LOOKING_SHARE = 0.05  # of the time at most: thousands of threads or files take longer
LONGEST_PAUSE = 1.0  # all the same: much is written in ten seconds
GROWTH = 1.02  # sharing is looked at again when the memory has grown by this


class Watch:
    """The limits of one job. Call `broken` often; it looks as often as is worth it.

    copies: the folder that holds the job's copied folders where no mount could be made.
    """

    def __init__(self, job: Job, groups: Sequence[ControlGroup], copies: Path) -> None:
        self._limits, self._groups = job.limits, groups
        self._copies, self._copied = copies, [Path(job.folders[name]) for name in job.copied]
        self._is_counted = any("memory" in group.kinds for group in groups)
        writable = [Path(job.folders[name]) for name in job.writable]
        self.peak_bytes = 0
        self._largest_sum = 0
        self._named_before = set(processes.named_memory())
        self.disk = DiskUse(self._limits.disk_bytes, writable)
        self._next = self._next_disk = 0.0

    def broken(self, pid: int, facts: Mapping[str, Any]) -> Ended | None:
        """The limit that the tree of a launcher has broken, if any.

        pid: the launcher. facts: what it reported; empty as long as it has not.
        """
        now = time.monotonic()
        if now < self._next:
            return None
        inside = processes.look_inside(pid, facts)
        wants_disk = self._limits.disk_bytes is not None and now >= self._next_disk
        looks = wants_disk or not self._is_counted
        held = processes.open_files(inside) if looks else Held()
        over = self._is_memory_over(inside, held, own_root=facts.get("level") == "namespaces")
        self._next = _next_look(now, POLL_SECONDS)
        if over:
            return "memory"
        if ended := self.held_by_kernel():
            return ended
        if self._limits.processes is not None and len(inside.pids) > self._limits.processes:
            return "processes"
        return self._look_at_disk(inside, held, facts) if wants_disk else None

    def held_by_kernel(self) -> Ended | None:
        """The limit at which the kernel had to kill or to refuse, if any."""
        for group in self._groups:
            if kind := group.ran_out():
                return "memory" if kind == "memory" else "processes"
        return None

    def _look_at_disk(self, inside: Inside, held: Held, facts: Mapping[str, Any]) -> Ended | None:
        now = time.monotonic()
        if facts.get("level", "namespaces") != "namespaces":
            self.disk.add(self._copies, self._copied)
        nameless = held.disk_bytes + inside.scratch_bytes
        self.disk.look(processes.written_bytes(inside.pids), nameless, inside.scratch_files)
        over = self.disk.is_over()
        self._next_disk = _next_look(now, DISK_POLL_SECONDS)
        return "disk" if over else None

    def _is_memory_over(self, inside: Inside, held: Held, *, own_root: bool) -> bool:
        each, limit = processes.resident_bytes(inside.pids), self._limits.memory_bytes
        beside = inside.scratch_bytes + inside.shared_bytes
        beside += 0 if self._is_counted else held.memory_bytes
        total = sum(each) + beside
        if total > self._largest_sum * GROWTH:
            self._largest_sum = total
            shared = len(inside.pids) > 1  # only then may pages be counted twice
            own = processes.own_bytes(inside.pids) + beside if shared else total
            # Shares of processes that begin or end meanwhile are lost: no less than the largest.
            self.peak_bytes = max(self.peak_bytes, own, max(each, default=0))
        named = {} if own_root or self._is_counted else self._new_in_shared(held)
        if limit is None or total + sum(named.values()) <= limit:
            return False
        others = processes.held_by_others(named, inside) if named else ()
        beside += sum(size for path, size in named.items() if path not in others)
        own = processes.own_bytes(inside.pids) if len(inside.pids) > 1 else sum(each)
        if beside:
            own -= processes.mapped_bytes(inside.pids, held.shared, inside.devices)
        return own + beside > limit

    def _new_in_shared(self, held: Held) -> dict[str, int]:
        """New files in the machine's own /dev/shm that no process of the job has open."""
        listed = processes.named_memory()
        new = listed.keys() - self._named_before
        return {path: listed[key, path] for key, path in new if key not in held.shared}


class DiskUse:
    """Bytes that were written, and bytes and files that lie in folders, since the last `renew`.

    limit: of each kind of bytes; None for any number.
    """

    def __init__(self, limit: int | None, folders: Sequence[Path]) -> None:
        self._limit, self._folders = limit, list(folders)
        self._by_process: dict[int, int] = {}
        self._given = (0, 0)  # bytes and files that lay there at first
        self._written_before = self._lay_before = 0
        self._elsewhere = self._files_elsewhere = 0
        self._renewed = 0  # times, since the last look

    def add(self, folder: Path, sources: Sequence[Path]) -> None:
        """Count in one more folder, which holds copies of others at first."""
        if folder not in self._folders and self._limit is not None:
            self._folders.append(folder)
            self._given = occupied(sources, self._limit * MOST_RENEWALS)

    def look(self, written: Mapping[int, int], elsewhere: int, files: int) -> None:
        """Note what was written so far by process, and bytes and files that no folder shows."""
        for pid, count in written.items():  # that of processes that ended stays counted
            self._by_process[pid] = max(count, self._by_process.get(pid, 0))
        self._elsewhere, self._files_elsewhere = elsewhere, files

    def renew(self) -> None:
        """Count from the next look on."""
        self._renewed += 1

    def is_over(self) -> bool:
        """Whether any exceeds the limit, or there are more files than anything needs."""
        if self._limit is None:
            return False
        written = max(sum(self._by_process.values()), 0)
        allowed = self._limit * (1 + self._renewed)
        ceiling = self._limit * MOST_RENEWALS
        given, given_files = self._given
        most = self._lay_before + allowed
        lies, files = occupied(self._folders, most + given, MOST_FILES + given_files)
        lies += self._elsewhere - given
        over = lies > most or written - self._written_before > allowed
        if self._renewed:
            self._renewed = 0
            self._written_before, self._lay_before = written, max(0, min(lies, ceiling))
        return over or max(files - given_files, self._files_elsewhere) >= MOST_FILES


def occupied(folders: Sequence[Path], most: int, most_files: int = MOST_FILES) -> tuple[int, int]:
    """Bytes of disk and number of files in these folders; beyond `most` it stops counting.

    Folders so deep that no path leads there are as many files as there can be: none is honest.
    """
    total, files, waiting = 0, 0, [str(folder) for folder in folders]
    while waiting and total <= most and files <= most_files:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as error:  # gone meanwhile, or unreadable: what was written still counts
            files += most_files if error.errno == errno.ENAMETOOLONG else 0
    return total, files


def _next_look(began: float, pause: float) -> float:
    now = time.monotonic()
    return max(began + pause, now + min((now - began) / LOOKING_SHARE, LONGEST_PAUSE))
