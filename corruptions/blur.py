"""Blurs: Gaussian, out of focus, through frosted glass, moving, zooming."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import blurs, cv2, levels, motion, warp
from corruptions.registry import DEFAULT_TABLE, LARGE_CHUNK_PIXELS, WHOLE, Draws, Images, corruption
from corruptions.streams import Streams

Glass = tuple[float, int, int]
# OpenCV rounds, the reference truncates. Not quite a half: whole levels, as of flat areas, stay.
_TRUNCATE = -0.4999
_NEAR = np.float32(1e-4)  # how close to a grey level a float32 sum of zooms counts as that level


@corruption("blur", tables=(DEFAULT_TABLE,), revision=2, chunk_pixels=WHOLE)
def gaussian_blur(images: Images, sigma: float, _draws: Draws) -> Images:
    """Smooth with a Gaussian cut off at 4 sigma. sigma: pixels. Edges are repeated."""
    taps = cv2.getGaussianKernel(2 * math.floor(4 * sigma + 0.5) + 1, sigma)
    out = np.empty_like(images)
    for image, target in zip(images, out, strict=True):
        cv2.sepFilter2D(
            image, -1, taps, taps, dst=target, delta=_TRUNCATE, borderType=cv2.BORDER_REPLICATE
        )
    return out


def draw_neighbours(streams: Streams, size: tuple[int, int], params: Glass) -> Draws:
    """`neighbour`: uint8 `(n, rounds, h - 2 * reach, w - 2 * reach)`, see `scatter`."""
    _, reach, rounds = params
    bits = streams.bits32(rounds, size[0] - 2 * reach, size[1] - 2 * reach)
    scaled = bits.astype(np.uint64) * np.uint64((2 * reach) ** 2) >> np.uint64(32)
    return {"neighbour": scaled.astype(np.uint8)}


@corruption("blur", tables=(DEFAULT_TABLE,), draw=draw_neighbours)
def glass_blur(images: Images, params: Glass, draws: Draws) -> Images:
    """Smooth, scatter the pixels, smooth again, as through frosted glass.

    params: sigma of both blurs (pixels), reach of the scatter (pixels), number of rounds.
    The reference means to swap each pixel with a neighbour -reach..reach-1 away, but copies the
    neighbour, so pixels get lost; that is followed here.
    """
    sigma, reach, _ = params
    rows = blurs.gaussian(images, sigma).reshape(-1, images.shape[2], 3)
    padded = cv2.cvtColor(rows, cv2.COLOR_RGB2RGBA)  # so that a pixel is a number
    warp.scatter(padded.view(np.uint32).reshape(images.shape[:3]), reach, draws["neighbour"])
    scattered = np.asarray(cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB), np.uint8)
    return blurs.gaussian(scattered.reshape(images.shape), sigma)


@corruption("blur", tables=(DEFAULT_TABLE,))
def defocus_blur(images: Images, params: tuple[float, float], _draws: Draws) -> Images:
    """Average over a disk, as a lens out of focus does.

    params: radius of the disk, sigma that softens its edge (both pixels). Edges are reflected.
    """
    return blurs.disk(images, *params)


def draw_angle(streams: Streams, _size: tuple[int, int], _params: tuple[int, float]) -> Draws:
    """`angle`: degrees, uniform in -45..45, `(n,)`."""
    return {"angle": streams.uniform(-45, 45)}


@corruption("blur", tables=(DEFAULT_TABLE,), draw=draw_angle, revision=2)
def motion_blur(images: Images, params: tuple[int, float], draws: Draws) -> Images:
    """Smear to one side along a line, fading like half a Gaussian.

    params: radius (2 * radius + 1 copies, a pixel apart) and sigma of the fading, in pixels.
    Edges are repeated. In a small image the copies that would leave it are dropped and the rest
    is not made brighter, as in the reference.
    """
    return motion.smear(images, params, draws["angle"], np.float64).astype(np.uint8)


def zoom_factors(row: tuple[float, float]) -> tuple[float, ...]:
    """From 1 on, by a row of the table: (last, step)."""
    return tuple(np.arange(1, *row).tolist())


@corruption("blur", tables=(DEFAULT_TABLE,), read=zoom_factors, chunk_pixels=LARGE_CHUNK_PIXELS)
def zoom_blur(images: Images, factors: tuple[float, ...], _draws: Draws) -> Images:
    """The mean of the image and of its zooms by `factors`, as a camera that closes in.

    The reference cuts each zoom from its top left corner, not from its middle: the layers drift
    by up to two pixels.
    """
    count, height, width, _ = images.shape
    pixels = cv2.transpose(images.reshape(count, height * width, 3))
    values = pixels.reshape(height * width, count * 3).astype(np.float32)
    mean = motion.zoom_mean(height, width, factors) @ values
    out = np.empty(values.shape, np.uint8)
    levels.settle(mean.reshape(-1), _NEAR, _flat_levels(len(factors)), out.reshape(-1))
    back = cv2.transpose(out.reshape(height * width, count, 3))
    return np.asarray(back, np.uint8).reshape(images.shape)


@functools.cache
def _flat_levels(layers: int) -> NDArray[np.uint8]:
    """Each grey level after the reference's float32 sum and mean of equal layers."""
    unit = (np.arange(256) / 255).astype(np.float32)
    total = np.zeros_like(unit)
    for _ in range(layers):
        total += unit
    mean = (unit + total) / np.float32(layers + 1)
    shown: NDArray[np.float32] = np.minimum(mean, np.float32(1)) * np.float32(255)
    return shown.astype(np.uint8)
