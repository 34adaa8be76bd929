"""Looks at a running process tree from outside, and tells which limit it has broken."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox import tree
from sandbox.cgroups import Group
from sandbox.job import Ended, Job

POLL_SECONDS = 0.05
DISK_POLL_SECONDS = 0.1
MOST_RENEWALS = 8  # of the disk's limit: what is left lying by call after call fills it at last
LOOKING_SHARE = 0.05  # of the time at most: thousands of threads or files take longer
GROWTH = 1.02  # sharing is looked at again when the memory has grown by this


class Watch:
    """The limits of one job. Call `broken` often; it looks as often as is worth it."""

    def __init__(self, job: Job, groups: Sequence[Group]) -> None:
        self._limits, self._groups = job.limits, groups
        writable = [Path(job.folders[name]) for name in job.writable]
        self.peak_bytes = 0
        self._largest_sum = 0
        self._disk = Disk(self._limits.disk_bytes, writable)
        self._next = self._next_disk = 0.0

    def broken(self, pid: int, facts: Mapping[str, Any]) -> Ended | None:
        """The limit that the tree of a launcher has broken, if any.

        pid: the launcher. facts: what it reported; empty as long as it has not.
        """
        now = time.monotonic()
        if now < self._next:
            return None
        pids, scratch = _inside(pid, facts)
        over = self._is_memory_over(pids, scratch)
        self._next = _next_look(now, POLL_SECONDS)
        if over:
            return "memory"
        if held := self.held_by_kernel():
            return held
        if self._limits.processes is not None and len(pids) > self._limits.processes:
            return "processes"
        return self._look_at_disk(pids, scratch)

    def held_by_kernel(self) -> Ended | None:
        """The limit at which the kernel had to kill or to refuse, if any."""
        for group in self._groups:
            if kind := group.ran_out():
                return "memory" if kind == "memory" else "processes"
        return None

    def is_disk_over(self) -> bool:
        """Whether more than allowed was written, or lies in the writable folders."""
        return self._disk.is_over()

    def renew(self) -> None:
        """Let the limit of disk count from the next look on."""
        self._disk.renew()

    def _look_at_disk(self, pids: Sequence[int], scratch: int) -> Ended | None:
        now = time.monotonic()
        if now < self._next_disk:
            return None
        self._disk.look(tree.written_bytes(pids), scratch)
        over = self._disk.is_over()
        self._next_disk = _next_look(now, DISK_POLL_SECONDS)
        return "disk" if over else None

    def _is_memory_over(self, pids: Sequence[int], scratch: int) -> bool:
        each = tree.resident_bytes(pids)
        limit, total = self._limits.memory_bytes, sum(each) + scratch
        if total > self._largest_sum * GROWTH:
            self._largest_sum = total
            shared = len(pids) > 1  # only then may pages be counted twice
            own = tree.own_bytes(pids) + scratch if shared else total
            # Shares of processes that begin or end meanwhile are lost: no less than the largest.
            self.peak_bytes = max(self.peak_bytes, own, max(each, default=0))
        over = limit is not None and total > limit
        if over and len(pids) > 1:
            over = tree.own_bytes(pids) + scratch > (limit or 0)
        return over


class Disk:
    """Bytes that were written, and bytes that lie in folders, since the last `renew`.

    limit: of each; None for any number.
    """

    def __init__(self, limit: int | None, folders: Sequence[Path]) -> None:
        self._limit, self._folders = limit, folders
        self._written = self._written_before = 0
        self._scratch = self._lay_before = 0
        self._renewed = 0  # times, since the last look

    def look(self, written: int, scratch: int) -> None:
        """Note what the processes have written so far, and what lies in their /tmp in memory."""
        self._written, self._scratch = max(self._written, written), scratch

    def renew(self) -> None:
        """Count from the next look on."""
        self._renewed += 1

    def is_over(self) -> bool:
        """Whether either exceeds the limit."""
        if self._limit is None:
            return False
        allowed = self._limit * (1 + self._renewed)
        ceiling = self._limit * MOST_RENEWALS
        most = self._lay_before + allowed
        lies = self._scratch + occupied(self._folders, most)
        over = lies > most or self._written - self._written_before > allowed
        if self._renewed:
            self._renewed = 0
            self._written_before, self._lay_before = self._written, min(lies, ceiling)
        return over


def occupied(folders: Sequence[Path], most: int) -> int:
    """The bytes of disk that the files in these folders hold; beyond `most` it stops counting."""
    total, waiting = 0, [str(folder) for folder in folders]
    while waiting and total <= most:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # gone meanwhile, or made unreadable: what is written there still counts
    return total


def _next_look(began: float, pause: float) -> float:
    return began + max(pause, (time.monotonic() - began) / LOOKING_SHARE)


def _inside(pid: int, facts: Mapping[str, Any]) -> tuple[list[int], int]:
    """The foreign processes, and the bytes in their /tmp that is kept in memory."""
    pids = tree.members(pid)[1:]
    if facts.get("level") != "namespaces" or not pids:
        return pids, 0
    first = tree.children(pid)[:1]
    try:
        used = os.statvfs(f"/proc/{first[0]}/root/tmp")
        return [p for p in pids if p not in first], (used.f_blocks - used.f_bfree) * used.f_frsize
    except (OSError, IndexError):
        return [p for p in pids if p not in first], 0
