"""Shrinking by averaging boxes, in the 8-bit fixed-point arithmetic of Pillow's BOX filter."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

_BITS = 22  # of the fraction of Pillow's weights


@functools.cache
def boxes(length: int, shrunk: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """For each shrunk pixel: (first, end) of its source pixels; and their common weight * 2**22."""
    scale = length / shrunk
    pixels = np.arange(length)
    centres = ((np.arange(shrunk) + 0.5) * scale)[:, None]
    away = (pixels - centres + 0.5) * (1.0 / scale)
    inside = (away > -0.5) & (away <= 0.5)
    # Pillow looks for candidates first; where both have ties, their roundings differ.
    inside &= pixels >= (centres - 0.5 * scale + 0.5).astype(np.int64)
    inside &= pixels < (centres + 0.5 * scale + 0.5).astype(np.int64)
    first, count = inside.argmax(axis=1), inside.sum(axis=1)
    weight = (0.5 + (1.0 / count) * (1 << _BITS)).astype(np.int32)
    return np.stack([first, first + count], axis=1), weight


@functools.cache
def nearest(length: int, shrunk: int) -> NDArray[np.int64]:
    """For each of `length` pixels: the shrunk pixel that it shows.

    Ties fall as in Pillow, which adds up steps.
    """
    step = shrunk / length
    steps = np.full(length, step)
    steps[0] = 0.5 * step
    return np.cumsum(steps).astype(np.int64)


@kernel
def pixelate(
    images: NDArray[np.uint8],
    down: NDArray[np.int64],
    down_weights: NDArray[np.int32],
    along: NDArray[np.int64],
    along_weights: NDArray[np.int32],
    show_row: NDArray[np.int64],
    show_column: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    """Average boxes of uint8 `(n, h, w, 3)` along rows, then down columns; enlarge again."""
    height, width = images.shape[1], images.shape[2]
    narrow = np.empty((height, along.shape[0] * 3), np.uint8)
    small = np.empty(along.shape[0] * 3, np.uint8)
    total = np.empty(along.shape[0] * 3, np.int32)
    for image in range(images.shape[0]):
        for y in range(height):
            _shrink_row(images[image, y], along, along_weights, narrow[y])
        last = -1
        for y in range(height):
            if show_row[y] == last:
                _copy(out[image, y - 1].reshape(width * 3), out[image, y].reshape(width * 3))
                continue
            last = show_row[y]
            _average_rows(narrow, down[last, 0], down[last, 1], down_weights[last], total, small)
            target = out[image, y].reshape(width * 3)
            for x in range(width):
                shown = show_column[x] * 3
                target[3 * x] = small[shown]
                target[3 * x + 1] = small[shown + 1]
                target[3 * x + 2] = small[shown + 2]


@kernel
def _copy(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _shrink_row(
    row: NDArray[np.uint8],
    ranges: NDArray[np.int64],
    weights: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> None:
    for box in range(ranges.shape[0]):
        red = green = blue = np.int32(0)
        for x in range(ranges[box, 0], ranges[box, 1]):
            red += np.int32(row[x, 0])
            green += np.int32(row[x, 1])
            blue += np.int32(row[x, 2])
        out[box * 3] = _rounded(red, weights[box])
        out[box * 3 + 1] = _rounded(green, weights[box])
        out[box * 3 + 2] = _rounded(blue, weights[box])


@kernel
def _average_rows(
    rows: NDArray[np.uint8],
    first: int,
    end: int,
    weight: np.int32,
    total: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> None:
    for x in range(total.size):
        total[x] = np.int32(0)
    for y in range(first, end):
        for x in range(total.size):
            total[x] += np.int32(rows[y, x])
    for x in range(total.size):
        out[x] = _rounded(total[x], weight)


@kernel
def _rounded(total: np.int32, weight: np.int32) -> np.uint8:
    scaled = np.int32(total) * np.int32(weight) + np.int32(1 << (_BITS - 1))
    return np.uint8(min(np.int32(scaled) >> np.int32(_BITS), np.int32(255)))
