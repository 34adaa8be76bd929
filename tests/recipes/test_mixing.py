"""CutMix, MixUp and overlays: what is blended with what, and by which share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from codabench_rehearsal.recipes import augment
from codabench_rehearsal.recipes.augment import augmented

Images = NDArray[np.uint8]


def flat(levels: NDArray[np.int64], side: int = 32) -> Images:
    """Images of one grey level each."""
    return np.tile(levels.astype(np.uint8)[:, None, None, None], (1, side, side, 3))


def test_cut_mix_counts_pixels() -> None:
    """Targets would tell of an area that lies outside the image, as KerasCV's do."""
    levels = np.arange(60)
    targets = np.eye(60, dtype=np.float32)
    images, mixed = augment.cut_mix(flat(levels), targets, np.random.default_rng(0))
    shares = (images[..., 0, None] == levels).mean(axis=(1, 2))
    np.testing.assert_allclose(mixed, shares, atol=1e-6)
    assert (images == images[..., :1]).all()
    assert 0.1 < mixed.diagonal().mean() < 0.9


def test_cut_mix_pastes_what_stood_there() -> None:
    """The rectangle would come from another place of the other image."""
    rows = np.arange(40)[:, None, None, None]
    gradient = np.tile(np.arange(32, dtype=np.uint8)[None, :, None, None], (40, 1, 32, 3))
    images = (gradient + 32 * (rows % 4)).astype(np.uint8)
    mixed, _ = augment.cut_mix(images, np.eye(40, dtype=np.float32), np.random.default_rng(0))
    assert (mixed % 32 == gradient).all()


def test_mix_up_blends_by_its_targets() -> None:
    """Targets would tell of another share than the one that is to be seen."""
    levels = np.arange(0, 240, 4)
    images, mixed = augment.mix_up(
        flat(levels), np.eye(60, dtype=np.float32), np.random.default_rng(0)
    )
    assert np.abs(images - (mixed @ levels)[:, None, None, None]).max() <= 0.51
    assert ((mixed > 0).sum(axis=1) == 2).sum() > 30


def test_mix_ups_shares_are_kerascvs() -> None:
    """Nearly all images would be evenly mixed, where the team's were nearly all their own."""
    count = 1500
    images = np.zeros((count, 1, 1, 3), np.uint8)
    _, mixed = augment.mix_up(images, np.eye(count, dtype=np.float32), np.random.default_rng(1))
    own = mixed.diagonal()
    assert stats.kstest(own[own < 1], stats.beta(0.2, 0.2).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("overlay_convex", 115.5, 193), ("overlay_multiplicative", 40, 90)],
)
def test_given_pictures_are_blended_in(name: str, least: float, most: float) -> None:
    """Pictures that were taken out of the file's outliers would never be seen again."""
    level = 255 if name == "overlay_convex" else 0
    targets = np.eye(8, dtype=np.float32)[np.zeros(200, int)]
    rng = np.random.default_rng(0)
    picture = flat(np.array([level]))
    images, _ = augmented((name,), flat(np.full(200, 100)), targets, rng, picture)
    given = images[(images == images[:, :1, :1]).all(axis=(1, 2, 3)), 0, 0, 0]
    assert 70 < len(given) < 130
    assert least - 1 <= given.min() < given.max() <= most + 1
    assert np.ptp(given) > 0.8 * (most - least)
