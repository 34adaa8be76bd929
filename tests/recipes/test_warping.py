"""Where warps move an image, and what comes in from outside."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.recipes.augment import Warp, flipped

Images = NDArray[np.uint8]


def disc(count: int = 200, side: int = 96) -> Images:
    """A white disc of radius 20 in the middle of black."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    image = np.where(np.hypot(x, y) < 20, 255, 0).astype(np.uint8)
    return np.tile(image[None, ..., None], (count, 1, 1, 3))


@pytest.mark.parametrize(
    ("warp", "area", "moved"),
    [
        (Warp(), (1, 1), (0, 0)),
        (Warp(turn=180), (1, 1), (0, 0)),
        (Warp(flip=True), (1, 1), (0, 0)),
        (Warp(shift=0.2), (1, 1), (0.17, 0.2)),
        (Warp(scale=(0.75, 1.33)), (0.5625, 1.769), (0, 0)),
        (Warp(scale=(1.0, 1.4)), (1, 1.96), (0, 0)),
        (Warp(stretch=(0.75, 1.33)), (0.5625, 1.769), (0, 0)),
    ],
)
def test_warps_go_as_far_as_they_say(
    warp: Warp, area: tuple[float, float], moved: tuple[float, float]
) -> None:
    """Cells would leave the picture, or a range would mean something else than its name."""
    images = disc()
    light = warp(images, np.random.default_rng(0))[..., 0] / 255.0
    size = light.sum(axis=(1, 2)) / (images[0, ..., 0] / 255.0).sum()
    centre = np.tensordot(light.sum(axis=1), np.arange(96), 1) / light.sum(axis=(1, 2)) - 47.5
    assert area[0] - 0.03 <= size.min() <= area[0] + 0.1
    assert area[1] - 0.15 <= size.max() <= area[1] + 0.03
    assert moved[0] * 96 - 0.3 <= np.abs(centre).max() <= moved[1] * 96 + 0.3


def test_a_scale_keeps_the_form_and_a_stretch_does_not() -> None:
    """Round cells would become oval where only their size should change."""
    forms = []
    for warp in (Warp(scale=(0.75, 1.33)), Warp(stretch=(0.75, 1.33))):
        lit = warp(disc(), np.random.default_rng(0))[..., 0] > 127
        forms.append(lit.any(axis=1).sum(axis=1) / lit.any(axis=2).sum(axis=1))
    assert np.abs(forms[0] - 1).max() < 0.1
    assert forms[1].min() < 0.7
    assert forms[1].max() > 1.4


def test_shears_slant() -> None:
    """A2 would not hold what its name says."""
    image = np.zeros((1, 96, 96, 3), np.uint8)
    image[:, :, 46:50] = 255
    slanted = Warp(shear=0.2)(np.repeat(image, 50, axis=0), np.random.default_rng(0))
    columns = slanted[..., 0].argmax(axis=2)
    slope = (columns[:, 80] - columns[:, 16]) / 64
    assert 0.15 < np.abs(slope).max() <= 0.25
    assert slope.min() < 0 < slope.max()


def test_what_comes_in_is_reflected() -> None:
    """Black corners would tell the network that an image was turned."""
    grey = np.full((40, 96, 96, 3), 130, np.uint8)
    warp = Warp(180, 0.3, 0.3, (0.5, 2))
    assert (warp(grey, np.random.default_rng(0)) == 130).all()


def test_flips_give_the_four_mirror_images() -> None:
    """Flips would blend pixels, or leave one direction out."""
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    mirrors = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
    found = flipped(np.repeat(image[None], 64, axis=0), np.random.default_rng(1))
    counts = [sum(bool((one == mirror).all()) for one in found) for mirror in mirrors]
    assert sum(counts) == 64
    assert min(counts) > 5
