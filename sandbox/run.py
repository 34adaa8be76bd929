"""Run a Job with this machine's Python: start it, watch its limits, end its whole process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from sandbox import tree
from sandbox.job import Ended, Job, JobResult, SandboxError

LAUNCHER = Path(__file__).parent / "programs" / "launch.py"
POLL_SECONDS = 0.02
MEMORY_POLL_SECONDS = 0.1
LOG_HEAD = 64 * 1024
LOG_TAIL = 192 * 1024
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ")


class Log:
    """Reads a pipe to its end in a thread and keeps its head and its tail."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        room = max(LOG_HEAD - len(self._head), 0)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * LOG_TAIL:
            self._dropped += len(self._tail) - LOG_TAIL
            del self._tail[:-LOG_TAIL]

    def text(self) -> str:
        """What was kept; waits shortly for the pipe's end (a stray process may hold it open)."""
        self._thread.join(timeout=1.0)
        cut = f"\n[... {self._dropped} bytes cut ...]\n".encode() if self._dropped else b""
        return (bytes(self._head) + cut + bytes(self._tail)).decode("utf-8", "replace")


class Running:
    """A started job. Use as a context manager: leaving it ends whatever still runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._started = time.monotonic()
        self._peak = 0
        self._cpu = 0.0
        self._allowed = 0.0
        self._memory_seen = 0.0
        self._result: JobResult | None = None
        self._process = _spawn(job)
        if self._process.stdout is None:
            raise SandboxError("the child's output could not be connected")
        self._log = Log(self._process.stdout)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._started

    def allow(self, seconds: float) -> None:
        """Add to the time limit, for time in which the job could not work."""
        self._allowed += seconds

    def poll(self) -> JobResult | None:
        """The result if the job has ended, else None; enforces the limits when called."""
        if self._result is not None:
            return self._result
        ended = self._reap()
        if ended is not None:
            return self._finish("exit", ended)
        if broken := self._broken_limit():
            return self._kill(broken)
        return None

    def wait(self, tick: Callable[[], None] = lambda: None) -> JobResult:
        """Poll until the end; `tick` is called between polls."""
        while (result := self.poll()) is None:
            tick()
            time.sleep(POLL_SECONDS)
        return result

    def cancel(self) -> JobResult:
        """End the job now if it still runs."""
        return self.poll() or self._kill("cancelled")

    def _reap(self) -> int | None:
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid == 0:
            return None
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB here
        self._peak = max(self._peak, usage.ru_maxrss * unit)
        self._cpu = usage.ru_utime + usage.ru_stime
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode

    def _broken_limit(self) -> Ended | None:
        limits = self.job.limits
        if limits.seconds is not None and self.seconds > limits.seconds + self._allowed:
            return "time"
        if time.monotonic() - self._memory_seen < MEMORY_POLL_SECONDS:
            return None
        self._memory_seen = time.monotonic()
        resident = tree.resident_bytes(self._process.pid)
        self._peak = max(self._peak, resident)
        over = limits.memory_bytes is not None and resident > limits.memory_bytes
        return "memory" if over else None

    def _kill(self, why: Ended) -> JobResult:
        tree.kill(self._process.pid)
        while (code := self._reap()) is None:
            time.sleep(POLL_SECONDS)
        return self._finish(why, code)

    def _finish(self, ended: Ended, code: int) -> JobResult:
        seconds = self.seconds
        tree.kill_group(self._process.pid)
        self._result = JobResult(
            ended, code, self._log.text(), seconds, self._cpu, self._peak, _mechanisms()
        )
        return self._result


def start(job: Job) -> Running:
    """Start a job. Raises `SandboxError` when a folder is missing or the command cannot start."""
    for name, path in job.folders.items():
        if not Path(path).is_dir():
            raise SandboxError(f"the folder {name!r} of the job is not there: {path}")
    return Running(job)


def run(job: Job) -> JobResult:
    """Run a job to its end."""
    with start(job) as running:
        return running.wait()


def python_environment(device: str = "cpu") -> dict[str, str]:
    """The environment for a Python child: as bare as Codabench's, without the GPU unless asked for."""
    chosen = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    if device == "cpu":
        chosen["CUDA_VISIBLE_DEVICES"] = "-1"
    return chosen


def _spawn(job: Job) -> subprocess.Popen[bytes]:
    words = [_replace(word, job.folders) for word in job.command]
    inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603 - running foreign code is this room's purpose
            [sys.executable, "-I", str(LAUNCHER), str(os.getpid()), *words],
            cwd=job.folders[job.working_folder],
            env={**inherited, **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"the child could not be started: {error}") from error


def _replace(word: str, folders: Mapping[str, str]) -> str:
    # Longest first: $submission_program must not be read as $submission.
    for name in sorted(folders, key=len, reverse=True):
        word = word.replace(f"${name}", folders[name])
    return word


def _mechanisms() -> dict[str, str]:
    linux = sys.platform == "linux"
    return {
        "seconds": "watched every 20 ms, then the process tree is killed",
        "memory": "resident memory of the process tree, watched every 100 ms",
        "parent's death": "PR_SET_PDEATHSIG" if linux else "not held on this system",
    }
