"""Noise, one value of one channel at a time: gaussian, shot, impulse and speckle."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import levels
from corruptions.registry import DEFAULT_TABLE, Draws, Images, corruption
from corruptions.streams import Streams

Levels = NDArray[np.uint32]


def draw_normals(streams: Streams, size: tuple[int, int], _sd: float) -> Draws:
    """`normal`: standard normals, float32 `(n, h, w, 3)`."""
    return {"normal": streams.normal32(*size, 3)}


def draw_bits(streams: Streams, size: tuple[int, int], _params: float) -> Draws:
    """`bits`: uniform 32-bit integers `(n, h, w, 3)`."""
    return {"bits": streams.bits32(*size, 3)}


@corruption("noise", tables=(DEFAULT_TABLE,), draw=draw_normals)
def gaussian_noise(images: Images, sd: float, draws: Draws) -> Images:
    """Add normal noise, as of a sensor in poor light. sd: in units of the full range (255)."""
    return np.clip(images + draws["normal"] * np.float32(255 * sd), 0, 255).astype(np.uint8)


@corruption("noise", tables=(DEFAULT_TABLE,), draw=draw_bits)
def shot_noise(images: Images, photons: int, draws: Draws) -> Images:
    """Count photons instead of measuring light. photons: the mean count of a white value.

    A value x in 0..1 becomes Poisson(photons * x) / photons. `bits` is the quantile of that
    count, in units of 2**-32 of which the top 24 bits are used.
    """
    out = np.empty_like(images)
    guide, bounds = _poisson_levels(photons)
    bits = draws["bits"].reshape(-1)
    levels.look_up_quantile(images.reshape(-1), bits, guide, bounds, out.reshape(-1))
    return out


@corruption("noise", tables=(DEFAULT_TABLE,), draw=draw_bits)
def impulse_noise(images: Images, share: float, draws: Draws) -> Images:
    """Salt and pepper. share: of the channel values (not pixels) that become 0 or 255, 1:1.

    `bits` below share * 2**32 strike; their lowest bit says salt.
    """
    out = np.empty_like(images)
    limit = np.uint32(share * 2**32)
    levels.replace(images.reshape(-1), draws["bits"].reshape(-1), limit, out.reshape(-1))
    return out


@corruption("noise", tables=(DEFAULT_TABLE,), draw=draw_normals)
def speckle_noise(images: Images, sd: float, draws: Draws) -> Images:
    """Multiply by 1 + normal noise, as of coherent light. sd: a factor, so black stays black."""
    added = images * (draws["normal"] * np.float32(sd))
    return np.clip(images + added, 0, 255).astype(np.uint8)


@functools.cache
def _poisson_levels(photons: int) -> tuple[Levels, Levels]:
    """Guide and bounds for `look_up_quantile`: a row for each grey level's Poisson count."""
    bounds = _level_bounds(photons)
    quantiles = np.arange(256, dtype=np.uint32) << 16
    below = np.stack([np.searchsorted(row, quantiles, "right") for row in bounds])
    above = np.stack([np.searchsorted(row, quantiles + 0xFFFF, "right") for row in bounds])
    lowest = np.take_along_axis(bounds, below, axis=1)
    highest = np.take_along_axis(bounds, np.maximum(above - 1, below), axis=1)
    one_bound = (below << 24) | (above << 16) | (lowest & 0xFFFF)
    guide = np.where(lowest == highest, one_bound, (above << 24) | (below << 16))
    return guide.astype(np.uint32), bounds


def _level_bounds(photons: int) -> Levels:
    """P(level <= column) * 2**24, `(256, 256)`: rows are grey levels before, columns after."""
    from scipy.special import pdtr  # Poisson's distribution function; scipy.stats loads slowly

    counts = np.arange(photons + 1)
    after = np.minimum(counts / photons, 1) * 255  # truncated below, like the reference
    largest = np.searchsorted(after.astype(np.uint8), np.arange(256), "right") - 1
    means = np.arange(256)[:, None] / 255 * photons
    chances = pdtr(counts[None, :-1], means)
    chances = np.concatenate([chances, np.ones((256, 1))], axis=1)
    return np.round(chances[:, largest] * 2**24).astype(np.uint32)
