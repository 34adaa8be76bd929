"""Which images are evaluated, and what is said about them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.images import DataError, Dataset, from_arrays, split
from codabench_rehearsal.images.splitting import Split
from evaluator.options import choose, find_split


def pictures(count: int, seed: int = 0) -> Dataset:
    """Noise images with labels 0..3."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return Dataset(images, np.arange(count) % 4, np.arange(count))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Dataset, Path]:
    """A data set and its saved split."""
    data = pictures(100)
    split(data, 0.2, seed=1).save(tmp_path / "split.json")
    return data, tmp_path / "split.json"


def test_only_the_validation_side_is_evaluated(saved: tuple[Dataset, Path]) -> None:
    """Else the figures would be those of images that the model has learnt."""
    data, path = saved
    choice = choose(data, path, None, 0)
    assert choice.split == "validation"
    assert set(choice.data.ids) == set(split(data, 0.2, seed=1).validation.ids)
    assert any("80 training images left out" in note for note in choice.notes)


def test_training_images_alone_are_an_error(saved: tuple[Dataset, Path]) -> None:
    """Else a flattering score would be shown as an honest one."""
    data, path = saved
    with pytest.raises(EvaluationError, match="80 of the 80 images"):
        choose(split(data, 0.2, seed=1).train, path, None, 0)


def test_new_images_are_all_used(saved: tuple[Dataset, Path]) -> None:
    """Else a held-out file of one's own could not be used."""
    choice = choose(pictures(40, seed=9), saved[1], None, 0)
    assert (choice.split, len(choice.data)) == ("all", 40)


@pytest.mark.parametrize("beside", [False, True])
def test_images_that_the_user_calls_held_out(saved: tuple[Dataset, Path], *, beside: bool) -> None:
    """Else honest figures would carry the mark of doubtful ones, or a split be ignored."""
    data, path = saved
    new = pictures(40, seed=9)
    choice = choose(new, path if beside else None, None, 0, held_out=True)
    assert (choice.split, len(choice.data), choice.notes) == ("held-out", 40, ())
    if not beside:
        return
    choice = choose(data, path, None, 0, held_out=True)
    assert (choice.split, len(choice.data)) == ("held-out", 20)
    assert choice.notes[0].startswith("80 images left out: on the training side of split.json")
    with pytest.raises(EvaluationError, match="--split none"):
        choose(split(data, 0.2, seed=1).train, path, None, 0, held_out=True)


def test_copies_on_both_sides_are_left_out_with_a_note(tmp_path: Path) -> None:
    """Else one copy too many would refuse the whole evaluation, or flatter it."""
    data = pictures(60)
    twice = Dataset(
        np.concatenate([data.images, data.images[:5]]), np.arange(65) % 4, np.arange(65)
    )
    sides = Split(twice.subset(range(40)), twice.subset(range(40, 65)), 0, 0.5)
    sides.save(tmp_path / "split.json")
    choice = choose(twice, tmp_path / "split.json", None, 0)
    assert choice.split == "validation"
    assert sorted(choice.data.ids) == list(range(40, 60))
    assert "5 images are on both sides of split.json: trained on, so left out" in choice.notes


def test_without_a_split_it_is_said() -> None:
    """Else nobody would know that the figures may flatter."""
    assert choose(pictures(40), None, None, 0).split == "unknown"


def test_a_broken_split_is_an_error(tmp_path: Path) -> None:
    """Else it would silently be taken for no split."""
    (tmp_path / "split.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"split\.json"):
        choose(pictures(10), tmp_path / "split.json", None, 0)


def test_fewer_images_are_a_prefix_of_more() -> None:
    """Else refining an evaluation would start it anew."""
    few, more = (choose(pictures(80), None, n, 0).data.ids for n in (20, 60))
    assert list(few) == list(more[:20])


def test_blended_outliers_are_left_out() -> None:
    """Else a thousand copies of one broken image would decide the score."""
    data = pictures(60)
    images = np.concatenate([data.images, np.repeat(data.images[:1] // 2, 30, axis=0)])
    labels = np.concatenate([data.labels, np.arange(30) % 4])
    choice = choose(Dataset(images, labels, np.arange(90)), None, None, 0)
    assert len(choice.data) == 60
    assert any("30 duplicate, conflicting or blended" in note for note in choice.notes)


@pytest.mark.parametrize(
    ("files", "given", "found"),
    [
        (["a.split.json", "split.json"], None, "a.split.json"),
        (["split.json"], None, "split.json"),
        ([], None, None),
        (["split.json"], "none", None),
        (["split.json"], "other.json", "other.json"),
    ],
)
def test_the_split_is_looked_for(
    tmp_path: Path, files: list[str], given: str | None, found: str | None
) -> None:
    """Else a split beside the zip would be overlooked, or another zip's be taken."""
    for name in files:
        (tmp_path / name).touch()
    path = find_split(tmp_path / "a.zip", given)
    assert (path.name if path else None) == found


def test_the_images_are_copied_once() -> None:
    """Else 20,000 images take three times their own room."""
    images = np.random.default_rng(0).integers(0, 256, (400, 64, 64, 3), np.uint8)
    data = from_arrays(images, np.arange(400) % 4)
    tracemalloc.start()
    try:
        chosen = choose(data, None, None, 0).data
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (chosen.images[0] == data.images[chosen.ids[0]]).all()
    assert peak < 1.3 * images.nbytes
