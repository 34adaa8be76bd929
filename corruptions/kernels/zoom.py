"""Zooming by linear interpolation, as one sparse sum over source pixels."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Values = NDArray[np.float32]

_NEAR = np.float32(1e-4)  # how close to a grey level a float32 sum counts as that level
_ROWS = 16  # of the sparse sum are built at a time


@dataclass(frozen=True)
class PixelSum:
    """Pixel p is the sum of `weights[i]` times pixel `sources[i]`, i in starts[p]..starts[p+1]-1.

    `levels` is what a flat area of each grey level becomes, see `zoom_mean`.
    """

    starts: NDArray[np.int32]
    sources: NDArray[np.int32]
    weights: NDArray[np.float32]
    levels: NDArray[np.uint8]


def crop(length: int, factor: float) -> tuple[int, int]:
    """First pixel and length of the centred part that a zoom shows."""
    kept = math.ceil(length / factor)
    return (length - kept) // 2, kept


@functools.cache
def line_zoom(length: int, factor: float) -> NDArray[np.float64]:
    """Linear zoom of the centred part of a line, `(zoomed length, length)`.

    Read off SciPy's own zoom of unit vectors, so that its treatment of the ends is followed.
    """
    from scipy.ndimage import zoom

    first, kept = crop(length, factor)
    inner: NDArray[np.float64] = zoom(np.eye(kept), (factor, 1), order=1)
    return np.pad(inner, ((0, 0), (first, length - first - kept)))


@functools.cache
def line_taps(length: int, factor: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """`line_zoom` over the kept part: each point's first source, and the two sources' weights."""
    first, kept = crop(length, factor)
    weights = line_zoom(length, factor)[:, first : first + kept]
    left = np.minimum((weights != 0).argmax(axis=1), kept - 2)
    points = np.arange(len(weights))
    return left, np.stack([weights[points, left], weights[points, left + 1]], axis=1)


@functools.lru_cache(maxsize=10)
def zoom_mean(height: int, width: int, factors: tuple[float, ...]) -> PixelSum:
    """The mean of an image and its zooms, each cut to the image's size from the top left."""
    import scipy.sparse as sp

    rows = [sp.csr_array(line_zoom(height, factor)[:height]) for factor in factors]
    columns = [sp.csr_array(line_zoom(width, factor)[:width]) for factor in factors]
    parts = []
    for top in range(0, height, _ROWS):
        part: Any = sp.eye_array(height * width, format="csr")[top * width : (top + _ROWS) * width]
        for row, column in zip(rows, columns, strict=True):
            part = part + sp.kron(row[top : top + _ROWS], column, format="csr")
        parts.append((part / (len(factors) + 1)).astype(np.float32))
    whole: Any = sp.vstack(parts, format="csr")
    starts, sources = whole.indptr.astype(np.int32), whole.indices.astype(np.int32)
    return PixelSum(starts, sources, whole.data, _flat_levels(len(factors)))


def _flat_levels(layers: int) -> NDArray[np.uint8]:
    """Each grey level after the reference's float32 sum and mean of equal layers."""
    unit = (np.arange(256) / 255).astype(np.float32)
    total = np.zeros_like(unit)
    for _ in range(layers):
        total += unit
    mean = (unit + total) / np.float32(layers + 1)
    levels: NDArray[np.float32] = np.minimum(mean, np.float32(1)) * np.float32(255)
    return levels.astype(np.uint8)


@kernel
def sum_pixels(
    pixels: Values,
    starts: NDArray[np.int32],
    sources: NDArray[np.int32],
    weights: Values,
    levels: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Apply a pixel sum to `(pixels, values)` of 0..255: the values of all images side by side."""
    total = np.empty(pixels.shape[1], np.float32)
    for pixel in range(out.shape[0]):
        start, end = starts[pixel], starts[pixel + 1]
        _add_up(pixels, sources[start:end], weights[start:end], total)
        target = out[pixel]
        for x in range(total.size):
            value = min(total[x], np.float32(255))
            nearest = np.int32(value + np.float32(0.5))
            near = abs(value - np.float32(nearest)) < _NEAR
            target[x] = levels[nearest] if near else np.uint8(np.int32(value))


@kernel
def _add_up(pixels: Values, sources: NDArray[np.int32], weights: Values, total: Values) -> None:
    for x in range(total.size):
        total[x] = np.float32(0)
    count = sources.size
    for entry in range(0, count - 3, 4):  # four at a time: fewer trips of the total to memory
        first, second = pixels[sources[entry]], pixels[sources[entry + 1]]
        third, fourth = pixels[sources[entry + 2]], pixels[sources[entry + 3]]
        one, two = weights[entry], weights[entry + 1]
        three, four = weights[entry + 2], weights[entry + 3]
        for x in range(total.size):
            part = total[x] + first[x] * one + second[x] * two
            total[x] = part + third[x] * three + fourth[x] * four
    for entry in range(count - count % 4, count):
        source, weight = pixels[sources[entry]], weights[entry]
        for x in range(total.size):
            total[x] += source[x] * weight
