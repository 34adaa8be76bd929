"""Reading a folder with a folder of images for each class, or with such folders for each part."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.words import few, listed, shown
from codabench_rehearsal.images.arrays import RawArrays
from codabench_rehearsal.images.keys import PARTS, part_note, part_of, pick_part
from codabench_rehearsal.images.labels import DIGITS, numbers_of

_STUBS = frozenset({"BUFR", "GRIB", "HDF5", "MPEG", "PDF", "WMF"})  # Pillow knows only their names
_NOT_READ = _STUBS | {"EPS"}  # a program, which Ghostscript would run
_MOST_PIXELS = 25_000_000  # of one image; Pillow itself stops at 179 million, a gigabyte as floats
_NAMED = 20  # folders that a note lists
_GREY, _COLOUR = frozenset({"1", "L"}), frozenset({"P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr"})
# What Pillow's readers raise on damaged or foreign bytes.
_DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


def read_folder(
    path: Path, part: str | None, prefer: Sequence[str], classes: int | Sequence[str] | None = None
) -> RawArrays:
    """Read `path/<class>/*.png` (or JPEG, WebP ...) in the order of class, then file name.

    Folders are numbered by the names of the `classes`, where these are known; else in the order of
    their own names, or by these if all are numbers. Where `path` holds train, val or test, the
    classes are inside, and numbered the same in all of them.
    Raises DataError for no class folders, no images, damaged files and different sizes.
    """
    parts = _part_folders(path)
    if not parts:
        if part is not None:
            raise DataError(f"{path} is a folder and has no parts: leave out {part!r}")
        return _read_classes(path, _class_numbers([path], path, classes), ())
    chosen = pick_part(tuple(parts), part, prefer, str(path), [one.name for one in parts.values()])
    home = parts[str(chosen)]
    numbers = _class_numbers(list(parts.values()), home, classes)
    others = () if part else tuple(name for name in PARTS if name in parts and name != chosen)
    count = sum(len(_files(home / name)) for name in numbers if (home / name).is_dir())
    return _read_classes(
        home, numbers, part_note(f"{home.name} of {path.name}", count, chosen, others)
    )


@cache
def suffixes() -> frozenset[str]:
    """The endings of all files that are read as images."""
    known = _formats()
    return frozenset(end for end, name in Image.registered_extensions().items() if name in known)


def _part_folders(path: Path) -> dict[str, Path]:
    """The folders train, val and test with classes inside, where there are no others.

    One of them without classes (Kaggle's test images, which nobody labelled) is no part.
    """
    folders = [entry for entry in _entries(path) if entry.is_dir()]
    parts = {part: folder for folder in folders if (part := part_of(folder.name))}
    if len(parts) < len(folders):
        return {}
    return {
        part: folder
        for part, folder in parts.items()
        if any(entry.is_dir() for entry in _entries(folder))
    }


def _read_classes(path: Path, numbers: dict[str, int], said: tuple[str, ...]) -> RawArrays:
    there = {name: _files(path / name) for name in numbers if (path / name).is_dir()}
    files = [(file, numbers[name]) for name, inside in there.items() for file in inside]
    if not files:
        raise DataError(_no_images(path, list(there)))
    try:
        images = _read_images([file for file, _ in files])
        depths = {image.shape[2] for image in images}
        most = max(depths)
        stacked = np.stack([np.broadcast_to(one, (*one.shape[:2], most)) for one in images])
    except MemoryError:
        raise DataError(
            f"{path}: {len(files):,} images ask for more memory than is free; "
            "give fewer or smaller ones"
        ) from None
    mapping = listed([f"{number} = {name}" for name, number in numbers.items()], _NAMED)
    notes = [*said, f"Class folders: {mapping}."]
    if len(depths) > 1:
        notes.append("Grey images among coloured ones were given three equal channels.")
    empty = [name for name in numbers if not there.get(name)]
    if len(empty) > _NAMED:
        notes.append(f"Class folders {listed(empty, _NAMED)} hold no images.")
    else:
        notes += [f"Class folder {name} holds no images." for name in empty]
    labels = np.array([number for _, number in files], np.int64)
    return RawArrays(stacked, labels, None, tuple(notes), str(path))


def _class_numbers(
    folders: Sequence[Path], path: Path, classes: int | Sequence[str] | None
) -> dict[str, int]:
    """The classes of all these folders, so that one without a class counts like the others."""
    names = sorted({entry.name for one in folders for entry in _entries(one) if entry.is_dir()})
    if not names:
        raise DataError(_no_classes(path))
    exactly = not isinstance(classes, int | None) and set(names) <= set(classes)
    if not exactly and all(name.isascii() and name.isdigit() for name in names):
        large = next((name for name in names if len(name.lstrip("0")) > DIGITS), None)
        if large is not None:
            raise DataError(
                f"{path}: expected class numbers from 0 as folders, received {shown(large)}; "
                "rename it"
            )
        numbers = {name: int(name) for name in sorted(names, key=int)}
    else:
        numbers = _numbers_by_names(names, path, classes)
    if len(set(numbers.values())) != len(numbers):
        said = few(list(numbers), _NAMED)
        raise DataError(f"{path}: two class folders have the same number: {said}")
    return numbers


def _numbers_by_names(
    names: Sequence[str], path: Path, classes: int | Sequence[str] | None
) -> dict[str, int]:
    """By the classes' names; else by the order, which must not contradict those that are named."""
    known = numbers_of(names, classes)
    if len(known) == len(names):
        return dict(sorted(known.items(), key=lambda one: one[1]))
    numbers = {name: number for number, name in enumerate(names)}
    wrong = next((name for name in known if numbers[name] != known[name]), None)
    if wrong is None:
        return numbers
    strange = few([name for name in names if name not in known], _NAMED)
    raise DataError(
        f"{path}: expected the challenge's classes as folders, received others beside them "
        f"({strange}), by whose order {wrong} would be {numbers[wrong]} and not {known[wrong]}; "
        "rename them as the challenge does, or take them out"
    )


def _entries(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _files(folder: Path) -> list[Path]:
    return [file for file in _entries(folder) if file.suffix.lower() in suffixes()]


@cache
def _formats() -> tuple[str, ...]:
    """All that this Pillow reads as images without running another program."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in _NOT_READ)


def _no_classes(path: Path) -> str:
    arrays = [entry.name for entry in _entries(path) if entry.suffix in (".npz", ".npy")]
    hint = f"did you mean {path / arrays[0]}?" if arrays else "sort the images into such folders"
    return (
        f"{path}: expected one folder of images for each class, received a folder without; {hint}"
    )


def _no_images(path: Path, names: list[str]) -> str:
    deeper = [name for name in names if any(entry.is_dir() for entry in _entries(path / name))]
    hint = f"did you mean {path / deeper[0]}?" if deeper else "convert the images to PNG"
    kinds = "PNG, JPEG, WebP, BMP or TIFF files (or what else Pillow reads)"
    return f"{path}: expected {kinds} in its class folders, found none; {hint}"


def _read_images(files: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """All of one size: what has another than the first is not even unpacked."""
    images = [_read_image(files[0])]
    first = images[0].shape[:2]
    for file in files[1:]:
        image = _read_image(file, first)
        _check_size(file, image.shape[:2], first)  # some say their size only when unpacked
        images.append(image)
    return images


def _check_size(file: Path, size: tuple[int, ...], first: tuple[int, ...]) -> None:
    if first and size != first:
        raise DataError(
            f"{file}: expected {_size(first)} like the first image, received {_size(size)}; resize "
            "the images to one size"
        )


def _opened(file: Path) -> Image.Image:
    """An image before it is unpacked. Raises DataError for one that would fill the memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(file, formats=_formats())
    if image.width * image.height > _MOST_PIXELS:
        image.close()
        raise DataError(
            f"{file}: expected an image of at most {_MOST_PIXELS:,} pixels, received "
            f"{_size(image.size[::-1])}; resize the images"
        )
    return image


def _read_image(file: Path, first: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    require_file(file, DataError)
    try:
        with _opened(file) as image:
            _check_size(file, image.size[::-1], first)
            if image.mode in _GREY:
                return np.asarray(image.convert("L"))[..., None]
            if image.mode in _COLOUR:
                whole = image.convert("RGBA") if "transparency" in image.info else image
                return np.asarray(whole.convert("RGB"))
            mode = image.mode
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(f"{file}: expected an image, received a damaged file; remove it") from error
    raise DataError(
        f"{file}: expected 8 bits a channel, received mode {mode}; save it as 8-bit PNG"
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]} pixels"
