"""Augmentations of a batch in training: uint8 in and out, each image its own draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def flips(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Mirror each image left-right and top-bottom with probability one half; `(n, h, w, c)`."""
    mirrored = images.copy()
    for axis in (1, 2):
        chosen = rng.random(len(images)) < 0.5
        mirrored[chosen] = np.flip(mirrored[chosen], axis)
    return mirrored
