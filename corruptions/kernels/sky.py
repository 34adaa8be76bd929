"""Layers that fall over an image: snow, and fog with its landscape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Bytes, Indices, Reals, Values, kernel

Noise = NDArray[np.floating]

_WHITE = np.float32(255)
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)


@kernel
def flakes(
    noise: Noise,
    mean: float,
    sd: float,
    threshold: float,
    rows: Indices,
    row_weights: Reals,
    columns: Indices,
    column_weights: Reals,
    out: Values,
) -> None:
    """Enlarge `(n, small h, small w)` normals bilinearly; keep what is over the threshold."""
    line = np.empty(noise.shape[2])
    for image in range(out.shape[0]):
        for y in range(out.shape[1]):
            upper, lower = noise[image, rows[y]], noise[image, rows[y] + 1]
            top, bottom = row_weights[y, 0], row_weights[y, 1]
            for x in range(line.size):
                line[x] = (mean + sd * upper[x]) * top + (mean + sd * lower[x]) * bottom
            for x in range(out.shape[2]):
                left = columns[x]
                value = line[left] * column_weights[x, 0] + line[left + 1] * column_weights[x, 1]
                value = 0.0 if value < threshold else value
                out[image, y, x] = min(max(value, 0.0), 1.0)


@kernel
def snow_over(images: Bytes, layer: Values, mix: np.float32, rest: np.float32, out: Bytes) -> None:
    """Pale colours, then add the layer `(n, >= h, >= w)` and the layer turned by 180 degrees."""
    height, width = images.shape[1], images.shape[2]
    snow, pale = np.empty(width), np.empty(width, np.float32)
    snow3, pale3 = np.empty(width * 3), np.empty(width * 3, np.float32)
    for image in range(images.shape[0]):
        for y in range(height):
            source, target = images[image, y].reshape(width * 3), out[image, y].reshape(width * 3)
            _add_turned(layer[image, y], layer[image, height - 1 - y], snow)
            _paler(source, pale)
            _thrice(snow, snow3)
            _thrice(pale, pale3)
            for x in range(width * 3):
                value = np.float32(source[x]) / _WHITE
                value = mix * value + rest * max(value, pale3[x])
                total = min(np.float64(value) + snow3[x], 1.0)
                target[x] = np.uint8(np.int32(total * 255.0))


@kernel
def _add_turned(line: Values, other: Values, out: Reals) -> None:
    """Both rounded to grey levels, the other backwards; in 0..1."""
    last = out.size - 1
    for x in range(out.size):
        first = np.rint(np.float64(line[x]) * 255.0) / 255.0
        out[x] = first + np.rint(np.float64(other[last - x]) * 255.0) / 255.0


@kernel
def _paler(line: Bytes, out: Values) -> None:
    for x in range(out.size):
        red, green = np.float32(line[3 * x]) / _WHITE, np.float32(line[3 * x + 1]) / _WHITE
        blue = np.float32(line[3 * x + 2]) / _WHITE
        grey = red * _RED + green * _GREEN + blue * _BLUE
        out[x] = grey * np.float32(1.5) + np.float32(0.5)


@kernel
def _thrice(line: NDArray[Any], out: NDArray[Any]) -> None:
    """Each value for three channels: loops over them then run through."""
    for x in range(line.size):
        out[3 * x], out[3 * x + 1], out[3 * x + 2] = line[x], line[x], line[x]


@kernel
def fog_over(
    images: Bytes, tops: Reals, noise: Noise, thickness: float, decay: float, side: int, out: Bytes
) -> None:
    """Add a landscape of its own to every image, and keep the brightest value where it was.

    tops: each image's brightest value, 0..1. noise: uniform in 0..1, `(n, side * side - 1)`: for
    each step size the squares' centres, then the middles of the horizontal edges, then those of
    the vertical ones.
    """
    size = images.shape[2] * 3
    line, fog = np.empty(images.shape[2], np.float32), np.empty(size, np.float32)
    for image in range(images.shape[0]):
        land = _plasma(noise[image], decay, side)
        lowest, highest = _extremes(land)
        top = tops[image]
        for y in range(images.shape[1]):
            row = land[y]
            for x in range(line.size):
                line[x] = np.float32(thickness) * ((row[x] - lowest) / (highest - lowest))
            _thrice(line, fog)
            source, target = images[image, y].reshape(size), out[image, y].reshape(size)
            for x in range(size):
                value = (source[x] / 255.0 + np.float64(fog[x])) * top / (top + thickness)
                target[x] = np.uint8(np.int32(min(value, 1.0) * 255.0))


@kernel
def _plasma(noise: Noise, decay: float, side: int) -> Values:
    """A random landscape on a torus, float32 `(side + 1, side + 1)`: diamond-square.

    The last row and column are the first ones again.
    """
    grid = np.zeros((2, 2), np.float32)
    height = 100.0
    while grid.shape[0] <= side:
        count = (grid.shape[0] - 1) ** 2
        grid = _refined(grid, noise[count - 1 : 4 * count - 1], height)
        height /= decay
    return grid


@kernel
def _refined(grid: Values, noise: Noise, height: float) -> Values:
    """Twice the resolution: new points are the mean of four neighbours, plus noise."""
    side = grid.shape[0] - 1
    by_row = noise.reshape(3, side, side)
    centres = np.empty((side + 1, side + 1), np.float32)  # shifted by one: index 0 is the last
    finer = np.empty((2 * side + 1, 2 * side + 1), np.float32)
    for y in range(side):
        here, below = grid[y], grid[y + 1]
        _between(here, below, here[1:], below[1:], by_row[0, y], height, centres[y + 1, 1:])
    centres[:, 0] = centres[:, side]
    centres[0] = centres[side]
    for y in range(side):
        here, middle = grid[y], centres[y + 1]
        even, odd = finer[2 * y], finer[2 * y + 1]
        even[::2], odd[1::2] = here, middle[1:]
        above = centres[y]
        _between(middle[1:], above[1:], here, here[1:], by_row[1, y], height, even[1::2])
        _between(middle[1:], middle, here, grid[y + 1], by_row[2, y], height, odd[::2])
    finer[:, 2 * side] = finer[:, 0]
    finer[2 * side] = finer[0]
    return finer


@kernel
def _between(
    first: Values,
    second: Values,
    third: Values,
    fourth: Values,
    noise: Noise,
    height: float,
    out: Values,
) -> None:
    """The mean of four neighbours and noise, for as many points as there are noises."""
    for x in range(noise.size):
        around = (first[x] + second[x]) + (third[x] + fourth[x])
        out[x] = _wobbled(around, noise[x], height)


@kernel
def _wobbled(total: np.float32, unit: float, height: float) -> np.float32:
    noise = height * (2.0 * height * np.float64(unit) - height)
    return np.float32(np.float64(total / np.float32(4)) + noise)


@kernel
def _extremes(land: Values) -> tuple[np.float32, np.float32]:
    """The least and the largest value: column by column first, which vectorises."""
    low, high = land[0].copy(), land[0].copy()
    for y in range(1, land.shape[0]):
        row = land[y]
        for x in range(low.size):
            low[x] = row[x] if row[x] < low[x] else low[x]
            high[x] = row[x] if row[x] > high[x] else high[x]
    return np.float32(low.min()), np.float32(high.max())
