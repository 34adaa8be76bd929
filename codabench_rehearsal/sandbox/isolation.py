"""What a child may see and do: the specification for its launcher, and what that says held here."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from codabench_rehearsal.sandbox import processes
from codabench_rehearsal.sandbox.cgroups import ControlGroup
from codabench_rehearsal.sandbox.job import Job, Limits
from codabench_rehearsal.sandbox.places import interpreter_places, our_rooms
from codabench_rehearsal.sandbox.programs.command import Folder, Mode
from codabench_rehearsal.sandbox.programs.root import filled

# The highest level tried; the tests lower it, to see what holds where the kernel refuses more.
LEVEL: Literal["namespaces", "fences", "none"] = "namespaces"
# Room for threads where the kernel counts them as processes.
THREADS = 192 + 32 * (os.cpu_count() or 1)
LARGEST_REPORT = 4096  # bytes; a pipe passes so many in one piece
FILE_MARGIN = 1 << 20  # a single file may pass the limit by this, so that it is seen to
MOST_FILES = 100_000  # that lie in what it may write; no submission makes so many
NOTHING_SET = "no limit was set"
LOCAL_REFUSED = "local sockets are refused"
THEIR_OWN = "not the platform's"  # how the fact "paths" begins where its places could not be had
_PLATFORMS_OWN = ("program", "output")  # copied folders that are not the submission's
_TIME = "watched every 20 ms, then the process tree is ended"


def specification(
    job: Job, groups: Sequence[ControlGroup], spare: str, report: int, mark: str
) -> str:
    """The argument of `programs/launch.py`, see `Spec` in `programs/command.py`."""
    limits = job.limits
    program, *more = job.command
    if os.sep in program and not program.startswith("$"):  # a name is looked for by the child
        program = str(Path(program).absolute())
    return json.dumps(
        {
            "parent": os.getpid(),
            "level": LEVEL,
            "words": [program, *more],
            "environment": dict(job.environment),
            "folders": [_folder(job, name) for name in job.folders],
            "working_folder": job.working_folder,
            "readable": [*interpreter_places(filled(program, job.folders)), *job.reads],
            "covered": list(our_rooms()),
            "network": limits.network,
            "accelerators": job.environment.get("CUDA_VISIBLE_DEVICES") != "-1",
            "scratch_bytes": limits.disk_bytes,
            "scratch_files": limits.disk_bytes and MOST_FILES,
            "file_bytes": limits.disk_bytes and limits.disk_bytes + FILE_MARGIN,
            "open_files": limits.open_files,
            "tasks": tasks(limits),
            "joins": [str(group.door) for group in groups],
            "counted": any("memory" in group.kinds for group in groups),
            "spare": spare,
            "mark": mark,
            "report": report,
        }
    )


def _folder(job: Job, name: str) -> Folder:
    mode: Mode = "copy" if name in job.copied else "write" if name in job.writable else "read"
    path = job.folders[name]
    return {"name": name, "path": path, "place": job.places.get(name, path), "mode": mode}


def tasks(limits: Limits) -> int | None:
    """Processes and threads together, for mechanisms that cannot tell them apart."""
    return None if limits.processes is None else limits.processes + THREADS


class IsolationReport:
    """What the launcher says held, read from a pipe that no foreign code ever holds."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._text = b""
        self._open = True

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts, as soon as they have come; empty before."""
        while self._open and not self._text.endswith(b"\n"):
            try:
                more = os.read(self._pipe, LARGEST_REPORT)
            except BlockingIOError:
                break
            self._text += more
            if not more:
                self.close()
        return json.loads(self._text) if self._text.endswith(b"\n") else {}

    def close(self) -> None:
        """Let go of the pipe."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                os.close(self._pipe)


def mechanisms(
    job: Job, facts: Mapping[str, Any], groups: Sequence[ControlGroup]
) -> dict[str, str]:
    """Limit -> what holds it on this machine."""
    if job.image:
        return _docker_mechanisms(job)
    if not facts:
        return {"seconds": _TIME, "all others": "the child ended before any foreign code ran"}
    limits, kinds = job.limits, [kind for group in groups for kind in group.kinds]
    own_root, counted = facts["level"] == "namespaces", "memory" in kinds
    held = {
        "seconds": _TIME if limits.seconds else NOTHING_SET,
        "memory": NOTHING_SET if limits.memory_bytes is None else _memory(counted=counted),
        "processes": _processes(limits, kinds, facts),
        "log": "reading stops there, then the child is ended" if limits.log_bytes else NOTHING_SET,
        "disk": NOTHING_SET if limits.disk_bytes is None else _disk(own_root=own_root),
        "open files": _open_files(limits, facts),
        "network": _network(limits, facts),
        "sockets": _sockets(facts),
        "system calls": _calls(facts, counted=counted),
        "files": _files(facts),
        "paths": _paths(job, facts),
        "submission": _copies(facts),
        "leftovers": _leftovers(own_root=own_root),
        "parent's death": "a signal of the kernel (PR_SET_PDEATHSIG)"
        if sys.platform == "linux"
        else "looked for every 50 ms",
    }
    if left := _open(facts, counted=counted):
        held["stays open"] = left
    if facts.get("refused"):
        held["namespaces"] = f"refused here: {'; '.join(facts['refused'])}"
    return held


def other_paths(limits: Mapping[str, str]) -> str:
    """What is not known where the child did not find the platform's folders; "" where it did.

    limits: of a `JobResult`.
    """
    _, found, why = limits.get("paths", "").partition(f"{THEIR_OWN}: ")
    return f"files opened by the platform's paths, folders in /app ({why})" if found else ""


def _leftovers(*, own_root: bool) -> str:
    if own_root:
        return "process namespace: all end with its first process"
    how = "adopted" if processes.shows_all() else "ended with their group"
    return f"no process namespace could be made: {how}, or found by a mark in their environment"


def _open_files(limits: Limits, facts: Mapping[str, Any]) -> str:
    if limits.open_files is None:
        return NOTHING_SET
    return "rlimit" if facts["open_files"] else "not held (this system refuses the limit)"


def _memory(*, counted: bool) -> str:
    watched = "resident memory of the process tree, watched every 50 ms"
    if not processes.shows_all():
        return f"{watched}; a process that leaves the tree is not seen"
    if counted:
        return f"control group, which counts all that the kernel holds for it; {watched}"
    return f"no control group: {watched}, with files in memory, memfds and buffers of sockets"


def _processes(limits: Limits, kinds: Sequence[str], facts: Mapping[str, Any]) -> str:
    if limits.processes is None:
        return NOTHING_SET
    watched, room = "counted every 50 ms", f"{tasks(limits)} with threads"
    if "pids" in kinds:
        return f"control group ({room}); {watched}"
    return f"rlimit ({room}); {watched}" if facts.get("tasks") else watched


def _disk(*, own_root: bool) -> str:
    seen = "nameless files, bytes written, " if processes.shows_all() else ""
    watched = f"rlimit for each file; {seen}folders and {MOST_FILES:,} files watched every 100 ms"
    return f"sized /tmp in memory; {watched}" if own_root else watched


def _network(limits: Limits, facts: Mapping[str, Any]) -> str:
    if limits.network:
        return "allowed"
    if facts["level"] == "namespaces":
        return "namespace without a network"
    if facts.get("seccomp"):
        return "no network namespace could be made: a seccomp filter refuses sockets"
    return f"no network namespace could be made: not held{_why(facts, 'seccomp_refused')}"


def _sockets(facts: Mapping[str, Any]) -> str:
    if not facts.get("seccomp"):
        return f"not held{_why(facts, 'seccomp_refused')}"
    if facts["level"] == "namespaces":
        return "a seccomp filter leaves local, internet and netlink sockets"
    if facts.get("sockets"):
        return "Landlock: local sockets reach its own processes alone"
    return f"{LOCAL_REFUSED} (pairs work): Landlock here is too old to keep them inside"


def _calls(facts: Mapping[str, Any], *, counted: bool) -> str:
    if not facts.get("seccomp"):
        return f"not held{_why(facts, 'seccomp_refused')}"
    shared = (
        "" if facts["level"] == "namespaces" and counted else "; System V's memory and queues too"
    )
    refused = "tracing, namespaces, mounts, keys, bpf, io_uring and the like"
    return f"a seccomp filter refuses {refused}{shared}"


def _open(facts: Mapping[str, Any], *, counted: bool) -> str:
    """What the walls of this level leave open; "" for nothing known."""
    found = []
    if facts["level"] == "namespaces" and facts.get("processes") == "the machine's":
        found.append("the command lines of the machine's processes")
    if facts["level"] != "namespaces":
        found.append("the command lines of the machine's processes; files of /dev/shm by name")
        if not facts.get("signals"):
            found.append("signals to the user's other processes")
    if not counted:
        found.append("memory sent into a socket and not yet received")
    return "; ".join(found)


def _files(facts: Mapping[str, Any]) -> str:
    if facts["level"] == "namespaces":
        return "a root of its own: system, interpreter and the job's folders alone"
    if facts.get("landlock"):
        return "no mount namespace could be made: Landlock shows the same files alone"
    return f"no mount namespace could be made: not held{_why(facts, 'landlock_refused')}"


def _paths(job: Job, facts: Mapping[str, Any]) -> str:
    if not job.places:
        return "the folders' own"
    if facts["level"] != "namespaces":
        return f"{THEIR_OWN}: no mount namespace could be made"
    if facts["unplaced"]:
        return f"{THEIR_OWN}: {facts['unplaced']}"
    return f"the platform's: {', '.join(job.places.values())}"


def _copies(facts: Mapping[str, Any]) -> str:
    done = [how for name, how in facts["copies"].items() if name not in _PLATFORMS_OWN]
    if not done:
        held = facts["level"] == "namespaces" or facts.get("landlock")
        return "read-only" if held else "not held"
    if "read-only" in done:
        return "read-only: a copy could not be made"
    return "its own copy (overlay)" if "overlay" in done else "its own copy"


def _docker_mechanisms(job: Job) -> dict[str, str]:
    limits = job.limits
    return {
        "seconds": _TIME if limits.seconds else NOTHING_SET,
        "log": "reading stops there" if limits.log_bytes else NOTHING_SET,
        "memory": "docker --memory" if limits.memory_bytes else NOTHING_SET,
        "processes": "docker --pids-limit" if limits.processes else NOTHING_SET,
        "disk": "docker: sized /tmp; folders watched every 100 ms"
        if limits.disk_bytes
        else NOTHING_SET,
        "open files": "docker --ulimit" if limits.open_files else NOTHING_SET,
        "network": "allowed" if limits.network else "docker --network=none",
        "files": "docker: the image and the job's folders alone",
        "paths": f"the platform's: {', '.join(job.places.values())}"
        if job.places
        else "the folders' own",
        "leftovers": "docker rm --force",
    }


def _why(facts: Mapping[str, Any], key: str) -> str:
    return f" ({facts[key]})" if facts.get(key) else ""
