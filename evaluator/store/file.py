"""Opening the store's file: new or old, on a local disk or a network's, to write or to read."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.roles import STORE, Output
from evaluator.store.schema import (
    BUSY_SECONDS,
    MIGRATIONS,
    DamagedStoreError,
    StoreError,
    bring_up,
    check_ours,
    error_name,
    said,
    tables_are_whole,
    version,
)

FOLDER = ".local-eval"
FILE = "store.sqlite"
VARIABLE = "LOCAL_EVAL_STORE"
CHECKED_BYTES = 8 << 20  # a larger file is not read through at every opening (2 ms a megabyte)
_RETRY_SECONDS = 0.02
_BESIDE = ("-journal", "-wal", "-shm")  # SQLite's own files, which it reads first
# statfs(2) and Linux's magic.h. SQLite's write-ahead log needs memory shared by all its readers,
# which none of these gives; FUSE is Google Drive in Colab, 9p is Windows' disks under WSL.
NETWORK_KINDS: Mapping[int, str] = MappingProxyType(
    {
        0x6969: "NFS",
        0x517B: "SMB",
        0xFF534D42: "CIFS",
        0xFE534D42: "SMB2",
        0x65735546: "FUSE",
        0x01021997: "9p",
        0x5346414F: "AFS",
        0x73757245: "Coda",
        0x00C36400: "Ceph",
        0x0BD00BD0: "Lustre",
        0x47504653: "GPFS",
        0x19830326: "BeeGFS",
        0xAAD7AAEA: "PanFS",
        0x786F4256: "VirtualBox shared folder",
    }
)


@dataclass(frozen=True)
class OpenedStore:
    """An open store. journal: SQLite's journal mode, "wal" or "delete". notes: for people."""

    db: sqlite3.Connection
    journal: str
    writable: bool
    notes: tuple[str, ...]


def open_file(path: Path) -> OpenedStore:
    """Open a store, made if it is missing, brought to today's schema if it is older.

    Where it may only be read, it is opened to be read. Raises `StoreError`; `DamagedStoreError` for
    a file whose contents are to blame, which is left as it is.
    """
    for ending in _BESIDE:
        require_file(path.with_name(path.name + ending), StoreError)
    with said(path):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not may_write(path):
            return _open_to_read(path)
        kind = network_kind(path.parent)
        db = connect(path, exclusive=bool(kind))
        try:
            check(db, path)
            journal = _set_journal(db, "delete" if kind else "wal")
            bring_up(db)
        except BaseException:
            db.close()
            raise
        note = f"{path} is on a network folder ({kind}): kept without a log, a little slower"
        return OpenedStore(db, journal, writable=True, notes=(note,) if kind else ())


def connect(path: Path, *, exclusive: bool = False) -> sqlite3.Connection:
    """Connect to a file. exclusive: do without shared memory until the journal is set."""
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    _prepare(db)
    if exclusive:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
    return db


def check(db: sqlite3.Connection, path: Path, limit: int = CHECKED_BYTES) -> None:
    """Raise `StoreError` for a file that is not ours, `DamagedStoreError` for one that is broken.

    A file of at most `limit` bytes is read through.
    """
    check_ours(db, path)
    if path.stat().st_size > limit:
        return
    found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise DamagedStoreError(path, found.splitlines()[-1])
    if not tables_are_whole(db):
        raise DamagedStoreError(path, "the description of a table is broken")


def find_store(option: str | None = None) -> Path:
    """The store's file: `option`, else $LOCAL_EVAL_STORE, else the project's.

    Both may name a file, or a folder, in which the file is `store.sqlite`. The project is the
    nearest folder, from the working one upwards, that has a `.local-eval/`; else the working one.
    Nothing is made here.
    """
    given = option or os.environ.get(VARIABLE)
    if given:
        path = Path(given).expanduser()
        folder = path.is_dir() or given.endswith(("/", os.sep))
        return (path / FILE if folder else path).absolute()
    here = Path.cwd()
    places = (folder / FOLDER for folder in (here, *here.parents))
    return next((place for place in places if place.is_dir()), here / FOLDER) / FILE


def as_outputs(option: str | None) -> dict[str, Output]:
    """The store's file and SQLite's own beside it, which no other output of a command may be."""
    if option == NO_STORE:
        return {}
    store = find_store(option)
    beside = {f"the store's {end[1:]}": Output(f"{store}{end}", STORE) for end in _BESIDE}
    return {"the store": Output(f"{store}", STORE), **beside}


def network_kind(folder: Path) -> str:
    """Which network file system a folder is on: "NFS", "SMB" ...; "" for a local or unknown one."""
    return NETWORK_KINDS.get(_magic(folder), "")


def may_write(path: Path) -> bool:
    """Whether a store, and the log beside it, may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    # A changed bit in a name shall not stop every later reading of the table.
    db.text_factory = lambda text: text.decode("utf-8", "replace")


def _set_journal(db: sqlite3.Connection, mode: str) -> str:
    """Set the journal mode; returns the one that SQLite then has.

    A killed process loses nothing either way. With the log, a power cut may lose the last
    transactions but never harms the file; without, each is written through to the disk.
    """
    if str(db.execute("PRAGMA journal_mode").fetchone()[0]) != mode:
        _when_free(db, f"PRAGMA journal_mode = {mode}")
    got = str(db.execute("PRAGMA journal_mode").fetchone()[0])
    db.execute(f"PRAGMA synchronous = {'NORMAL' if got == 'wal' else 'FULL'}")
    db.execute("PRAGMA locking_mode = NORMAL")
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # this gives an exclusive lock back
    return got


def _when_free(db: sqlite3.Connection, statement: str) -> None:
    """Changing the journal does not heed the busy timeout: two may open a new store at once."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute(statement)
        except sqlite3.OperationalError as error:
            if not error_name(error).startswith("SQLITE_BUSY") or time.monotonic() > end:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _open_to_read(path: Path) -> OpenedStore:
    """Without a log beside it the file stands still; SQLite then needs nothing in the folder."""
    log = path.with_name(path.name + "-wal")
    still = "" if log.exists() and log.stat().st_size else "&immutable=1"
    address = f"{path.absolute().as_uri()}?mode=ro{still}"
    db = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        _prepare(db)
        check(db, path)
        _check_current(db, path)
        journal = str(db.execute("PRAGMA journal_mode").fetchone()[0])
    except BaseException:
        db.close()
        raise
    note = f"{path} may only be read: nothing new is kept there"
    return OpenedStore(db, journal, writable=False, notes=(note,))


def _check_current(db: sqlite3.Connection, path: Path) -> None:
    if version(db) != len(MIGRATIONS):
        raise StoreError(
            f"{path}: expected a store of schema {len(MIGRATIONS)}, received {version(db)}, in a "
            "folder that may only be read: open it once where it may be written"
        )


def _magic(folder: Path) -> int:
    """The file system's number from statfs(2); 0 where it cannot be asked, as on macOS."""
    if not sys.platform.startswith("linux"):
        return 0
    answer = ctypes.create_string_buffer(1024)  # struct statfs is 120 bytes; f_type comes first
    try:
        failed = ctypes.CDLL(None).statfs(os.fsencode(folder), answer)
    except (OSError, AttributeError):
        return 0
    return 0 if failed else ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
