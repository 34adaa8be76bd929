"""Separable Gaussian smoothing in float64, summed in the order of scipy.ndimage.

Down the columns first, then along the rows; the outermost pair of taps first. So the results
are SciPy's to the last bit, and truncated grey levels agree in flat areas too.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Reals = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Taps:
    """One direction of a filter: weights by distance from the centre, and where to read them.

    `weights` is `(radius + 1,)`; `reach` maps positions -radius..length-1+radius into the image.
    """

    weights: Reals
    reach: Indices


@functools.lru_cache(maxsize=64)
def taps(sigma: float, length: int, *, truncate: float = 4.0, mode: str = "edge") -> Taps:
    """A Gaussian of `sigma` pixels over `length` of them; `mode` as for `numpy.pad`."""
    radius = math.floor(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * offsets**2)
    weights = (weights / weights.sum())[radius:]
    reach = np.pad(np.arange(length), radius, mode=mode)  # type: ignore[call-overload]
    return Taps(weights, reach)


def blur(images: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Smooth uint8 `(n, h, w, 3)` as values in 0..1, edges repeated; truncate to uint8."""
    down, along = taps(sigma, images.shape[1]), taps(sigma, images.shape[2])
    out = np.empty_like(images)
    blur_images(images, down.weights, down.reach, along.reach, out)
    return out


def smooth(planes: Reals, down: Taps, along: Taps, *, single: bool = False) -> Reals:
    """Smooth float64 `(n, h, w)`; `single` rounds to float32 after each direction."""
    out = np.empty_like(planes)
    smooth_planes(planes, down.weights, down.reach, along.weights, along.reach, single, out)
    return out


@kernel
def smooth_planes(
    planes: Reals,
    down: Reals,
    rows: Indices,
    along: Reals,
    columns: Indices,
    single: bool,  # noqa: FBT001  kernels take no keywords
    out: Reals,
) -> None:
    """Smooth `(n, h, w)` into `out`, see `smooth`."""
    radius, (height, width) = along.size - 1, planes.shape[1:]
    plane = _aligned(height * width).reshape(height, width)
    line = np.empty(columns.size)
    row = _aligned(width)
    for image in range(planes.shape[0]):
        _copy(planes[image].reshape(plane.size), plane.reshape(plane.size))
        for y in range(height):
            middle = line[radius : radius + width]
            _down(plane, y, down, rows, middle)
            if single:
                _round_to_single(middle)
            _extend(line, radius, columns, 1)
            _along(line, along, 1, row)
            if single:
                _round_to_single(row)
            _copy(row, out[image, y])


@kernel
def blur_images(
    images: NDArray[np.uint8],
    weights: Reals,
    rows: Indices,
    columns: Indices,
    out: NDArray[np.uint8],
) -> None:
    """Smooth uint8 `(n, h, w, 3)` into `out`, see `blur`."""
    height, size = images.shape[1], images.shape[2] * 3
    radius = weights.size - 1
    values = _aligned(height * size).reshape(height, size)
    line = np.empty(columns.size * 3)
    smooth_line = _aligned(size)
    for image in range(images.shape[0]):
        source = images[image].reshape(height, size)
        target = out[image].reshape(height, size)
        for y in range(height):
            _scale(source[y], values[y])
        for y in range(height):
            _down(values, y, weights, rows, line[radius * 3 : radius * 3 + size])
            _extend(line, radius, columns, 3)
            _along(line, weights, 3, smooth_line)
            _truncate(smooth_line, target[y])


@kernel
def _aligned(size: int) -> Reals:
    """Memory that starts at a cache line: a vector across two of them takes twice the time."""
    memory = np.empty(size + 7)
    skipped = (-(memory.ctypes.data // 8)) % 8
    return memory[skipped : skipped + size]


@kernel
def _down(plane: Reals, y: int, weights: Reals, rows: Indices, out: Reals) -> None:
    """Row y of the plane, smoothed across rows."""
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
    """Smooth an extended line of interleaved channels."""
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
def _scale(line: NDArray[np.uint8], out: Reals) -> None:
    for x in range(out.size):
        out[x] = line[x] / 255.0


@kernel
def _truncate(line: Reals, out: NDArray[np.uint8]) -> None:
    for x in range(out.size):
        out[x] = np.uint8(np.int32(min(line[x], 1.0) * 255.0))


@kernel
def _copy(source: Reals, target: Reals) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _round_to_single(values: Reals) -> None:
    for x in range(values.size):
        values[x] = np.float32(values[x])
