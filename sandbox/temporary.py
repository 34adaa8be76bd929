"""Temporary folders that also go when their owner was killed: the next run removes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType

PREFIX = "rehearsal-"
_LOCK = ".owner"
_YOUNG_SECONDS = 60.0  # a folder without a lock may be one that is just being made


class TemporaryFolder:
    """A folder of our own that is removed on `close`, or by a later run if we are killed.

    Use as a context manager, or call `close`. The owner holds a lock on a file inside as long as it lives.
    """

    def __init__(self, label: str = "") -> None:
        remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{label}"))
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; what foreign code made unreadable in it is made readable first."""
        remove(self.path)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, whatever permissions its files were given."""
    for where, _, _ in os.walk(folder, onerror=lambda error: _open_up(error.filename)):
        _open_up(where)
    shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove our folders whose owner is dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_abandoned(folder):
                remove(folder)


def _is_abandoned(folder: Path) -> bool:
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        return False
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # not made by this class
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return time.time() - folder.stat().st_mtime > _YOUNG_SECONDS


def _open_up(folder: str) -> None:
    with contextlib.suppress(OSError):
        Path(folder).chmod(0o700)
