"""Unpacked images kept on disk: the same data as unpacked anew, never an older file's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codabench_rehearsal.images.dataset
from codabench_rehearsal.images import DataError, Dataset, load, synthetic
from codabench_rehearsal.images.dataset import MOST_SETS, load_kept
from codabench_rehearsal.images.keys import TO_REHEARSE

SHAPE, CLASSES = (96, 96, 3), 8


@pytest.fixture(autouse=True)
def small_files_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep files of a few cells too."""
    monkeypatch.setattr(codabench_rehearsal.images.dataset, "SMALLEST_BYTES", 1)


def packed(path: Path, seed: int = 0) -> Path:
    """A compressed file of a few cells."""
    data = synthetic(8, seed=seed)
    np.savez_compressed(path, images=data.images, labels=data.labels[:, None])
    return path


def same(one: Dataset, other: Dataset) -> bool:
    """Whether two sets are equal in all that counts."""
    arrays = all(
        np.array_equal(getattr(one, n), getattr(other, n)) for n in ("images", "labels", "ids")
    )
    return arrays and (one.notes, one.source) == (other.notes, other.source)


def test_kept_images_are_the_same(tmp_path: Path) -> None:
    """Else a second run would be on other images, or forget what was said of the file."""
    path = packed(tmp_path / "a.npz")
    plain = load(path, shape=SHAPE, classes=CLASSES)
    for _ in range(2):
        kept = load_kept(path, tmp_path / "kept", shape=SHAPE, classes=CLASSES)
        assert same(kept, plain)
        assert kept.fingerprint() == plain.fingerprint()
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_changed_file_is_unpacked_anew(tmp_path: Path) -> None:
    """Else a model would be judged on images that the user has replaced."""
    path, folder = packed(tmp_path / "a.npz"), tmp_path / "kept"
    load_kept(path, folder, shape=SHAPE, classes=CLASSES)
    packed(path, seed=1)
    os.utime(path, (1, 1))
    changed = load_kept(path, folder, shape=SHAPE, classes=CLASSES)
    assert same(changed, load(path, shape=SHAPE, classes=CLASSES))


def test_each_part_is_kept_for_itself(tmp_path: Path) -> None:
    """Else a rehearsal on the test part would be shown the kept validation part."""
    data, path = synthetic(8, seed=0), tmp_path / "a.npz"
    arrays: dict[str, Any] = {"x_val": data.images[:3], "x_test": data.images[3:]}
    np.savez_compressed(path, **arrays, y_val=data.labels[:3], y_test=data.labels[3:])
    for _ in range(2):
        for part, count in (("val", 3), ("test", 5), (None, 3)):
            kept = load_kept(
                path, tmp_path / "kept", part=part, prefer=TO_REHEARSE, shape=SHAPE, classes=CLASSES
            )
            assert len(kept) == count
    assert "--part test for others" in kept.notes[0]


def test_a_kept_file_is_called_as_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a report would name a place that the user has never typed."""
    path, folder = packed(tmp_path / "a.npz"), tmp_path / "kept"
    load_kept(path, folder, shape=SHAPE, classes=CLASSES)
    monkeypatch.chdir(tmp_path)
    assert load_kept("a.npz", folder, shape=SHAPE, classes=CLASSES).source == "a.npz"


@pytest.mark.parametrize("broken", ["images.npy", "labels.npy", "ids.npy", "facts.json"])
@pytest.mark.parametrize("how", ["gone", "empty", "other"])
def test_a_spoilt_copy_is_made_anew(tmp_path: Path, broken: str, how: str) -> None:
    """Else a full disk of last week would fail today's run."""
    path, folder = packed(tmp_path / "a.npz"), tmp_path / "kept"
    first = load_kept(path, folder, shape=SHAPE, classes=CLASSES)
    spoilt = next(folder.glob(f"*/{broken}"))
    spoilt.unlink()
    if how == "empty":
        spoilt.touch()
    elif how == "other":
        spoilt.write_bytes(b"[]" if broken == "facts.json" else b"nothing of ours")
    assert same(load_kept(path, folder, shape=SHAPE, classes=CLASSES), first)
    assert json.loads(next(folder.glob("*/facts.json")).read_text())["fingerprints"]


def test_only_the_newest_sets_stay(tmp_path: Path) -> None:
    """Else the cache would fill the disk."""
    for seed in range(MOST_SETS + 2):
        path = packed(tmp_path / f"{seed}.npz", seed)
        load_kept(path, tmp_path / "kept", shape=SHAPE, classes=CLASSES)
    assert len(list((tmp_path / "kept").iterdir())) == MOST_SETS


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Else a full or locked home folder would stop the run."""
    (tmp_path / "kept").write_text("a file in the way", encoding="utf-8")
    path = packed(tmp_path / "a.npz")
    assert len(load_kept(path, tmp_path / "kept", shape=SHAPE, classes=CLASSES)) == 8


def test_errors_are_those_of_load(tmp_path: Path) -> None:
    """Else a wrong file would be told in other words the second time."""
    path = packed(tmp_path / "a.npz")
    with pytest.raises(DataError, match="32"):
        load_kept(path, tmp_path / "kept", shape=(32, 32, 3), classes=CLASSES)
    with pytest.raises(DataError, match=r"b\.npz"):
        load_kept(tmp_path / "b.npz", tmp_path / "kept", shape=SHAPE, classes=CLASSES)
