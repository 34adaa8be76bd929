"""Convolution with a disk, each of its rows taken as a few runs of pixels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptions._cv import cv2
from corruptions.kernels.compiled import kernel


@dataclass(frozen=True)
class Disk:
    """A disk as runs of pixels -reach..reach, those of the same reach together.

    Group g has the reach `reach[g]` and consists of the rows `rows[i]` (both +-) with the weights
    `weights[i]`, i from starts[g] to starts[g + 1] - 1, always an even number of them.
    A sum of the weights just below 1 costs flat areas a whole level by truncation: a result
    closer than `near` to a grey level becomes that level plus `shift`.
    """

    radius: int
    reach: NDArray[np.int64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float32]
    near: np.float32
    shift: np.int32


@functools.cache
def disk(radius: float, softness: float) -> Disk:
    """A disk of `radius` pixels whose edge is softened by a Gaussian of `softness` pixels.

    Like the reference's, it lives on a grid of at least 17x17, and the softening is reflected
    at the grid's edge.
    """
    half = max(8, int(radius))
    offsets = np.arange(-half, half + 1)
    inside = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.float32)
    taps = 3 if radius <= 8 else 5
    soft = cv2.GaussianBlur(inside / inside.sum(), (taps, taps), softness)
    excess = float(soft.astype(np.float64).sum()) - 1
    plain = (
        np.ptp(soft[soft > soft.max() / 2]) < 1e-7 and softness < 0.2
    )  # then every result is a whole number over the area
    near = np.float32(0 if abs(excess) > 1e-6 else 1e-3 if plain else 1e-4)
    shift = np.int32(-1 if excess < 0 else 0)
    return Disk(half, *_runs(np.asarray(soft[half:, half:], np.float32)), near, shift)


def _runs(
    quarter: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
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
def blur_by_runs(
    images: NDArray[np.uint8],
    radius: int,
    reach: NDArray[np.int64],
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float32],
    near: np.float32,
    shift: np.int32,
    out: NDArray[np.uint8],
) -> None:
    """Filter uint8 `(n, h, w, 3)`, reflected at its edges without repeating them."""
    height, size = images.shape[1], images.shape[2] * 3
    sums = np.empty((height + 2 * radius, size + (2 * radius + 1) * 3), np.float32)
    folded = np.empty((rows.max() + 1, sums.shape[1]), np.float32)
    mixed = np.empty(sums.shape[1], np.float32)
    total = np.empty(size, np.float32)
    for image in range(images.shape[0]):
        _running_sums(images[image], radius, sums)
        for y in range(height):
            _fold(sums[y : y + 2 * radius + 1], folded)
            _clear(total)
            for group in range(reach.size):
                part = slice(starts[group], starts[group + 1])
                _mix(folded, rows[part], weights[part], mixed)
                right = mixed[(radius + reach[group] + 1) * 3 :]
                left = mixed[(radius - reach[group]) * 3 :]
                for x in range(size):
                    total[x] += right[x] - left[x]
            _truncate(total, near, shift, out[image, y].reshape(size))


@kernel
def _running_sums(image: NDArray[np.uint8], radius: int, sums: NDArray[np.float32]) -> None:
    """Row by row and channel by channel: the sum of all padded pixels to the left. Whole numbers."""
    height, width = image.shape[0], image.shape[1]
    for row in range(height + 2 * radius):
        source = image[_reflected(row - radius, height)].reshape(width * 3)
        target = sums[row]
        red = green = blue = np.float32(0)
        for column in range(width + 2 * radius):
            target[column * 3] = red
            target[column * 3 + 1] = green
            target[column * 3 + 2] = blue
            x = 3 * _reflected(column - radius, width)
            red += np.float32(source[x])
            green += np.float32(source[x + 1])
            blue += np.float32(source[x + 2])
        target[-3], target[-2], target[-1] = red, green, blue


@kernel
def _reflected(position: int, length: int) -> int:
    if position < 0:
        return -position
    return position if position < length else 2 * (length - 1) - position


@kernel
def _fold(sums: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Rows at the same distance from the middle one, added; the middle row once."""
    radius = sums.shape[0] // 2
    _copy(sums[radius], out[0])
    for distance in range(1, out.shape[0]):
        _add_rows(sums[radius - distance], sums[radius + distance], out[distance])


@kernel
def _copy(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _clear(line: NDArray[np.float32]) -> None:
    for x in range(line.size):
        line[x] = np.float32(0)


@kernel
def _add_rows(
    first: NDArray[np.float32], second: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    for x in range(out.size):
        out[x] = first[x] + second[x]


@kernel
def _mix(
    folded: NDArray[np.float32],
    rows: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
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
def _truncate(
    values: NDArray[np.float32], near: np.float32, shift: np.int32, out: NDArray[np.uint8]
) -> None:
    for x in range(out.size):
        value = min(max(values[x], np.float32(0)), np.float32(255))
        level = np.int32(value + np.float32(0.5))
        moved = np.int32(max(np.int32(level + shift), np.int32(0)))
        flat = abs(value - np.float32(level)) < near
        out[x] = moved if flat else np.int32(value)
