"""Keys in any case and files in parts: the pair that is meant, said; or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from codabench_rehearsal.images import DataError, load
from codabench_rehearsal.images.folders import suffixes
from codabench_rehearsal.images.keys import (
    TO_REHEARSE,
    TO_TRAIN,
    Header,
    are_labels,
    choose_keys,
    role_and_part,
)

X = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
Y = np.array([0, 1, 2, 1, 0, 2])
PAIRS = [
    *(("images", "labels"), ("image", "label"), ("Images", "LABELS"), ("imgs", "labels")),
    *(("x", "y"), ("X", "y"), ("X", "Y"), ("data", "labels"), ("data", "target"), ("Data", "y")),
    *(("arr_0", "arr_1"), ("inputs", "targets"), ("features", "labels"), ("X", "labels")),
    *(("x_train", "y_train"), ("X_train", "Y_train"), ("trainX", "trainY"), ("xtrain", "ytrain")),
    *(("train_images", "train_labels"), ("train_set_x", "train_set_y"), ("data_tr", "labels_tr")),
    *(("X_test", "y_test"), ("x_val", "y_val"), ("x_valid", "y_valid"), ("test-img", "test-label")),
]


@pytest.mark.parametrize(("images", "labels"), PAIRS)
@pytest.mark.parametrize("prefer", [TO_TRAIN, TO_REHEARSE])
def test_a_pair_alone_is_read_whatever_its_case(
    tmp_path: Path, images: str, labels: str, prefer: tuple[str, ...]
) -> None:
    """A file that leaves no choice is turned away for its spelling."""
    arrays: dict[str, Any] = {images: X, labels: Y, "class_names": np.array(["a", "b", "c"])}
    np.savez(tmp_path / "a.npz", **arrays)
    found = load(tmp_path / "a.npz", prefer=prefer)
    np.testing.assert_array_equal(found.images, X)
    assert found.labels.tolist() == Y.tolist()


NO_MEANING = [
    "ids",
    "id",
    "class_names",
    "target_names",
    "y_pred",
    "idx",
    "test",
    "train",
    "weights",
]


@pytest.mark.parametrize("name", NO_MEANING)
def test_other_names_mean_nothing(name: str) -> None:
    """Class names or predictions are taken for labels."""
    assert role_and_part(name) is None


def parts(tmp_path: Path, *names: str, style: str = "{what}_{part}") -> Path:
    """A file whose part i holds the images from i on."""
    arrays: dict[str, Any] = {}
    for start, name in enumerate(names):
        arrays[style.format(what="x", part=name)] = X[start:]
        arrays[style.format(what="y", part=name)] = Y[start:]
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


ALL = ("train", "val", "test")
TAKEN: list[tuple[tuple[str, ...], tuple[str, ...], str | None, str, str]] = [
    (ALL, TO_TRAIN, None, "train", "; --part val|test for others"),
    (ALL, TO_REHEARSE, None, "val", "; --part train|test for others"),
    (("train", "test"), TO_REHEARSE, None, "test", "; --part train for others"),
    (("train",), TO_REHEARSE, None, "train", "images."),
    (("val", "train"), TO_TRAIN, None, "train", "; --part val for others"),
    (("test",), TO_TRAIN, None, "test", "images."),
    (ALL, TO_TRAIN, "val", "val", "images."),
    (ALL, TO_REHEARSE, "train", "train", "images."),
]


@pytest.mark.parametrize(("there", "prefer", "part", "taken", "said"), TAKEN)
@pytest.mark.parametrize("style", ["{what}_{part}", "{part}_{what}", "{part}{what}"])
def test_the_part_that_is_taken(
    tmp_path: Path,
    there: tuple[str, ...],
    prefer: tuple[str, ...],
    part: str | None,
    taken: str,
    said: str,
    style: str,
) -> None:
    """A rehearsal flatters on training images, a recipe learns test images; or none says."""
    path = parts(tmp_path, *there, style=style)
    found = load(path, part=part, prefer=prefer)
    np.testing.assert_array_equal(found.images, X[there.index(taken) :])
    key = style.format(what="x", part=taken)
    assert found.notes[0].startswith(f"Only {key} of a.npz, {6 - there.index(taken)} images")
    assert found.notes[0].endswith(said if said == "images." else f"{said}.")


def test_data_without_a_name_is_the_training_part_beside_others(tmp_path: Path) -> None:
    """x, y, x_test, y_test: a rehearsal is made on the training images."""
    np.savez(tmp_path / "a.npz", x=X, y=Y, x_test=X[4:], y_test=Y[4:])
    assert len(load(tmp_path / "a.npz", prefer=TO_REHEARSE)) == 2
    assert len(load(tmp_path / "a.npz")) == 6
    assert len(load(tmp_path / "a.npz", part="train")) == 6


def test_ids_go_with_data_without_a_part(tmp_path: Path) -> None:
    """Numbers of other images are given to a part's."""
    np.savez(tmp_path / "a.npz", X=X, y=Y, ids=np.arange(6) + 7)
    assert load(tmp_path / "a.npz").ids.tolist() == [7, 8, 9, 10, 11, 12]
    np.savez(tmp_path / "b.npz", x_val=X[:3], y_val=Y[:3], ids=np.arange(6) + 7)
    assert load(tmp_path / "b.npz").ids.tolist() == [0, 1, 2]


FLAT = X.reshape(6, -1)
SETTLED: list[tuple[dict[str, Any], str]] = [
    ({"data": FLAT, "images": X, "target": Y}, "shapes: scikit-learn's digits"),
    ({"images": X, "labels": Y, "x": FLAT}, "shapes"),
    ({"X": X, "y": Y, "labels": np.array(["a", "b", "c"])}, "lengths: names of the classes"),
    ({"X": X, "y": Y, "targets": Y.astype(float)}, "what goes together"),
    ({"arr_0": Y, "arr_1": X}, "shapes: saved the other way round"),
    ({"images": X, "labels": Y, "y_test": Y}, "the pair that is whole"),
    ({"images": X, "labels": Y, "masks": X[..., 0]}, "a name without meaning"),
]


@pytest.mark.parametrize("arrays", [one[0] for one in SETTLED], ids=[one[1] for one in SETTLED])
def test_what_shapes_and_names_settle(tmp_path: Path, arrays: dict[str, Any]) -> None:
    """A file with one sensible reading is turned away."""
    np.savez(tmp_path / "a.npz", **arrays)
    found = load(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.images, X)
    assert found.labels.tolist() == Y.tolist()


OPEN: list[tuple[dict[str, Any], str | None, list[str]]] = [
    ({"images": X, "labels": Y, "x": X, "y": Y}, None, ["images, x, labels, y", "alone"]),
    ({"X": X, "x": X, "y": Y}, None, ["X, x, y"]),
    ({"X": X, "y": Y, "Y": Y}, None, ["X, y, Y"]),
    ({"arr_0": X, "arr_1": Y, "arr_2": X, "arr_3": Y}, None, ["without a name", "arr_3", "savez"]),
    ({"x_val": X, "y_val": Y, "x_test": X, "y_test": Y}, None, ["which: --part val|test"]),
    ({"x_train": X, "y_train": Y}, "test", ["x_test and y_test", "it has --part train"]),
    ({"x_train": X, "y_train": Y, "x_test": X}, "test", ["it has --part train"]),
    ({"x": X, "y": Y}, "val", ["it has no parts"]),
    ({"x_test": X}, None, ["received x_test", "x_test has no partner"]),
    ({f"a{i}": X for i in range(20)}, None, ["and 12 more"]),
]


@pytest.mark.parametrize(("arrays", "part", "said"), OPEN)
def test_what_stays_open_is_asked(
    tmp_path: Path, arrays: dict[str, Any], part: str | None, said: list[str]
) -> None:
    """One of two possible pairs is taken in silence, or the message does not say what to do."""
    np.savez(tmp_path / "a.npz", **arrays)
    message = _refusal(tmp_path / "a.npz", part)
    for one in said:
        assert one in message


NAMES = [name for pair in PAIRS for name in pair] + ["arr_2", "ids", "class_names"]
SHAPES = [(6,), (6, 1), (6, 8, 8, 3), (6, 8, 8), (6, 192), (5,), ()]


@settings(max_examples=300, deadline=None)
@given(
    heads=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SHAPES), max_size=7),
    part=st.sampled_from([None, *ALL]),
    prefer=st.sampled_from([TO_TRAIN, TO_REHEARSE]),
)
def test_any_keys_are_chosen_or_refused(
    heads: dict[str, tuple[int, ...]], part: str | None, prefer: tuple[str, ...]
) -> None:
    """Some set of keys ends in a traceback, or in images and labels of different parts."""
    try:
        found = choose_keys(
            heads, lambda key: Header(heads[key], np.dtype(np.uint8)), "a.npz", part, prefer
        )
    except DataError as error:
        assert str(error).startswith("a.npz: ")  # noqa: PT017 - many are read
        return
    of_images, of_labels = role_and_part(found.images), role_and_part(found.labels)
    assert of_images is not None
    assert of_labels is not None
    assert of_images[1] == of_labels[1]
    assert part is None or found.part == part
    if found.images != "arr_1":  # saved the other way round
        assert are_labels(of_labels[0])
        assert not are_labels(of_images[0])


def test_npy_files_find_their_labels_by_name(tmp_path: Path) -> None:
    """y_train.npy beside x_train.npy is not found, or the test labels are taken."""
    for name, array in {"X_train": X, "y_train": Y, "y_test": Y[:2], "labels": Y[:3]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert load(tmp_path / "X_train.npy").labels.tolist() == Y.tolist()


def _picture(path: Path, row: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(X[row]).save(path, lossless=True)


def test_folders_in_parts_number_their_classes_alike(tmp_path: Path) -> None:
    """A class that validation lacks shifts the numbers of all that follow it."""
    for row, name in enumerate(["a", "b", "c"]):
        _picture(tmp_path / "train" / name / "1.png", row)
    _picture(tmp_path / "Validation" / "c" / "1.png", 3)
    held_out = load(tmp_path, prefer=TO_REHEARSE)
    assert held_out.labels.tolist() == [2]
    np.testing.assert_array_equal(held_out.images[0], X[3])
    assert held_out.notes[0] == (
        f"Only Validation of {tmp_path.name}, 1 images; --part train for others."
    )
    assert load(tmp_path).labels.tolist() == [0, 1, 2]
    assert load(tmp_path, part="val").labels.tolist() == [2]
    assert "it has --part train|val" in _refusal(tmp_path, "test")


def test_images_that_nobody_labelled_are_no_part(tmp_path: Path) -> None:
    """Kaggle's test images are loaded as a class of their own, called test."""
    for row, name in enumerate(["a", "b"]):
        _picture(tmp_path / "train" / name / "1.png", row)
    _picture(tmp_path / "test" / "1.png", 2)
    found = load(tmp_path, prefer=TO_REHEARSE)
    assert found.labels.tolist() == [0, 1]
    assert found.notes[0] == f"Only train of {tmp_path.name}, 2 images."
    assert "it has --part train" in _refusal(tmp_path, "test")


def test_classes_that_are_called_train_and_test_are_classes(tmp_path: Path) -> None:
    """A data set of vehicles loses its trains."""
    _picture(tmp_path / "train" / "1.png", 0)
    _picture(tmp_path / "bus" / "1.png", 1)
    assert load(tmp_path).labels.tolist() == [0, 1]
    assert "has no parts" in _refusal(tmp_path, "train")


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (["trouser", "pullover", "t-shirt"], [1, 2, 0]),
        (["Trouser", "T Shirt"], [1, 0]),
        (["10", "2"], [10, 2]),
        (["x", "y"], [0, 1]),
    ],
)
def test_folders_are_numbered_as_the_challenge_does(
    tmp_path: Path, folders: list[str], labels: list[int]
) -> None:
    """Classes in another order than the alphabet's are silently numbered by the alphabet."""
    for row, name in enumerate(folders):
        _picture(tmp_path / name / "1.png", row)
    found = load(tmp_path, classes=(*("t-shirt", "trouser", "pullover"), *"abcdefgh"))
    rows = [
        int((found.images == X[row]).all(axis=(1, 2, 3)).argmax()) for row in range(len(labels))
    ]
    assert found.labels[rows].tolist() == labels


def test_folders_that_are_classes_only_in_part(tmp_path: Path) -> None:
    """One folder more among the classes shifts the numbers of those behind it."""
    for row, name in enumerate(["b", "artefacts", "c"]):
        _picture(tmp_path / name / "1.png", row)
    with pytest.raises(DataError, match=r"\(artefacts\), by whose order b would be 1 and not 0"):
        load(tmp_path, classes=("b", "c"))
    assert load(tmp_path, classes=("x", "b", "c")).labels.tolist() == [0, 1, 2]  # no contradiction


@pytest.mark.parametrize("ending", [".webp", ".gif", ".ppm", ".tga", ".JPE", ".jp2", ".png"])
def test_folders_hold_whatever_pillow_reads(tmp_path: Path, ending: str) -> None:
    """WebP images, which phones and the web give, are passed over in silence."""
    if ending not in (".JPE", ".gif", ".ppm", ".tga", ".png") and not features.check(
        {".webp": "webp", ".jp2": "jpg_2000"}[ending]
    ):
        pytest.skip(f"this Pillow has no {ending}")
    for row, name in enumerate(["a", "b"]):
        _picture(tmp_path / name / f"1{ending}", row)
        (tmp_path / name / "notes.txt").write_text("no image", encoding="utf-8")
    found = load(tmp_path)
    assert found.labels.tolist() == [0, 1]
    if ending in (".webp", ".ppm", ".tga", ".png"):  # lossless
        np.testing.assert_array_equal(found.images, X[:2])


def test_transparent_pictures_are_read(tmp_path: Path) -> None:
    """A folder of icons is read with warnings of Pillow's, or not at all."""
    rgba = np.concatenate([X[0], X[1][..., :1]], axis=2)
    for name in ("1.webp", "2.png", "3.gif"):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(rgba).save(tmp_path / "a" / name, lossless=True)
    palette = Image.fromarray(X[0]).quantize(16)
    palette.save(tmp_path / "a" / "4.png", transparency=bytes([0, 9] * 8))
    assert load(tmp_path).images.shape == (4, 8, 8, 3)


def test_endings_are_those_of_images() -> None:
    """Arrays, films and documents beside the images count as damaged images."""
    assert {".webp", ".png", ".jpeg", ".tif", ".bmp"} <= suffixes()
    assert not {".npz", ".npy", ".txt", ".csv", ".pdf", ".h5", ".mpg", ".db"} & suffixes()


def _refusal(path: Path, part: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load(path, part=part)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message
