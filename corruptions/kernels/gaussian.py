"""Separable Gaussian smoothing in float64, summed in the order of scipy.ndimage.

Down the columns first, then along the rows; the outermost pair of taps first. So the results
are SciPy's to the last bit, and truncated grey levels agree in flat areas too.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import kernel

Reals = NDArray[np.float64]
Indices = NDArray[np.int64]


@functools.lru_cache(maxsize=64)
def _taps(sigma: float, length: int, truncate: float, mode: str) -> tuple[Reals, Indices]:
    """Weights from the centre outwards, and where positions -radius..length-1+radius are read."""
    radius = math.floor(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * offsets**2)
    reach = np.pad(np.arange(length), radius, mode=mode)  # type: ignore[call-overload]
    return (weights / weights.sum())[radius:], reach


def blur(images: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Smooth uint8 `(n, h, w, 3)` as values in 0..1, edges repeated; truncate to uint8."""
    count, height, width, channels = images.shape
    weights, rows = _taps(sigma, height, 4.0, "edge")
    columns = _taps(sigma, width, 4.0, "edge")[1]
    out = np.empty((count, height, width * channels), np.uint8)
    lines = images.reshape(out.shape)
    _smooth(lines, channels, 255.0, weights, rows, weights, columns, False, out)  # noqa: FBT003
    return out.reshape(images.shape)


def smooth(
    planes: Reals,
    sigmas: tuple[float, float],
    *,
    truncate: float = 4.0,
    mode: str = "edge",
    single: bool = False,
) -> Reals:
    """Smooth float64 `(n, h, w)` by `sigmas` pixels down and along, cut off at `truncate` of them.

    mode: as for `numpy.pad`. `single` rounds to float32 after each direction.
    """
    down, rows = _taps(sigmas[0], planes.shape[1], truncate, mode)
    along, columns = _taps(sigmas[1], planes.shape[2], truncate, mode)
    out = np.empty_like(planes)
    _smooth(planes, 1, 1.0, down, rows, along, columns, single, out)
    return out


@kernel
def _smooth(
    lines: NDArray[Any],
    channels: int,
    full: float,
    down: Reals,
    rows: Indices,
    along: Reals,
    columns: Indices,
    single: bool,  # noqa: FBT001  kernels take no keywords
    out: NDArray[Any],
) -> None:
    """Smooth `(n, h, w * channels)` as shares of `full`, turned back where that is not 1."""
    height, size = lines.shape[1:]
    radius = (along.size - 1) * channels
    plane = _aligned(height * size).reshape(height, size)
    line, row = np.empty(columns.size * channels), _aligned(size)
    for image in range(lines.shape[0]):
        for y in range(height):
            _scale(lines[image, y], full, plane[y])
        for y in range(height):
            middle = line[radius : radius + size]
            _down(plane, y, down, rows, middle)
            if single:
                _round_to_single(middle)
            _extend(line, along.size - 1, columns, channels)
            _along(line, along, channels, row)
            if single:
                _round_to_single(row)
            if full == 1.0:
                _copy(row, out[image, y])
            else:
                _truncate(row, full, out[image, y])


@kernel
def _aligned(size: int) -> Reals:
    """Memory that starts at a cache line: a vector across two of them takes twice the time."""
    memory = np.empty(size + 7)
    skipped = (-(memory.ctypes.data // 8)) % 8
    return memory[skipped : skipped + size]


@kernel
def _down(plane: Reals, y: int, weights: Reals, rows: Indices, out: Reals) -> None:
    radius = weights.size - 1
    centre = plane[y]
    for x in range(out.size):
        out[x] = centre[x] * weights[0]
    for distance in range(radius, 0, -1):
        above = plane[rows[y + radius - distance]]
        below = plane[rows[y + radius + distance]]
        weight = weights[distance]
        for x in range(out.size):
            out[x] += (above[x] + below[x]) * weight


@kernel
def _extend(line: Reals, radius: int, columns: Indices, channels: int) -> None:
    """Fill the line's two ends from its middle."""
    end = columns.size - radius
    for i in range(radius):
        left, right = (columns[i] + radius) * channels, (columns[end + i] + radius) * channels
        for channel in range(channels):
            line[i * channels + channel] = line[left + channel]
            line[(end + i) * channels + channel] = line[right + channel]


@kernel
def _along(line: Reals, weights: Reals, channels: int, out: Reals) -> None:
    radius = weights.size - 1
    centre = line[radius * channels :]
    for x in range(out.size):
        out[x] = centre[x] * weights[0]
    for distance in range(radius, 0, -1):
        left = line[(radius - distance) * channels :]
        right = line[(radius + distance) * channels :]
        weight = weights[distance]
        for x in range(out.size):
            out[x] += (left[x] + right[x]) * weight


@kernel
def _scale(line: NDArray[Any], full: float, out: Reals) -> None:
    for x in range(out.size):
        out[x] = line[x] / full


@kernel
def _truncate(line: Reals, full: float, out: NDArray[Any]) -> None:
    for x in range(out.size):
        out[x] = np.int32(min(line[x], 1.0) * full)


@kernel
def _copy(source: Reals, target: NDArray[Any]) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _round_to_single(values: Reals) -> None:
    for x in range(values.size):
        values[x] = np.float32(values[x])
