"""Shear, translate, rotate: bilinear, with borders reflected about the edge of the last pixel.

The reflection is `d c b a | a b c d | d c b a` (OpenCV's BORDER_REFLECT), as in KerasCV's layers.
Revision 2 of shear and translation blends neighbours with 15-bit weights, without a general warp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import cv2
from corruptions.kernels.warp import slide_rows
from corruptions.registry import Draws, Images, Params, Values, steered
from corruptions.streams import Streams

_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_SOURCE = "KerasCV 0.9.0 RandomShear and RandomTranslation (matrices, reflection); own severities"
_SHEAR = (0.1, 0.3, 0.5, 0.65, 0.8)  # RandAugment at magnitude 0.5: 0.5 +- 0.15
_SHIFT = (0.08, 0.16, 0.25, 0.33, 0.4)  # the same: evenly in -0.5..0.5, 0.25 in the mean
_ANGLE = (10.0, 20.0, 40.0, 80.0, 140.0)  # not in KerasCV's RandAugment


def signed(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """The level, between 3/4 and 5/4 of it, in either direction."""
    return {"value": streams.signs() * level * streams.uniform(0.75, 1.25)}


@steered("geometry", _SHEAR, draw=signed, source=_SOURCE, revision=2)
def shear_x(images: Images, values: Values) -> Images:
    """Input column = x + value * y: about the top left corner, as KerasCV does. values: `(n,)`."""
    return _slide(images, values[:, None] * np.arange(images.shape[1]))


@steered("geometry", _SHEAR, draw=signed, source=_SOURCE, revision=2)
def shear_y(images: Images, values: Values) -> Images:
    """Input row = y + value * x. values: `(n,)`."""
    return _slide_down(images, values[:, None] * np.arange(images.shape[2]))


@steered("geometry", _SHIFT, draw=signed, source=_SOURCE, revision=2)
def translate_x(images: Images, values: Values) -> Images:
    """Move right by value * width. values: `(n,)`, negative to the left."""
    return _slide(images, np.repeat(-values[:, None] * images.shape[2], images.shape[1], axis=1))


@steered("geometry", _SHIFT, draw=signed, source=_SOURCE, revision=2)
def translate_y(images: Images, values: Values) -> Images:
    """Move down by value * height. values: `(n,)`, negative upwards."""
    return _slide_down(
        images, np.repeat(-values[:, None] * images.shape[1], images.shape[2], axis=1)
    )


@steered("geometry", _ANGLE, draw=signed, source="own, degrees")
def rotate(images: Images, values: Values) -> Images:
    """Turn counter-clockwise about the centre by value degrees. values: `(n,)`."""
    cos, sin = np.cos(np.radians(values)), np.sin(np.radians(values))
    x, y = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    matrices = np.stack(
        [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y], axis=-1
    ).reshape(-1, 2, 3)
    warped: Images = np.empty(images.shape, np.uint8)
    size = (images.shape[2], images.shape[1])
    for image, matrix, target in zip(images, matrices, warped, strict=True):
        cv2.warpAffine(image, matrix, size, dst=target, flags=_FLAGS, borderMode=cv2.BORDER_REFLECT)
    return warped


def _slide(images: Images, offsets: NDArray[np.float64]) -> Images:
    """Rows along themselves, by offsets `(n, h)`."""
    slid: Images = np.empty(images.shape, np.uint8)
    pixels = np.require(images, requirements=["C", "W", "E"])  # one type: compiled once
    slide_rows(pixels, np.ascontiguousarray(offsets, np.float64), slid)
    return slid


def _slide_down(images: Images, offsets: NDArray[np.float64]) -> Images:
    """Columns along themselves, by offsets `(n, w)`."""
    turned = _slide(images.transpose(0, 2, 1, 3), offsets)
    return np.ascontiguousarray(turned.transpose(0, 2, 1, 3))
