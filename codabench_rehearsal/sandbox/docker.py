"""A job in a docker image instead of this machine's Python: the command for it, and its end.

Written from docker's documentation and tested against a program that stands in for it: a real
daemon was not seen.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from codabench_rehearsal.sandbox.job import Job, Limits, SandboxError
from codabench_rehearsal.sandbox.programs.root import SHARED_MEMORY_BYTES, filled
from codabench_rehearsal.sandbox.shown import heard, run_shown

GUARD = Path(__file__).parent / "programs" / "docker_guard.py"
ANSWER_SECONDS = 30.0  # for the daemon; Docker Desktop may be waking up
CLOCK_SECONDS = 5  # a birth is reckoned from the boot, whose time shifts when the clock is set
LABEL = "codabench-rehearsal"
THREADS = 64  # for each process allowed: docker counts threads as well, and TensorFlow has many
ORIGINALS = "/rehearsal-originals"
# Runs in the image, whose Python may be old.
COPY = """
import os, shutil, sys
end = sys.argv.index("--")
for origin, copy in zip(sys.argv[1:end:2], sys.argv[2:end:2]):
    for name in os.listdir(origin):
        path = os.path.join(origin, name)
        (shutil.copytree if os.path.isdir(path) else shutil.copy2)(path, os.path.join(copy, name))
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
"""
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


def docker_words(job: Job, name: str) -> list[str]:
    """The command that runs a job with an `image` in a container called `name`.

    The first word gives way to the image's own `python3`. An entry point of the image stays, as on
    the platform. The command needs nothing of the environment.
    """
    inside, birth = job.inside, psutil.Process().create_time()
    # This process of this machine, not a later one of the same number.
    owner = {"host": platform.node(), "owner": f"{os.getpid()}-{birth:.0f}"}
    return [
        *(sys.executable, "-I", str(GUARD), name),
        *(*_docker(), "run", "--rm", "--interactive", f"--name={name}", "--pull=never"),
        *(f"--label={LABEL}.{key}={value}" for key, value in owner.items()),
        # A file system that cannot be written, no privileges, no log that fills the daemon's disk.
        *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--ipc=private", f"--shm-size={SHARED_MEMORY_BYTES}"),
        "--security-opt=label=disable",  # SELinux would else keep the container from our folders
        *("--log-driver=none", *_user()),
        *_limits(job),
        *_mounts(job),
        f"--workdir={inside[job.working_folder]}",
        *(f"--env={key}={filled(value, inside)}" for key, value in job.environment.items()),
        _checked(job.image or ""),
        *_copying(job),
        "python3",
        *(filled(word, inside) for word in job.command[1:]),
    ]


def stop(name: str) -> None:
    """End the container and remove it; nothing happens where there is none."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        _ask("rm", "--force", name)


def unavailable() -> str:
    """Why docker cannot be used here, in one sentence with what to do; "" if it can."""
    if not shutil.which("docker"):
        return "docker was not found on PATH: install it, or leave out the image"
    try:
        answered = _ask("version", "--format", "{{.Server.Version}}")
    except subprocess.TimeoutExpired:
        return f"docker's daemon did not answer within {ANSWER_SECONDS:.0f} s: restart it"
    except (OSError, subprocess.SubprocessError) as error:
        return f"docker could not be started: {error}"
    if answered.returncode:
        said = (answered.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return f"docker's daemon does not answer ({said}): start it, or leave out the image"
    return ""


def prepare(image: str, say: Callable[[str], None]) -> None:
    """Have the image here, and end the containers of runs that were killed.

    say: told each step; on a terminal docker draws its own progress. Raises `SandboxError`.
    """
    _checked(image)
    if reason := unavailable():
        raise SandboxError(reason)
    for container in _left_over():
        stop(container)
    if _ask("image", "inspect", image).returncode == 0:
        return
    say(f"docker fetches {image}")
    code, said = run_shown([*_docker(), "pull", image], os.environ, Path.cwd(), say)
    if code:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise SandboxError(f"docker could not fetch {image}: {last}")


def _docker() -> list[str]:
    """The client, told where the user's settings are: a job's environment does not say it."""
    home = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111 - leaves "~" as it is where there is no home
    host, context = os.environ.get("DOCKER_HOST"), os.environ.get("DOCKER_CONTEXT")
    chosen = ["--host", host] if host else ["--context", context] if context else []
    return [shutil.which("docker") or "docker", "--config", home, *chosen]


def _ask(*words: str) -> subprocess.CompletedProcess[str]:
    return heard([*_docker(), *words], ANSWER_SECONDS)


def _user() -> list[str]:
    """Options under which the container's files are ours outside."""
    security = _security()
    if "name=rootless" in security:
        return []  # the container's root is the user outside, and nobody else is
    ours = [f"--user={os.getuid()}:{os.getgid()}"]
    return ["--userns=host", *ours] if "name=userns" in security else ours


@functools.cache
def _security() -> str:
    """What the daemon says of itself, such as "name=rootless"; "" where it does not answer."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return _ask("info", "--format", "{{json .SecurityOptions}}").stdout
    return ""


def _limits(job: Job) -> Iterator[str]:
    """What docker holds of the limits; time and log are watched from outside."""
    limits = job.limits
    if not limits.network:
        yield "--network=none"
    if limits.memory_bytes is not None:
        # The copies lie in memory, which is not the submission's doing. The same with swap: what
        # does not fit is not pushed to the disk.
        most = limits.memory_bytes + sum(_bytes(job.folders[name]) for name in job.copied)
        yield from (f"--memory={most}", f"--memory-swap={most}")
    if limits.processes is not None:
        yield f"--pids-limit={limits.processes * THREADS}"
    if limits.open_files is not None:
        yield f"--ulimit=nofile={limits.open_files}"
    yield f"--tmpfs=/tmp:{_tmpfs(limits, 0)}"


def _mounts(job: Job) -> Iterator[str]:
    """The folders: as they are, read-only, or empty in memory with the original beside them."""
    for number, (name, path) in enumerate(job.folders.items()):
        place = job.inside[name]
        if name in job.copied:
            if ":" in place:
                raise SandboxError(f"docker takes no folder with a colon in its path: {place}")
            yield f"--tmpfs={place}:{_tmpfs(job.limits, _bytes(path))}"
            yield _mount(path, f"{ORIGINALS}/{number}", "readonly")
        else:
            yield _mount(path, place, *(() if name in job.writable else ("readonly",)))


def _copying(job: Job) -> list[str]:
    """The words before the command that fill the copies; none where nothing is copied."""
    words = [
        word
        for number, (name, place) in enumerate(job.inside.items())
        if name in job.copied
        for word in (f"{ORIGINALS}/{number}", place)
    ]
    return ["python3", "-c", COPY, *words, "--"] if words else []


def _tmpfs(limits: Limits, filled: int) -> str:
    """Options of a folder in memory; programs in it may run, as submissions may bring libraries."""
    size = f",size={filled + limits.disk_bytes}" if limits.disk_bytes is not None else ""
    return f"rw,nosuid,nodev,exec,mode=1777{size}"


def _mount(source: str, target: str, *options: str) -> str:
    """A folder's option, quoted: a path may hold a comma."""
    line = io.StringIO()
    words = ["type=bind", f"source={source}", f"target={target}", *options]
    csv.writer(line, lineterminator="").writerow(words)
    return f"--mount={line.getvalue()}"


def _bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def _checked(image: str) -> str:
    if not _IMAGE.fullmatch(image):
        raise SandboxError(
            f"{image!r} is no name of a docker image: expected something like "
            "tensorflow/tensorflow:2.17.0"
        )
    return image


def _lives(owner: str) -> bool:
    """Whether the process that an owner's label names still runs; true where it cannot be told."""
    pid, _, birth = owner.partition("-")
    if not (pid.isdigit() and birth.isdigit()):
        return True
    try:
        seen = psutil.Process(int(pid)).create_time()
    except psutil.Error:
        return False
    return abs(seen - int(birth)) < CLOCK_SECONDS


def _left_over() -> list[str]:
    """Containers of ours on this machine whose owner is dead."""
    ours = f"label={LABEL}.host={platform.node()}"
    shown = f'{{{{json .ID}}}} {{{{json (.Label "{LABEL}.owner")}}}}'
    listed = _ask("ps", "--all", "--no-trunc", "--filter", ours, "--format", shown)
    found = []
    for line in listed.stdout.splitlines():
        with contextlib.suppress(ValueError):
            container, owner = (json.loads(word) for word in line.split(" ", 1))
            if not _lives(str(owner)):
                found.append(str(container))
    return found
