"""Blurs: Gaussian, out of focus, through frosted glass, moving, zooming."""

from __future__ import annotations

import math

import numpy as np

from corruptions._cv import cv2
from corruptions.kernels import disk, gaussian, motion, warp
from corruptions.registry import WHOLE, Draws, Images, corruption
from corruptions.streams import Streams

TABLE = "imagecorruptions"
SOURCE = "Hendrycks and Dietterich, ICLR 2019 (ImageNet-C), as in imagecorruptions-imaug 1.1.5"

Glass = tuple[float, int, int]
# OpenCV rounds, the reference truncates. Not quite a half: whole levels, as of flat areas, stay.
_TRUNCATE = -0.4999


@corruption("blur", (1, 2, 3, 4, 6), table=TABLE, source=SOURCE, revision=2, chunk_pixels=WHOLE)
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
    chosen = np.empty(bits.shape, np.uint8)
    warp.scale_bits(bits.reshape(-1), (2 * reach) ** 2, chosen.reshape(-1))
    return {"neighbour": chosen}


@corruption(
    "blur",
    ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    table=TABLE,
    source=SOURCE,
    draw=draw_neighbours,
)
def glass_blur(images: Images, params: Glass, draws: Draws) -> Images:
    """Smooth, scatter the pixels, smooth again, as through frosted glass.

    params: sigma of both blurs (pixels), reach of the scatter (pixels), number of rounds.
    The reference means to swap each pixel with a neighbour -reach..reach-1 away, but copies the
    neighbour, so pixels get lost; that is followed here.
    """
    sigma, reach, _ = params
    out = gaussian.blur(images, sigma)
    warp.scatter(out, reach, draws["neighbour"])
    return gaussian.blur(out, sigma)


@corruption("blur", ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)), table=TABLE, source=SOURCE)
def defocus_blur(images: Images, params: tuple[float, float], _draws: Draws) -> Images:
    """Average over a disk, as a lens out of focus does.

    params: radius of the disk, sigma that softens its edge (both pixels). Edges are reflected.
    """
    out = np.empty_like(images)
    shape = disk.disk(*params)
    runs = shape.reach, shape.starts, shape.rows, shape.weights
    disk.blur_by_runs(images, shape.radius, *runs, shape.near, shape.shift, out)
    return out


def draw_angle(streams: Streams, _size: tuple[int, int], _params: tuple[int, float]) -> Draws:
    """`angle`: degrees, uniform in -45..45, `(n,)`."""
    return {"angle": streams.uniform(-45, 45)}


@corruption(
    "blur",
    ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    table=TABLE,
    source=SOURCE,
    draw=draw_angle,
)
def motion_blur(images: Images, params: tuple[int, float], draws: Draws) -> Images:
    """Smear to one side along a line, fading like half a Gaussian.

    params: radius (2 * radius + 1 copies, a pixel apart) and sigma of the fading, in pixels.
    Edges are repeated. In a small image the copies that would leave it are dropped and the rest
    is not made brighter, as in the reference.
    """
    count, height, width, _ = images.shape
    weights = motion.fading_weights(*params)
    places, counts = motion.shifts(len(weights), draws["angle"], height, width)
    out = np.empty_like(images)
    lines = images.reshape(count, height, width * 3)
    motion.smear_images(lines, places, counts, weights, out.reshape(lines.shape))
    return out


def _zooms(stop: float, step: float) -> tuple[float, ...]:
    return tuple(np.arange(1, stop, step).tolist())


@corruption(
    "blur",
    (
        _zooms(1.11, 0.01),
        _zooms(1.16, 0.01),
        _zooms(1.21, 0.02),
        _zooms(1.26, 0.02),
        _zooms(1.31, 0.03),
    ),
    table=TABLE,
    source=SOURCE,
)
def zoom_blur(images: Images, factors: tuple[float, ...], _draws: Draws) -> Images:
    """The mean of the image and of its zooms by `factors`, as a camera that closes in.

    The reference cuts each zoom from its top left corner, not from its middle: the layers drift
    by up to two pixels.
    """
    count, height, width, _ = images.shape
    mean = motion.zoom_mean(height, width, factors)
    pixels = cv2.transpose(images.reshape(count, height * width, 3))
    values = pixels.reshape(height * width, count * 3).astype(np.float32)
    out = np.empty(values.shape, np.uint8)
    motion.sum_pixels(values, mean.starts, mean.sources, mean.weights, mean.levels, out)
    back = cv2.transpose(out.reshape(height * width, count, 3))
    return np.asarray(back, np.uint8).reshape(images.shape)
