"""Reading a folder that holds one folder of image files for each class."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cells.errors import DataError
from cells.files import Raw

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_GREY, _COLOUR = frozenset({"1", "L"}), frozenset({"P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr"})
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def read_folder(path: Path) -> Raw:
    """Read `path/<class>/*.png` (or JPEG, BMP, TIFF) in the order of class, then file name.

    Folders are numbered in the order of their names, or by their names if all are numbers.
    Raises DataError for no class folders, no images, damaged files and different sizes.
    """
    numbers = _class_numbers(path)
    files = [(file, number) for name, number in numbers.items() for file in _files(path / name)]
    if not files:
        raise DataError(_no_images(path, list(numbers)))
    images = [_read_image(file) for file, _ in files]
    _check_sizes([file for file, _ in files], images)
    mapping = ", ".join(f"{number} = {name}" for name, number in numbers.items())
    notes = [f"Class folders: {mapping}."]
    if len({image.shape[2] for image in images}) > 1:
        images = [image if image.shape[2] == 3 else image.repeat(3, axis=2) for image in images]
        notes.append("Grey images among coloured ones were given three equal channels.")
    notes += [
        f"Class folder {name} holds no images." for name in numbers if not _files(path / name)
    ]
    labels = np.array([number for _, number in files], np.int64)
    return Raw(np.stack(images), labels, None, tuple(notes), str(path))


def _class_numbers(path: Path) -> dict[str, int]:
    names = sorted(entry.name for entry in _entries(path) if entry.is_dir())
    if not names:
        raise DataError(_no_classes(path))
    if not all(name.isascii() and name.isdigit() for name in names):
        return {name: number for number, name in enumerate(names)}
    numbers = {name: int(name) for name in sorted(names, key=int)}
    if len(set(numbers.values())) != len(numbers):
        raise DataError(f"{path}: two class folders have the same number: {', '.join(names)}")
    return numbers


def _entries(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _files(folder: Path) -> list[Path]:
    return [file for file in _entries(folder) if file.suffix.lower() in SUFFIXES]


def _no_classes(path: Path) -> str:
    arrays = [entry.name for entry in _entries(path) if entry.suffix in (".npz", ".npy")]
    hint = f"did you mean {path / arrays[0]}?" if arrays else "sort the images into such folders"
    return (
        f"{path}: expected one folder of images for each class, received a folder without; {hint}"
    )


def _no_images(path: Path, names: list[str]) -> str:
    deeper = [name for name in names if any(entry.is_dir() for entry in _entries(path / name))]
    hint = f"did you mean {path / deeper[0]}?" if deeper else "convert the images to PNG"
    return f"{path}: expected PNG, JPEG, BMP or TIFF files in its class folders, found none; {hint}"


def _read_image(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            if image.mode in _GREY:
                return np.asarray(image.convert("L"))[..., None]
            if image.mode in _COLOUR:
                return np.asarray(image.convert("RGB"))
            mode = image.mode
    except _DAMAGE as error:
        raise DataError(f"{file}: expected an image, received a damaged file; remove it") from error
    raise DataError(f"{file}: expected 8 bits a channel, received mode {mode}; convert it to PNG")


def _check_sizes(files: list[Path], images: list[NDArray[np.uint8]]) -> None:
    first = images[0].shape[:2]
    for file, image in zip(files, images, strict=True):
        if image.shape[:2] != first:
            raise DataError(
                f"{file}: expected {_size(first)} like {files[0].name}, received "
                f"{_size(image.shape[:2])}; resize the images to one size"
            )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]} pixels"
