"""Loading what can be loaded: formats, conversions and their notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from codabench_rehearsal.images import DataError, Dataset, from_arrays, load, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Maker = Any
X = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
Y = np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    "keys",
    [("images", "labels"), ("x", "y"), ("X", "Y"), ("X", "y"), ("train_images", "train_labels")],
)
@pytest.mark.parametrize("column", [False, True])
def test_npz_keys(tmp_path: Path, keys: tuple[str, str], column: bool) -> None:
    """A file with usual keys, or labels as a column like the challenge's, is turned away."""
    labels = Y[:, None].astype(np.uint8) if column else Y
    arrays: dict[str, Any] = dict(zip(keys, (X, labels), strict=True))
    np.savez(tmp_path / "a.npz", **arrays)
    dataset = load(tmp_path / "a.npz", shape=(8, 8, 3), classes=3)
    np.testing.assert_array_equal(dataset.images, X)
    assert dataset.labels.tolist() == Y.tolist()
    assert dataset.ids.tolist() == [0, 1, 2, 3]


def test_parts_of_a_medmnist_file(tmp_path: Path) -> None:
    """Asking for the test part of a MedMNIST file gives the training images."""
    parts: dict[str, Any] = {
        f"{part}_{what}": value[start : start + 2]
        for start, part in enumerate(("train", "val", "test"))
        for what, value in (("images", X), ("labels", Y))
    }
    np.savez(tmp_path / "a.npz", **parts)
    for start, part in enumerate(("train", "val", "test")):
        dataset = load(tmp_path / "a.npz", part=part)
        np.testing.assert_array_equal(dataset.images, X[start : start + 2])
        assert part in dataset.notes[0]


@pytest.mark.parametrize(
    ("images_name", "labels_name", "named"),
    [
        ("images.npy", "labels.npy", True),
        ("images.npy", "labels.npy", False),
        ("train_images.npy", "train_labels.npy", False),
        ("cells.npy", "labels.npy", False),
        ("cells.npy", "truth.npy", True),
    ],
)
def test_npy_pairs(tmp_path: Path, images_name: str, labels_name: str, named: bool) -> None:
    """A pair of .npy files does not find together."""
    np.save(tmp_path / images_name, X)
    np.save(tmp_path / labels_name, Y)
    dataset = load(tmp_path / images_name, tmp_path / labels_name if named else None)
    np.testing.assert_array_equal(dataset.images, X)
    assert dataset.labels.tolist() == Y.tolist()


CONVERSIONS: list[tuple[str, Any, Any, str]] = [
    ("floats 0..1", X / 255, Y, "float64 0..1"),
    ("floats 0..255", X.astype(np.float32), Y, "float32 0..255"),
    ("int64", X.astype(np.int64), Y, "int64 to uint8"),
    ("big-endian", X.astype(">u2"), Y, ">u2 to uint8"),
    ("whole float labels", X, Y.astype(float), "Labels converted from float64"),
    ("one-hot", X, np.eye(3)[Y], "one-hot rows of 3"),
]


@pytest.mark.parametrize(("images", "labels", "note"), [c[1:] for c in CONVERSIONS])
def test_conversions_are_exact_and_noted(
    tmp_path: Path, images: Any, labels: Any, note: str
) -> None:
    """Images or labels change silently, or to other values, while loading."""
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    dataset = load(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.images, X)
    assert dataset.labels.tolist() == Y.tolist()
    assert len(dataset.notes) == 1
    assert note in dataset.notes[0]


def test_dark_bytes_are_noted(tmp_path: Path) -> None:
    """Images in 0..1 cut to integers pass as good ones."""
    np.savez(tmp_path / "a.npz", images=(X > 200).astype(np.uint8), labels=Y)
    assert "No pixel exceeds 1" in load(tmp_path / "a.npz").notes[0]


@pytest.mark.parametrize(("shape", "notes"), [((4, 28, 28), 1), ((4, 28, 28, 1), 0)])
def test_grey_images(tmp_path: Path, pixels: Maker, shape: tuple[int, ...], notes: int) -> None:
    """A challenge with grey images cannot be loaded."""
    np.savez(tmp_path / "a.npz", images=pixels(*shape), labels=Y)
    dataset = load(tmp_path / "a.npz", shape=(28, 28, 1), classes=9)
    assert dataset.images.shape == (4, 28, 28, 1)
    assert len(dataset.notes) == notes


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.mark.parametrize(
    ("names", "labels"),
    [(["eosinophil", "basophil"], [1, 0]), (["10", "2"], [10, 2]), (["7", "x"], [0, 1])],
)
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".PNG"])
def test_folder_of_class_folders(
    tmp_path: Path, names: list[str], labels: list[int], suffix: str
) -> None:
    """Images sorted into folders get the wrong class or the wrong colours."""
    for name, image in zip(names, X[:2], strict=True):
        _write(tmp_path / name / f"a{suffix}", image)
    (tmp_path / names[0] / "Thumbs.db").write_bytes(b"no image")
    dataset = load(tmp_path)
    found = dict(zip(dataset.labels.tolist(), dataset.images, strict=True))
    for label, name, image in zip(labels, names, X[:2], strict=True):
        np.testing.assert_array_equal(found[label], image)
        assert f"{label} = {name}" in dataset.notes[0]


def test_folder_of_jpegs_grey_and_coloured(tmp_path: Path) -> None:
    """One grey file among coloured ones stops the whole folder."""
    _write(tmp_path / "a" / "1.jpg", X[0])
    _write(tmp_path / "b" / "1.jpeg", X[1, ..., 0])
    (tmp_path / "c").mkdir()
    dataset = load(tmp_path)
    assert dataset.images.shape == (2, 8, 8, 3)
    assert any("three equal channels" in note for note in dataset.notes)
    assert any("c holds no images" in note for note in dataset.notes)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), n=st.integers(1, 5), channels=st.sampled_from([1, 3]))
def test_save_then_load_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, n: int, channels: int
) -> None:
    """What was saved comes back with other pixels, labels or ids."""
    images = data.draw(hnp.arrays(np.uint8, (n, 3, 4, channels)))
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 400)))
    ids = data.draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n, unique=True))
    dataset = Dataset(images, labels, np.array(ids))
    path = tmp_path_factory.mktemp("saved") / "a.npz"
    save(dataset, path)
    again = load(path)
    np.testing.assert_array_equal(again.images, images)
    assert (again.labels.tolist(), again.ids.tolist()) == (labels.tolist(), ids)
    assert again.fingerprint() == dataset.fingerprint()


def test_saved_labels_are_a_byte_column(tmp_path: Path, drawn: Dataset) -> None:
    """Teams' notebooks, written for the challenge's file, cannot read ours."""
    save(drawn, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert (file["labels"].shape, file["labels"].dtype) == ((200, 1), np.uint8)


def test_failed_save_leaves_the_old_file(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk destroys the file that was there, or leaves half-written ones."""
    save(drawn.subset([0]), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()

    def full(file: Any, **_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ValueError, match="No space left"):
        save(drawn, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]


def test_arrays_in_memory_are_treated_like_files() -> None:
    """A notebook's arrays are converted in another way than the same arrays in a file."""
    dataset = from_arrays(X / 255, np.eye(3)[Y], [7, 5, 3, 1], shape=(8, 8, 3), classes=3)
    np.testing.assert_array_equal(dataset.images, X)
    assert (dataset.labels.tolist(), dataset.ids.tolist()) == (Y.tolist(), [7, 5, 3, 1])
    assert len(dataset.notes) == 2
    with pytest.raises(DataError, match="the arrays: expected labels"):
        from_arrays(X, Y - 1)


def test_loading_the_real_file(real: Dataset) -> None:
    """The challenge's own file does not load, or not as it is."""
    assert real.images.shape == (5519, 96, 96, 3)
    assert real.notes == ()
    assert np.bincount(real.labels[:4799]).tolist() == [342, 873, 434, 813, 342, 396, 938, 661]
