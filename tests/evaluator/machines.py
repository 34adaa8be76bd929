"""Real Dask schedulers and workers on loopback, each a process of its own that may be ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0


@contextmanager
def scheduler(
    folder: Path, silence: str = "300 s"
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler, and its address. silence: after which a worker is given up."""
    hasty = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": silence}
    file = folder / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    with _program("scheduler", words, folder / "scheduler.log", hasty) as process:
        address = _said(folder / "scheduler.log", "Scheduler at:").split()[-1]
        yield process, address


@contextmanager
def worker(
    address: str,
    folder: Path,
    name: str,
    more: Mapping[str, str] | None = None,
    disk_bytes: int | None = None,
    comes_back: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker; it is there when this returns.

    more: of its environment. disk_bytes: of its temporary folder, a disk of its own (root alone).
    comes_back: the process is a nanny, whose child is the worker; a killed one gets a successor.
    """
    own = folder / name
    own.mkdir()
    words = [address, "--name", name, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    words += ["--nanny" if comes_back else "--no-nanny", "--local-directory", str(folder / "dask")]
    before: list[str] = []
    if disk_bytes:
        mount = f'mount -t tmpfs -o size={disk_bytes} tmpfs "{own}" && exec "$@"'
        before = ["unshare", "-m", "sh", "-c", mount, "sh"]
    given = {"TMPDIR": str(own), **(more or {})}
    with _program("worker", words, folder / f"{name}.log", given, before) as process:
        _said(folder / f"{name}.log", "Registered to:")
        yield process


def worker_processes(nanny: int) -> list[psutil.Process]:
    """What a nanny has started and not lost yet."""
    every = psutil.Process(nanny).children() if psutil.pid_exists(nanny) else []
    return [one for one in every if "spawn_main" in " ".join(one.cmdline())]


@contextmanager
def _program(
    what: str,
    words: Sequence[str],
    log: Path,
    more: Mapping[str, str],
    before: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    command = [*before, sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, **more}, cwd=ROOT
        )
    try:
        yield process
    finally:
        own = [psutil.Process(process.pid), *worker_processes(process.pid)]
        for one in own:
            one.kill()  # one that was stopped, too
        process.wait()
        psutil.wait_procs(own)


def _said(log: Path, what: str) -> str:
    """The line of a log that says something; waits for it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            if what in line:
                return line
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))
