"""A damaged store: set aside under a new name, never thrown away, and read as far as possible."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from codabench_rehearsal.console.files import place_of
from codabench_rehearsal.console.temporary import TemporaryFolder, locked, remove_abandoned
from evaluator.store.answer_rows import BrokenLabelsError, unpack
from evaluator.store.file import FILE, check, connect, may_write, network_kind
from evaluator.store.schema import (
    APPLICATION,
    TABLES,
    DamagedStoreError,
    StoreError,
    bring_up,
    said,
)

_SQLITE = b"SQLite format 3\0"
_LOST_IN_A_ROW = 2_000  # ids that cannot be read, one after another: then there is no more to find
_COUNTED = {
    "submissions": "submissions",
    "scores": "leaderboard scores",
    "answers": "conditions of answers",
}


def mend(path: Path) -> str:
    """Set a damaged store aside and put a new one, with what could be read, in its place.

    Returns a sentence for the user, "" if the file is found sound (another run has mended it).
    Raises `StoreError` where the file may be no store at all, or cannot be renamed.
    """
    path = place_of(path)  # a link stays, and SQLite keeps its log beside what it leads to
    if not may_write(path):
        raise StoreError(
            f"{path}: the store is damaged, and cannot be set aside in a folder that may only be "
            "read: open it once where it may be written, or name another with --store"
        )
    with said(path):
        _check_was_ours(path)  # before our lock is laid beside it
        with _alone(path):
            reason = _fault(path)
            if not reason:
                return ""
            remove_abandoned([path.parent])
            with TemporaryFolder(
                f"{path.name[:32]}.", path.parent, prefix=".", suffix=".new"
            ) as folder:
                saved = _salvage(path, folder / path.name)
                aside = _swap(path, folder / path.name)
    what = ", ".join(f"{saved[table]:,} {words}" for table, words in _COUNTED.items())
    return (
        f"{path}: the store was damaged ({reason}). It is set aside as {aside.name}; read out of "
        f"it: {what}. What is missing will be run again; record missing scores anew."
    )


def _fault(path: Path) -> str:
    """Why a store cannot be used, after reading all of it; "" if it can."""
    try:
        with said(path), closing(_connect(path)) as db:
            check(db, path, limit=sys.maxsize)
    except DamagedStoreError as error:
        return error.reason
    return ""


def _connect(path: Path) -> sqlite3.Connection:
    return connect(path, exclusive=bool(network_kind(path.parent)))


def _check_was_ours(path: Path) -> None:
    """A file of another name that does not begin as our stores do is somebody's data."""
    with path.open("rb") as file:
        head = file.read(100)
    ours = head.startswith(_SQLITE) and head[68:72] == APPLICATION.to_bytes(4, "big")
    if path.name != FILE and not ours:
        raise StoreError(
            f"{path}: expected a store of local-eval, received another kind of file; it is left as "
            "it is: name another file with --store"
        )


def _salvage(damaged: Path, fresh: Path) -> dict[str, int]:
    """Copy every row that can be read into a new store; returns how many, by table."""
    saved = dict.fromkeys(TABLES, 0)
    with closing(connect(fresh)) as new, closing(_connect(damaged)) as old:
        with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            old.execute("PRAGMA writable_schema = ON")  # one broken table does not hide the others
        bring_up(new)
        new.execute("BEGIN")
        for table in TABLES:
            saved[table] = sum(_copied(new, table, row) for row in _readable(old, table))
        new.execute("COMMIT")
    return saved


def _readable(db: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """The rows of a table, id first; what lies on a damaged page is stepped over, id by id."""
    query = f"SELECT * FROM {table} WHERE id > ? ORDER BY id LIMIT 1"  # noqa: S608 - a name of ours
    last, lost = 0, 0
    while lost < _LOST_IN_A_ROW:
        try:
            row = db.execute(query, (last,)).fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            last, lost = last + 1, lost + 1
            continue
        if row is None:
            return
        last, lost = max(last + 1, int(row[0])), 0
        yield row


def _copied(db: sqlite3.Connection, table: str, row: tuple[object, ...]) -> bool:
    """Insert a row if it is whole and its parent is there; a newer column keeps its default."""
    known = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
    columns, marks = ", ".join(known[: len(row)]), ", ".join("?" * len(row))
    insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - the schema's names
    try:
        for value in row:
            if isinstance(value, bytes):
                unpack(value)
        db.execute(insert, row)
    except (sqlite3.IntegrityError, BrokenLabelsError):  # a full disk is no fault of the row
        return False
    return True


def _swap(path: Path, fresh: Path) -> Path:
    """Keep the damaged file, with its log, under a dated name; the new one takes its place."""
    aside = _free_name(path)
    try:
        os.link(path, aside)  # so that there is a file at `path` all the time
    except OSError:  # a disk without links
        path.rename(aside)
    for tail in ("-wal", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + tail).rename(aside.with_name(aside.name + tail))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    fresh.replace(path)
    return aside


def _free_name(path: Path) -> Path:
    stem = f"{path.stem}.damaged-{datetime.now(UTC):%Y-%m-%d}"
    names = (f"{stem}{more}{path.suffix}" for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs that find the damage together mend it one after the other."""
    with path.with_name(f".{path.name}.lock").open("a") as file:
        locked(file.fileno(), wait=True)  # some network disks have no locks
        yield
