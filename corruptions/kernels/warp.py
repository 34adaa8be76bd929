"""Sampling every pixel somewhere else, by bilinear interpolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Reals = NDArray[np.float64]
Values = NDArray[np.float32]
Indices = NDArray[np.int32]


@kernel
def displace(
    images: NDArray[np.uint8], dy: Reals, dx: Reals, alpha: float, out: NDArray[np.uint8]
) -> None:
    """Pixel (y, x) of uint8 `(n, h, w, 3)` comes from (y + alpha * dy, x + alpha * dx).

    Displacements are float64 `(n, h, w)`; the products are rounded to float32 first. Outside, the image is
    mirrored with its edge repeated.
    Values are float32 in 0..1, kept as float64 like the weights: saves conversions.
    """
    height, width = images.shape[1], images.shape[2]
    framed = np.empty((height + 2, width + 2, 3))
    corners = np.empty(width, np.int32)
    low, right = np.empty(width), np.empty(width)
    line = np.empty(width * 3, np.float32)
    for image in range(images.shape[0]):
        _frame(images[image], framed)
        for y in range(height):
            _locate(y, dy[image, y], dx[image, y], alpha, height, corners, low, right)
            _sample(framed.reshape(-1), width + 2, corners, low, right, line)
            target = out[image, y].reshape(-1)
            for x in range(line.size):
                value = min(line[x], np.float32(1)) * np.float32(255)
                target[x] = np.uint8(np.int32(value))


@kernel
def _frame(image: NDArray[np.uint8], framed: Reals) -> None:
    """Scale to 0..1 and repeat the edges once."""
    height, size = image.shape[0], image.shape[1] * 3
    for y in range(height):
        source, target = image[y].reshape(size), framed[y + 1].reshape(size + 6)
        for x in range(size):
            target[3 + x] = np.float64(np.float32(source[x]) / np.float32(255))
        for channel in range(3):
            target[channel] = target[3 + channel]
            target[size + 3 + channel] = target[size + channel]
    framed[0], framed[height + 1] = framed[1], framed[height]


@kernel
def _locate(
    y: int,
    dy: Reals,
    dx: Reals,
    alpha: float,
    height: int,
    corners: Indices,
    low: Reals,
    right: Reals,
) -> None:
    """For a row of pixels: the framed pixel above and left of each place, and how far it is."""
    for x in range(dx.size):
        down = _mirrored(y + np.float64(np.float32(alpha * dy[x])), height)
        along = _mirrored(x + np.float64(np.float32(alpha * dx[x])), dx.size)
        top, left = np.floor(down), np.floor(along)
        low[x], right[x] = down - top, along - left
        corners[x] = np.int32(top + 1) * np.int32(dx.size + 2) + np.int32(left + 1)


@kernel
def _mirrored(position: float, length: int) -> float:
    """Into -0.5..length-0.5; the mirrors stand half a pixel outside the outer pixels' centres."""
    period = 2.0 * length
    turns = np.floor((position + 0.5) * (1.0 / period))
    folded = position - turns * period
    folded = folded if folded <= length - 0.5 else 2 * length - 1 - folded
    return position if -0.5 <= position <= length - 0.5 else folded


@kernel
def _sample(
    framed: Reals, stride: int, corners: Indices, low: Reals, right: Reals, out: Values
) -> None:
    for x in range(corners.size):
        above = framed[3 * np.int64(corners[x]) :]
        below = above[3 * stride :]
        bottom, far = low[x], right[x]
        top, near = 1.0 - bottom, 1.0 - far
        for channel in range(3):
            total = above[channel] * top * near
            total += above[channel + 3] * top * far
            total += below[channel] * bottom * near
            total += below[channel + 3] * bottom * far
            out[x * 3 + channel] = np.float32(total)


# Glass: every pixel takes over a neighbour, one pixel after the other.


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


# Slide rows or columns by a fraction of a pixel: shears and translations, without a general warp.
#
# Every pixel of a line moves alike, so two neighbours are blended with weights that are fixed for the
# line (15 bits, rounded). Borders are reflected about the edge of the last pixel, over and over.


_ONE = 1 << 15
_HALF = np.int32(1 << 14)
_SHIFT = np.int32(15)


@kernel
def _weight(offset: float, whole: int) -> np.int32:
    return np.int32(np.round((offset - whole) * _ONE))


@kernel
def _mirrored_line(place: int, length: int) -> int:
    place %= 2 * length
    return place if place < length else 2 * length - 1 - place


@kernel
def slide_rows(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y, x] = images[i, y, x + offsets[i, y]]; uint8 `(n, h, w, 3)`, offsets `(n, h)`."""
    width = images.shape[2]
    line = np.empty(3 * (width + 1), np.uint8)
    for i in range(images.shape[0]):
        for y in range(images.shape[1]):
            whole = int(np.floor(offsets[i, y]))
            second = _weight(offsets[i, y], whole)
            first = np.int32(_ONE) - second
            place = whole % (2 * width)
            for x in range(width + 1):
                source = place if place < width else 2 * width - 1 - place
                place = place + 1 if place + 1 < 2 * width else 0
                line[3 * x] = images[i, y, source, 0]
                line[3 * x + 1] = images[i, y, source, 1]
                line[3 * x + 2] = images[i, y, source, 2]
            target = out[i, y].reshape(-1)
            behind = line[3:]
            for j in range(target.size):
                blend = np.int32(line[j]) * first + np.int32(behind[j]) * second + _HALF
                target[j] = np.uint8(blend >> _SHIFT)


@kernel
def move_rows(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y] = images[i, y + offsets[i]], whole rows at a time; offsets `(n,)`."""
    height = images.shape[1]
    for i in range(images.shape[0]):
        whole = int(np.floor(offsets[i]))
        second = _weight(offsets[i], whole)
        first = np.int32(_ONE) - second
        for y in range(height):
            above = images[i, _mirrored_line(y + whole, height)].reshape(-1)
            below = images[i, _mirrored_line(y + whole + 1, height)].reshape(-1)
            target = out[i, y].reshape(-1)
            for j in range(target.size):
                blend = np.int32(above[j]) * first + np.int32(below[j]) * second + _HALF
                target[j] = np.uint8(blend >> _SHIFT)


@kernel
def slide_columns(
    images: NDArray[np.uint8], offsets: NDArray[np.float64], out: NDArray[np.uint8]
) -> None:
    """out[i, y, x] = images[i, y + offsets[i, x], x]; uint8 `(n, h, w, 3)`, offsets `(n, w)`."""
    height, width = images.shape[1], images.shape[2]
    start = np.empty(width, np.int64)
    weight = np.empty(width, np.int32)
    for i in range(images.shape[0]):
        for x in range(width):
            whole = int(np.floor(offsets[i, x]))
            weight[x] = _weight(offsets[i, x], whole)
            start[x] = whole % (2 * height)
        for y in range(height):
            for x in range(width):
                place = start[x] + y
                place -= 2 * height if place >= 2 * height else 0
                above = place if place < height else 2 * height - 1 - place
                place += 1
                place -= 2 * height if place >= 2 * height else 0
                below = place if place < height else 2 * height - 1 - place
                second = weight[x]
                first = np.int32(_ONE) - second
                for c in range(3):
                    upper, lower = images[i, above, x, c], images[i, below, x, c]
                    blend = np.int32(upper) * first + np.int32(lower) * second + _HALF
                    out[i, y, x, c] = np.uint8(blend >> _SHIFT)
