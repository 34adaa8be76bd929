"""Weather on the lens: spatter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions._cv import cv2
from corruptions.kernels import gaussian, relief, sky
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams

TABLE = "imagecorruptions"
SOURCE = "Hendrycks and Dietterich, ICLR 2019 (ImageNet-C), as in imagecorruptions-imaug 1.1.5"

Reals = NDArray[np.float64]
Spatter = tuple[float, float, float, float, float, int]

_WATER = np.array([175, 238, 238], np.float32) / np.float32(255)  # pale turquoise
_MUD = np.array([63, 42, 20]) / 255


def draw_liquid(streams: Streams, size: tuple[int, int], _params: Spatter) -> Draws:
    """`liquid`: standard normals, `(n, h, w)`."""
    return {"liquid": streams.normal32(*size)}


@corruption(
    "weather",
    (
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ),
    table=TABLE,
    source=SOURCE,
    draw=draw_liquid,
)
def spatter(images: Images, params: Spatter, draws: Draws) -> Images:
    """Splashes of water (kind 0) or mud (kind 1) on the lens.

    params: mean, sd and smoothing (pixels) of normal noise; the value over which it is liquid;
    the water's strength, or the smoothing of the mud's edge (pixels); the kind.
    An image without any splash stays as it is; the reference divides by zero there and turns it
    black.
    """
    mean, sd, sigma, threshold, extent, kind = params
    noise = mean + sd * draws["liquid"].astype(np.float64)
    layer = _smooth(noise, sigma)
    out = np.empty_like(images)
    if kind == 0:
        light = _glints(layer, threshold, extent)
        sky.water_over(images, light, np.tile(_WATER, images.shape[2]), out)
    else:
        cover = _smooth((layer > threshold).astype(np.float64), extent, single=True)
        sky.mud_over(images, cover, np.tile(_MUD, images.shape[2]), out)
    return out


def _smooth(planes: Reals, sigma: float, *, single: bool = False) -> Reals:
    down, along = (gaussian.taps(sigma, length) for length in planes.shape[1:])
    return gaussian.smooth(planes, down, along, single=single)


def _glints(layer: Reals, threshold: float, strength: float) -> NDArray[np.float32]:
    """How strongly each pixel of layers of water shines, float32 `(n, h, w)`, 0..strength."""
    liquid = np.empty(layer.shape, np.uint8)
    relief.wet(layer.reshape(-1), threshold, liquid.reshape(-1))
    distance = np.empty(layer.shape, np.float32)
    for one, depth in zip(liquid, distance, strict=True):
        dry = cv2.bitwise_not(cv2.Canny(one, 50, 150))
        cv2.distanceTransform(dry, cv2.DIST_L2, 5, depth)
    light = np.empty(layer.shape, np.float32)
    relief.shine(liquid, distance, np.float32(strength), light)
    return light
