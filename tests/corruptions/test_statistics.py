"""Our own random numbers give the reference's distributions."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from corruptions.registry import Images, corrupt, get
from corruptions.streams import Streams, streams
from tests.corruptions.drawn_pictures import drawn

NOISES = ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")
SPATIAL = ("glass_blur", "motion_blur", "snow", "frost", "fog", "spatter", "elastic_transform")
LEVELS = (0, 3, 40, 128, 200, 254)
FEWEST = 20  # expected counts in a cell of a chi-square test
# Seeds are fixed, so a test passes always or never; 1e-4 over some 100 tests is no lucky draw.
SMALLEST_P = 1e-4


def flat(level: int, count: int) -> Images:
    """Images of one grey level, `(count, 64, 64, 3)`."""
    return np.full((count, 64, 64, 3), level, np.uint8)


def histogram(images: Images) -> NDArray[np.int64]:
    """How often each of the 256 levels occurs."""
    return np.bincount(images.reshape(-1), minlength=256)


def same_distribution(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
    """The p-value of a two-sample chi-square test, rare levels taken together."""
    both = ours + theirs
    common = both >= 2 * FEWEST
    table = np.array([[*side[common], side[~common].sum()] for side in (ours, theirs)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] == 1:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", NOISES)
def test_noise_per_grey_level(name: str, severity: int) -> None:
    """Our noise would be of another strength or shape than ImageNet-C's."""
    for level in LEVELS:
        ours = corrupt(flat(level, 40), name, severity, seed=level)
        theirs = corrupt(flat(level, 40), name, severity, seed=level, engine="reference")
        assert same_distribution(histogram(ours), histogram(theirs)) > SMALLEST_P
        spread = theirs.std() / np.sqrt(theirs.size)
        assert abs(ours.mean() - theirs.mean()) <= 6 * spread
        assert ours.std() == pytest.approx(theirs.std(), rel=0.02, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", NOISES)
def test_noise_in_millions(name: str, severity: int) -> None:
    """A coarse table of quantiles would show only now: one of 16 bits does."""
    ours = corrupt(flat(128, 600), name, severity, seed=8)
    theirs = corrupt(flat(128, 600), name, severity, seed=8, engine="reference")
    assert same_distribution(histogram(ours), histogram(theirs)) > SMALLEST_P


def measures(images: Images, before: Images) -> dict[str, NDArray[np.float64]]:
    """A few numbers about each corrupted image."""
    values = images.astype(np.float64)
    change = np.abs(values - before)
    return {
        "mean change": change.mean(axis=(1, 2, 3)),
        "spread of change": change.std(axis=(1, 2, 3)),
        "mean": values.mean(axis=(1, 2, 3)),
        "spread": values.std(axis=(1, 2, 3)),
        "roughness across": np.abs(np.diff(values, axis=2)).mean(axis=(1, 2, 3)),
        "roughness down": np.abs(np.diff(values, axis=1)).mean(axis=(1, 2, 3)),
    }


def assert_alike(name: str, severity: int, count: int) -> None:
    """Kolmogorov and Smirnov's two-sample test on each measure, over `count` images of a picture."""
    before = np.repeat(drawn(48, 48)[:1], count, axis=0)
    seed = zlib.crc32(name.encode()) % 1000
    ours = measures(corrupt(before, name, severity, seed), before)
    theirs = measures(corrupt(before, name, severity, seed + 1, engine="reference"), before)
    for measure, values in ours.items():
        assert stats.ks_2samp(values, theirs[measure]).pvalue > SMALLEST_P, measure


@pytest.mark.parametrize("name", SPATIAL)
def test_images_are_alike(name: str) -> None:
    """Our random layers, angles or shifts would be of another kind than ImageNet-C's."""
    assert_alike(name, 3, 250)


@pytest.mark.slow
@pytest.mark.parametrize("severity", [1, 2, 4, 5])
@pytest.mark.parametrize("name", SPATIAL)
def test_more_images_are_alike(name: str, severity: int) -> None:
    """As above, for the other severities."""
    assert_alike(name, severity, 500)


def long_streams(count: int = 8) -> Streams:
    """Streams to draw much from."""
    return streams(4, "statistics", np.arange(count))


def test_normals_are_normal() -> None:
    """Every noise would be biased, most of all in its tails."""
    drawn_numbers = long_streams().normal32(300_000)
    assert drawn_numbers.dtype == np.float32
    ranks = stats.norm.cdf(drawn_numbers.astype(np.float64).reshape(-1))
    counts = np.histogram(ranks, bins=4096, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > SMALLEST_P
    beyond = [float((np.abs(drawn_numbers) > limit).sum()) for limit in (3, 4, 4.5)]
    expected = [2 * stats.norm.sf(limit) * drawn_numbers.size for limit in (3, 4, 4.5)]
    for found, mean in zip(beyond, expected, strict=True):
        assert abs(found - mean) < 4.5 * np.sqrt(mean)


def test_neighbouring_numbers_are_independent() -> None:
    """Noise would show a pattern: the two normals of a pair, the next pixel, the next image."""
    numbers = long_streams().normal32(200_000).astype(np.float64)
    half = numbers.shape[1] // 2
    pairs = {
        "pair": (numbers[:, :half], numbers[:, half:]),
        "squares": (numbers[:, :half] ** 2, numbers[:, half:] ** 2),
        "next": (numbers[:, :-1], numbers[:, 1:]),
        "image": (numbers[:-1], numbers[1:]),
    }
    for name, (one, other) in pairs.items():
        correlation = np.corrcoef(one.reshape(-1), other.reshape(-1))[0, 1]
        assert abs(correlation) < 4.5 / np.sqrt(one.size), name


def test_uniforms_are_uniform_and_open() -> None:
    """Displacements and fog would be biased; an exact 0 or 1 would break a logarithm."""
    numbers = long_streams().uniform32(200_001)
    assert numbers.shape == (8, 200_001)
    assert numbers.min() > 0
    assert numbers.max() < 1
    assert stats.chisquare(np.histogram(numbers, bins=1024, range=(0, 1))[0]).pvalue > SMALLEST_P


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_streams_continue_where_they_stopped(count: int) -> None:
    """Two layers of one image would share their random numbers."""
    one, all_at_once = long_streams(), long_streams()
    parts = [one.bits32(count), one.bits32(count)]
    even = count + count % 2
    whole = all_at_once.bits32(2 * even)
    assert np.array_equal(parts[0], whole[:, :count])
    assert np.array_equal(parts[1], whole[:, even : even + count])
    alone = Streams(long_streams().keys[3:4])
    assert np.array_equal(alone.bits32(count), parts[0][3:4])


@pytest.mark.parametrize(("severity", "share"), [(1, 0.03), (5, 0.27)])
def test_salt_and_pepper_are_equal(severity: int, share: float) -> None:
    """Impulse noise would brighten or darken."""
    noisy = corrupt(flat(100, 100), "impulse_noise", severity)
    salt, pepper = (noisy == 255).mean(), (noisy == 0).mean()
    error = 4.5 * np.sqrt(share / noisy.size)
    assert abs(salt - share / 2) < error
    assert abs(pepper - share / 2) < error


@pytest.mark.parametrize(("severity", "reach", "rounds"), [(1, 1, 2), (4, 3, 2), (5, 4, 2)])
def test_glass_neighbours_are_uniform(severity: int, reach: int, rounds: int) -> None:
    """Glass would smear to one side more than the reference does."""
    operator = get("glass_blur")
    drawn_numbers = operator.draw(long_streams(4), (96, 96), operator.severities[severity - 1])
    neighbours = drawn_numbers["neighbour"]
    assert neighbours.shape == (4, rounds, 96 - 2 * reach, 96 - 2 * reach)
    counts = np.bincount(neighbours.reshape(-1), minlength=(2 * reach) ** 2)
    assert counts.size == (2 * reach) ** 2
    assert stats.chisquare(counts).pvalue > SMALLEST_P
