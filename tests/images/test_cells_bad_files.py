"""Every way a file can be wrong, with the parts of the one sentence that the user reads."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from codabench_rehearsal.console.files import FileError
from codabench_rehearsal.images import DataError, load, save, synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

    from codabench_rehearsal.images import Dataset

X = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
Y = np.array([0, 1, 2, 1])
NAN = np.where(np.arange(4)[:, None, None, None] == 2, np.nan, X / 255)
OBJECTS = np.array([X[0], X[1][:4]], dtype=object)

ARRAYS: list[tuple[str, Any, Any, dict[str, Any], list[str]]] = [
    ("channels first", X.transpose(0, 3, 1, 2), Y, {}, ["(4, 3, 8, 8)", "transpose(0, 2, 3, 1)"]),
    ("grey channels first", X[..., :1].transpose(0, 3, 1, 2), Y, {}, ["transpose"]),
    ("transparency", np.concatenate([X, X[..., :1]], 3), Y, {}, ["(4, 8, 8, 4)", "[..., :3]"]),
    ("a single image", X[0], [0], {}, ["single image", "images[None]"]),
    ("flattened", X.reshape(4, -1), Y, {}, ["(4, 192)", "reshape"]),
    ("one dimension", X[0, 0, :, 0], Y, {}, ["(8,)", "reshape"]),
    ("five channels", np.zeros((4, 8, 8, 5), np.uint8), Y, {}, ["(4, 8, 8, 5)"]),
    ("no images", X[:0], Y[:0], {}, ["at least one image", "(0, 8, 8, 3)"]),
    ("no pixels", X[:, :0], Y, {}, ["at least one image"]),
    ("another size", X, Y, {"shape": (96, 96, 3)}, ["images of 96x96x3", "received 8x8x3"]),
    ("grey for colour", X[..., :1], Y, {"shape": (8, 8, 3)}, ["8x8x3", "8x8x1"]),
    ("NaN", NAN, Y, {}, ["NaN", "image 2"]),
    ("infinity", np.where(X[3, 0, 0, 0] == X, np.inf, X), Y, {}, ["infinity"]),
    ("standardised", X / 128 - 1, Y, {}, ["0..255", "standardised"]),
    ("16 bits", X.astype(np.uint16) * 257, Y, {}, ["uint16", "rescale"]),
    ("negative integers", X.astype(int) - 9, Y, {}, ["-9..", "int64"]),
    ("floats above 255", X * 2.0, Y, {}, ["rescale"]),
    ("true or false", X > 9, Y, {}, ["received bool", "uint8"]),
    ("text for images", np.full((4, 8, 8, 3), "a"), Y, {}, ["<U1"]),
    ("complex images", X * 1j, Y, {}, ["complex128"]),
    ("objects", OBJECTS, [0, 1], {}, ["pickle", "one size"]),
]


@pytest.mark.parametrize(
    ("images", "labels", "options", "parts"),
    [case[1:] for case in ARRAYS],
    ids=[c[0] for c in ARRAYS],
)
def test_wrong_arrays(
    tmp_path: Path, images: Any, labels: Any, options: dict[str, Any], parts: list[str]
) -> None:
    """Wrong arrays load, or fail later with a traceback, or the message does not help."""
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    message = _refusal(lambda: load(tmp_path / "a.npz", **options))
    assert "a.npz: " in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("ids", [[0, 1, 2], [0, 1, 2, 2], [-1, 0, 1, 2], [0.0, 1, 2, 3]])
def test_wrong_ids(tmp_path: Path, ids: list[float]) -> None:
    """Ids that name no rows are taken for rows of the uncleaned file."""
    np.savez(tmp_path / "a.npz", images=X, labels=Y, ids=ids)
    assert "drop the key 'ids'" in _refusal(lambda: load(tmp_path / "a.npz"))


def _npz(path: Path) -> bytes:
    np.savez_compressed(path, images=X, labels=Y)
    return path.read_bytes()


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_gives_the_same_sentence(tmp_path: Path, compressed: bool) -> None:
    """A download that broke off shows the insides of zipfile, zlib or numpy."""
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, images=X, labels=Y)
    whole = path.read_bytes()
    for length in range(64, len(whole), 61):
        path.write_bytes(whole[:length])
        assert "damaged or cut off" in _refusal(lambda: load(path))


def test_every_flipped_byte_loads_or_is_refused(tmp_path: Path) -> None:
    """A damaged file shows a traceback."""
    path = tmp_path / "a.npz"
    whole = _npz(path)
    for place in range(2, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            load(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - most flips are refused, some are harmless


def test_damaged_npy(tmp_path: Path) -> None:
    """A damaged .npy, or one whose header asks for all memory there is, shows a traceback."""
    np.save(tmp_path / "labels.npy", Y)
    np.save(tmp_path / "images.npy", X)
    whole = (tmp_path / "images.npy").read_bytes()
    huge = whole.replace(b"(4, 8, 8, 3)", b"(4000000000000, 8, 8, 3)"[:24])
    for content in (whole[:40], whole[:300], huge, whole[:10] + b"{" * 118 + whole[128:]):
        (tmp_path / "images.npy").write_bytes(content)
        assert "images.npy: " in _refusal(lambda: load(tmp_path / "images.npy"))


FILES: list[tuple[str, bytes, list[str]]] = [
    ("empty", b"", ["an empty file"]),
    ("web page", b"<!DOCTYPE html><html>", ["a web page", "download"]),
    ("LFS pointer", b"version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
    ("pickle", b"\x80\x04\x95\x00", ["a pickle", "numpy.savez"]),
    ("text", b"hello", ["begins with b'hello'"]),
]


@pytest.mark.parametrize(("content", "parts"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_not_an_array_file(tmp_path: Path, name: str, content: bytes, parts: list[str]) -> None:
    """Something else under the name of an .npz is not recognised for what it is."""
    (tmp_path / name).write_bytes(content)
    message = _refusal(lambda: load(tmp_path / name))
    for part in ("expected an .npz or .npy file", *parts):
        assert part in message


@pytest.mark.parametrize(
    ("arrays", "options", "parts"),
    [
        ({"a": X, "b": Y}, {}, ["images and labels", "received a, b", "numpy.savez"]),
        ({"images": X}, {}, ["received images"]),
        ({}, {}, ["received none"]),
        ({"images": X, "labels": Y}, {"part": "test"}, ["test_images and test_labels"]),
        ({"images": X, "labels": Y}, {"part": "trian"}, ["train, val, test", "'trian'"]),
        ({"images": X, "labels": Y}, {"labels": "l.npy"}, ["brings its own labels", "l.npy"]),
    ],
)
def test_wrong_keys(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], parts: list[str]
) -> None:
    """A missing key is answered with a KeyError, or with other images than asked for."""
    np.savez(tmp_path / "a.npz", **arrays)
    message = _refusal(lambda: load(tmp_path / "a.npz", **options))
    for part in parts:
        assert part in message


def test_zip_of_something_else(tmp_path: Path) -> None:
    """A zip that holds no arrays, such as a submission, shows a traceback."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("model.py", "class Model: ...")
    assert "received model.py" in _refusal(lambda: load(tmp_path / "a.npz"))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("images", b"raw")
        archive.writestr("labels", b"raw")
    assert "raw bytes" in _refusal(lambda: load(tmp_path / "b.npz"))


def test_missing_paths(tmp_path: Path) -> None:
    """A mistyped name is not answered with the one that was meant."""
    _npz(tmp_path / "training_set.npz")
    assert "did you mean training_set.npz" in _refusal(lambda: load(tmp_path / "trainingset.npz"))
    assert "did you mean training_set.npz" in _refusal(lambda: load(tmp_path / "x"))
    for other in ("training.npz", "cells.npz", "set.npz", "more.npz"):
        (tmp_path / other).touch()
    near = _refusal(lambda: load(tmp_path / "trainingset.npz"))
    assert near.endswith("did you mean training_set.npz?"), "the nearest alone"
    assert _refusal(lambda: load(tmp_path / "x")).count(" or ") == 3, "not the whole folder"
    assert "no folder" in _refusal(lambda: load(tmp_path / "nowhere" / "a.npz"))
    np.save(tmp_path / "images.npy", X)
    assert "put labels.npy beside it" in _refusal(lambda: load(tmp_path / "images.npy"))
    missing = tmp_path / "lables.npy"
    assert "lables.npy: no such file" in _refusal(lambda: load(tmp_path / "images.npy", missing))
    assert "received a folder" in _refusal(lambda: load(tmp_path / "images.npy", tmp_path))
    assert "has no parts" in _refusal(lambda: load(tmp_path / "images.npy", part="val"))


def _image(path: Path, size: int = 8, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size)).save(path)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


FOLDERS: list[tuple[str, Callable[[Path], Any], list[str]]] = [
    ("empty", lambda _: None, ["one folder of images for each class", "sort the images"]),
    ("loose images", lambda p: _image(p / "a.png"), ["received a folder without"]),
    ("an npz inside", lambda p: _npz(p / "b.npz"), ["did you mean", "b.npz"]),
    ("no images", lambda p: (p / "a").mkdir(), ["found none", "convert"]),
    ("one level up", lambda p: _image(p / "cells" / "a" / "1.png"), ["did you mean", "cells"]),
    ("two sizes", lambda p: (_image(p / "a/1.png"), _image(p / "a/2.png", 9)), ["2.png", "9x9"]),
    ("no image", lambda p: _write(p / "a/1.png", b"\x89PNG\r\n\x1a\n????"), ["1.png", "damaged"]),
    ("16 bits", lambda p: _image(p / "a/1.png", mode="I;16"), ["8 bits a channel", "I;16"]),
    ("same number", lambda p: (_image(p / "1/1.png"), _image(p / "01/1.png")), ["01, 1"]),
]


@pytest.mark.parametrize(("make", "parts"), [f[1:] for f in FOLDERS], ids=[f[0] for f in FOLDERS])
def test_wrong_folders(tmp_path: Path, make: Callable[[Path], Any], parts: list[str]) -> None:
    """A folder that is no data set loads in part, or the message does not help."""
    make(tmp_path)
    message = _refusal(lambda: load(tmp_path))
    for part in parts:
        assert part in message


def test_cut_images_in_a_folder(tmp_path: Path) -> None:
    """A cut PNG or JPEG loads half grey, or shows a traceback."""
    for name in ("1.png", "1.jpg", "1.bmp", "1.tif"):
        path = tmp_path / name[2:] / "a" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(X.reshape(32, 8, 3)).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert "damaged" in _refusal(partial(load, path.parents[1]))


def test_saving_where_it_cannot_be(tmp_path: Path, drawn: Dataset) -> None:
    """Saving to a wrong place shows a traceback, or writes under another name."""
    assert ".npz" in _refusal(lambda: save(drawn, tmp_path / "a.csv"))
    with pytest.raises(FileError, match="there is no folder"):
        save(drawn, tmp_path / "nowhere" / "a.npz")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"n": 0}, "n must lie in 1.."),
        ({"seed": -1}, "seed must lie in 0.."),
        ({"size": 8}, "size must lie in 16.."),
        ({"classes": 9}, "classes must lie in 1..8"),
    ],
)
def test_wrong_numbers_for_synthetic(options: dict[str, Any], part: str) -> None:
    """A wrong number is answered from inside numpy."""
    assert part in _refusal(partial(synthetic, **({"n": 3} | options)))


def _refusal(call: Callable[[], object]) -> str:
    """The message of the DataError that `call` raises: short, one line, no chain of causes."""
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message
