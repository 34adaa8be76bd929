"""A foreign picture blended into each image, with the operators of `corruptions.overlay`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

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
