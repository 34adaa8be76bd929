"""A damaged store: set aside, said, and read as far as it can be."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codabench_rehearsal.console.temporary import remove_leftovers
from evaluator.store.rows import ClassScores
from evaluator.store.store import Store, StoreError
from tests.evaluator.stores import (
    SHA,
    answered,
    as_if_on,
    child,
    in_mount,
    key_of,
    labels_of,
    put,
    store_at,
)

CONDITIONS, SCORES, IMAGES, PAGE = 40, 30, range(400), 4096
CLASSES = ClassScores(("cat", "dog"), (0.9, 0.85), 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with answers and scores, closed."""
    path = tmp_path_factory.mktemp("whole") / "store.sqlite"
    with store_at(path) as store:
        for condition in range(CONDITIONS):
            put(store, key_of(condition), IMAGES, labels_of(condition, len(IMAGES)))
        for number in range(SCORES):
            other = store.add_submission(f"{number:064x}", f"{number}.zip")
            beside = {"columns": (("f1", "0.8"),), "class_scores": CLASSES}
            store.record_score(other, number / 100, 2, **beside)  # type: ignore[arg-type] # a dict of two kinds
    return path


def damaged(whole: Path, folder: Path, start: int, garbage: bytes) -> Path:
    """A copy of the store, with some bytes overwritten."""
    path = folder / "store.sqlite"
    content = bytearray(whole.read_bytes())
    content[start : start + len(garbage)] = garbage
    path.write_bytes(content)
    return path


def right_conditions(store: Store) -> int:
    """How many conditions are there; each of them must be right."""
    found = [answered(store, key_of(condition), IMAGES) for condition in range(CONDITIONS)]
    kept = [(condition, labels) for condition, labels in enumerate(found) if labels is not None]
    assert all((labels == labels_of(condition, len(IMAGES))).all() for condition, labels in kept)
    return len(kept)


def set_aside(path: Path) -> list[Path]:
    """The damaged files that were kept."""
    return sorted(path.parent.glob("store.damaged-*.sqlite"))


def hurt_and_open(whole: Path, folder: Path, place: float, garbage: bytes) -> None:
    """Overwrite some bytes at a place (0..1 of the file): it opens, and serves nothing wrong."""
    path = damaged(whole, folder, int(place * whole.stat().st_size), garbage)
    before = path.read_bytes()
    with Store.open(path) as store:
        right_conditions(store)
        store.history()
        store.add_submission(SHA, "submission.zip")
        put(store, key_of(99), IMAGES, labels_of(99, len(IMAGES)))
        for kept in set_aside(path):
            assert kept.read_bytes() == before
            assert kept.name in store.notes[0]
    shutil.rmtree(folder)


ANYWHERE = {"place": st.floats(0, 0.999), "garbage": st.binary(min_size=1, max_size=600)}


@settings(max_examples=12, deadline=None)
@given(**ANYWHERE)
@example(place=0.0, garbage=bytes(100))
@example(place=0.0, garbage=bytes(PAGE))
def test_whatever_is_damaged_nothing_wrong_is_served(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, place: float, garbage: bytes
) -> None:
    """Else a bad disk would end in a traceback, in false figures, or in a lost file."""
    hurt_and_open(whole, tmp_path_factory.mktemp("damaged"), place, garbage)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(**ANYWHERE)
def test_six_hundred_damages_serve_nothing_wrong(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, place: float, garbage: bytes
) -> None:
    """Else the rare byte that matters would be found by a user."""
    hurt_and_open(whole, tmp_path_factory.mktemp("damaged"), place, garbage)


def test_what_can_be_read_is_kept(whole: Path, tmp_path: Path) -> None:
    """Else one bad page would cost scores that nobody can ask for again."""
    with closing(sqlite3.connect(whole)) as db:  # a page of answers, wherever it lies
        (blob,) = db.execute("SELECT labels FROM answers ORDER BY id DESC LIMIT 1").fetchone()
    page = whole.read_bytes().index(blob) // PAGE
    path = damaged(whole, tmp_path, PAGE * page, os.urandom(PAGE))
    with Store.open(path) as store:
        (note,) = store.notes
        assert "the store was damaged" in note
        assert f"{len(store.scores())} leaderboard scores" in note
        assert right_conditions(store) > CONDITIONS // 2
        assert len(store.scores()) > SCORES // 2
        whole_ones = [s for s in store.scores() if s.class_scores == CLASSES and s.columns]
        assert len(whole_ones) > SCORES // 4
    assert len(set_aside(path)) == 1
    with Store.open(path) as store:
        assert store.notes == ()


def test_a_file_cut_short_is_set_aside(whole: Path, tmp_path: Path) -> None:
    """Else an interrupted copy would stop every later run."""
    path = tmp_path / "store.sqlite"
    path.write_bytes(whole.read_bytes()[: 5 * PAGE + 100])
    with Store.open(path) as store:
        assert "set aside as store.damaged-" in store.notes[0]
    path.write_bytes(b"")
    with Store.open(path) as store:
        assert (store.notes, store.submissions()) == ((), ())


@pytest.mark.parametrize("kind", ["", "NFS"])
def test_each_damaged_file_is_kept(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Else the second damage of a day would overwrite the first."""
    as_if_on(kind, monkeypatch)
    for number in range(1, 4):
        path = damaged(whole, tmp_path, 0, bytes(PAGE))
        Store.open(path).close()
        assert len(set_aside(path)) == number


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Else `--store training_set.npz` would rename the user's data."""
    path = tmp_path / "training_set.npz"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"another kind of file.*--store"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_link_to_a_damaged_store_stays(whole: Path, tmp_path: Path) -> None:
    """Else a team's shared store stays damaged, and one of them goes on with another."""
    (tmp_path / "shared").mkdir()
    path = damaged(whole, tmp_path / "shared", 0, bytes(PAGE))
    before = path.read_bytes()
    link = tmp_path / "store.sqlite"
    link.symlink_to(path)
    with Store.open(link) as store:
        store.add_submission(SHA, "submission.zip")
    assert link.is_symlink()
    assert [kept.read_bytes() for kept in set_aside(path)] == [before]
    with Store.open(path) as store:
        assert [one.sha256 for one in store.submissions()] == [SHA]


def test_damage_met_in_mid_run_is_set_aside_too(whole: Path, tmp_path: Path) -> None:
    """Else every further command would meet the same error."""
    path = damaged(whole, tmp_path, 0, b"")
    with Store.open(path) as store:
        store._db.execute("PRAGMA shrink_memory")  # or it would answer from memory
        with path.open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\xff" * (path.stat().st_size - PAGE))
        with pytest.raises(StoreError, match=r"set aside as store\.damaged.* again"):
            store.history()
    with Store.open(path) as store:
        assert store.history() == ()


def test_damage_where_nothing_may_be_written_is_said(whole: Path, tmp_path: Path) -> None:
    """Else the user would be told of permissions, not of the damage."""
    path = damaged(whole, tmp_path, PAGE, os.urandom(3 * PAGE))
    code = f"""
from tests.evaluator.stores import *
try:
    Store.open({str(path)!r})
except ValueError as error:
    print(error)
"""
    said = in_mount(f"-o bind,ro {tmp_path}", tmp_path, code)
    assert "the store is damaged, and cannot be set aside in a folder that may only be read" in said


def test_damage_on_a_full_disk_loses_nothing(whole: Path, tmp_path: Path) -> None:
    """Else rows for which there was no room would be dropped as if they were broken."""
    path = damaged(whole, tmp_path, 8 * PAGE, os.urandom(PAGE))
    small = tmp_path / "small"
    small.mkdir()
    code = f"""
import shutil
from tests.evaluator.stores import *
path = shutil.copy({str(path)!r}, {str(small / "store.sqlite")!r})
try:
    Store.open(path)
except ValueError as error:
    print(error)
print(Path(path).read_bytes() == Path({str(path)!r}).read_bytes())
print(sorted(file.name for file in Path(path).parent.iterdir() if file.suffix))
"""
    size = path.stat().st_size * 3 // 2 // 1024
    said, same, names = in_mount(f"-t tmpfs -o size={size}k none", small, code).splitlines()
    assert "the disk is full" in said
    assert (same, names) == ("True", "['.store.sqlite.lock', 'store.sqlite']")


def test_two_runs_that_find_the_damage_mend_it_once(whole: Path, tmp_path: Path) -> None:
    """Else the second would set the first one's new store aside."""
    path = damaged(whole, tmp_path, 8 * PAGE, os.urandom(4 * PAGE))
    code = f"""
from tests.evaluator.stores import *
with Store.open({str(path)!r}) as store:
    print(len(store.submissions()))
"""
    started = [child(code) for _ in range(3)]
    ended = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert len({shown for shown, _ in ended}) == 1
    assert len(set_aside(path)) == 1


def test_another_kind_of_file_gets_no_lock_beside_it(tmp_path: Path) -> None:
    """Else a slip with --store leaves a hidden file beside somebody's notes."""
    notes = tmp_path / "notes.sqlite"
    notes.write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="it is left as it is"):
        Store.open(notes)
    assert [*tmp_path.iterdir()] == [notes]


def test_what_a_mending_that_was_killed_left_goes(whole: Path, tmp_path: Path) -> None:
    """Else every kill while a store is mended leaves a copy of it for ever."""
    path = damaged(whole, tmp_path, 8 * PAGE, os.urandom(PAGE))
    code = f"""
import os
from tests.evaluator.stores import *
from evaluator.store import mending
mending._swap = lambda path, fresh: os.kill(os.getpid(), 9)
Store.open({str(path)!r})
"""
    child(code).communicate(timeout=60)
    assert [one for one in tmp_path.iterdir() if one.name.endswith(".new")]
    remove_leftovers()
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".new")]
    Store.open(path).close()
