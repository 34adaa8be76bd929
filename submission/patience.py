"""A line on the terminal for what takes long; nothing where nobody waits."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.0


@contextmanager
def said_when_slow(doing: str) -> Iterator[None]:
    """Say what is being done on standard error, once, if it takes over two seconds there."""
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
