"""Noise on flat arrays of channel values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

_WHITE = np.float32(255)
_BLACK = np.float32(0)
_LOW_16 = np.uint32(0xFFFF)
_8, _16, _24 = np.uint32(8), np.uint32(16), np.uint32(24)


@kernel
def add(
    images: NDArray[np.uint8], noise: NDArray[np.float32], scale: np.float32, out: NDArray[np.uint8]
) -> None:
    """Value + scale * noise, clipped, then truncated."""
    for i in range(images.size):
        value = np.float32(images[i]) + noise[i] * scale
        out[i] = np.uint8(np.int32(min(max(value, _BLACK), _WHITE)))


@kernel
def multiply(
    images: NDArray[np.uint8], noise: NDArray[np.float32], scale: np.float32, out: NDArray[np.uint8]
) -> None:
    """Value * (1 + scale * noise), clipped, then truncated."""
    for i in range(images.size):
        value = np.float32(images[i])
        value = value + value * (noise[i] * scale)
        out[i] = np.uint8(np.int32(min(max(value, _BLACK), _WHITE)))


@kernel
def replace(
    images: NDArray[np.uint8], bits: NDArray[np.uint32], limit: np.uint32, out: NDArray[np.uint8]
) -> None:
    """Bits below the limit replace a value: by 255 where the lowest bit is set, else by 0."""
    for i in range(images.size):
        white = np.uint8(255) if bits[i] & np.uint32(1) else np.uint8(0)
        out[i] = white if bits[i] < limit else images[i]


@kernel
def look_up_quantile(
    images: NDArray[np.uint8],
    bits: NDArray[np.uint32],
    guide: NDArray[np.uint32],
    bounds: NDArray[np.uint32],
    out: NDArray[np.uint8],
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
