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
