"""The store's file: where it is, and every state in which a user may have it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from evaluator.store import schema as store_schema
from evaluator.store.file import NETWORK_KINDS, network_kind
from evaluator.store.store import Store, StoreError, find_store
from tests.evaluator.stores import (
    KEY,
    SHA,
    as_if_on,
    child,
    in_mount,
    put,
    put_all,
    store_at,
    stored,
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder two levels below a project."""
    folder = tmp_path / "project" / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.delenv("LOCAL_EVAL_STORE", raising=False)
    monkeypatch.chdir(folder)
    return tmp_path / "project"


def test_the_store_is_the_projects(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a command in a sub-folder would begin another history."""
    assert find_store() == project / "a" / "b" / ".local-eval" / "store.sqlite"
    assert not (project / "a" / "b" / ".local-eval").exists()
    (project / ".local-eval").mkdir()
    assert find_store() == project / ".local-eval" / "store.sqlite"
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(project / "mine.db"))
    assert find_store() == project / "mine.db"
    assert find_store("other/") == project / "a" / "b" / "other" / "store.sqlite"
    assert find_store(str(project)) == project / "store.sqlite"
    assert find_store("x.db") == project / "a" / "b" / "x.db"


def test_opening_makes_the_folder_and_is_fast() -> None:
    """Else every command would wait for it."""
    path = find_store()
    with store_at(path) as store:
        assert (store.journal, store.writable, store.notes) == ("wal", True, ())
        put_all(store, [(KEY, range(1000), [i % 8 for i in range(1000)])])
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        Store.open(path).close()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.02
    assert [file.name for file in path.parent.iterdir()] == ["store.sqlite"]


def test_the_kind_of_a_file_system_is_asked_of_the_system(tmp_path: Path) -> None:
    """Else a network folder would pass for a local one."""
    words = ["stat", "-f", "-c", "%t", str(tmp_path)]
    shown = subprocess.run(words, check=False, capture_output=True, text=True)
    if shown.returncode:
        pytest.skip("no stat(1) of GNU here")
    assert network_kind(tmp_path) == NETWORK_KINDS.get(int(shown.stdout, 16), "")
    if Path("/proc/self").exists():
        known = {**NETWORK_KINDS, 0x9FA0: "proc"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("evaluator.store.file.NETWORK_KINDS", known)
            assert network_kind(Path("/proc")) == "proc"


def test_a_network_folder_is_noticed_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the log's shared memory, which such folders lack, would break the store."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store:
        put(store, KEY, [1], [3])
    as_if_on("NFS", monkeypatch)
    with Store.open(path) as store, Store.open(path) as second:
        assert (store.journal, second.journal) == ("delete", "delete")
        assert "network folder (NFS)" in store.notes[0]
        put(store, KEY, [2], [4])
        put(second, KEY, [3], [5])
        assert stored(store, KEY).labels.tolist() == [3, 4, 5]
        assert {p.name for p in tmp_path.iterdir()} == {"s.sqlite", "project"}
    as_if_on("", monkeypatch)
    with Store.open(path) as store:
        assert (store.journal, store.notes) == ("wal", ())


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Else an older tool would write what the newer one cannot read."""
    path = tmp_path / "s.sqlite"
    store_at(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer version .*schema 99.* update"):
        Store.open(path)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an update of the tool would cost the history."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store:
        put(store, KEY, [1], [3])
    steps = (*store_schema.MIGRATIONS, ("ALTER TABLE submissions ADD COLUMN team TEXT",))
    monkeypatch.setattr(store_schema, "MIGRATIONS", steps)
    with Store.open(path) as store:
        assert stored(store, KEY).labels.tolist() == [3]
        assert store._db.execute("SELECT team FROM submissions").fetchall() == [(None,)]
        assert store_schema.version(store._db) == len(steps)


def test_a_store_without_orders_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a store of last month could not be used with questions in a secret order."""
    path = tmp_path / "s.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:1])
        with store_at(path) as store:
            put(store, KEY, [1], [3])
    with Store.open(path) as store:
        assert stored(store, KEY).labels.tolist() == [3]
        assert store.order("f", 0) == store.order("f", 0)


@pytest.mark.parametrize("steps", [3, 4])
def test_a_store_of_before_baselines_holds_the_users_own_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Else every score recorded so far would stop being one to beat."""
    path = tmp_path / "s.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:steps])
        with store_at(path) as store:
            insert = (
                "INSERT INTO scores (submission, phase, value, decimals, date, note, recorded) "
                "VALUES (1, 'dev', 0.89, 2, '', '', '2026-11-01')"
            )
            store._db.execute(insert)
    with Store.open(path) as store:
        assert [(str(score), score.mine) for score in store.scores()] == [("0.89", True)]
        store.record_score(store.submissions()[0], 0.61, 2, mine=False)
        assert [score.mine for score in store.scores()] == [True, False]
        assert [(score.columns, score.class_scores) for score in store.scores()] == [((), None)] * 2


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an interrupted update would leave a file that neither version reads."""
    path = tmp_path / "s.sqlite"
    store_at(path).close()
    steps = (*store_schema.MIGRATIONS, ("DROP TABLE scores", "DROP TABLE missing"))
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", steps)
        with pytest.raises(StoreError, match="no such table"):
            Store.open(path)
    with Store.open(path) as store:
        assert store.scores() == ()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """Else a slip in --store would put our tables into somebody's data."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (id)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="database of another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_full_disk_is_said_and_leaves_a_whole_store(tmp_path: Path) -> None:
    """Else the user would meet SQLite's error, or lose what was stored before."""
    code = """
import sys
from pathlib import Path
from tests.evaluator.stores import *
path = Path(sys.argv[1]) / "s.sqlite"
with store_at(path) as store:
    try:
        for condition in range(10_000):
            put(store, key_of(condition), range(2000), labels_of(condition, 2000))
    except ValueError as error:
        print(error)
with Store.open(path) as store:
    kept = [answered(store, key_of(n), range(2000)) for n in range(condition)]
print(condition, store.notes, all((k == labels_of(n, 2000)).all() for n, k in enumerate(kept)))
"""
    (tmp_path / "small").mkdir()
    said, kept = in_mount("-t tmpfs -o size=900k none", tmp_path / "small", code).splitlines()
    assert "s.sqlite: the disk is full: make room, or keep the store elsewhere (--store" in said
    assert re.fullmatch(r"\d+ \(\) True", kept)


READING = """
import sys
from pathlib import Path
from tests.evaluator.stores import *
folder = Path(sys.argv[1])
with Store.open(folder / "s.sqlite") as store:
    print(store.writable, store.notes, stored(store, KEY).labels.tolist())
    try:
        put(store, KEY, [9], [9])
    except ValueError as error:
        print(error)
try:
    Store.open(folder / "new" / "s.sqlite")
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_store_that_may_only_be_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    """Else a colleague's history on a shared disk could not be looked at."""
    as_if_on("NFS" if journal == "delete" else "", monkeypatch)
    folder = tmp_path / "theirs"
    with store_at(folder / "s.sqlite") as store:
        put(store, KEY, [1], [3])
    shown = in_mount(f"-o bind,ro {folder}", folder, READING).splitlines()
    assert shown[0].startswith("False ")
    assert "may only be read: nothing new is kept there" in shown[0]
    assert shown[0].endswith("[3]")
    assert "may only be read: keep the store elsewhere (--store FILE)" in shown[1]
    assert "Read-only file system: keep the store elsewhere (--store FILE" in shown[2]


def test_the_log_of_a_killed_run_is_read_too(tmp_path: Path) -> None:
    """Else a copy of a killed run's store would be read without its last answers, unsaid."""
    folder = tmp_path / "theirs"
    killed = child(f"""
import os
from tests.evaluator.stores import *
put(store_at(Path({str(folder / "s.sqlite")!r})), KEY, [1], [3])
os.kill(os.getpid(), 9)
""")
    killed.communicate(timeout=60)
    assert {path.name for path in folder.iterdir()} == {"s.sqlite", "s.sqlite-shm", "s.sqlite-wal"}
    shown = in_mount(f"-o bind,ro {folder}", folder, READING).splitlines()
    assert shown[0].endswith("[3]")


def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    """Else the user would meet SQLite's error."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="allow writing to the file and its folder"):
        Store.open(folder / "s.sqlite")


def test_a_run_that_holds_the_store_for_long_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user would meet 'database is locked'."""
    monkeypatch.setattr("evaluator.store.file.BUSY_SECONDS", 0.05)
    path = tmp_path / "s.sqlite"
    with store_at(path) as store, Store.open(path) as other:
        store._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another run has held it"):
            put(other, KEY, [1], [1])
        assert other.submissions()[0].sha256 == SHA  # reading goes on
        store._db.execute("ROLLBACK")
        put(other, KEY, [1], [1])


def test_a_store_removed_while_open_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else answers would go into a file that no longer has a name."""
    as_if_on("NFS", monkeypatch)
    path = tmp_path / ".local-eval" / "s.sqlite"
    with store_at(path) as store:
        shutil.rmtree(path.parent)
        with pytest.raises(StoreError, match=r"moved or removed|cannot be opened"):
            put(store, KEY, [1], [1])


def test_a_folder_in_the_files_place_is_said(tmp_path: Path) -> None:
    """Else the user would meet a traceback."""
    with pytest.raises(StoreError, match="received a folder"):
        Store.open(tmp_path)
