"""A full disk is one line with exit code 2, wherever it is met: old outputs stay, nothing else does."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.console.files import FileError, written
from codabench_rehearsal.console.room import NoRoomError, allocate, amount, no_room, room_for
from codabench_rehearsal.sandbox.feeding import Block, mapped
from evaluator.store.schema import StoreError, said
from tests.console.disks import can_mount, on_a_small_disk
from tests.console.stage import BIN, COMMANDS, Stage, stage

needs_mounts = pytest.mark.skipif(not can_mount(), reason="needs root, for a small disk")
DISK_BYTES = 128 << 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One stage for all rows."""
    return stage(tmp_path_factory.mktemp("full"))


def check(place: Stage, word: str, disk: str, left: int) -> tuple[int, str]:
    """Run a command where the folder `disk` has so many bytes left; returns its code and what it said.

    Asserts what holds for every command: no signal, no fault of ours, one line, nothing half-made.
    """
    shutil.rmtree(place.folder / "store")
    (place.folder / "store").mkdir()
    name, *words = COMMANDS[word].split()
    code, shown, heard, names = on_a_small_disk(
        [str(BIN / name), *words], place.folder / disk, DISK_BYTES, left, place.folder, place.environment()
    )  # fmt: skip
    assert code in (0, 1, 2), (code, heard)
    assert "fault of ours" not in heard
    assert "Traceback" not in shown + heard
    lines = [line for line in heard.splitlines() if "compiling" not in line]
    assert len(lines) <= 1, heard
    if code == 2:
        said = " ".join(lines)
        assert "room" in said, said
        assert str(place.folder / disk) in said or f"{disk}/" in said, said
    own = {
        "filler",
        *(Path(words[words.index(one) + 1]).name for one in ("--out", "--json") if one in words),
    }
    own |= {f"store.sqlite{end}" for end in ("", "-wal", "-shm")}
    assert set(names) <= own
    assert place.left() == []
    return code, " ".join(lines)


ROWS = [  # command, disk, bytes left, what is said
    ("pack", "tmp", 60_000, "set TMPDIR to a folder on another disk"),
    ("evaluate", "tmp", 1_500_000, "are needed: make room there, or set TMPDIR"),
    ("import", "store", 16_384, "store.sqlite: the disk is full: make room"),
    ("inspect", "out", 65_536, "No space left on device"),
]


@needs_mounts
@pytest.mark.parametrize(("word", "disk", "left", "said"), ROWS)
def test_a_full_disk_is_one_line(place: Stage, word: str, disk: str, left: int, said: str) -> None:
    """Else the kernel ends the command by SIGBUS, or a full disk reads as a fault of ours."""
    code, heard = check(place, word, disk, left)
    assert code == 2
    assert said in heard


STEPS = (0, 4096, 16_384, 65_536, 262_144, 1 << 20, 2 << 20, 3 << 20, 4 << 20, 8 << 20, 120 << 20)
WRITES = [
    *(("tmp", word) for word in COMMANDS),
    *(("out", word) for word in COMMANDS if word != "import"),
    *(("store", word) for word in ("evaluate", "rank", "import")),
    *(("cache", word) for word in COMMANDS),
]


@needs_mounts
@pytest.mark.slow
@pytest.mark.parametrize(("disk", "word"), WRITES)
def test_every_write_of_every_command(place: Stage, disk: str, word: str) -> None:
    """Else there is an amount of room at which a command ends badly."""
    codes = [check(place, word, disk, left)[0] for left in STEPS]
    assert codes[-1] != 2
    assert (
        codes == sorted(codes, key=lambda code: code != 2) or codes[0] != 2
    )  # more room, no worse


@needs_mounts
@pytest.mark.slow
@pytest.mark.parametrize("word", ["evaluate", "pack"])
def test_no_room_for_what_the_child_writes(place: Stage, word: str) -> None:
    """Else a disk that fills up under the child is told as the submission's crash."""
    for left in range(2_600_000, 4_000_000, 65_536):
        code, _ = check(place, word, "tmp", left)
        assert code in (0, 2)


@needs_mounts
@pytest.mark.slow
def test_no_room_for_compiled_kernels(place: Stage) -> None:
    """Else what only saves time next time ends the run this time."""
    folder = place.folder / "cache"
    name, *words = COMMANDS["show"].split()
    environment = place.environment(NUMBA_CACHE_DIR=str(folder / "numba"))
    for left in (0, 100_000):
        code, _, heard, _ = on_a_small_disk(
            [str(BIN / name), *words], folder, DISK_BYTES, left, place.folder, environment
        )  # fmt: skip
        assert code == 0, heard


def test_room_is_taken_before_it_is_mapped(tmp_path: Path) -> None:
    """Else filling a block on a full disk ends the process by a signal."""
    images = mapped(tmp_path / "block.npy", Block((3, 5, 7, 3)))
    images[:] = 9
    images.flush()
    facts = (tmp_path / "block.npy").stat()
    assert facts.st_blocks * 512 >= facts.st_size
    assert (np.load(tmp_path / "block.npy") == 9).all()
    assert mapped(tmp_path / "none.npy", Block((0, 5, 7, 3))).shape == (0, 5, 7, 3)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_disks_that_take_no_room_are_filled_with_zeros(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing runs on disks that know no such call, or all is sparse there."""

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"head")
        file.flush()
        allocate(file.fileno(), 3_000_000)
        file.seek(0)
        assert file.read() == b"head" + bytes(2_999_996)


def test_no_room_is_said_with_place_need_and_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user does not know how much to free, or where."""

    class Facts:
        f_bavail, f_frsize, f_files, f_favail = 3, 4096, 0, 0

    def facts(_: Any) -> Facts:
        return Facts()

    monkeypatch.setattr(os, "statvfs", facts)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(NoRoomError) as error, room_for(tmp_path / "rehearsal-x" / "y", 5_000_000):
        raise full
    assert str(error.value) == (
        f"{tmp_path} has 12.3 kB free, and 5.0 MB are needed: make room there, or set TMPDIR to a "
        "folder on another disk"
    )
    assert no_room(tmp_path / "mine").endswith("make room there, or choose another place")
    with pytest.raises(PermissionError), room_for(tmp_path):
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("place", ["tmp", "mine"])
def test_a_disk_without_inodes_is_said_so(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user is told to make room on a disk that has gigabytes free."""

    class Facts:
        f_bavail, f_frsize, f_files, f_favail = 10**6, 4096, 1000, 0

    monkeypatch.setattr(os, "statvfs", lambda _: Facts())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert no_room(tmp_path / place, 5).startswith(
        f"{tmp_path / place} has no room for another file (inodes): remove some there, or "
    )
    with pytest.raises(FileError, match="takes no more files"), written(tmp_path / "r.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StoreError, match="takes no more files"), said(tmp_path / "store.sqlite"):
        sqlite3.connect(tmp_path / "missing" / "store.sqlite")


SIZES = [
    (0, "0 bytes"),
    (999, "999 bytes"),
    (1000, "1.0 kB"),
    (2_500_000, "2.5 MB"),
    (3 * 10**15, "3000.0 TB"),
]


@pytest.mark.parametrize(("count", "said"), SIZES)
def test_amounts_are_for_people(count: int, said: str) -> None:
    """Else somebody counts digits to see how much to free."""
    assert amount(count) == said
