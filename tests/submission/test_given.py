"""Files in another's place: told at once what they are; and nothing is told of what may be right."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.commands.given import (
    FileKind,
    kind_of,
    require_images,
    require_weights,
    require_zip,
)
from codabench_rehearsal.console.errors import SubmissionError
from tests.submission.zips import GOOD, build_zip, keras_file

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
PICTURE = b"\x89PNG\r\n\x1a\n"


def npz(**arrays: np.ndarray) -> bytes:
    """An archive of arrays."""
    held = io.BytesIO()
    np.savez(held, **arrays)  # type: ignore[arg-type]  # numpy's stub wants allow_pickle here
    return held.getvalue()


def zipped(path: Path, *names: str) -> Path:
    """A zip of empty files."""
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "")
    return path


def written(content: bytes) -> Callable[[Path], Path]:
    """Make a file of these bytes."""

    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


def folder_of(*names: str) -> Callable[[Path], Path]:
    """Make a folder of empty files."""

    def make(path: Path) -> Path:
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b"")
        return path

    return make


IMAGES = npz(images=np.zeros((2, 4, 4, 3), np.uint8), labels=np.zeros(2, np.uint8))
NO_ZIP: list[tuple[str, Callable[[Path], Path], FileKind]] = [
    ("training_set.npz", written(IMAGES), "data set"),
    ("renamed.zip", written(IMAGES), "data set"),
    ("x_train.npz", written(npz(x_train=np.zeros(3), y_train=np.zeros(3))), "data set"),
    ("images.npy", written(b"\x93NUMPY" + bytes(50)), "data set"),
    ("cells", folder_of("basophil/1.png", "monocyte/2.jpg"), "data set"),
    ("cells.zip", lambda path: zipped(path, "basophil/", "basophil/1.png"), "data set"),
    ("weights.h5", written(HDF5), "weights file"),
    ("weights", written(HDF5), "weights file"),
    ("weights.keras", written(keras_file("3.4.1", {})), "weights file"),
    ("renamed.keras.zip", written(keras_file("3.4.1", {})), "weights file"),
    ("weights.pt", lambda path: zipped(path, "archive/data.pkl", "archive/data/0"), "weights file"),
    ("runs", folder_of("recipe.json", "weights.keras"), "training folder"),
    ("mine", folder_of("model.py", "weights.keras"), "folder"),
    ("model.py", written(b"class Model: pass"), "Python file"),
    ("predictions.csv", written(b"id,label\n1,2\n"), "text file"),
]


@pytest.mark.parametrize(("name", "make", "kind"), NO_ZIP, ids=[row[0] for row in NO_ZIP])
def test_what_is_no_submission_is_named(
    name: str, make: Callable[[Path], Path], kind: FileKind, tmp_path: Path
) -> None:
    """Else who gives the data set reads that it has no model.py."""
    path = make(tmp_path / name)
    assert kind_of(path) == kind
    with pytest.raises(SubmissionError, match=f"received a {kind}: you meant .*{name}"):
        require_zip(path)


ZIPS = [
    lambda path: build_zip(path, GOOD),
    lambda path: zipped(path, "Model.py", "weights.npy"),  # the checks say more
    lambda path: zipped(path, "mine/model.py"),
    zipped,
    lambda path: zipped(path, "model.py", "config.json", "metadata.json", "model.weights.h5"),
    lambda path: zipped(path, "model.py", *(f"{i}.npy" for i in range(9))),
    written(b"no zip at all"),
    written(b""),
    lambda path: path,  # it is not there
]


@pytest.mark.parametrize("make", ZIPS)
def test_what_may_be_a_submission_goes_on(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Else a submission is turned away for what lies in it beside the module."""
    require_zip(make(tmp_path / "submission.zip"))


def test_another_module_is_a_submission_too(tmp_path: Path) -> None:
    """Else a challenge whose module is called otherwise could not be rehearsed."""
    path = zipped(tmp_path / "s.zip", "solution.py", "config.json", "metadata.json")
    require_zip(path, "solution")
    with pytest.raises(SubmissionError, match="a weights file"):
        require_zip(path)


NO_WEIGHTS: list[tuple[str, Callable[[Path], Path], str]] = [
    ("s.zip", lambda path: build_zip(path, GOOD), "--check-only .*s.zip"),
    ("mine.py", written(b"class Model: pass"), "--model .*mine.py"),
    ("training_set.npz", written(IMAGES), "WEIGHTS --data .*training_set.npz"),
]


@pytest.mark.parametrize(("name", "make", "said"), NO_WEIGHTS, ids=[row[0] for row in NO_WEIGHTS])
def test_what_is_no_weights_file_is_named(
    name: str, make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    """Else who checks a zip by its bare name reads which endings weights have."""
    with pytest.raises(SubmissionError, match=said):
        require_weights(make(tmp_path / name))


NO_IMAGES = [
    ("s.zip", lambda path: build_zip(path, GOOD), "a submission's zip"),
    ("w.keras", written(keras_file("3.4.1", {})), "a weights file"),
    ("w.h5", written(HDF5), "a weights file"),
    ("mine.py", written(b""), "a Python file"),
]


@pytest.mark.parametrize(("name", "make", "said"), NO_IMAGES, ids=[row[0] for row in NO_IMAGES])
def test_what_holds_no_images_is_named(
    name: str, make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    """Else who swaps the two files reads which keys an archive of images has."""
    with pytest.raises(SubmissionError, match=f"expected images .* received {said}"):
        require_images(make(tmp_path / name))


IMAGE_FILES = [
    ("training_set.npz", written(IMAGES)),
    ("x.npz", written(npz(weights=np.zeros(3)))),
    ("cells", folder_of("a/1.png", "b/2.png")),
    ("empty", folder_of("a/x.txt")),
    ("runs", folder_of("recipe.json", "a/1.png")),
    ("cells.zip", lambda path: zipped(path, "a/1.png")),
    ("nowhere.npz", lambda path: path),
    ("text.csv", written(b"a,b")),
]


@pytest.mark.parametrize(("name", "make"), IMAGE_FILES, ids=[row[0] for row in IMAGE_FILES])
def test_what_may_hold_images_goes_on(
    name: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Else a data set is turned away by its name, where reading it would say what is wrong."""
    require_images(make(tmp_path / name))


def test_arrays_that_may_be_weights_go_on(tmp_path: Path) -> None:
    """Else weights in numpy's own format are taken for images."""
    path = tmp_path / "w.npz"
    path.write_bytes(npz(kernel=np.zeros(3), bias=np.zeros(3)))
    require_weights(path)
    require_weights(tmp_path / "nowhere.npz")
