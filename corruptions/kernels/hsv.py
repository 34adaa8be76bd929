"""Changes of saturation and value, in the arithmetic of scikit-image's HSV conversions.

Truncated grey levels depend on the last bit wherever the exact result is a whole level, which
is common here; so the order of the float64 operations is that of the two conversions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

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
