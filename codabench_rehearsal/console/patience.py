"""What is said while something takes long, so that nobody thinks it hangs, or waits in vain."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 2.0
TOLD = (60.0, 120.0, 300.0)  # seconds without an answer
TOLD_EVERY = 600.0  # beyond


@contextmanager
def said_when_slow(doing: str) -> Iterator[None]:
    """Say what is being done on standard error, once, if it takes over two seconds at a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(SECONDS, lambda: sys.stderr.write(f"{doing} ...\n"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Waiting:
    """Says that a submission has not answered for long, and when it will be ended; in logs as well.

    After 60, 120 and 300 seconds, then every 600, each of them once for a submission: one that takes
    70 seconds for every block is told once, not a hundred times. say: takes a line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._next = TOLD[0]

    def tell(self, waited: float, due: float | None) -> None:
        """waited: seconds since the last answer. due: after how many it is ended, None for never."""
        if waited < self._next:
            return
        ended = "" if due is None else f"; ended at {due:.0f} s"
        self._say(f"no answer for {waited:.0f} s{ended}")
        later = (after for after in TOLD if after > waited)
        self._next = next(later, TOLD_EVERY * (waited // TOLD_EVERY + 1))


def say_on_stderr(line: str) -> None:
    """A line on standard error; nothing where that is closed."""
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
