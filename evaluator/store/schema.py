"""The store's tables, and how an older file becomes today's.

`PRAGMA user_version` counts the steps of `MIGRATIONS` that a file has been through; a new file
goes through all of them. A step that has been released is never changed, not even in its comments,
which files hold: add another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from codabench_rehearsal.console.errors import EvaluationError, free_bytes, no_more_files
from codabench_rehearsal.console.words import shown

APPLICATION = 0x4C45564C  # "LEVL" in the file's header: this file is ours
_NEVER = 1000  # no version of ours will be this high: such a number is damage
_FIRST_TABLES = ("submissions", "runs", "answers", "scores", "predictions")
TABLES = (  # parents first
    *(*_FIRST_TABLES, "orders", "blocks", "score_columns", "class_scores"),
    *("bundle_runs", "truths", "measured"),
)
DERIVED = ("tallies",)  # made anew out of the others, never saved out of a damaged file
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
_MINE = ("ALTER TABLE scores ADD COLUMN mine INTEGER NOT NULL DEFAULT 1 CHECK (mine IN (0, 1))",)
_LEADERBOARD = (
    """
CREATE TABLE score_columns (
    id INTEGER PRIMARY KEY,
    score INTEGER NOT NULL REFERENCES scores ON DELETE CASCADE,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    UNIQUE (score, name))
""",
    """
CREATE TABLE class_scores (
    id INTEGER PRIMARY KEY,
    score INTEGER NOT NULL REFERENCES scores ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL NOT NULL CHECK (value BETWEEN 0 AND 1),
    decimals INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 17),
    UNIQUE (score, name))
""",
)
_BUNDLES = (
    """
CREATE TABLE bundle_runs (
    id INTEGER PRIMARY KEY,
    submission INTEGER NOT NULL REFERENCES submissions ON DELETE CASCADE,
    environment TEXT NOT NULL,
    bundle TEXT NOT NULL,
    seed TEXT NOT NULL,
    condition TEXT NOT NULL,
    repeat INTEGER NOT NULL CHECK (repeat IN (0, 1)),
    outcome TEXT NOT NULL,  -- JSON
    seconds REAL NOT NULL,
    UNIQUE (submission, environment, bundle, seed, condition, repeat))
""",
)
_MEASURED = (
    """
CREATE TABLE truths (
    id INTEGER PRIMARY KEY,
    data TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    labels BLOB NOT NULL CHECK (typeof(labels) = 'blob'))  -- packed as answers are
""",
    """
CREATE TABLE measured (
    id INTEGER PRIMARY KEY,
    submission INTEGER NOT NULL UNIQUE REFERENCES submissions ON DELETE CASCADE,
    bytes INTEGER NOT NULL,
    start_seconds REAL,  -- NULL, and the two below: never run
    thousand_seconds REAL,
    peak_bytes INTEGER,
    split TEXT NOT NULL,
    findings TEXT NOT NULL,  -- JSON
    made TEXT NOT NULL)
""",
)
_TALLIES = (
    """
CREATE TABLE tallies (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    key TEXT NOT NULL,  -- of what is counted, and how
    answers INTEGER NOT NULL,  -- of the run when they were counted
    counts BLOB NOT NULL CHECK (typeof(counts) = 'blob'),  -- packed as answers are
    UNIQUE (run, key))
""",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    *(_FIRST, _ORDERS, _BLOCKS, _MINE, _LEADERBOARD),
    *(_BUNDLES, _MEASURED, _TALLIES),
)
BUSY_SECONDS = 30.0
_FULL_BYTES = 65_536  # a disk with less free is full
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_ELSEWHERE = "or keep the store elsewhere (--store FILE, or $LOCAL_EVAL_STORE)"
_ALLOW = f"allow writing to the file and its folder, {_ELSEWHERE}"
_SENTENCES = {
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        "the submission is not in the store; another command may have forgotten it: run this again"
    ),
    "SQLITE_FULL": f"the disk is full: make room, {_ELSEWHERE}",
    "SQLITE_BUSY": (
        f"another run has held it for {BUSY_SECONDS:.0f} seconds: let that one end, {_ELSEWHERE}"
    ),
    "SQLITE_READONLY_DBMOVED": "it was moved or removed while it was open: run the command again",
    "SQLITE_READONLY": f"it may only be read: {_ALLOW}",
    "SQLITE_CANTOPEN": f"it cannot be opened: {_ALLOW}",
    "SQLITE_IOERR": f"the disk refused to read or write it: check the disk, {_ELSEWHERE}",
}


class StoreError(EvaluationError):
    """A store, or something to be stored, that cannot be used; the message says what to do."""


class DamagedStoreError(StoreError):
    """The file is no sound store any more; `reason` is SQLite's word for it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: the store is damaged ({reason})")
        self.reason = reason


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


def _refuse_programs(kinds: Mapping[str, str], path: Path) -> None:
    """A view in a table's place may never end, and a trigger changes what others write."""
    found = next(
        (
            name
            for name, kind in kinds.items()
            if kind == "trigger" or (kind == "view" and name in (*TABLES, *DERIVED))
        ),
        None,
    )
    if found is not None:
        raise StoreError(
            f"{path}: expected a store of local-eval, received one in which {shown(found)} is a "
            f"{kinds[found]}: name another file with --store"
        )


def _described(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


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
