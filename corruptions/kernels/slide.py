"""Slide rows or columns by a fraction of a pixel: shears and translations, without a general warp.

Every pixel of a line moves alike, so two neighbours are blended with weights that are fixed for the
line (15 bits, rounded). Borders are reflected about the edge of the last pixel, over and over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

_ONE = 1 << 15
_HALF = np.int32(1 << 14)
_SHIFT = np.int32(15)


@kernel
def _weight(offset: float, whole: int) -> np.int32:
    return np.int32(np.round((offset - whole) * _ONE))


@kernel
def _mirrored(place: int, length: int) -> int:
    place %= 2 * length
    return place if place < length else 2 * length - 1 - place


@kernel
def slide_rows(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y, x] = images[i, y, x + offsets[i, y]]; uint8 `(n, h, w, 3)`, offsets `(n, h)`."""
    width = images.shape[2]
    line = np.empty(3 * (width + 1), np.uint8)
    for i in range(images.shape[0]):
        for y in range(images.shape[1]):
            whole = int(np.floor(offsets[i, y]))
            second = _weight(offsets[i, y], whole)
            first = np.int32(_ONE) - second
            place = whole % (2 * width)
            for x in range(width + 1):
                source = place if place < width else 2 * width - 1 - place
                place = place + 1 if place + 1 < 2 * width else 0
                line[3 * x] = images[i, y, source, 0]
                line[3 * x + 1] = images[i, y, source, 1]
                line[3 * x + 2] = images[i, y, source, 2]
            target = out[i, y].reshape(-1)
            behind = line[3:]
            for j in range(target.size):
                blend = np.int32(line[j]) * first + np.int32(behind[j]) * second + _HALF
                target[j] = np.uint8(blend >> _SHIFT)


@kernel
def move_rows(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y] = images[i, y + offsets[i]], whole rows at a time; offsets `(n,)`."""
    height = images.shape[1]
    for i in range(images.shape[0]):
        whole = int(np.floor(offsets[i]))
        second = _weight(offsets[i], whole)
        first = np.int32(_ONE) - second
        for y in range(height):
            above = images[i, _mirrored(y + whole, height)].reshape(-1)
            below = images[i, _mirrored(y + whole + 1, height)].reshape(-1)
            target = out[i, y].reshape(-1)
            for j in range(target.size):
                blend = np.int32(above[j]) * first + np.int32(below[j]) * second + _HALF
                target[j] = np.uint8(blend >> _SHIFT)


@kernel
def slide_columns(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y, x] = images[i, y + offsets[i, x], x]; uint8 `(n, h, w, 3)`, offsets `(n, w)`."""
    height, width = images.shape[1], images.shape[2]
    start = np.empty(width, np.int64)
    weight = np.empty(width, np.int32)
    for i in range(images.shape[0]):
        for x in range(width):
            whole = int(np.floor(offsets[i, x]))
            weight[x] = _weight(offsets[i, x], whole)
            start[x] = whole % (2 * height)
        for y in range(height):
            for x in range(width):
                place = start[x] + y
                place -= 2 * height if place >= 2 * height else 0
                above = place if place < height else 2 * height - 1 - place
                place += 1
                place -= 2 * height if place >= 2 * height else 0
                below = place if place < height else 2 * height - 1 - place
                second = weight[x]
                first = np.int32(_ONE) - second
                for c in range(3):
                    upper, lower = images[i, above, x, c], images[i, below, x, c]
                    blend = np.int32(upper) * first + np.int32(lower) * second + _HALF
                    out[i, y, x, c] = np.uint8(blend >> _SHIFT)
