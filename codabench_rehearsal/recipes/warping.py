"""Flips, turns, stretches and the like: one affine warp an image, each image its own draw.

Warps are bilinear. What comes in from outside is the image reflected about the edge of its last
pixel, `d c b a | a b c d | d c b a` (OpenCV's BORDER_REFLECT), as in `corruptions` and in KerasCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Warp:
    """How far an image may be moved; every image draws its own values, evenly.

    turn: degrees, either way. shift: along each axis, either way, as a share of the side. shear:
    along each axis, either way, pixels aside for each pixel along. scale: least and most
    enlargement of the whole image; stretch: of each axis by itself; both evenly in their
    logarithm. flip: mirrored in each axis with probability one half.
    """

    turn: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    stretch: tuple[float, float] = (1.0, 1.0)
    flip: bool = False


def flipped(images: Images, rng: np.random.Generator) -> Images:
    """Mirror each image left-right and top-bottom with probability one half; no pixel is blended."""
    mirrored = images.copy()
    for axis in (1, 2):
        chosen = rng.random(len(images)) < 0.5
        mirrored[chosen] = np.flip(mirrored[chosen], axis)
    return mirrored


def warped(images: Images, warp: Warp, rng: np.random.Generator) -> Images:
    """Each image under its own affine map about its centre; uint8 `(n, h, w, 3)`."""
    import cv2

    height, width = images.shape[1:3]
    matrices = _matrices(len(images), (height, width), warp, rng)
    moved: Images = np.empty(images.shape, np.uint8)
    for image, matrix, target in zip(images, matrices, moved, strict=True):
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
    return moved


def _matrices(count: int, size: tuple[int, int], warp: Warp, rng: np.random.Generator) -> Floats:
    """From a pixel of the result to its source, x before y: `(n, 2, 3)`."""
    angle = np.radians(rng.uniform(-warp.turn, warp.turn, count))
    shear = rng.uniform(-warp.shear, warp.shear, (count, 2))
    shift = rng.uniform(-warp.shift, warp.shift, (count, 2)) * size[::-1]
    factor = _factors(warp.scale, (count, 1), rng) * _factors(warp.stretch, (count, 2), rng)
    signs = rng.choice((-1.0, 1.0), (count, 2)) if warp.flip else 1.0
    linear = _turns(angle) @ _shears(shear) * (signs / factor)[:, None, :]
    centre = (np.array(size[::-1]) - 1) / 2
    offset = centre - linear @ centre - shift
    return np.concatenate([linear, offset[..., None]], axis=2)


def _factors(
    bounds: tuple[float, float], shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    drawn: Floats = np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), shape))
    return drawn


def _turns(angle: Floats) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)


def _shears(shear: Floats) -> Floats:
    one = np.ones(len(shear))
    return np.stack([one, shear[:, 0], shear[:, 1], one], axis=1).reshape(-1, 2, 2)
