"""Sampling every pixel somewhere else: displaced, scattered, slid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Bytes, Reals, kernel

_ONE = 1 << 15  # of the weights of two neighbours that are blended
_HALF, _SHIFT = np.int32(1 << 14), np.int32(15)


@kernel
def displace(framed: Reals, dy: Reals, dx: Reals, alpha: float, out: Bytes) -> None:
    """Pixel (y, x) of uint8 `(n, h, w, 3)` comes from (y + alpha * dy, x + alpha * dx), bilinearly.

    framed: the images as 0..1 with their edges repeated once, `(n, h + 2, w + 2, 3)`; float32 kept
    as float64 like the weights, which saves conversions. Displacements are float64 `(n, h, w)`; the
    products are rounded to float32 first. Outside, the image is mirrored with its edge repeated.
    """
    height, width = out.shape[1], out.shape[2]
    corners = np.empty(width, np.int32)
    low, right = np.empty(width), np.empty(width)
    line = np.empty(width * 3, np.float32)
    for image in range(out.shape[0]):
        for y in range(height):
            _locate(y, dy[image, y], dx[image, y], alpha, height, corners, low, right)
            _sample(framed[image].reshape(-1), width + 2, corners, low, right, line)
            target = out[image, y].reshape(-1)
            for x in range(line.size):
                value = min(line[x], np.float32(1)) * np.float32(255)
                target[x] = np.uint8(np.int32(value))


@kernel
def _locate(
    y: int,
    dy: Reals,
    dx: Reals,
    alpha: float,
    height: int,
    corners: NDArray[np.int32],
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
    framed: Reals,
    stride: int,
    corners: NDArray[np.int32],
    low: Reals,
    right: Reals,
    out: NDArray[np.float32],
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


@kernel
def scatter(pixels: NDArray[np.uint32], reach: int, choices: Bytes) -> None:
    """Glass: every pixel of `(n, h, w)` takes over a neighbour, from the last one to the first.

    choices: `(n, rounds, h - 2 * reach, w - 2 * reach)`, the neighbour as
    (dy + reach) * 2 * reach + dx + reach with dy and dx in -reach..reach-1.
    """
    width, side = pixels.shape[2], 2 * reach
    offsets = np.empty(side * side, np.int64)
    for choice in range(side * side):
        offsets[choice] = (choice // side - reach) * width + choice % side - reach
    for image in range(pixels.shape[0]):
        for turn in range(choices.shape[1]):
            _one_round(pixels[image].reshape(-1), width, reach, offsets, choices[image, turn])


@kernel
def _one_round(
    pixels: NDArray[np.uint32], width: int, reach: int, offsets: NDArray[np.int64], choices: Bytes
) -> None:
    for row in range(choices.shape[0]):
        start = (choices.shape[0] + reach - row) * width + width - reach
        for column in range(choices.shape[1]):
            pixel = start - column
            pixels[pixel] = pixels[pixel + offsets[choices[row, column]]]


@kernel
def slide_rows(images: Bytes, offsets: Reals, out: Bytes) -> None:
    """out[i, y, x] = images[i, y, x + offsets[i, y]]; uint8 `(n, h, w, 3)`, offsets `(n, h)`.

    Every pixel of a line moves alike: two neighbours are blended with weights that are fixed for
    the line (15 bits, rounded). Borders are reflected about the last pixel's edge, over and over.
    """
    width = images.shape[2]
    line = np.empty(3 * (width + 1), np.uint8)
    for i in range(images.shape[0]):
        for y in range(images.shape[1]):
            whole = int(np.floor(offsets[i, y]))
            second = np.int32(np.round((offsets[i, y] - whole) * _ONE))
            first = np.int32(_ONE) - second
            place = whole % (2 * width)
            for x in range(width + 1):
                source = place if place < width else 2 * width - 1 - place
                place = place + 1 if place + 1 < 2 * width else 0
                line[3 * x] = images[i, y, source, 0]
                line[3 * x + 1] = images[i, y, source, 1]
                line[3 * x + 2] = images[i, y, source, 2]
            target, behind = out[i, y].reshape(-1), line[3:]
            for j in range(target.size):
                blend = np.int32(line[j]) * first + np.int32(behind[j]) * second + _HALF
                target[j] = np.uint8(blend >> _SHIFT)
