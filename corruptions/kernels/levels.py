"""Grey levels, one by one: through tables, counted, truncated, by quantiles, and through HSV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Bytes, Reals, cv2, kernel

UNIT = np.arange(256) / 255  # each grey level in 0..1
_LOW_16 = np.uint32(0xFFFF)
_8, _16, _24 = np.uint32(8), np.uint32(16), np.uint32(24)
_LINE = 512  # pixels are worked on together, channel by channel: loops that vectorise


def look_up(images: Bytes, tables: NDArray[Any]) -> Bytes:
    """Replace every level of uint8 `(n, h, w, 3)` by its table entry.

    tables: `(n, 3, 256)`, or `(n, 1, 256)` for the same in all channels; floats are rounded to the
    nearest level and clipped.
    """
    entries = np.clip(np.rint(tables), 0, 255).astype(np.uint8)
    by_level = np.broadcast_to(entries, (len(images), 3, 256)).transpose(0, 2, 1)
    out = np.empty_like(images, order="C")
    for image, table, target in zip(images, by_level[:, None], out, strict=True):
        cv2.LUT(image, np.ascontiguousarray(table), dst=target)
    return out


def histograms(images: Bytes) -> NDArray[np.int64]:
    """Pixels of uint8 `(n, h, w, 3)` at each level, shape `(n, 3, 256)`."""
    counts = np.zeros((len(images), 3, 256), np.int64)
    _count(np.ascontiguousarray(images).reshape(len(images), -1, 3), counts)
    return counts


@kernel
def _count(pixels: Bytes, counts: NDArray[np.int64]) -> None:
    for i in range(pixels.shape[0]):
        for p in range(pixels.shape[1]):
            for c in range(3):
                counts[i, c, pixels[i, p, c]] += 1


def mean_channels(images: Bytes) -> Reals:
    """The mean of each image's channels as 0..1, `(n, 3)`; summed pixel after pixel.

    That is NumPy's order, and a mean's last bit decides whole levels in images of few levels.
    """
    sums = np.zeros((len(images), 3))
    _add_up(images.reshape(len(images), -1, 3), sums)
    means: Reals = sums / (images.shape[1] * images.shape[2])
    return means


@kernel
def _add_up(pixels: Bytes, sums: Reals) -> None:
    for i in range(pixels.shape[0]):
        red = green = blue = 0.0
        for p in range(pixels.shape[1]):
            red += UNIT[pixels[i, p, 0]]
            green += UNIT[pixels[i, p, 1]]
            blue += UNIT[pixels[i, p, 2]]
        sums[i, 0], sums[i, 1], sums[i, 2] = red, green, blue


@kernel
def settle(values: NDArray[np.float32], near: np.float32, flat: Bytes, out: Bytes) -> None:
    """Clip and truncate; what is closer than `near` to a grey level becomes `flat[level]`.

    Sums in float32 fall to either side of a whole level, where a reference's do not.
    """
    for i in range(values.size):
        value = min(max(values[i], np.float32(0)), np.float32(255))
        level = np.int32(value + np.float32(0.5))
        is_level = abs(value - np.float32(level)) < near
        out[i] = flat[level] if is_level else np.uint8(np.int32(value))


@kernel
def replace(images: Bytes, bits: NDArray[np.uint32], limit: np.uint32, out: Bytes) -> None:
    """Bits below the limit replace a value: by 255 where the lowest bit is set, else by 0."""
    for i in range(images.size):
        white = np.uint8(255) if bits[i] & np.uint32(1) else np.uint8(0)
        out[i] = white if bits[i] < limit else images[i]


@kernel
def look_up_quantile(
    images: Bytes,
    bits: NDArray[np.uint32],
    guide: NDArray[np.uint32],
    bounds: NDArray[np.uint32],
    out: Bytes,
) -> None:
    """The quantile of each value's own distribution over grey levels.

    bounds: `(256, 256)`, P(level <= column) of each row's distribution, times 2**24.
    guide: `(256, 256)` by the quantile's top 8 bits: level below << 24 | level above << 16 | the
    next 16 bits' share that is below. Level above < level below: several bounds fall in between.
    """
    for i in range(images.size):
        grey = np.int64(images[i])
        entry = guide[grey, np.int64(bits[i] >> _24)]
        below = entry >> _24
        above = (entry >> _16) & np.uint32(255)
        if above < below:
            level = np.int64(above)
            while bounds[grey, level] <= bits[i] >> _8:
                level += 1
            out[i] = np.uint8(level)
        else:
            share = (bits[i] >> _8) & _LOW_16
            out[i] = np.uint8(below if share < (entry & _LOW_16) else above)


# Changes of saturation and value, in the arithmetic of scikit-image's HSV conversions.
#
# Truncated grey levels depend on the last bit wherever the exact result is a whole level, which
# is common here; so the order of the float64 operations is that of the two conversions.


@kernel
def shift_hsv(pixels: Bytes, brighter: float, factor: float, term: float, out: Bytes) -> None:
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
