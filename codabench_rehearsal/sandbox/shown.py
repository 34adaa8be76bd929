"""Run a program of this machine: hear it at its end, or show an installer's words as it works."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

KEPT_BYTES = 64 * 1024
_DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[\]P^_].*?(?:\x07|\x1b\\)")
# uv's lines that say how far it is; the rest is detail.
_STEPS = re.compile(
    r"(Resolved|Downloading|Downloaded|Prepared|Installed|Bytecode|Building|Built)\b"
)


def heard(
    words: Sequence[str],
    seconds: float,
    *,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end with nothing to read, and keep its words. Raises as `subprocess.run`."""
    return subprocess.run(  # noqa: S603 - docker, uv or a Python, from the caller
        words,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
        env=env,
        cwd=folder,
    )


def run_shown(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    say: Callable[[str], None],
    held: int | None = None,
) -> tuple[int, str]:
    """Run it in `folder` to its end: exit code, and the end of what it said. Raises OSError.

    On a terminal it gets one of its own, so that it draws its progress; elsewhere its steps are
    told line by line. An interrupt of ours ends it too. held: an open file that it keeps open as
    well: a lock on it lasts until both have ended, even where we are killed and it is not.
    """
    terminal = sys.stderr.isatty()
    ours, its = _terminal() if terminal else os.pipe()
    kept = bytearray()
    try:
        try:
            process = subprocess.Popen(  # noqa: S603 - an installer, from the caller
                words,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=its,
                stderr=its,
                start_new_session=True,  # so that all it started can be ended at once
                pass_fds=() if held is None else (held,),
            )
        finally:
            os.close(its)
        try:
            for chunk in _chunks(ours):
                if terminal:
                    os.write(sys.stderr.fileno(), chunk)
                else:
                    _tell_steps(kept, chunk, say)
                kept += chunk
                del kept[:-KEPT_BYTES]
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    finally:
        os.close(ours)
    return process.wait(), _plain(bytes(kept))


def _chunks(pipe: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # Linux: a terminal whose other side is closed
        while chunk := os.read(pipe, 65536):
            yield chunk


def _terminal() -> tuple[int, int]:
    """A pair of ends, the second one a terminal as wide as ours."""
    ours, its = os.openpty()
    size = shutil.get_terminal_size()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))
    return ours, its


def _tell_steps(before: bytes | bytearray, chunk: bytes, say: Callable[[str], None]) -> None:
    """Tell the lines that a chunk completes, those that say how far it is."""
    begun = before[before.rfind(b"\n") + 1 :]
    for line in (begun + chunk).split(b"\n")[:-1]:
        if _STEPS.match(step := _plain(bytes(line))):
            say(step)


def _plain(said: bytes) -> str:
    """Text without colours, cursor movements and carriage returns."""
    return _DRAWING.sub("", said.decode("utf-8", "replace")).replace("\r", "")
