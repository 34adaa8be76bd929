"""Convolution with a disk, each of its rows taken as a few runs of pixels."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import cv2, kernel

Bytes = NDArray[np.uint8]
Values = NDArray[np.float32]
Indices = NDArray[np.int64]
# Radius; each group of rows' reach; where it starts in the next two: rows (both +-) and weights, an
# even number a group; how near a sum is a grey level, and by how much that level is shifted.
Disk = tuple[int, Indices, Indices, Indices, Values, np.float32, np.int32]


def blur(images: Bytes, radius: float, softness: float) -> Bytes:
    """Filter uint8 `(n, h, w, 3)` with a disk, reflected at its edges without repeating them.

    The disk has `radius` pixels; its edge is softened by a Gaussian of `softness` pixels.
    """
    half, *runs = _disk(radius, softness)
    framed = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)), mode="reflect")
    out = np.empty_like(images)
    _blur_by_runs(framed, half, *runs, out)
    return out


@functools.cache
def _disk(radius: float, softness: float) -> Disk:
    """Like the reference's: on a grid of at least 17x17, the softening reflected at its edge."""
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
    """Reach, starts, rows and weights, from the quarter of a kernel right and below its centre."""
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
            _truncate(total, near, shift, out[image, y].reshape(size))


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
        _add_rows(sums[radius - distance], sums[radius + distance], out[distance])


@kernel
def _add_rows(first: Values, second: Values, out: Values) -> None:
    for x in range(out.size):
        out[x] = first[x] + second[x]


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
def _truncate(values: Values, near: np.float32, shift: np.int32, out: Bytes) -> None:
    for x in range(out.size):
        value = min(max(values[x], np.float32(0)), np.float32(255))
        level = np.int32(value + np.float32(0.5))
        moved = np.int32(max(np.int32(level + shift), np.int32(0)))
        flat = abs(value - np.float32(level)) < near
        out[x] = moved if flat else np.int32(value)
