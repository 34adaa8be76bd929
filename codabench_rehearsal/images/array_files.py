"""Reading arrays from `.npz`, `.npy` and folders, without unpickling and without tracebacks."""

from __future__ import annotations

import difflib
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.lib.npyio import NpzFile

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.images.arrays import Array, RawArrays
from codabench_rehearsal.images.keys import (
    PARTS,
    TO_TRAIN,
    Header,
    are_labels,
    choose_keys,
    part_note,
    role_and_part,
)

_LIKE, _MOST_NEAR = 0.75, 3  # of names in the place of a missing one: how near, how many at most
_NPY = b"\x93NUMPY"
_UNSPLIT = ("images", "x")  # whose `ids` are meant for them

# Everything that zipfile, zlib and numpy raise on damaged or foreign bytes.
_DAMAGE = (
    *(EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RuntimeError),
    *(SyntaxError, TypeError, ValueError),
    *(struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"<", "a web page saved under this name: download the file itself"),
    (b"\x80", "a pickle, which could run code when read: save with numpy.savez instead"),
)


def read(
    path: Path,
    labels: str | os.PathLike[str] | None,
    part: str | None,
    prefer: Sequence[str] = TO_TRAIN,
    classes: int | Sequence[str] | None = None,
) -> RawArrays:
    """Read arrays from a file or folder by its content; see `dataset.load`."""
    if part is not None and part not in PARTS:
        raise DataError(f"part must be one of {', '.join(PARTS)}, received {part!r}")
    if not path.exists():
        raise DataError(_missing(path))
    require_file(path, DataError, or_folder=True)
    if path.is_dir():
        from codabench_rehearsal.images.folders import read_folder  # Pillow is slow to import

        _refuse_labels(path, "a folder", labels)
        return read_folder(path, part, prefer, classes)
    if _first_bytes(path).startswith(_NPY):
        if part is not None:
            raise DataError(f"{path} is an .npy file and has no parts: leave out {part!r}")
        return _read_pair(path, labels)
    _refuse_labels(path, "an .npz file", labels)
    return _read_npz(path, part, prefer)


def _read_npz(path: Path, part: str | None, prefer: Sequence[str]) -> RawArrays:
    size = path.stat().st_size
    if not _first_bytes(path).startswith(b"PK"):
        raise DataError(f"{path}: expected an .npz or .npy file, received {_describe(path)}")
    try:
        # Opened here because numpy leaves a file that it cannot read to the garbage collector.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            head = partial(_header, archive)
            chosen = choose_keys(archive, head, str(path), part, prefer)
            for key in (chosen.images, chosen.labels):
                _refuse_objects(head(key), f"{path}: {key!r}", key)
            images, labels = archive[chosen.images], archive[chosen.labels]
            unsplit = chosen.images.casefold() in _UNSPLIT
            ids = archive["ids"] if "ids" in archive and unsplit else None
    except DataError:
        raise
    except OSError as error:
        _unreadable(path, error)
    except _DAMAGE as error:
        _damaged(path, size, error)
    for key, array in ((chosen.images, images), (chosen.labels, labels)):
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path}: expected an array under {key!r}, received raw bytes")
    what, count = f"{chosen.images} of {path.name}", len(images) if images.ndim else 0
    notes = part_note(what, count, chosen.part, () if part else chosen.others)
    return RawArrays(images, labels, ids, notes, str(path))


def _header(archive: NpzFile, key: str) -> Header | None:
    """An array's shape and type; None of raw bytes, and of a damaged one: reading it tells."""
    if archive.zip is None:  # never of a file that is open
        return None
    name = key if key in archive.zip.namelist() else f"{key}.npy"
    try:
        with archive.zip.open(name) as member:
            version = np.lib.format.read_magic(member)
            reader = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            shape, _, dtype = reader[version](member)
    except (OSError, *_DAMAGE):
        return None
    return Header(shape, dtype)


def _refuse_objects(head: Header | None, where: str, name: str) -> None:
    """An array of Python objects is a pickle: refused before it is read, with the way out."""
    if head is None or not head.dtype.hasobject:
        return
    meaning = role_and_part(name)
    advice = "give all images one size and save them as uint8"
    if meaning and are_labels(meaning[0]):
        advice = (
            f"save plain labels, as {name}=numpy.array({name}.tolist()), all numbers or all names "
            "of the challenge's classes"
        )
    raise DataError(
        f"{where}: expected a plain array, received an array of Python objects, which is a "
        f"pickle and could run code when read; {advice}"
    )


def _read_pair(path: Path, labels: str | os.PathLike[str] | None) -> RawArrays:
    beside = _labels_beside(path) if labels is None else Path(labels).expanduser()
    if not beside.exists():
        raise DataError(_missing(beside))
    require_file(beside, DataError)
    source = f"{path} with {beside.name}"
    return RawArrays(_read_npy(path, "images"), _read_npy(beside, "labels"), None, (), source)


def _labels_beside(path: Path) -> Path:
    """`x_train.npy` goes with `y_train.npy`, `cells.npy` with `labels.npy`."""
    own = role_and_part(path.stem)
    beside = []
    for file in sorted(path.parent.glob("*.npy")) if own and not are_labels(own[0]) else ():
        other = role_and_part(file.stem)
        if other and own and are_labels(other[0]) and other[1] == own[1]:
            beside.append(file)
    if len(beside) == 1:
        return beside[0]
    for name in (path.name.replace("images", "labels"), "labels.npy"):
        if name != path.name and path.with_name(name).exists():
            return path.with_name(name)
    raise DataError(
        f"{path}: expected labels for these images; put labels.npy beside it, or save both in one "
        "file with numpy.savez(path, images=..., labels=...)"
    )


def _read_npy(path: Path, name: str) -> Array:
    if path.is_dir() or not _first_bytes(path).startswith(_NPY):
        raise DataError(f"{path}: expected an .npy file, received {_describe(path)}")
    try:
        with path.open("rb") as file:
            array: Array = np.load(file, allow_pickle=False)
    except OSError as error:
        _unreadable(path, error)
    except _DAMAGE as error:
        if "Object arrays" in str(error):
            _refuse_objects(Header((), np.dtype(object)), str(path), name)
        _damaged(path, path.stat().st_size, error)
    return array


def _refuse_labels(path: Path, what: str, labels: str | os.PathLike[str] | None) -> None:
    if labels is not None:
        raise DataError(f"{path} is {what} and brings its own labels: leave out {labels}")


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
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=_LIKE)
    if not near:  # what else may have been meant
        near = difflib.get_close_matches(path.name, names, n=_MOST_NEAR, cutoff=0.5)
        near += [name for name in names if name.endswith(".npz") and name not in near]
    near = near[:_MOST_NEAR]
    hint = f"did you mean {' or '.join(near)}?" if near else "check the path"
    return f"{path}: no such file or folder; {hint}"


def _unreadable(path: Path, error: OSError) -> NoReturn:
    raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _damaged(path: Path, size: int, error: Exception) -> NoReturn:
    if isinstance(error, MemoryError):
        raise DataError(
            f"{path}: asks for more memory than this machine has; close other programs, or "
            "download it again if it should be small"
        ) from None
    raise DataError(
        f"{path}: damaged or cut off ({size:,} bytes); make or download it again"
    ) from None
