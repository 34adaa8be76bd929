"""What can go wrong with the store's file, in people's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.room import free_bytes, no_more_files

BUSY_SECONDS = 30.0
_FULL_BYTES = 65_536  # a disk with less free is full
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_ELSEWHERE = "or keep the store elsewhere (--store FILE, or $LOCAL_EVAL_STORE)"
_SENTENCES = {
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        "the submission is not in the store; another command may have forgotten it: run this again"
    ),
    "SQLITE_FULL": f"the disk is full: make room, {_ELSEWHERE}",
    "SQLITE_BUSY": (
        f"another run has held it for {BUSY_SECONDS:.0f} seconds: let that one end, {_ELSEWHERE}"
    ),
    "SQLITE_READONLY_DBMOVED": "it was moved or removed while it was open: run the command again",
    "SQLITE_READONLY": f"it may only be read: allow writing to the file and its folder, {_ELSEWHERE}",
    "SQLITE_CANTOPEN": f"it cannot be opened: allow writing to the file and its folder, {_ELSEWHERE}",
    "SQLITE_IOERR": f"the disk refused to read or write it: check the disk, {_ELSEWHERE}",
}


class StoreError(EvaluationError):
    """A store, or something to be stored, that cannot be used; the message says what to do."""


class DamagedStoreError(StoreError):
    """The file is no sound store any more; `reason` is SQLite's word for it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: the store is damaged ({reason})")
        self.reason = reason


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say about `path` into `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _sentence(path, error) from error
    except UnicodeDecodeError as error:  # Python meets SQLite's own words about broken text
        raise DamagedStoreError(path, "a text in it is broken") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}: {_ELSEWHERE[3:]}") from error


def error_name(error: sqlite3.Error) -> str:
    """SQLite's own name of an error, "SQLITE_FULL"; "" where Python's module raised it itself."""
    return getattr(error, "sqlite_errorname", "")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file's contents are to blame."""
    return error_name(error).startswith(_DAMAGE)


def _sentence(path: Path, error: sqlite3.Error) -> StoreError:
    if is_damage(error):
        return DamagedStoreError(path, str(error))
    name = error_name(error)
    if name.startswith("SQLITE_IOERR") and free_bytes(path.parent) < _FULL_BYTES:
        name = "SQLITE_FULL"  # it found no room for its shared memory, and says no more than that
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")) and no_more_files(path.parent):
        return StoreError(
            f"{path}: its disk takes no more files (inodes): remove some, {_ELSEWHERE}"
        )
    for start, sentence in _SENTENCES.items():
        if name.startswith(start):
            return StoreError(f"{path}: {sentence}")
    return StoreError(f"{path}: SQLite says {error} ({name or type(error).__name__})")
