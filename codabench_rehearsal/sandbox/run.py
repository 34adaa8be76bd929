"""Run a Job behind walls: start it, watch its limits, end its whole process tree.

What it prints is read as it comes: head and tail are kept, a flood is stopped.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.sandbox import docker, processes
from codabench_rehearsal.sandbox.cgroups import ControlGroup, make_groups
from codabench_rehearsal.sandbox.isolation import IsolationReport, mechanisms, specification, tasks
from codabench_rehearsal.sandbox.job import Ended, Job, JobResult, SandboxError
from codabench_rehearsal.sandbox.watch import Watch

LAUNCHER = Path(__file__).parent / "programs" / "launch.py"
POLL_SECONDS = 0.02
KILL_SECONDS = 8.0  # for the launcher to end the tree; then we do it
STOPPED_SECONDS = 0.5  # the same for one that foreign code has stopped, and stops again
COUNTED_ROUGHLY = 16 << 20  # bytes by which the kernel's own two sums of the same pages may differ
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
HEAD = 64 * 1024
TAIL = 192 * 1024


class Running:
    """A started job. Use as a context manager: leaving it ends whatever still runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._started = time.monotonic()
        self._allowed = 0.0
        self._largest = 0
        self._result: JobResult | None = None
        self._mark = f"rehearsal-{secrets.token_hex(16)}"
        self._spare = TemporaryFolder("copies-")  # first: on a full disk there is none
        self._groups = _groups(job)
        self._watch = Watch(job, self._groups, self._spare.path)
        try:
            self._process = self._spawn()
        except BaseException:
            self._put_away()
            raise
        # After the start, for we may have grown on the way to it.
        self._starters = largest_bytes(resource.getrusage(resource.RUSAGE_SELF))
        if self._process.stdout is None:
            raise SandboxError("the child's output could not be connected")
        self._log = Log(self._process.stdout, job.limits.log_bytes)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._started

    def allow(self, seconds: float) -> None:
        """Add to the time limit, for time in which the job could not work."""
        self._allowed += seconds

    def renew(self) -> None:
        """Let the limits of output and disk count from here on."""
        self._log.renew()
        self._watch.disk.renew()

    def grant(self, seconds: float) -> None:
        """Let the time limit, where there is one, end so many seconds from here."""
        self._allowed = self.seconds + seconds - (self.job.limits.seconds or 0.0)

    def poll(self) -> JobResult | None:
        """The result if the job has ended, else None; enforces the limits when called."""
        if self._result is not None:
            return self._result
        code = self._reap()
        if code is not None:
            return self._finish(self._broken_at_the_end() or "exit", code)
        if broken := self._broken_limit():
            return self._kill(broken)
        return None

    def wait(self) -> JobResult:
        """Poll until the end."""
        while (result := self.poll()) is None:
            time.sleep(POLL_SECONDS)
        return result

    def cancel(self) -> JobResult:
        """End the job now if it still runs."""
        return self.poll() or self._kill("cancelled")

    def _spawn(self) -> subprocess.Popen[bytes]:
        told, tell = os.pipe()
        self._report = IsolationReport(told)
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        try:
            return subprocess.Popen(  # noqa: S603 - running foreign code is this room's purpose
                self._words(tell),
                env={**inherited, **self.job.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(tell,),
            )
        except OSError as error:
            raise SandboxError(f"the child could not be started: {error}") from error
        finally:
            os.close(tell)

    def _words(self, report: int) -> list[str]:
        if self.job.image:
            return docker.docker_words(self.job, self._mark)
        spare = str(self._spare.path)
        spec = specification(self.job, self._groups, spare, report, self._mark)
        return [sys.executable, "-I", "-S", str(LAUNCHER), spec]

    def _reap(self) -> int | None:
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid == 0:
            return None
        # A program that a large one starts is first counted with the starter's pages; and the
        # kernel sums pages up only roughly, by processor, each time a little otherwise.
        largest = largest_bytes(usage)
        self._largest = largest if largest > self._starters * 1.02 + COUNTED_ROUGHLY else 0
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode

    def _broken_limit(self) -> Ended | None:
        limits = self.job.limits
        if limits.seconds is not None and self.seconds > limits.seconds + self._allowed:
            return "time"
        if self._log.flooded:
            return "log"
        return self._watch.broken(self._process.pid, self._report.facts)

    def _broken_at_the_end(self) -> Ended | None:
        """A limit that was broken since the last look."""
        if self._log.flooded:
            return "log"
        if held := self._watch.held_by_kernel():
            return held
        return "disk" if self._watch.disk.is_over() else None

    def _kill(self, why: Ended) -> JobResult:
        if self.job.image:
            docker.stop(self._mark)
        launcher = self._process.pid
        stopped = processes.are_stopped(processes.look_inside(launcher, self._report.facts).pids)
        was_stopped = processes.are_stopped([launcher])
        processes.send(launcher, signal.SIGTERM)  # the launcher ends the tree and then itself
        deadline = time.monotonic() + (STOPPED_SECONDS if was_stopped else KILL_SECONDS)
        while (code := self._reap()) is None:
            processes.send(launcher, signal.SIGCONT)
            if time.monotonic() > deadline:
                processes.kill(launcher)
            time.sleep(POLL_SECONDS / 10)
        return self._finish(why, code, stopped=stopped)

    def _finish(self, ended: Ended, code: int, *, stopped: bool = False) -> JobResult:
        seconds, facts = self.seconds, self._report.facts
        processes.kill_group(self._process.pid)
        if facts and facts["level"] != "namespaces":
            # Without a process namespace some may have hidden; they still carry our mark.
            deadline = time.monotonic() + KILL_SECONDS
            while (found := processes.marked(self._mark)) and time.monotonic() < deadline:
                for pid in found:
                    processes.send(pid, signal.SIGKILL)
        self._put_away()
        self._log.end()
        self._result = JobResult(
            ended,
            code,
            self._log.text(),
            seconds,
            max(self._watch.peak_bytes, self._largest),
            mechanisms(self.job, facts, self._groups),
            stopped,
        )
        return self._result

    def _put_away(self) -> None:
        self._report.close()
        for group in self._groups:
            group.close()
        self._spare.close()


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
    """A Python child's environment: as bare as Codabench's, without the GPU unless asked for."""
    chosen = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }
    if device == "cpu":
        chosen["CUDA_VISIBLE_DEVICES"] = "-1"
    return chosen


def largest_bytes(usage: resource.struct_rusage) -> int:
    """The most resident memory that one process held, of what `resource` says."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes


class Log:
    """Reads a pipe in a thread.

    limit: bytes after which it reads no more, so that the child waits; as many again from each
    `renew` on.
    """

    def __init__(self, pipe: IO[bytes], limit: int | None = None) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._seen = self._counted_from = 0
        self._over = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    @property
    def flooded(self) -> bool:
        """Whether more than the limit was printed."""
        return self._over.is_set()

    def renew(self) -> None:
        """Count from here on; what was a flood before stays one."""
        self._counted_from = self._seen

    def end(self) -> None:
        """The child is dead: let go of the pipe."""
        self._ended.set()

    def text(self) -> str:
        """What was kept; waits shortly for the pipe's end (a stray process may hold it open)."""
        self._thread.join(timeout=1.0)
        cut = f"\n[... {self._dropped} bytes cut ...]\n".encode() if self._dropped else b""
        return (bytes(self._head) + cut + bytes(self._tail)).decode("utf-8", "replace")

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self._keep(chunk)
                self._seen += len(chunk)
                if self._limit is not None and self._seen - self._counted_from > self._limit:
                    self._over.set()
                    self._ended.wait()  # a full pipe holds the child back meanwhile
                    return

    def _keep(self, chunk: bytes) -> None:
        room = max(HEAD - len(self._head), 0)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * TAIL:
            self._dropped += len(self._tail) - TAIL
            del self._tail[:-TAIL]


def _groups(job: Job) -> list[ControlGroup]:
    if job.image:
        return []
    return make_groups({"memory": job.limits.memory_bytes, "pids": tasks(job.limits)})
