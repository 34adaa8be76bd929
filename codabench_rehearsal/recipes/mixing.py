"""CutMix and MixUp: two images of a batch become one, and so do their targets.

As in KerasCV 0.9.0 (`cut_mix.py`, `mix_up.py`), with its defaults: shares from Beta(1, 1) and from
Beta(0.2, 0.2), partners by a permutation of the batch. Two differences: CutMix's target counts
the pixels that were replaced, where KerasCV counts the whole box, also what lies outside the image;
and `cut_mix_or_mix_up` draws for every image, where its guide draws for the whole batch.

Sources: Yun et al., ICCV 2019 (CutMix); Zhang et al., ICLR 2018 (MixUp).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]
Floats = NDArray[np.float64]
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
