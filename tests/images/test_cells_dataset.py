"""The Dataset itself, and the room's door."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal import images as cells
from codabench_rehearsal.images import DataError, Dataset

X = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
Y = np.arange(5)


def _make(**changed: Any) -> Dataset:
    return Dataset(**({"images": X, "labels": Y, "ids": Y} | changed))


def test_importing_the_room_loads_no_numpy() -> None:
    """Every command's --help takes a second longer."""
    program = "import codabench_rehearsal.images, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "module", ["codabench_rehearsal.images.dataset", "codabench_rehearsal.images.splitting"]
)
def test_loading_and_splitting_need_no_opencv(module: str) -> None:
    """Packing with a split loads OpenCV or scikit-learn, which it does not need."""
    program = (
        f"import {module}, sys; sys.exit(bool({{'cv2', 'sklearn', 'PIL'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", cells.__all__)
def test_every_name_is_there(name: str) -> None:
    """A documented name cannot be imported."""
    assert callable(getattr(cells, name))


def test_unknown_names_are_refused() -> None:
    """A mistyped name gives something else than an AttributeError."""
    with pytest.raises(AttributeError, match="'laod'"):
        _ = cells.laod  # type: ignore[attr-defined, unused-ignore]


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"images": X / 255}, "images must be uint8, not float64"),
        ({"images": X[..., 0]}, "not (5, 4, 4)"),
        ({"images": X[..., :2]}, "not (5, 4, 4, 2)"),
        ({"labels": Y[:4]}, r"labels must have shape (5,), not (4,)"),
        ({"labels": Y.astype(np.uint8)}, "labels must be int64, not uint8"),
        ({"ids": Y[:, None]}, "ids must have shape (5,)"),
        ({"ids": Y // 2}, "ids must be unique"),
    ],
)
def test_wrong_parts_are_refused(changed: dict[str, Any], part: str) -> None:
    """A Dataset whose arrays do not fit each other fails much later."""
    with pytest.raises(DataError) as caught:
        _make(**changed)
    assert part in str(caught.value)


def test_arrays_are_read_only_but_not_the_callers() -> None:
    """A corruption that works in place changes the clean images, and cached hashes lie."""
    images = X.copy()
    dataset = _make(images=images)
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 0
    images[0] = 0  # the caller's own array stays as it was


def test_subset_carries_ids_and_hashes() -> None:
    """Ids no longer name rows of the uncleaned file after cleaning or splitting."""
    dataset = _make(ids=np.array([10, 11, 12, 13, 14]), notes=("a",), source="s")
    fresh = dataset.subset([3, 1])
    hashes = dataset.fingerprints()
    cached = dataset.subset(np.array([False, True, False, True, False]))
    assert fresh.ids.tolist() == [13, 11]
    assert cached.ids.tolist() == [11, 13]
    assert (cached.notes, cached.source) == (("a",), "s")
    assert fresh.fingerprints() == (hashes[3], hashes[1])
    assert cached.fingerprints() == (hashes[1], hashes[3])
    assert len(dataset.subset([])) == 0


@pytest.mark.parametrize("rows", [[5], [-1], [0.5], [[0]], [True]])
def test_rows_that_do_not_exist(rows: list[Any]) -> None:
    """Rows counted from the end, or a mask of another length, silently pick other images."""
    with pytest.raises(DataError):
        _make().subset(rows)


def test_fingerprints_see_pixels_and_shape() -> None:
    """Different images count as identical, or identical ones as different."""
    flat = _make(images=X.reshape(5, 2, 8, 3)).fingerprints()
    hashes = _make().fingerprints()
    assert len(set(hashes) | set(flat)) == 10
    assert all(len(pixels) == 32 for pixels in hashes)
    strided = _make(images=np.asfortranarray(X))
    assert strided.fingerprints() == hashes


def test_fingerprints_stay_what_they_were() -> None:
    """Every stored split and answer no longer matches its images."""
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    known = Dataset(image, Y[:1], Y[:1]).fingerprints()
    assert known == ("20bf1909a7cd034ce5059a16f6ad57e1",)


@pytest.mark.parametrize("changed", ["images", "labels", "ids"])
def test_fingerprint_sees_every_part(changed: str) -> None:
    """A stored answer for other data is taken for this data's."""
    other = {"images": 255 - X, "labels": Y[::-1].copy(), "ids": Y + 1}[changed]
    assert _make().fingerprint() == _make().fingerprint()
    assert _make(**{changed: other}).fingerprint() != _make().fingerprint()


def test_repr_is_short() -> None:
    """A Dataset in a notebook prints all its pixels."""
    assert repr(_make()) == "Dataset(5 images 4x4x3, source='arrays')"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_view_is_the_subset(count: int) -> None:
    """An image read through a view is another than the one its label and id belong to."""
    whole = _drawn(7)
    rows = np.array([6, 0, 3, 2, 5][:count], np.int64)
    for data in (whole, whole.view([6, 5, 4, 3, 2, 1, 0])):
        view, copied = data.view(rows), data.subset(rows)
        assert len(view) == len(copied) == count
        assert view.image_shape == copied.image_shape
        assert np.array_equal(view.images, copied.images)
        assert np.array_equal(view.labels, copied.labels)
        assert np.array_equal(view.ids, copied.ids)
        assert view.fingerprint() == copied.fingerprint()
        for place in range(count):
            assert np.array_equal(view.pictures(place), copied.images[place])


def test_a_view_copies_no_image() -> None:
    """An evaluation of all images holds them twice."""
    whole = _drawn(7)
    assert np.shares_memory(whole.view([3, 1]).pictures(0), whole.images)
    with pytest.raises(DataError, match=r"rows must lie in 0\.\.6"):
        whole.view([7])


def _drawn(count: int) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 4, 5, 3), np.uint8)
    return Dataset(images, np.arange(count) % 3, 10 + np.arange(count))
