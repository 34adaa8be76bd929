"""Layers that fall over an image: flakes of snow, and fog's landscape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import kernel

Bytes = NDArray[np.uint8]
Reals = NDArray[np.float64]
Values = NDArray[np.float32]
Indices = NDArray[np.int64]
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
        here, below, wobble, out = grid[y], grid[y + 1], by_row[0, y], centres[y + 1]
        for x in range(side):
            corners = (here[x] + below[x]) + (here[x + 1] + below[x + 1])
            out[x + 1] = _wobbled(corners, wobble[x], height)
        out[0] = out[side]
    centres[0] = centres[side]
    for y in range(side):
        _even_row(grid[y], centres[y + 1], centres[y], by_row[1, y], height, finer[2 * y])
        _odd_row(grid[y], grid[y + 1], centres[y + 1], by_row[2, y], height, finer[2 * y + 1])
    finer[2 * side] = finer[0]
    return finer


@kernel
def _even_row(
    here: Values, centres: Values, above: Values, noise: Noise, height: float, out: Values
) -> None:
    for x in range(noise.size):
        around = (centres[x + 1] + above[x + 1]) + (here[x] + here[x + 1])
        out[2 * x] = here[x]
        out[2 * x + 1] = _wobbled(around, noise[x], height)
    out[2 * noise.size] = out[0]


@kernel
def _odd_row(
    here: Values, below: Values, centres: Values, noise: Noise, height: float, out: Values
) -> None:
    for x in range(noise.size):
        around = (centres[x + 1] + centres[x]) + (here[x] + below[x])
        out[2 * x] = _wobbled(around, noise[x], height)
        out[2 * x + 1] = centres[x + 1]
    out[2 * noise.size] = out[0]


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
