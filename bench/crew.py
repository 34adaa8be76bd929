"""Workers as seen from the bench: start one, ask it, end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent
ONE_THREAD = dict.fromkeys(
    (
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "VECLIB_MAXIMUM_THREADS"),
    ),
    "1",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "NO_ALBUMENTATIONS_UPDATE": "1"}


class SideError(Exception):
    """A side did not start, or could not do what it was asked; the text says why."""


def cores() -> list[int]:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(**more: str) -> dict[str, str]:
    """For children: our sources on the path, one thread a library, no chatter."""
    return {**os.environ, **ONE_THREAD, **QUIET, "PYTHONPATH": str(ROOT), **more}


class Worker:
    """A side's process, pinned to `on` cores. Raises `SideError` where it cannot start."""

    def __init__(
        self, module: str, on: Sequence[int], python: str = sys.executable, log: Path | None = None
    ) -> None:
        command = [python, "-m", "bench.worker", module, ",".join(map(str, on))]
        self._log = (log or Path(os.devnull)).open("ab")
        self._process = subprocess.Popen(  # noqa: S603  our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),
            text=True,
            cwd=ROOT,
        )
        self.module = module
        try:
            self._receive()
        except SideError:
            self.close()
            raise

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """One request and its answer. Raises `SideError` with the side's own words."""
        self.send(do, **request)
        return self.receive()

    def send(self, do: str, **request: Any) -> None:
        """A request whose answer is fetched later: lets two workers run at once."""
        assert self._process.stdin is not None  # noqa: S101  it is a pipe
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The answer to the oldest request."""
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise SideError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
