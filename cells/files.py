"""Reading arrays from `.npz`, `.npy` and folders, without unpickling and without tracebacks."""

from __future__ import annotations

import difflib
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from cells.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Array = np.ndarray[Any, np.dtype[Any]]

KEYS = (("images", "labels"), ("x", "y"), ("X", "Y"), ("X", "y"))
PARTS = ("train", "val", "test")

# Everything that zipfile, zlib and numpy raise on damaged or foreign bytes.
_DAMAGE = (
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"<", "a web page saved under this name: download the file itself"),
    (b"\x80", "a pickle, which could run code when read: save with numpy.savez instead"),
)


class Raw(NamedTuple):
    """Arrays as found, before any check; `source` names them in messages."""

    images: Array
    labels: Array
    ids: Array | None
    notes: tuple[str, ...]
    source: str


def read(path: Path, labels: str | os.PathLike[str] | None, part: str | None) -> Raw:
    """Read arrays from a file or folder by its content; see `cells.dataset.load`."""
    if part is not None and part not in PARTS:
        raise DataError(f"part must be one of {', '.join(PARTS)}, received {part!r}")
    if not path.exists():
        raise DataError(_missing(path))
    if path.is_dir():
        from cells.folders import read_folder

        _refuse_extras(path, "a folder", labels, part)
        return read_folder(path)
    if _first_bytes(path).startswith(b"\x93NUMPY"):
        _refuse_extras(path, "an .npy file", None, part)
        return _read_pair(path, labels)
    return _read_npz(path, labels, part)


def _read_npz(path: Path, labels_path: str | os.PathLike[str] | None, part: str | None) -> Raw:
    size = path.stat().st_size
    if not _first_bytes(path).startswith(b"PK"):
        raise DataError(f"{path}: expected an .npz or .npy file, received {_describe(path)}")
    _refuse_extras(path, "an .npz file", labels_path, None)
    try:
        # Opened here because numpy leaves a file that it cannot read to the garbage collector.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            image_key, label_key = _choose_keys(archive, path, part)
            images, labels = archive[image_key], archive[label_key]
            ids = archive["ids"] if "ids" in archive and image_key in _unsplit() else None
    except DataError:
        raise
    except OSError as error:
        _unreadable(path, error)
    except _DAMAGE as error:
        _damaged(path, size, error)
    for key, array in ((image_key, images), (label_key, labels)):
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path}: expected an array under {key!r}, received raw bytes")
    return Raw(images, labels, ids, _part_notes(image_key), str(path))


def _read_pair(path: Path, labels: str | os.PathLike[str] | None) -> Raw:
    beside = _labels_beside(path) if labels is None else Path(labels).expanduser()
    if not beside.exists():
        raise DataError(_missing(beside))
    source = f"{path} with {beside.name}"
    return Raw(_read_npy(path), _read_npy(beside), None, (), source)


def _labels_beside(path: Path) -> Path:
    """`train_images.npy` goes with `train_labels.npy`, anything else with `labels.npy`."""
    names = [path.name.replace("images", "labels"), "labels.npy"]
    for name in names:
        if name != path.name and path.with_name(name).exists():
            return path.with_name(name)
    raise DataError(
        f"{path}: expected labels for these images; name their file, as in "
        f'load("{path.name}", "labels.npy"), or put labels.npy beside it'
    )


def _read_npy(path: Path) -> Array:
    if path.is_dir() or not _first_bytes(path).startswith(b"\x93NUMPY"):
        raise DataError(f"{path}: expected an .npy file, received {_describe(path)}")
    try:
        with path.open("rb") as file:
            array: Array = np.load(file, allow_pickle=False)
    except OSError as error:
        _unreadable(path, error)
    except _DAMAGE as error:
        _damaged(path, path.stat().st_size, error)
    return array


def _choose_keys(archive: Mapping[str, Any], path: Path, part: str | None) -> tuple[str, str]:
    present = set(archive)
    if part is None:
        found = [pair for pair in KEYS if present.issuperset(pair)]
        if found:
            return found[0]
    pair = (f"{part or 'train'}_images", f"{part or 'train'}_labels")
    if present.issuperset(pair):
        return pair
    wanted = " and ".join(pair) if part else "images and labels (or x and y, or train_images ...)"
    raise DataError(
        f"{path}: expected the keys {wanted}, received {', '.join(sorted(present)) or 'none'}; "
        "save with numpy.savez(path, images=..., labels=...)"
    )


def _unsplit() -> tuple[str, ...]:
    return tuple(images for images, _ in KEYS)


def _part_notes(image_key: str) -> tuple[str, ...]:
    part = image_key.removesuffix("_images")
    return () if part == image_key else (f"Only the part {part!r} of the file was read.",)


def _refuse_extras(
    path: Path, what: str, labels: str | os.PathLike[str] | None, part: str | None
) -> None:
    if labels is not None:
        raise DataError(f"{path} is {what} and brings its own labels: leave out {labels}")
    if part is not None:
        raise DataError(f"{path} is {what} and has no parts: leave out part={part!r}")


def _first_bytes(path: Path, count: int = 64) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        _unreadable(path, error)


def _describe(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    begin = _first_bytes(path).lstrip()
    if not begin:
        return "an empty file: make or download it again"
    known = (text for prefix, text in _BEGINNINGS if begin.startswith(prefix))
    return next(known, f"a file that begins with {begin[:8]!r}: save with numpy.savez")


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path}: no such file, and no folder {folder}; check the path"
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".")
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    near += [name for name in names if name.endswith(".npz") and name not in near][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "check the path"
    return f"{path}: no such file or folder; {hint}"


def _unreadable(path: Path, error: OSError) -> NoReturn:
    raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _damaged(path: Path, size: int, error: Exception) -> NoReturn:
    if "Object arrays" in str(error):
        raise DataError(
            f"{path}: expected plain arrays, received an array of Python objects, which is a "
            "pickle and could run code when read; give all images one size and save them as uint8"
        ) from None
    if isinstance(error, MemoryError):
        raise DataError(
            f"{path}: asks for more memory than this machine has; close other programs, or "
            "download it again if it should be small"
        ) from None
    raise DataError(
        f"{path}: damaged or cut off ({size:,} bytes); make or download it again"
    ) from None
