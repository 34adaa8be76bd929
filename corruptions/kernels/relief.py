"""Water on a lens: where it stands, and how it shines. OpenCV's 8-bit arithmetic, step by step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Bytes = NDArray[np.uint8]
Values = NDArray[np.float32]

_DEEPEST = np.float32(20)  # pixels from the edge of a splash
_BLACK, _WHITE = np.int32(0), np.int32(255)


@kernel
def wet(layer: NDArray[np.float64], threshold: float, out: Bytes) -> None:
    """Flat values of 0..1 to grey levels; 0 where they are below the threshold."""
    for i in range(out.size):
        out[i] = np.int32(layer[i] * 255.0) if layer[i] >= threshold else np.int32(0)


@kernel
def shine(liquid: Bytes, distance: Values, strength: np.float32, out: Values) -> None:
    """How strongly each pixel shines, 0..strength, `(n, h, w)`.

    liquid: grey levels of the water. distance: of each pixel from the nearest edge, which is
    averaged, equalised, lit from one side and averaged again.
    """
    height, width = liquid.shape[1], liquid.shape[2]
    depth, relief = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
    light, sums = np.empty((height, width), np.int32), np.empty(width + 2, np.int32)
    deep = np.empty(width + 2)
    for image in range(liquid.shape[0]):
        for y in range(height):
            above, below = _neighbours(y, height)
            rows = distance[image]
            _mean_depth(rows[above], rows[y], rows[below], deep, depth[y])
        _equalise(depth.reshape(depth.size))
        for y in range(height):
            above, below = _neighbours(y, height)
            _light(depth[above], depth[y], depth[below], relief[y])
        for y in range(height):
            above, below = _neighbours(y, height)
            _smooth(relief[above], relief[y], relief[below], sums, depth[y])
        flat = light.reshape(depth.size)
        _multiply(liquid[image].reshape(depth.size), depth.reshape(depth.size), flat)
        _scale(flat, strength, out[image].reshape(depth.size))


@kernel
def _neighbours(place: int, length: int) -> tuple[int, int]:
    """Before and after, reflected at the ends."""
    return abs(place - 1), place + 1 if place + 1 < length else length - 2


@kernel
def _mean_depth(
    above: Values, here: Values, below: Values, column: NDArray[np.float64], out: Bytes
) -> None:
    width = out.size
    for x in range(width):
        total = np.float64(min(above[x], _DEEPEST)) + np.float64(min(here[x], _DEEPEST))
        column[x + 1] = total + np.float64(min(below[x], _DEEPEST))
    column[0], column[width + 1] = column[2], column[width - 1]
    for x in range(width):
        total = column[x] + column[x + 1] + column[x + 2]
        out[x] = np.int32(np.float32(total * (1.0 / 9.0)))


@kernel
def _histogram(levels: Bytes) -> NDArray[np.int32]:
    """Four counters a level, in turns: equal neighbours need not wait for one another."""
    turns = np.zeros((4, 256), np.int32)
    first, second, third, fourth = turns[0], turns[1], turns[2], turns[3]
    quarter = levels.size // 4
    for i in range(quarter):
        first[levels[4 * i]] += 1
        second[levels[4 * i + 1]] += 1
        third[levels[4 * i + 2]] += 1
        fourth[levels[4 * i + 3]] += 1
    for i in range(4 * quarter, levels.size):
        first[levels[i]] += 1
    total: NDArray[np.int32] = first + second + third + fourth
    return total


@kernel
def _equalise(levels: Bytes) -> None:
    """In place: spread the grey levels evenly; the lowest becomes 0, one alone stays."""
    counts = _histogram(levels)
    lowest = 0
    while counts[lowest] == 0:
        lowest += 1
    if counts[lowest] == levels.size:
        return
    share = np.float32(255) / np.float32(levels.size - counts[lowest])
    table = np.zeros(256, np.uint8)
    total = 0
    for level in range(lowest + 1, 256):
        total += counts[level]
        table[level] = np.int32(np.rint(np.float32(total) * share))
    for i in range(levels.size):
        levels[i] = table[levels[i]]


@kernel
def _light(above: Bytes, here: Bytes, below: Bytes, out: Bytes) -> None:
    """Correlation with (-2 -1 0, -1 1 1, 0 1 2)."""
    width = out.size
    for x in range(1, width - 1):
        dark = 2 * np.int32(above[x - 1]) + np.int32(above[x]) + np.int32(here[x - 1])
        light = np.int32(here[x]) + np.int32(here[x + 1]) + np.int32(below[x])
        out[x] = np.int32(
            min(max(np.int32(light + 2 * np.int32(below[x + 1]) - dark), _BLACK), _WHITE)
        )
    for x in (0, width - 1):
        left, right = _neighbours(x, width)
        dark = 2 * np.int32(above[left]) + np.int32(above[x]) + np.int32(here[left])
        light = np.int32(here[x]) + np.int32(here[right]) + np.int32(below[x])
        out[x] = np.int32(
            min(max(np.int32(light + 2 * np.int32(below[right]) - dark), _BLACK), _WHITE)
        )


@kernel
def _smooth(above: Bytes, here: Bytes, below: Bytes, column: NDArray[np.int32], out: Bytes) -> None:
    """The mean of 3x3 levels, rounded."""
    width = out.size
    for x in range(width):
        column[x + 1] = np.int32(above[x]) + np.int32(here[x]) + np.int32(below[x])
    column[0], column[width + 1] = column[2], column[width - 1]
    for x in range(width):
        total = np.int32(column[x] + column[x + 1] + column[x + 2])
        out[x] = np.int32(np.float32(total) * np.float32(1 / 9) + np.float32(0.5))


@kernel
def _multiply(liquid: Bytes, relief: Bytes, out: NDArray[np.int32]) -> None:
    for i in range(out.size):
        out[i] = np.int32(liquid[i]) * np.int32(relief[i])


@kernel
def _scale(light: NDArray[np.int32], strength: np.float32, out: Values) -> None:
    """The brightest becomes `strength`; darkness stays."""
    brightest = np.int32(0)
    for i in range(light.size):
        brightest = max(brightest, light[i])
    share = np.float32(max(brightest, np.int32(1)))
    for i in range(light.size):
        out[i] = np.float32(light[i]) / share * strength
