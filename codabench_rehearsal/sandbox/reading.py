"""Reading what a child left in a folder that it could write: regular files, and so much at most.

A link may lead to the user's files, or to /dev/zero; a pipe lets the reader wait for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO


def open_left(path: Path) -> IO[bytes] | None:
    """The file, opened to read; None if it is missing, unreadable, or no regular file."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb")


def read_left(path: Path, most: int) -> bytes | None:
    """The whole of a file of at most `most` bytes; None otherwise, as in `open_left`."""
    file = open_left(path)
    if file is None:
        return None
    with file:
        found = file.read(most + 1)
    return found if len(found) <= most else None
