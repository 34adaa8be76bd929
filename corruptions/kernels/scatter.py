"""Glass: every pixel takes over a neighbour, one pixel after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel


@kernel
def scale_bits(bits: NDArray[np.uint32], count: int, out: NDArray[np.uint8]) -> None:
    """Uniform 32-bit integers onto 0..count-1, count at most 256."""
    for i in range(bits.size):
        out[i] = np.uint8((np.uint64(bits[i]) * np.uint64(count)) >> np.uint64(32))


@kernel
def scatter(images: NDArray[np.uint8], reach: int, choices: NDArray[np.uint8]) -> None:
    """In place on `(n, h, w, 3)`, from the last pixel to the first, `choices.shape[1]` times.

    choices: `(n, rounds, h - 2 * reach, w - 2 * reach)`, the neighbour as
    (dy + reach) * 2 * reach + dx + reach with dy and dx in -reach..reach-1.
    """
    height, width = images.shape[1], images.shape[2]
    packed = np.empty(height * width, np.uint32)
    offsets = _offsets(reach, width)
    for image in range(images.shape[0]):
        _pack(images[image], packed)
        for turn in range(choices.shape[1]):
            _one_round(packed, height, width, reach, offsets, choices[image, turn])
        _unpack(packed, images[image])


@kernel
def _offsets(reach: int, width: int) -> NDArray[np.int64]:
    side = 2 * reach
    offsets = np.empty(side * side, np.int64)
    for choice in range(side * side):
        offsets[choice] = (choice // side - reach) * width + choice % side - reach
    return offsets


@kernel
def _one_round(
    packed: NDArray[np.uint32],
    height: int,
    width: int,
    reach: int,
    offsets: NDArray[np.int64],
    choices: NDArray[np.uint8],
) -> None:
    for row in range(height - 2 * reach):
        start = (height - reach - row) * width + width - reach
        for column in range(width - 2 * reach):
            pixel = start - column
            packed[pixel] = packed[pixel + offsets[choices[row, column]]]


@kernel
def _pack(image: NDArray[np.uint8], packed: NDArray[np.uint32]) -> None:
    pixels = image.reshape(packed.size, 3)
    for i in range(packed.size):
        red, green, blue = np.uint32(pixels[i, 0]), np.uint32(pixels[i, 1]), np.uint32(pixels[i, 2])
        packed[i] = red | (green << np.uint32(8)) | (blue << np.uint32(16))


@kernel
def _unpack(packed: NDArray[np.uint32], image: NDArray[np.uint8]) -> None:
    pixels = image.reshape(packed.size, 3)
    for i in range(packed.size):
        pixels[i, 0] = np.uint8(packed[i])
        pixels[i, 1] = np.uint8(packed[i] >> np.uint32(8))
        pixels[i, 2] = np.uint8(packed[i] >> np.uint32(16))
