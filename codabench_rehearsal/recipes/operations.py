"""Flips, turns, stretches and the like: one affine warp an image, each image its own draw.

Warps are bilinear. What comes in from outside is the image reflected about the edge of its last
pixel, `d c b a | a b c d | d c b a` (OpenCV's BORDER_REFLECT), as in `corruptions` and in KerasCV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


# CutMix and MixUp: two images of a batch become one, and so do their targets.
#
# As in KerasCV 0.9.0 (`cut_mix.py`, `mix_up.py`), with its defaults: shares from Beta(1, 1) and from
# Beta(0.2, 0.2), partners by a permutation of the batch. Two differences: CutMix's target counts
# the pixels that were replaced, where KerasCV counts the whole box, also what lies outside the image;
# and `cut_mix_or_mix_up` draws for every image, where its guide draws for the whole batch.
#
# Sources: Yun et al., ICCV 2019 (CutMix); Zhang et al., ICLR 2018 (MixUp).


Targets = NDArray[np.float32]
Mixed = tuple[Images, Targets]

CUT_MIX_ALPHA = 1.0
MIX_UP_ALPHA = 0.2


def cut_mix(images: Images, targets: Targets, rng: np.random.Generator) -> Mixed:
    """A rectangle of another image in place of one's own; targets by the pixels that remain."""
    count, (height, width) = len(images), images.shape[1:3]
    partners = rng.permutation(count)
    side = np.sqrt(1 - rng.beta(CUT_MIX_ALPHA, CUT_MIX_ALPHA, count))
    top, bottom = _span(side, height, rng)
    left, right = _span(side, width, rng)
    mixed = images.copy()
    for row, partner in enumerate(partners):
        box = (slice(top[row], bottom[row]), slice(left[row], right[row]))
        mixed[row][box] = images[partner][box]
    replaced = (bottom - top) * (right - left) / (height * width)
    return mixed, _mixed_targets(targets, partners, 1 - replaced)


def mix_up(images: Images, targets: Targets, rng: np.random.Generator) -> Mixed:
    """Blend with another image, share * own + (1 - share) * other, rounded; targets by the share."""
    import cv2

    partners = rng.permutation(len(images))
    shares = rng.beta(MIX_UP_ALPHA, MIX_UP_ALPHA, len(images))
    mixed: Images = np.empty(images.shape, np.uint8)
    for row, (partner, share) in enumerate(zip(partners, shares, strict=True)):
        cv2.addWeighted(images[row], share, images[partner], 1 - share, 0.0, dst=mixed[row])
    return mixed, _mixed_targets(targets, partners, shares)


def cut_mix_or_mix_up(images: Images, targets: Targets, rng: np.random.Generator) -> Mixed:
    """One or the other, each with probability one half, image by image."""
    cut, cut_targets = cut_mix(images, targets, rng)
    mixed, mixed_targets = mix_up(images, targets, rng)
    chosen = rng.random(len(images)) < 0.5
    cut[chosen], cut_targets[chosen] = mixed[chosen], mixed_targets[chosen]
    return cut, cut_targets


def _span(
    share: Floats, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel and the one after the last, along one axis: centred anywhere, cut at the edges."""
    length = (share * size).astype(np.int64)
    start = rng.integers(0, size, len(share)) - length // 2
    return np.clip(start, 0, size), np.clip(start + length, 0, size)


def _mixed_targets(targets: Targets, partners: NDArray[np.int64], shares: Floats) -> Targets:
    own = shares[:, None]
    mixed: Targets = (own * targets + (1 - own) * targets[partners]).astype(np.float32)
    return mixed


# A foreign picture blended into each image, with the operators of `corruptions.overlay`.


SHARES = (0.1, 0.6)
"""Of the picture, drawn evenly. Ours: the reports give none; beyond, the cell can hardly be seen."""


def convex(images: Images, rng: np.random.Generator, pictures: Images | None = None) -> Images:
    """Mix: (1 - share) * image + share * picture; pictures as in `pictures_for`."""
    from corruptions.overlay import blend_convex

    return _blended(blend_convex, images, rng, pictures)


def multiplicative(
    images: Images, rng: np.random.Generator, pictures: Images | None = None
) -> Images:
    """Shade: image * ((1 - share) + share * picture / 255); pictures as in `pictures_for`."""
    from corruptions.overlay import blend_multiplicative

    return _blended(blend_multiplicative, images, rng, pictures)


def pictures_for(
    images: Images, rng: np.random.Generator, pictures: Images | None = None
) -> Images:
    """One picture an image, of its size: drawn ones, half of them replaced by the given ones.

    pictures: uint8 `(k, h, w, 3)` of the images' size, or None.
    """
    from corruptions.pictures import draw_pictures
    from corruptions.streams import Streams

    count, size = len(images), (images.shape[1], images.shape[2])
    keys = rng.integers(0, 2**64, count, dtype=np.uint64)
    drawn = draw_pictures(Streams(keys), size)
    if pictures is not None and len(pictures):
        rows = np.flatnonzero(rng.random(count) < 0.5)
        drawn[rows] = pictures[rng.integers(0, len(pictures), len(rows))]
    return drawn


def _blended(
    blend: Callable[[Images, Any, dict[str, Images]], Images],
    images: Images,
    rng: np.random.Generator,
    pictures: Images | None,
) -> Images:
    shares = rng.uniform(*SHARES, len(images))
    drawn = pictures_for(images, rng, pictures)
    each = [
        blend(images[row : row + 1], share, {"picture": drawn[row : row + 1]})
        for row, share in enumerate(shares)
    ]
    return np.concatenate(each)
