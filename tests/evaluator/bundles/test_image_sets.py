"""Which images of a bundle's input data are damaged, and what is said where none are."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.bundles.image_sets import look, look_into, role_of
from evaluator.bundles.pixels import layout_of

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 10, 12, 3), np.uint8)
GREY = PIXELS[..., 0]
UNIT = (GREY / 255).astype(np.float32)
NAMES = [
    ("X_test.npy", "predicted"),
    ("xtest.npy", "predicted"),
    ("XTest2.npy", "predicted"),
    ("data.npz/x_valid", "predicted"),
    ("private/0001", "predicted"),
    ("unlabeled.npy", "predicted"),
    ("train/valid", "predicted"),
    ("test/train_images", "training"),
    ("public_train.npy", "training"),
    ("labelled.npy", "training"),
    ("y_test.npy", "answers"),
    ("ytest.npy", "answers"),
    ("test/masks", "answers"),
    ("images.npy", ""),
    ("latest.npy", ""),
    ("contest.npz/x", ""),
    ("values.npy", ""),
]


@pytest.mark.parametrize(("name", "role"), NAMES)
def test_names_say_what_images_are_for(name: str, role: str) -> None:
    """Else training images are damaged, or the labels, or not what is predicted on."""
    assert role_of(name) == role


def put(folder: Path, **arrays: NDArray[Any]) -> Path:
    """Write arrays as .npy."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def names(folder: Path, *patterns: str) -> list[str]:
    """What would be damaged."""
    return [one.name for one in look(folder, patterns).chosen]


ARRAYS: list[tuple[NDArray[Any], str]] = [
    (PIXELS, "10 x 12, colour, uint8"),
    (PIXELS[..., :1], "10 x 12, grey, uint8"),
    (GREY, "10 x 12, grey, uint8"),
    (np.moveaxis(PIXELS, 3, 1), "10 x 12, colour, channels first, uint8"),
    (UNIT, "10 x 12, grey, float32 of 0 to 1"),
    (GREY.astype(np.float64), "10 x 12, grey, float64 of 0 to 255"),
    (UNIT[:, None].astype(np.float16), "10 x 12, grey, channels first, float16 of 0 to 1"),
    (np.interp(GREY, [GREY.min(), GREY.max()], [-1, 1]), "10 x 12, grey, float64 of -1 to 1"),
]


@pytest.mark.parametrize(("array", "said"), ARRAYS, ids=[said for _, said in ARRAYS])
def test_arrays_of_images_are_told(tmp_path: Path, array: NDArray[Any], said: str) -> None:
    """Else the usual ways to hold images are not damaged, or in the wrong range."""
    (found,) = look(put(tmp_path, test=array)).chosen
    assert str(found.layout) == said


REFUSED: list[tuple[NDArray[Any], str]] = [
    ((UNIT - 0.4) * 3, "neither 0 to 1 nor 0 to 255"),
    (UNIT * 3, "neither 0 to 1 nor 0 to 255"),
    (np.where(UNIT > 0.5, np.nan, UNIT), "not finite"),
    (GREY // 200, "0 and 1 alone"),
]


@pytest.mark.parametrize(("array", "said"), REFUSED)
def test_what_is_no_picture_for_sure_is_refused_in_a_sentence(
    tmp_path: Path, array: NDArray[Any], said: str
) -> None:
    """Else standardised values are damaged as if they were pixels, and figures mean nothing."""
    found = look(put(tmp_path, test=array))
    assert found.chosen == ()
    assert said in found.remarks[0]
    assert "--perturb" in found.remarks[-1]


@pytest.mark.parametrize("shape", [(6, 100), (6,), (6, 40, 5), (6, 10, 10, 4), (0, 10, 10), ()])
def test_tables_and_series_are_no_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Else a table of features is blurred."""
    assert names(put(tmp_path, test=np.zeros(shape, np.uint8))) == []


def test_names_choose_and_training_stays(tmp_path: Path) -> None:
    """Else the model is trained on damage, which no hidden set does."""
    put(tmp_path, X_train=GREY, X_valid=GREY, X_test=GREY, y_test=GREY, other=GREY)
    assert names(tmp_path) == ["X_test.npy", "X_valid.npy"]


def test_the_only_images_are_what_is_predicted_on(tmp_path: Path) -> None:
    """Else a bundle that calls its file data.npy has no benchmark."""
    put(tmp_path, data=GREY, X_train=GREY, y=np.arange(6))
    found = look(tmp_path)
    assert [one.name for one in found.chosen] == ["data.npy"]
    assert "taken as the images to predict" in found.remarks[0]


def test_two_sets_without_a_word_are_asked_about(tmp_path: Path) -> None:
    """Else one of them is guessed, and the figures are of the wrong one."""
    found = look(put(tmp_path, a=GREY, b=GREY))
    assert found.chosen == ()
    assert "a.npy, b.npy" in found.remarks[-1]
    assert "--perturb a.npy" in found.remarks[-1]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("b.npy", ["b.npy"]),
        ("*.npy", ["a.npy", "b.npy", "flat.npy"]),
        ("d.npz/v*", ["d.npz/v"]),
        ("d.npz", ["d.npz/v", "d.npz/w"]),
        ("deep", ["deep"]),
        ("deep/x/1*.png", ["deep"]),
        ("flat.npy", ["flat.npy"]),
    ],
)
def test_patterns_decide_alone(tmp_path: Path, pattern: str, found: list[str]) -> None:
    """Else nobody can say what the names of a bundle do not."""
    put(tmp_path, a=GREY, b=GREY, X_test=GREY[:, :, :5])
    np.save(tmp_path / "flat.npy", GREY[:, :, :10].reshape(6, 100))
    np.savez(tmp_path / "d.npz", v=GREY, w=GREY, n=np.arange(6))
    (tmp_path / "deep" / "x").mkdir(parents=True)
    for name in ("10.png", "20.png"):
        Image.fromarray(GREY[0]).save(tmp_path / "deep" / "x" / name)
    assert names(tmp_path, pattern) == found
    assert ("20.png" in str(look(tmp_path, [pattern]).chosen)) == (pattern == "deep")


def test_a_pattern_for_nothing_is_told(tmp_path: Path) -> None:
    """Else a slip of the pen leaves the benchmark out in silence."""
    one, other = put(tmp_path / "one", test=GREY), put(tmp_path / "other", b=GREY)
    with pytest.raises(EvaluationError, match=r"--perturb tset.*test\.npy, b\.npy"):
        look_into([one, other], ["test.npy", "tset"])
    with pytest.raises(EvaluationError, match=r"--perturb a: .* which has none"):
        look_into([], ["a"])


def test_tasks_with_other_files_may_need_other_patterns(tmp_path: Path) -> None:
    """Else a bundle with several tasks cannot be told what is damaged."""
    one, other = put(tmp_path / "one", a=GREY, x=GREY), put(tmp_path / "other", b=GREY, x=GREY)
    seen = look_into([one, other], ["a.npy", "b.npy"])
    assert [[each.name for each in found.chosen] for found in seen.values()] == [
        ["a.npy"],
        ["b.npy"],
    ]


def test_pictures_are_grouped_by_the_folder_that_says_what_they_are(tmp_path: Path) -> None:
    """Else every class's folder is a set of its own, and masks are damaged with the images."""
    for folder in ("train/cat", "test/cat", "test/dog", "test/masks"):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(GREY[0]).save(tmp_path / folder / "1.png")
    (found,) = look(tmp_path).chosen
    assert (found.name, found.files) == ("test", ("test/cat/1.png", "test/dog/1.png"))


def test_hostile_files_are_passed_over(tmp_path: Path) -> None:
    """Else a pickle is run, or a header that promises terabytes ends the command."""
    np.save(tmp_path / "test_objects.npy", np.array([{}], object), allow_pickle=True)
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**9}, 10, 10), }}".ljust(117)
    content = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + head.encode() + b"\n"
    (tmp_path / "test_large.npy").write_bytes(content)
    (tmp_path / "test_cut.npy").write_bytes(content[:30])
    (tmp_path / "test.npz").write_bytes(b"PK\x03\x04 no zip")
    with zipfile.ZipFile(tmp_path / "valid.npz", "w") as archive:
        archive.writestr("x.npy", content)
    found = look(tmp_path)
    assert found.chosen == ()
    assert "No images were found" in found.remarks[0]


def test_whole_numbers_are_pixels_only_where_somebody_says_so() -> None:
    """Else class maps and tokens are taken for pictures."""
    shape, dtype = (6, 10, 10), np.dtype(np.int64)
    assert layout_of(shape, dtype) == "int64 is not taken for pixels"
    assert not isinstance(layout_of(shape, dtype, said=True), str)
