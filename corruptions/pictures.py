"""Pictures that come over an image: drawn by its id, of a user's folder, photographs of frost."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.reading import require_file
from corruptions.kernels import Values, cv2
from corruptions.registry import Images
from corruptions.streams import Streams

Bits = NDArray[np.uint64]
_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# The photographs that come with the package `imagecorruptions`, and how much they are enlarged.
_FROST = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")
_FROST_SCALE = 1.1
_GRID = 6  # control points a side of the low-frequency noise
_LINES, _GLYPHS, _GLYPH_BITS = 6, 9, 15  # text-like marks: lines, marks a line, 5 x 3 bits a mark


def draw_pictures(streams: Streams, size: tuple[int, int]) -> Images:
    """One picture an image, uint8 `(n, *size, 3)`: two colours along a random pattern.

    The pattern is a gradient, stripes, a checker, blobs, low-frequency noise or text-like marks.
    """
    kinds = streams.integers(0, len(_PATTERNS))
    colors = streams.uniform(0, 255, (2, 3)).astype(np.float32)
    numbers = streams.uniform(shape=(_GRID * _GRID,)).astype(np.float32)
    bits = streams.bits(math.ceil(_LINES * _GLYPHS * _GLYPH_BITS / 64))
    field = np.empty((len(kinds), *size), np.float32)
    for kind, pattern in enumerate(_PATTERNS):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            field[rows] = pattern(numbers[rows], bits[rows], size)
    low, high = (colors[:, end, None, None] for end in (0, 1))
    return (low + field[..., None] * (high - low)).astype(np.uint8)


def pick_pictures(streams: Streams, size: tuple[int, int], folder: str) -> Images:
    """One of the folder's pictures an image, RGB, resized to `size`: uint8 `(n, *size, 3)`.

    Raises `CorruptionError` where the folder is missing or empty or a file cannot be read.
    """
    pictures = _read(tuple(_stamp(path) for path in picture_files(folder)), size)
    return pictures[streams.integers(0, len(pictures))]


def picture_files(folder: str) -> tuple[Path, ...]:
    """The picture files directly inside a folder, by name. Raises `CorruptionError`."""
    home = Path(folder)
    if not home.is_dir():
        raise CorruptionError(f"pictures: expected a folder, but {folder!r} is not one.")
    files = tuple(sorted(path for path in home.iterdir() if path.suffix.lower() in _SUFFIXES))
    if not files:
        raise CorruptionError(
            f"pictures: the folder {folder!r} holds no picture (expected {', '.join(_SUFFIXES)})."
        )
    return files


def pictures_revision(folder: str) -> str:
    """A short hash of the folder's pictures, bytes and names: answers depend on them."""
    digest = hashlib.blake2b(digest_size=8)
    for path in picture_files(folder):
        require_file(path, CorruptionError)
        digest.update(path.name.encode() + b"\0" + hashlib.blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.lru_cache(maxsize=4)
def scaled(height: int, width: int) -> tuple[Images, ...]:
    """All photographs of frost, RGB, at 1.1 times their size, or of a size that covers the image.

    Raises `CorruptionError` where the package is missing.
    """
    return tuple(_scaled(photo, height, width) for photo in photos())


@functools.cache
def photos() -> tuple[Images, ...]:
    """All photographs of frost as they come, BGR."""
    return tuple(_read_photo(_folder() / name) for name in _FROST)


def _stamp(path: Path) -> tuple[str, int, int]:
    """Names a file's present contents, so that an edited picture is read again."""
    facts = path.stat()
    return str(path), facts.st_mtime_ns, facts.st_size


@functools.lru_cache(maxsize=4)
def _read(stamps: tuple[tuple[str, int, int], ...], size: tuple[int, int]) -> Images:
    pictures = np.stack([_read_one(path, size) for path, _, _ in stamps])
    pictures.flags.writeable = False
    return pictures


def _read_one(path: str, size: tuple[int, int]) -> Images:
    from PIL import Image, UnidentifiedImageError

    require_file(path, CorruptionError)
    try:
        with Image.open(path) as picture:
            resized = picture.convert("RGB").resize((size[1], size[0]), Image.Resampling.BOX)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorruptionError(f"pictures: cannot read {path!r} as a picture: {error}") from error
    return np.asarray(resized, np.uint8)


def _gradient(numbers: Values, _bits: Bits, size: tuple[int, int]) -> Values:
    """0..1 across the picture at any angle, `(n, *size)`."""
    angle = numbers[:, 0, None, None] * np.float32(2 * np.pi)
    y = np.linspace(-0.5, 0.5, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, size[1], dtype=np.float32)[None, :]
    reach = np.abs(np.cos(angle)) + np.abs(np.sin(angle))
    ramp: Values = (np.cos(angle) * x + np.sin(angle) * y) / reach + np.float32(0.5)
    return ramp


def _stripes(numbers: Values, bits: Bits, size: tuple[int, int]) -> Values:
    count, phase = 2 + 8 * numbers[:, 1, None, None], numbers[:, 2, None, None]
    bands = (_gradient(numbers, bits, size) * (2 * count) + phase).astype(np.uint8)
    return (bands & 1).astype(np.float32)


def _checker(numbers: Values, bits: Bits, size: tuple[int, int]) -> Values:
    across = numbers.copy()
    across[:, 0] += 0.25  # a quarter turn
    crossed: Values = np.abs(_stripes(numbers, bits, size) - _stripes(across, bits, size))
    return crossed


def _blobs(numbers: Values, _bits: Bits, size: tuple[int, int]) -> Values:
    y = np.linspace(0, 1, size[0], dtype=np.float32)
    x = np.linspace(0, 1, size[1], dtype=np.float32)
    field = np.zeros((len(numbers), *size), np.float32)
    for blob in range(6):
        row, column, radius = numbers[:, 3 * blob : 3 * blob + 3].T[..., None]
        narrow = 1 / (np.float32(0.05) + radius / 5) ** 2
        bell_y, bell_x = np.exp(-narrow * (y - row) ** 2), np.exp(-narrow * (x - column) ** 2)
        np.maximum(field, bell_y[:, :, None] * bell_x[:, None], out=field)
    return np.clip(4 * field - 1, 0, 1, out=field)  # bells with flat tops


def _noise(numbers: Values, _bits: Bits, size: tuple[int, int]) -> Values:
    grids = numbers.reshape(-1, _GRID, _GRID)
    smooth = [cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) for grid in grids]
    return np.clip(np.stack(smooth), 0, 1).astype(np.float32)


def _glyphs(_numbers: Values, bits: Bits, size: tuple[int, int]) -> Values:
    flat = np.unpackbits(bits.astype("<u8").view(np.uint8), axis=1)
    marks = flat[:, : _LINES * _GLYPHS * _GLYPH_BITS].reshape(-1, _LINES, _GLYPHS, 5, 3)
    spaced = np.pad(marks, ((0, 0), (0, 0), (0, 0), (1, 1), (1, 0)))
    pages = spaced.transpose(0, 1, 3, 2, 4).reshape(-1, _LINES * 7, _GLYPHS * 4)
    scaled = [cv2.resize(page, size[::-1], interpolation=cv2.INTER_NEAREST) for page in pages]
    return np.stack(scaled).astype(np.float32)


_PATTERNS = (_gradient, _stripes, _checker, _blobs, _noise, _glyphs)


def _scaled(photo: Images, height: int, width: int) -> Images:
    factor = max(1.0, height / photo.shape[0], width / photo.shape[1]) * _FROST_SCALE
    size = (int(np.ceil(photo.shape[1] * factor)), int(np.ceil(photo.shape[0] * factor)))
    resized = cv2.resize(photo, dsize=size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(resized[..., ::-1], dtype=np.uint8)


def _folder() -> Path:
    found = importlib.util.find_spec("imagecorruptions")  # finds it without importing it
    if found is None or found.origin is None:
        raise CorruptionError(
            "frost needs the photographs of the package imagecorruptions: "
            "pip install imagecorruptions-imaug"
        )
    return Path(found.origin).parent / "frost"


def _read_photo(path: Path) -> Images:
    photo = cv2.imread(str(path))
    if photo is None:
        raise CorruptionError(
            f"Cannot read frost's photograph {path}. "
            "Install the package anew: pip install --force-reinstall imagecorruptions-imaug"
        )
    return np.asarray(photo, dtype=np.uint8)
