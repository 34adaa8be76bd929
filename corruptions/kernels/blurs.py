"""Smoothing with a Gaussian, and averaging over a disk: as SciPy and the reference sum.

Truncated grey levels depend on the last bit of a sum, most of all in flat areas. The Gaussian is
summed in float64 in the order of scipy.ndimage: down the columns first, then along the rows; the
outermost pair of taps first. The disk is taken as a few runs of pixels a row.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Bytes, Indices, Reals, Values, cv2, kernel


def gaussian(images: Bytes, sigma: float) -> Bytes:
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


def disk(images: Bytes, radius: float, softness: float) -> Bytes:
    """Filter uint8 `(n, h, w, 3)` with a disk, reflected at its edges without repeating them.

    The disk has `radius` pixels; its edge is softened by a Gaussian of `softness` pixels.
    """
    half, reach, starts, rows, weights, near, shift = _disk(radius, softness)
    framed = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)), mode="reflect")
    out = np.empty_like(images)
    _blur_by_runs(framed, half, reach, starts, rows, weights, near, shift, out)
    return out


@functools.lru_cache(maxsize=64)
def _taps(sigma: float, length: int, truncate: float, mode: str) -> tuple[Reals, Indices]:
    """Weights from the centre outwards, and where positions -radius..length-1+radius are read."""
    radius = math.floor(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * offsets**2)
    reach = np.pad(np.arange(length), radius, mode=mode)  # type: ignore[call-overload]
    return (weights / weights.sum())[radius:], reach


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


# The disk.


@functools.cache
def _disk(radius: float, softness: float) -> tuple[Any, ...]:
    """Like the reference's: on a grid of at least 17x17, the softening reflected at its edge.

    Half the grid; what `_runs` returns; how near a sum is a grey level, and that level's shift.
    """
    half = max(8, int(radius))
    offsets = np.arange(-half, half + 1)
    inside = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.float32)
    taps = 3 if radius <= 8 else 5
    soft = cv2.GaussianBlur(inside / inside.sum(), (taps, taps), softness)
    # A sum of the weights just below 1 costs flat areas a whole level by truncation.
    excess = float(soft.astype(np.float64).sum()) - 1
    # Plain: every result is a whole number over the area.
    plain = np.ptp(soft[soft > soft.max() / 2]) < 1e-7 and softness < 0.2
    near = np.float32(0 if abs(excess) > 1e-6 else 1e-3 if plain else 1e-4)
    runs = _runs(np.asarray(soft[half:, half:], np.float32))
    return half, *runs, near, np.int32(-1 if excess < 0 else 0)


def _runs(quarter: Values) -> tuple[Indices, Indices, Indices, Values]:
    """The quarter of a kernel right and below its centre, as groups of rows of the same reach.

    Each group's reach; where it starts in the rows (both +-) and their weights, an even number.
    """
    steps = quarter - np.pad(quarter[:, 1:], ((0, 0), (0, 1)))
    steps[np.abs(steps) < 1e-7 * quarter.max()] = 0
    reach = np.flatnonzero(steps.any(axis=0))
    groups = [np.flatnonzero(steps[:, column]) for column in reach]
    rows = [np.append(group, [0] * (len(group) % 2)) for group in groups]
    weights = [
        np.append(steps[group, column], [np.float32(0)] * (len(group) % 2))
        for group, column in zip(groups, reach, strict=True)
    ]
    starts = np.cumsum([0, *map(len, rows)])
    whole_rows = np.concatenate(rows).astype(np.int64)
    return reach, starts, whole_rows, np.concatenate(weights).astype(np.float32)


@kernel
def _blur_by_runs(
    framed: Bytes,
    radius: int,
    reach: Indices,
    starts: Indices,
    rows: Indices,
    weights: Values,
    near: np.float32,
    shift: np.int32,
    out: Bytes,
) -> None:
    size = out.shape[2] * 3
    sums = np.empty((framed.shape[1], framed.shape[2] * 3 + 3), np.float32)
    folded = np.empty((rows.max() + 1, sums.shape[1]), np.float32)
    mixed, total = np.empty(sums.shape[1], np.float32), np.empty(size, np.float32)
    for image in range(out.shape[0]):
        for y in range(sums.shape[0]):
            _running_sums(framed[image, y].reshape(-1), sums[y])
        for y in range(out.shape[1]):
            _fold(sums[y : y + 2 * radius + 1], folded)
            total[:] = np.float32(0)
            for group in range(reach.size):
                part = slice(starts[group], starts[group + 1])
                _mix(folded, rows[part], weights[part], mixed)
                right = mixed[(radius + reach[group] + 1) * 3 :]
                left = mixed[(radius - reach[group]) * 3 :]
                for x in range(size):
                    total[x] += right[x] - left[x]
            _truncate_near(total, near, shift, out[image, y].reshape(size))


@kernel
def _running_sums(line: Bytes, sums: Values) -> None:
    """The sum of all pixels to the left, channel by channel: whole numbers."""
    red = green = blue = np.float32(0)
    for x in range(0, line.size, 3):
        sums[x], sums[x + 1], sums[x + 2] = red, green, blue
        red += np.float32(line[x])
        green += np.float32(line[x + 1])
        blue += np.float32(line[x + 2])
    sums[-3], sums[-2], sums[-1] = red, green, blue


@kernel
def _fold(sums: Values, out: Values) -> None:
    """Rows at the same distance from the middle one, added; the middle row once."""
    radius = sums.shape[0] // 2
    out[0] = sums[radius]
    for distance in range(1, out.shape[0]):
        above, below, both = sums[radius - distance], sums[radius + distance], out[distance]
        for x in range(both.size):
            both[x] = above[x] + below[x]


@kernel
def _mix(folded: Values, rows: Indices, weights: Values, out: Values) -> None:
    """The weighted sum of an even number of rows."""
    for i in range(0, rows.size, 2):
        first, second = folded[rows[i]], folded[rows[i + 1]]
        one, two = weights[i], weights[i + 1]
        if i == 0:
            for x in range(out.size):
                out[x] = first[x] * one + second[x] * two
        else:
            for x in range(out.size):
                out[x] += first[x] * one + second[x] * two


@kernel
def _truncate_near(values: Values, near: np.float32, shift: np.int32, out: Bytes) -> None:
    for x in range(out.size):
        value = min(max(values[x], np.float32(0)), np.float32(255))
        level = np.int32(value + np.float32(0.5))
        moved = np.int32(max(np.int32(level + shift), np.int32(0)))
        flat = abs(value - np.float32(level)) < near
        out[x] = moved if flat else np.int32(value)
