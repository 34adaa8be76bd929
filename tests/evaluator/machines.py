"""Real Dask schedulers and workers on loopback, each a process of its own that may be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0
HASTY = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "20 s"}  # after which a silent one is given up


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler, and its address."""
    file = folder / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    with _program("scheduler", words, folder / "scheduler.log", HASTY) as process:
        address = _said(folder / "scheduler.log", "Scheduler at:").split()[-1]
        yield process, address


@contextmanager
def worker(
    address: str,
    folder: Path,
    name: str,
    more: Mapping[str, str] | None = None,
    disk_bytes: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker without a nanny; it is there when this returns.

    more: of its environment. disk_bytes: of its temporary folder, a disk of its own (root alone).
    """
    own = folder / name
    own.mkdir()
    words = [address, "--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    words += [
        "--host",
        "127.0.0.1",
        "--local-directory",
        str(folder / "dask"),
        *("--death-timeout", "60"),
    ]
    before: list[str] = []
    if disk_bytes:
        mount = f'mount -t tmpfs -o size={disk_bytes} tmpfs "{own}" && exec "$@"'
        before = ["unshare", "-m", "sh", "-c", mount, "sh"]
    given = {"TMPDIR": str(own), **(more or {})}
    with _program("worker", words, folder / f"{name}.log", given, before) as process:
        _said(folder / f"{name}.log", "Registered to:")
        yield process


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
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def _said(log: Path, what: str) -> str:
    """The line of a log that says something; waits for it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            if what in line:
                return line
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))
