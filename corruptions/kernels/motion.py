"""Smearing along a line: a weighted sum of shifted copies, one line an image."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Reals = NDArray[np.float64]
Values = NDArray[np.float32]

_ROWS = 8  # of a plane are summed together: longer loops, still within the first cache


def fading_weights(radius: int, sigma: float) -> Reals:
    """Half a Gaussian of `sigma` pixels over 2 * radius + 1 of them, summing to 1."""
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    faded: Reals = weights / np.sum(weights)
    return faded


def shifts(
    count: int, angles: Reals, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where copy 0..count-1 comes from, `(n, count, 2)` as rows and columns; and how many count.

    Copies are a pixel apart along `angles` (degrees, 0 reads to the right, 90 reads below). From
    the first one that has left the image on, none counts: the image gets darker.
    """
    turn = np.deg2rad(angles)
    ends = np.stack([count * np.sin(turn), count * np.cos(turn)], axis=-1)
    lengths = np.hypot(ends[:, 0], ends[:, 1])[:, None, None]
    steps = np.arange(count)[:, None]
    places = np.ceil(steps * ends[:, None, :] / lengths - 0.5).astype(np.int64)
    lost = (np.abs(places) >= (height, width)).any(axis=2)
    return places, np.where(lost.any(axis=1), lost.argmax(axis=1), count)


@kernel
def smear_images(
    images: NDArray[np.uint8],
    places: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: Reals,
    out: NDArray[np.uint8],
) -> None:
    """Sum the shifted copies of uint8 `(n, h, w * 3)`, edges repeated; clip and truncate."""
    height, size = images.shape[1], images.shape[2]
    pad = weights.size
    padded = np.empty((height, size + 2 * pad * 3))
    total = np.empty(size)
    for image in range(images.shape[0]):
        for y in range(height):
            _pad(images[image, y], 3, pad, padded[y])
        for y in range(height):
            _sum_shifted(padded, y, 3, pad, places[image, : counts[image]], weights, total)
            for x in range(size):
                out[image, y, x] = np.uint8(np.int32(min(total[x], 255.0)))


@kernel
def smear_planes(
    planes: Values,
    places: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: Values,
    out: Values,
) -> None:
    """Sum the shifted copies of float32 `(n, h, w)`, edges repeated."""
    height, width = planes.shape[1], planes.shape[2]
    pad = weights.size
    pitch = width + 2 * pad
    padded = np.empty((height + 2 * pad, pitch), np.float32)
    flat = padded.reshape(-1)
    total = np.empty(_ROWS * pitch, np.float32)
    for image in range(planes.shape[0]):
        for row in range(height + 2 * pad):
            _pad(planes[image, min(max(row - pad, 0), height - 1)], 1, pad, padded[row])
        for y in range(0, height, _ROWS):
            rows = min(_ROWS, height - y)
            part = total[: rows * pitch - 2 * pad]
            _clear(part)
            starts = (y + pad + places[image, :, 0]) * pitch + pad + places[image, :, 1]
            _add_all(flat, starts[: counts[image]], weights, part)
            for row in range(rows):
                _copy(total[row * pitch :], out[image, y + row])


@kernel
def _add_all(flat: Values, starts: NDArray[np.int64], weights: Values, out: Values) -> None:
    """The weighted sum of the stretches from `starts` on."""
    count = starts.size
    for step in range(0, count - 3, 4):
        first, second = flat[starts[step] :], flat[starts[step + 1] :]
        third, fourth = flat[starts[step + 2] :], flat[starts[step + 3] :]
        _add_four(first, second, third, fourth, weights[step : step + 4], out)
    for step in range(count - count % 4, count):
        _add(flat[starts[step] :], weights[step], out)


@kernel
def _add(source: Values, weight: np.float32, out: Values) -> None:
    for x in range(out.size):
        out[x] += weight * source[x]


@kernel
def _copy(source: Values, target: Values) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _clear(line: Values) -> None:
    for x in range(line.size):
        line[x] = np.float32(0)


@kernel
def _pad(line: NDArray[Any], channels: int, pad: int, out: NDArray[Any]) -> None:
    """Put a line of interleaved channels into the middle, repeating its ends."""
    size = line.size
    for x in range(size):
        out[pad * channels + x] = line[x]
    for x in range(pad * channels):
        out[x] = line[x % channels]
        out[pad * channels + size + x] = line[size - channels + x % channels]


@kernel
def _sum_shifted(
    padded: Reals,
    y: int,
    channels: int,
    pad: int,
    places: NDArray[np.int64],
    weights: Reals,
    out: Reals,
) -> None:
    """Row y of the sum."""
    for x in range(out.size):
        out[x] = 0.0
    count = places.shape[0]
    for step in range(0, count - 3, 4):
        _add_four(
            _shifted(padded, y, channels, pad, places[step]),
            _shifted(padded, y, channels, pad, places[step + 1]),
            _shifted(padded, y, channels, pad, places[step + 2]),
            _shifted(padded, y, channels, pad, places[step + 3]),
            weights[step : step + 4],
            out,
        )
    for step in range(count - count % 4, count):
        source = _shifted(padded, y, channels, pad, places[step])
        weight = weights[step]
        for x in range(out.size):
            out[x] += weight * source[x]


@kernel
def _shifted(padded: Reals, y: int, channels: int, pad: int, place: NDArray[np.int64]) -> Reals:
    """The line that one copy adds to row y."""
    row = min(max(y + place[0], 0), padded.shape[0] - 1)
    return padded[row, (pad + place[1]) * channels :]


@kernel
def _add_four(
    first: NDArray[Any],
    second: NDArray[Any],
    third: NDArray[Any],
    fourth: NDArray[Any],
    weights: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Four copies at a time, in the same order: four times fewer trips of `out` to memory."""
    one, two, three, four = weights[0], weights[1], weights[2], weights[3]
    for x in range(out.size):
        total = out[x] + one * first[x] + two * second[x]
        out[x] = total + three * third[x] + four * fourth[x]


# Zooming by linear interpolation, as one sparse sum over source pixels.


_NEAR = np.float32(1e-4)  # how close to a grey level a float32 sum counts as that level
_SPARSE_ROWS = 16  # of the sparse sum are built at a time


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
    for top in range(0, height, _SPARSE_ROWS):
        part: Any = sp.eye_array(height * width, format="csr")[
            top * width : (top + _SPARSE_ROWS) * width
        ]
        for row, column in zip(rows, columns, strict=True):
            part = part + sp.kron(row[top : top + _SPARSE_ROWS], column, format="csr")
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
