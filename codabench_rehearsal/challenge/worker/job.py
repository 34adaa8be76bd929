"""One job of the worker: its programs side by side, each in its own child, to one deadline."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from codabench_rehearsal.challenge.worker.fallback import refused_here
from codabench_rehearsal.challenge.worker.folders import HOME, INSTALLED, PLACES, PYTHON, JobFolders
from codabench_rehearsal.challenge.worker.metadata import (
    Kind,
    Program,
    command_words,
    is_python,
    legacy_places,
)
from codabench_rehearsal.sandbox.job import CEILINGS, Ended, Job, JobResult, Limits
from codabench_rehearsal.sandbox.places import interpreter_places
from codabench_rehearsal.sandbox.run import POLL_SECONDS, Running, python_environment, start
from codabench_rehearsal.sandbox.watch import occupied

# The platform sets none of these; what trains there may need more than what predicts alone.
WORKER_LIMITS = replace(CEILINGS, disk_bytes=4_000_000_000)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EXECUTE = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
_NETWORK = (  # what the user's own programs are told of it
    *("http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("PIP_CERT", "PIP_INDEX_URL"),
)
_SIGNALLED = 128  # a container's exit code for a signal is this and its number
_MOST_LAID = 1 << 40  # bytes; where the counting of what lies in a folder stops
JobName = Literal["prediction", "scoring"]


@dataclass(frozen=True)
class Machine:
    """What the programs run with here.

    python: stands for the image's. image: a docker image to run in instead; its `python3` is then
    the Python, and the bundle's data can only be read. limits: of each program; its `seconds` are
    the phase's, its `network` is closed unless opened (on the platform it is open).
    """

    python: str = sys.executable
    device: Literal["cpu", "gpu"] = "cpu"
    limits: Limits = WORKER_LIMITS
    image: str | None = None


@dataclass(frozen=True)
class Step:
    """One program of a job.

    command: as its metadata has it. exit_code: as a container's, 137 for a kill; None where it was
    not started or did not come to its end. fault: why the worker could not start it, in its words.
    ended: "exit", "cancelled" by the other program's end, or the limit that ended it: "time" is the
    platform's, others are ours. refused: what of this machine explains its failure; "" for nothing.
    """

    kind: Kind
    command: str = ""
    exit_code: int | None = None
    seconds: float | None = None
    log: str = ""
    fault: str = ""
    ended: Ended | None = None
    refused: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_this_machine(self) -> bool:
        """Whether a limit ended it that the platform has not."""
        return self.ended not in (None, "exit", "time", "cancelled")


@dataclass(frozen=True)
class Planned:
    """A program of a job, before it starts."""

    kind: Kind
    program: Program


@dataclass(frozen=True)
class Now:
    """For a progress display: which job of which task runs, for how long, and how long it may."""

    task: str
    job: JobName
    seconds: float
    limit: float


def run_job(
    folders: JobFolders,
    planned: Sequence[Planned],
    machine: Machine,
    seconds: float,
    told: Callable[[Now], None] = lambda _: None,
) -> tuple[Step, ...]:
    """Run the programs of a job together; past `seconds` all of them are ended.

    Raises `SandboxError` where a child cannot be started; whatever ends this call ends them too.
    """
    able = [one for one in planned if one.program.command and not one.program.fault]
    name: JobName = "scoring" if folders.is_scoring else "prediction"
    with ExitStack() as stack:
        begun = time.monotonic()
        running = {
            one.kind: stack.enter_context(start(_job(folders, one, machine, seconds)))
            for one in able
        }
        while _are_running(running.values()):
            told(Now(folders.task.name, name, time.monotonic() - begun, seconds))
            time.sleep(POLL_SECONDS)
        results = {kind: one.cancel() for kind, one in running.items()}
    steps = [_step(one, results.get(one.kind)) for one in planned]
    return tuple(steps if machine.image else map(_explained, steps))


def write_python(folder: Path, python: str) -> None:
    """Programs `python` and `pip` for scripts that a command starts: those of this interpreter.

    A link would not do: an environment's Python finds its packages by the path it is started with.
    """
    folder.mkdir()
    options = {"python": "", "python3": "", "pip": "-m pip ", "pip3": "-m pip "}
    for name, more in options.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{python}" {more}"$@"\n', encoding="utf-8")
        script.chmod(0o755)


def _are_running(jobs: Iterable[Running]) -> bool:
    """Whether any still runs; one that is past the limit ends the waiting for all."""
    results = [one.poll() for one in jobs]
    if any(result is not None and result.ended == "time" for result in results):
        return False
    return any(result is None for result in results)


def _job(folders: JobFolders, one: Planned, machine: Machine, seconds: float) -> Job:
    seen = folders.seen(one.kind)
    places = {name: PLACES[name] for name in seen}
    old = legacy_places(
        one.kind,
        is_scoring=folders.is_scoring,
        only_during_scoring=folders.task.only_during_scoring,
    )
    first, *more = command_words(one.program.command, old, places)
    home, installed = folders.place / "home", folders.place / "installed"
    tools = {HOME: str(home), INSTALLED: str(installed), PYTHON: str(folders.tools)}
    writable = (*folders.writable(seen), HOME, INSTALLED)
    return Job(
        command=_start(machine, first, more),
        folders={**seen, **tools},
        working_folder="program",
        environment=_environment(machine),
        limits=_limits(machine, {**seen, **tools}, writable, seconds),
        writable=writable,
        copied=() if machine.image else folders.copied(seen),  # in a container's memory
        reads=interpreter_places(machine.python),
        image=machine.image,
        places=places if folders.mounts else {},
    )


def _start(machine: Machine, first: str, more: Sequence[str]) -> tuple[str, ...]:
    """The words that a child is started with: whatever Python a command names is the chosen one."""
    if is_python(first):
        return (machine.python, *more)
    if machine.image:  # where a job's first word is the image's Python
        return (machine.python, "-c", _EXECUTE, first, *more)
    return (first, *more)


def _environment(machine: Machine) -> dict[str, str]:
    """The platform's: unbuffered output, empty proxies, nothing of the user's."""
    platforms = {"PYTHONUNBUFFERED": "1", "http_proxy": "", "https_proxy": ""}
    if machine.image:
        return {**platforms, "HOME": f"${HOME}"}  # the image's root cannot be written to
    return {
        **python_environment(machine.device),
        **platforms,
        **(_way_out() if machine.limits.network else {}),
        "PATH": f"${PYTHON}:{_PATH}",
        "HOME": f"${HOME}",
        "TMPDIR": f"${HOME}",
    }


def _way_out() -> dict[str, str]:
    """How this machine reaches the network, and a place for what programs install as they run."""
    ours = {name: os.environ[name] for name in _NETWORK if os.environ.get(name)}
    return {**ours, "PIP_TARGET": f"${INSTALLED}", "PYTHONPATH": f"${INSTALLED}"}


def _limits(
    machine: Machine, folders: Mapping[str, str], writable: Sequence[str], seconds: float
) -> Limits:
    """With what lies in the folders from the beginning, which no program wrote."""
    limits = replace(machine.limits, seconds=seconds)
    if limits.disk_bytes is None:
        return limits
    paths = [Path(path) for path in dict.fromkeys(folders[name] for name in writable)]
    return replace(limits, disk_bytes=limits.disk_bytes + occupied(paths, _MOST_LAID)[0])


def _step(one: Planned, result: JobResult | None) -> Step:
    program = one.program
    if result is None:
        return Step(one.kind, program.command, fault=program.fault)
    return Step(
        one.kind,
        program.command,
        _code(result),
        result.seconds,
        result.log,
        ended=result.ended,
        limits=result.limits,
    )


def _explained(step: Step) -> Step:
    return replace(step, refused=refused_here(step.log)) if step.exit_code else step


def _code(result: JobResult) -> int | None:
    """As a container's: a limit of ours ends it as the platform's machine would, by a kill."""
    if result.ended in ("time", "cancelled"):
        return None
    if result.ended != "exit":
        return _SIGNALLED + 9
    return result.exit_code if result.exit_code >= 0 else _SIGNALLED - result.exit_code
