"""Grey levels through tables."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

_UNIT = np.arange(256) / 255


@kernel
def look_up(images: NDArray[np.uint8], tables: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Each image's channels `(n, h, w, 3)` through tables of their own `(n, 3, 256)`."""
    for image in range(images.shape[0]):
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                out[image, y, x, 0] = tables[image, 0, images[image, y, x, 0]]
                out[image, y, x, 1] = tables[image, 1, images[image, y, x, 1]]
                out[image, y, x, 2] = tables[image, 2, images[image, y, x, 2]]


@kernel
def mean_channels(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    """The mean of each image's channels as 0..1, into `(n, 3)`; summed pixel after pixel.

    That is NumPy's order, and a mean's last bit decides whole levels in images of few levels.
    """
    pixels = images.shape[1] * images.shape[2]
    for image in range(images.shape[0]):
        red = green = blue = 0.0
        values = images[image].reshape(pixels, 3)
        for i in range(pixels):
            red += _UNIT[values[i, 0]]
            green += _UNIT[values[i, 1]]
            blue += _UNIT[values[i, 2]]
        out[image, 0], out[image, 1], out[image, 2] = red / pixels, green / pixels, blue / pixels


# Changes of saturation and value, in the arithmetic of scikit-image's HSV conversions.
#
# Truncated grey levels depend on the last bit wherever the exact result is a whole level, which
# is common here; so the order of the float64 operations is that of the two conversions.


Reals = NDArray[np.float64]


_LINE = 512  # pixels are worked on together, channel by channel: loops that vectorise


@kernel
def shift_hsv(
    pixels: NDArray[np.uint8], brighter: float, factor: float, term: float, out: NDArray[np.uint8]
) -> None:
    """On `(pixels * 3,)`: value + brighter, saturation * factor + term, both clipped to 0..1."""
    red, green, blue = np.zeros(_LINE), np.zeros(_LINE), np.zeros(_LINE)
    for start in range(0, pixels.size, 3 * _LINE):
        part = pixels[start : start + 3 * _LINE]
        target = out[start : start + 3 * _LINE]
        for i in range(part.size // 3):
            red[i], green[i], blue[i] = part[3 * i], part[3 * i + 1], part[3 * i + 2]
        _shift_line(red, green, blue, brighter, factor, term)
        for i in range(part.size // 3):
            target[3 * i] = np.uint8(np.int32(red[i]))
            target[3 * i + 1] = np.uint8(np.int32(green[i]))
            target[3 * i + 2] = np.uint8(np.int32(blue[i]))


@kernel
def _shift_line(
    red: Reals, green: Reals, blue: Reals, brighter: float, factor: float, term: float
) -> None:
    """In place, 0..255."""
    for i in range(red.size):
        r, g, b = red[i] / 255.0, green[i] / 255.0, blue[i] / 255.0
        top = max(r, g, b)
        spread = top - min(r, g, b)
        saturation = 0.0 if spread == 0.0 else spread / top
        saturation = min(max(saturation * factor + term, 0.0), 1.0)
        value = min(max(top + brighter, 0.0), 1.0)

        sixths = _hue(r, g, b, top, spread) * 6.0
        sector = int(sixths)
        part = sixths - sector
        low = value * (1.0 - saturation)
        falling = value * (1.0 - part * saturation)
        rising = value * (1.0 - (1.0 - part) * saturation)
        red[i] = 255.0 * _channel(sector, value, falling, low, rising)
        green[i] = 255.0 * _channel(sector - 2, value, falling, low, rising)
        blue[i] = 255.0 * _channel(sector - 4, value, falling, low, rising)


@kernel
def _hue(red: float, green: float, blue: float, top: float, spread: float) -> float:
    """In turns, 0 <= hue < 1; 0 for greys."""
    divisor = 1.0 if spread == 0.0 else spread
    hue = (green - blue) / divisor
    hue = 2.0 + (blue - red) / divisor if green == top else hue
    hue = 4.0 + (red - green) / divisor if blue == top else hue
    hue = hue / 6.0
    hue = hue + 1.0 if hue < 0.0 else hue
    return 0.0 if spread == 0.0 or hue >= 1.0 else hue


@kernel
def _channel(sector: int, value: float, falling: float, low: float, rising: float) -> float:
    """The channel that is at its top in sectors 5 and 0 of the colour circle."""
    sector = sector + 6 if sector < 0 else sector
    level = low if sector > 1 else falling
    level = rising if sector == 4 else level
    return value if sector == 0 or sector == 5 else level


# Shrinking by averaging boxes, in the 8-bit fixed-point arithmetic of Pillow's BOX filter.


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
