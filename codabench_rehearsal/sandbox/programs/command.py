"""The last steps of the child before it becomes the command: limits, rights, fences, the report."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict

from codabench_rehearsal.sandbox.programs import fences, kernel, root

NOT_STARTED = 127  # as a shell's
_CAPABILITIES = 64
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - processes share memory there
_FEWER_FILES = 10_240  # macOS takes no more (its OPEN_MAX)
_FILES = (1, 2)  # root reads what belongs to others: the user's environment, say, under sudo


Mode = Literal["read", "write", "copy"]


class Folder(TypedDict):
    """A folder of the job. place: where the command sees it; its own path where no mount is made.

    mode: "copy" lets the command change it where no change goes back.
    """

    name: str
    path: str
    place: str
    mode: Mode


class Spec(TypedDict):
    """What the parent wants. Paths are absolute; None means no limit.

    level: the highest to try, namespaces, fences or none. words, environment: of the command,
    `$name` for a folder's place. working_folder: a folder's name. readable: more files and folders
    that the command may see, beside the system. covered: folders to hide within those.
    scratch_bytes, scratch_files: room for /tmp and for changes to copied folders. joins: cgroup
    files to write itself into. counted: one of them holds the memory, System V's included. spare: a
    folder for copies where there is no other way. mark: put into the environment where no namespace
    holds the processes. report: an open file.
    """

    parent: int
    level: str
    words: list[str]
    environment: dict[str, str]
    folders: list[Folder]
    working_folder: str
    readable: list[str]
    covered: list[str]
    network: bool
    accelerators: bool
    scratch_bytes: int | None
    scratch_files: int | None
    file_bytes: int | None
    open_files: int | None
    tasks: int | None
    joins: list[str]
    counted: bool
    spare: str
    mark: str
    report: int


def become_command(spec: Spec, joins: list[int], facts: dict[str, Any]) -> NoReturn:
    """Give up what the command must not have, tell the parent what held, and become the command."""
    places = {folder["name"]: folder["place"] for folder in spec["folders"]}
    words = [root.filled(word, places) for word in spec["words"]]
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for place in joins:
            os.write(place, b"0")
        facts.update(_set_limits(spec, own_users=bool(facts.get("users"))))
        if kernel.LINUX:
            _stay_small(keep=_FILES if facts.get("users") is not True else ())
            os.setsid()  # what it does to its group is not to reach the launcher
        os.chdir(places[spec["working_folder"]])
        for name, value in spec["environment"].items():
            os.environ[name] = root.filled(value, places)
        if facts["level"] != "namespaces":
            os.environ["REHEARSAL_RUN"] = spec["mark"]
        if facts["level"] == "namespaces":
            facts.update(
                _refuse_calls((fences.LOCAL, *fences.INTERNET), shared=not spec["counted"])
            )
        elif facts["level"] == "fences":
            facts.update(_raise_fences(spec))
        os.write(spec["report"], json.dumps(facts).encode() + b"\n")
        os.execvp(words[0], words)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{words[0]} could not be started: {kernel.reason(error)}\n".encode())
    os._exit(NOT_STARTED)


def _set_limits(spec: Spec, *, own_users: bool) -> dict[str, bool]:
    """Set the kernel's limits; returns whether it holds the number of processes, of open files."""
    _limit(resource.RLIMIT_FSIZE, spec["file_bytes"])
    files = spec["open_files"]
    held = _limit(resource.RLIMIT_NOFILE, files) or _limit(
        resource.RLIMIT_NOFILE, files and min(files, _FEWER_FILES)
    )
    # Root is never held by it; outside a user namespace it counts the user's other processes too.
    counts = own_users and os.geteuid() != 0 and _kernel_version() >= (5, 14)
    if counts:
        _limit(resource.RLIMIT_NPROC, spec["tasks"])
    return {"tasks": counts and spec["tasks"] is not None, "open_files": held}


def _limit(kind: int, value: int | None) -> bool:
    """Set a limit, if there is one; whether the system takes it."""
    if value is None:
        return False
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except ValueError:  # Linux takes any up to the hard one; macOS has a ceiling of its own
        return False
    return True


def _kernel_version() -> tuple[int, ...]:
    return tuple(int(word) for word in re.findall(r"\d+", os.uname().release)[:2])


def _stay_small(keep: tuple[int, ...]) -> None:
    """End with the parent, go first when memory runs out, and never gain a right again.

    keep: rights that root may keep; a plain user has none.
    """
    kernel.prctl(kernel.PR_DEATH_SIGNAL, int(signal.SIGKILL))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    kernel.prctl(kernel.PR_NO_NEW_PRIVILEGES, 1)
    for number in set(range(_CAPABILITIES)) - set(keep):
        with contextlib.suppress(OSError):  # not this many on this kernel, or none to drop
            kernel.prctl(kernel.PR_DROP_CAPABILITY, number)


def _raise_fences(spec: Spec) -> dict[str, Any]:
    """Landlock and seccomp; each that cannot be had is left out and told."""
    held: dict[str, Any] = {"landlock": True}
    devices = root.device_places(accelerators=spec["accelerators"])
    readable = [*root.system_places(), *root.library_places(), *spec["readable"], "/proc"]
    readable += [folder["place"] for folder in spec["folders"]]
    writable = [folder["place"] for folder in spec["folders"] if folder["mode"] != "read"]
    try:
        held |= fences.confine(readable, [*writable, *devices, "/proc/self"], _SHARED_MEMORY)
    except OSError as error:
        held.update(landlock=False, landlock_refused=kernel.reason(error))
    # A local socket reaches the user's session, and docker's daemon: who may talk to them is out.
    families: tuple[int, ...] = (fences.LOCAL,) if held.get("sockets") else ()
    families += fences.INTERNET if spec["network"] else ()
    return held | _refuse_calls(families, shared=True, outside=True)


def _refuse_calls(
    families: tuple[int, ...], *, shared: bool, outside: bool = False
) -> dict[str, Any]:
    try:
        fences.refuse(families=(*families, fences.NETLINK), shared=shared, outside=outside)
    except OSError as error:
        return {"seccomp": False, "seccomp_refused": kernel.reason(error)}
    return {"seccomp": True}
