"""Set walls around the command of a job, run it, and end everything it started.

This process, the warder, stays outside; it ends with the parent that started it and takes the whole
tree along. Where the kernel allows, the command runs in namespaces, with a root that holds only
what it may see; else behind fences (seccomp, Landlock); else with what is left. What held is told
to the parent through a pipe that is closed before foreign code starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from codabench_rehearsal.sandbox.programs import family, kernel
from codabench_rehearsal.sandbox.programs.command import Folder, Spec, become_command
from codabench_rehearsal.sandbox.programs.root import (
    Root,
    device_places,
    library_places,
    outermost,
    overlap,
    system_places,
)

NAMESPACES, FENCES = "namespaces", "fences"
PULSE_SECONDS = 0.5
_FAILED = b"failed: "
_SPACES = kernel.NEW_MOUNTS | kernel.NEW_PIDS | kernel.NEW_IPC


def main(text: str) -> NoReturn:
    """Run what the specification says; ends as the command ended."""
    spec: Spec = json.loads(text)
    warder = Warder(spec)
    warder.guard()
    refused: list[str] = []
    if spec["level"] == NAMESPACES:
        # Without a user namespace of its own only root may make the others.
        for users in (kernel.NEW_USER, 0)[: 2 if os.geteuid() == 0 else 1]:
            try:
                warder.run_in_namespaces(users)
            except OSError as error:
                refused.append(kernel.reason(error))
    warder.run_here(refused)


class Warder:
    """Starts the command, waits for it, and leaves nothing of it behind."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._end: Callable[[], object] = lambda: None
        self._ending = False

    def guard(self) -> None:
        """End everything when asked to, or when the parent dies."""
        signal.signal(signal.SIGTERM, self._on_term)
        # Python's handlers run between steps: one that comes just before a long wait is late by it.
        signal.signal(signal.SIGALRM, self._on_pulse)
        signal.setitimer(signal.ITIMER_REAL, PULSE_SECONDS, PULSE_SECONDS)
        os.set_inheritable(self.spec["report"], False)  # noqa: FBT003 - it takes no name
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if kernel.LINUX:
            kernel.prctl(kernel.PR_DEATH_SIGNAL, int(signal.SIGTERM))
            kernel.prctl(kernel.PR_SUBREAPER, 1)
        if self._orphaned():
            os._exit(1)

    def run_in_namespaces(self, users: int) -> None:
        """Run the command in namespaces; returns, by OSError, only if they are refused."""
        told, tell = os.pipe()
        ids = (os.geteuid(), os.getegid()) if users else None
        joins = [os.open(path, os.O_WRONLY) for path in self.spec["joins"]]
        network = 0 if self.spec["network"] else kernel.NEW_NET
        init = kernel.fork_into(_SPACES | users | network)
        if init == 0:
            _be_first(self.spec, joins, tell, ids)
        self._end = lambda: _kill(init)
        if self._ending:
            self._end()
        for file in (tell, *joins):
            os.close(file)
        with os.fdopen(told, "rb") as pipe:
            said = pipe.read()
        os.waitpid(init, 0)  # returns when all processes of the namespace are gone
        self._end = lambda: None
        if said.startswith(_FAILED) and not self._ending:
            raise OSError(said[len(_FAILED) :].decode())
        self._finish(int(said) if said.isdigit() else signal.SIGKILL)

    def run_here(self, refused: list[str]) -> NoReturn:
        """Run the command without namespaces."""
        spec, joins = self.spec, [os.open(path, os.O_WRONLY) for path in self.spec["joins"]]
        fenced = spec["level"] in (NAMESPACES, FENCES)
        facts: dict[str, Any] = {"level": FENCES if fenced else "none", "refused": refused}
        _leave_in_place(spec)
        copied = [folder for folder in _once(spec) if folder["mode"] == "copy"]
        facts["copies"] = {folder["name"]: _copy(spec, folder["path"]) for folder in copied}
        command = os.fork()
        if command == 0:
            become_command(spec, joins, facts)
        os.close(spec["report"])
        self._end = family.end_children
        if self._ending:
            self._end()
        status = self._wait(command)
        family.end_children()
        self._finish(status)

    def _wait(self, command: int) -> int:
        """The command's status; a killed one's where it was ended on the way."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, 0)  # adopted processes too
                if pid == command:
                    return status
        return signal.SIGKILL

    def _finish(self, status: int) -> NoReturn:
        """End as the command did."""
        if os.WIFEXITED(status) and not self._ending:
            os._exit(os.WEXITSTATUS(status))
        number = signal.SIGKILL if self._ending else os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # a signal that does not end a process

    def _orphaned(self) -> bool:
        return os.getppid() != self.spec["parent"]

    def _on_pulse(self, *_: object) -> None:
        if self._orphaned():  # only Linux tells by a signal
            self._on_term()

    def _on_term(self, *_: object) -> None:
        if self._ending:  # a parent's end is told once for each of its threads
            return
        self._ending = True
        if not kernel.LINUX:
            os.kill(0, signal.SIGKILL)  # the group, ourselves included: there is no /proc to search
        self._end()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _be_first(spec: Spec, joins: list[int], tell: int, ids: tuple[int, int] | None) -> NoReturn:
    """Process 1 of the namespaces: builds the root, starts the command; all others end with it."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        kernel.prctl(kernel.PR_DEATH_SIGNAL, int(signal.SIGKILL))
        if ids:
            _map_ids(*ids)
        facts = {"level": NAMESPACES, "users": ids is not None, **_build_root(spec)}
        _check_ways(spec)
        if not spec["network"]:
            with contextlib.suppress(OSError):
                kernel.raise_loopback()
        command = os.fork()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the next level is tried
        os.write(tell, _FAILED + kernel.reason(error).encode())
        os._exit(1)
    if command == 0:
        become_command(spec, joins, facts)
    for file in (spec["report"], *joins):
        os.close(file)
    while True:
        pid, status = os.wait()
        if pid == command:
            os.write(tell, str(status).encode())
            os._exit(0)


def _map_ids(user: int, group: int) -> None:
    """The same numbers inside as outside, and no others."""
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _check_ways(spec: Spec) -> None:
    """Files of users that do not exist in here are closed even to root; then it must go without."""
    changed = [folder["place"] for folder in spec["folders"] if folder["mode"] != "read"]
    for path in (*changed, *spec["words"][:1]):
        if path.startswith("/") and not os.access(path, os.R_OK | os.X_OK):
            raise OSError(f"{path} cannot be used inside")


def _copy(spec: Spec, path: str) -> str:
    """Put a copy of a folder in its place; the job's words then name the copy."""
    import shutil  # two milliseconds that most starts can save

    number = sum(1 for _ in Path(spec["spare"]).iterdir())
    copy = Path(spec["spare"]) / str(number) / Path(path).name
    shutil.copytree(path, copy, symlinks=True)
    for folder in spec["folders"]:
        if folder["path"] == path:
            folder["place"] = str(copy)
    return "copied"


def _leave_in_place(spec: Spec) -> None:
    """Let every folder be seen at its own path."""
    for folder in spec["folders"]:
        folder["place"] = folder["path"]


def _once(spec: Spec) -> list[Folder]:
    """The folders by their places: of several names for one, the first."""
    first = {folder["place"]: folder for folder in reversed(spec["folders"])}
    return list(reversed(first.values()))


def _taken(spec: Spec, shown: list[str]) -> str:
    """Why the folders cannot have their places, "" where they can: something needed is there."""
    moved = [folder["place"] for folder in spec["folders"] if folder["place"] != folder["path"]]
    stays = [folder["path"] for folder in spec["folders"] if folder["place"] == folder["path"]]
    pairs = ((place, path) for place in moved for path in (*shown, *stays))
    return next((f"{path} is needed as it is" for place, path in pairs if overlap(place, path)), "")


def _build_root(spec: Spec) -> dict[str, Any]:
    shown = outermost([*system_places(), *library_places(), *spec["readable"]])
    devices = device_places(accelerators=spec["accelerators"])
    unplaced = _taken(spec, shown)
    if unplaced:
        _leave_in_place(spec)
    paths = [folder["path"] for folder in spec["folders"]]
    root = Root([*shown, *devices, *paths], spec["scratch_bytes"], spec["scratch_files"])
    root.devices(devices)
    processes = root.processes(own_network=not spec["network"])
    for path in shown:
        root.show(path)
    for path in spec["covered"]:
        root.cover(path)
    copies = {}
    for folder in _once(spec):
        path, place = folder["path"], folder["place"]
        if folder["mode"] == "copy":
            copies[folder["name"]] = root.copy(path, place)
        else:
            root.show(path, place, writable=folder["mode"] == "write")
    root.close()
    return {"copies": copies, "processes": processes, "unplaced": unplaced}
