"""Run an installer: its words are shown while it works, and their end is kept.

On a terminal it gets one of its own, so that it draws its progress; elsewhere its steps are told
line by line.
"""

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
from dataclasses import dataclass
from pathlib import Path

KEPT_BYTES = 64 * 1024
_DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[\]P^_].*?(?:\x07|\x1b\\)")
# Lines of uv's and pip's that say how far it is; the rest is detail.
_STEPS = re.compile(
    r"(Resolved|Downloading|Downloaded|Prepared|Installed|Bytecode|Collecting|Building|Built)\b"
    r"|(Installing collected)"
)


@dataclass(frozen=True)
class Ended:
    """How a program ended. output: the end of what it said, without drawing."""

    code: int
    output: str


def run_shown(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    say: Callable[[str], None],
    held: int | None = None,
) -> Ended:
    """Run it in `folder` to its end; an interrupt of ours ends it too. Raises OSError.

    held: an open file that it keeps open as well: a lock on it lasts until both have ended, even
    where we are killed and it is not.
    """
    terminal = sys.stderr.isatty()
    ours, its = _terminal() if terminal else os.pipe()
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
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(its)
    output = _follow(process, ours, _draw if terminal else _Steps(say))
    return Ended(process.wait(), output)


def plain(said: bytes) -> str:
    """Text without colours, cursor movements and carriage returns."""
    return _DRAWING.sub("", said.decode("utf-8", "replace")).replace("\r", "")


def _follow(process: subprocess.Popen[bytes], pipe: int, show: Callable[[bytes], None]) -> str:
    """Show what it says until it says no more; the end of it."""
    kept = bytearray()
    try:
        for chunk in _chunks(pipe):
            show(chunk)
            kept += chunk
            del kept[:-KEPT_BYTES]
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        os.close(pipe)
    return plain(bytes(kept))


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


def _draw(chunk: bytes) -> None:
    os.write(sys.stderr.fileno(), chunk)


class _Steps:
    """Tells whole lines, those that say how far it is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = b""

    def __call__(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in map(plain, lines):
            if _STEPS.match(line):
                self._say(line)
