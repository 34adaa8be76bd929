"""The store's tables, and how an older file becomes today's.

`PRAGMA user_version` counts the steps of `MIGRATIONS` that a file has been through; a new file
goes through all of them. A step that has been released is never changed: add another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from codabench_rehearsal.console.words import shown
from evaluator.storing.errors import DamagedStoreError, StoreError

APPLICATION = 0x4C45564C  # "LEVL" in the file's header: this file is ours
_NEVER = 1000  # no version of ours will be this high: such a number is damage
_FIRST_TABLES = ("submissions", "runs", "answers", "scores", "predictions")
TABLES = (*_FIRST_TABLES, "orders", "blocks")  # a parent before its children
_FIRST = (
    """
CREATE TABLE submissions (
    id INTEGER PRIMARY KEY,
    sha256 TEXT UNIQUE CHECK (length(sha256) = 64),  -- NULL: known by its name only
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    first_seen TEXT NOT NULL,
    note TEXT NOT NULL)
""",
    "CREATE UNIQUE INDEX named ON submissions (name) WHERE sha256 IS NULL",
    """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    submission INTEGER NOT NULL REFERENCES submissions ON DELETE CASCADE,
    environment TEXT NOT NULL,
    data TEXT NOT NULL,
    seed TEXT NOT NULL,  -- any whole number, also one above SQLite's 64 bits
    dtype TEXT NOT NULL,
    UNIQUE (submission, environment, data, seed, dtype))
""",
    """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    cell TEXT NOT NULL,
    count INTEGER NOT NULL,
    labels BLOB NOT NULL CHECK (typeof(labels) = 'blob'),  -- see label_code.py
    UNIQUE (run, cell))
""",
    """
CREATE TABLE scores (
    id INTEGER PRIMARY KEY,
    submission INTEGER NOT NULL REFERENCES submissions ON DELETE CASCADE,
    phase TEXT NOT NULL,
    value REAL NOT NULL CHECK (value BETWEEN 0 AND 1),
    decimals INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 17),
    date TEXT NOT NULL,
    hidden_images INTEGER CHECK (hidden_images > 0),
    note TEXT NOT NULL,
    recorded TEXT NOT NULL,
    UNIQUE (submission, phase, value, decimals, date))
""",
    """
CREATE TABLE predictions (
    id INTEGER PRIMARY KEY,
    submission INTEGER NOT NULL REFERENCES submissions ON DELETE CASCADE,
    phase TEXT NOT NULL,
    value REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    level REAL NOT NULL,
    known INTEGER NOT NULL,
    method TEXT NOT NULL,
    made TEXT NOT NULL)
""",
    "CREATE INDEX predicted ON predictions (submission, phase, made)",
)
_ORDERS = (
    """
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    data TEXT NOT NULL,
    seed TEXT NOT NULL,
    secret INTEGER NOT NULL CHECK (secret >= 0),
    UNIQUE (data, seed))
""",
)
_BLOCKS = (
    """
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    cells TEXT NOT NULL,  -- a JSON list
    count INTEGER NOT NULL,
    labels BLOB NOT NULL CHECK (typeof(labels) = 'blob'))  -- see blocks.py
""",
    "CREATE INDEX waiting ON blocks (run, count)",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _ORDERS, _BLOCKS)


def version(db: sqlite3.Connection) -> int:
    """How many migrations a file has been through; 0 for a new one."""
    return _number(db, "user_version")


def tables_are_whole(db: sqlite3.Connection) -> bool:
    """Whether all tables of a file's version are as they were made; a broken one is no longer used.

    SQLite itself only checks that their descriptions can be read.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        for step in MIGRATIONS[: version(db)]:
            for statement in step:
                model.execute(statement)
        return _described(model) <= _described(db)


def check_ours(db: sqlite3.Connection, path: Path) -> None:
    """Raise `StoreError` for another program's file, and for one of a newer version of ours."""
    kinds = dict(db.execute("SELECT name, type FROM sqlite_master").fetchall())
    _refuse_programs(kinds, path)
    tables = {name for name, kind in kinds.items() if kind == "table"}
    if not tables:
        return
    marked, found = _number(db, "application_id") == APPLICATION, version(db)
    if not marked and not tables.issuperset(_FIRST_TABLES):
        raise StoreError(
            f"{path}: expected a store of local-eval, received a database of another program; "
            "name another file with --store"
        )
    if not marked or not 0 < found < _NEVER:
        raise DamagedStoreError(path, "its header is broken")
    if found > len(MIGRATIONS):
        raise StoreError(
            f"{path}: written by a newer version of this tool (schema {found}, this one knows "
            f"{len(MIGRATIONS)}): update it (pip install -U codabench-rehearsal), or name another "
            "file with --store"
        )


def _refuse_programs(kinds: Mapping[str, str], path: Path) -> None:
    """A view in a table's place may never end, and a trigger changes what others write; we make none."""
    found = next(
        (
            name
            for name, kind in kinds.items()
            if kind == "trigger" or (kind == "view" and name in TABLES)
        ),
        None,
    )
    if found is not None:
        raise StoreError(
            f"{path}: expected a store of local-eval, received one in which {shown(found)} is a "
            f"{kinds[found]}: name another file with --store"
        )


def bring_up(db: sqlite3.Connection) -> None:
    """Bring a file of ours to today's schema, in one transaction."""
    if version(db) == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[version(db) :]:  # asked again: another run may just have done it
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _described(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
