"""Weather: snow, frost, fog."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions import pictures
from corruptions._cv import cv2
from corruptions.kernels import gaussian, motion, relief, sky
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams

TABLE = "imagecorruptions"
SOURCE = "Hendrycks and Dietterich, ICLR 2019 (ImageNet-C), as in imagecorruptions-imaug 1.1.5"

Snow = tuple[float, float, float, float, int, float, float]


def draw_snow(streams: Streams, size: tuple[int, int], params: Snow) -> Draws:
    """`flake`: standard normals for the part of the image that the zoom shows; `angle`: degrees."""
    shown = tuple(motion.crop(length, params[2])[1] for length in size)
    return {"flake": streams.normal32(*shown), "angle": streams.uniform(-135, -45)}


@corruption(
    "weather",
    (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    table=TABLE,
    source=SOURCE,
    draw=draw_snow,
)
def snow(images: Images, params: Snow, draws: Draws) -> Images:
    """Pale colours, and flakes that fall in one direction and, turned by 180 degrees, in another.

    params: mean and sd of normal noise; its enlargement; the value (0..1) over which it is a
    flake; radius and sigma (pixels) of the flakes' motion blur; share of the colours kept.
    """
    mean, sd, factor, threshold, radius, sigma, kept = params
    height, width = images.shape[1:3]
    rows, columns = motion.line_taps(height, factor), motion.line_taps(width, factor)
    layer = np.empty((len(images), len(rows[0]), len(columns[0])), np.float32)
    sky.flakes(draws["flake"], mean, sd, threshold, *rows, *columns, layer)
    weights = motion.fading_weights(radius, sigma)
    places, counts = motion.shifts(len(weights), draws["angle"], *layer.shape[1:])
    fallen = np.empty_like(layer)
    motion.smear_planes(layer, places, counts, weights.astype(np.float32), fallen)
    out = np.empty_like(images)
    sky.snow_over(images, fallen, np.float32(kept), np.float32(1 - kept), out)
    return out


def draw_window(streams: Streams, size: tuple[int, int], _weights: tuple[float, float]) -> Draws:
    """`photo`: 0..5; `top` and `left`: pixels into the scaled photograph; all int64 `(n,)`."""
    spare = np.array([np.subtract(photo.shape[:2], size) for photo in pictures.scaled(*size)])
    photo = streams.integers(0, pictures.COUNT)
    top, left = (np.floor(streams.uniform() * room) for room in spare[photo].T)
    return {"photo": photo, "top": top.astype(np.int64), "left": left.astype(np.int64)}


@corruption(
    "weather",
    ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    table=TABLE,
    source=SOURCE,
    draw=draw_window,
)
def frost(images: Images, weights: tuple[float, float], draws: Draws) -> Images:
    """Add a window of a photograph of frost. weights: of the image and of the photograph.

    Photographs are scaled by 1.1 (not to the image's size), so a small image shows few, coarse
    crystals, as in the reference. They are read from the package `imagecorruptions`; all six
    are used, as in imagecorruptions-imaug 1.1.5.
    """
    photos = pictures.scaled(*images.shape[1:3])
    pair = float(weights[0]), float(weights[1])
    out = np.empty_like(images)
    windows = zip(draws["photo"], draws["top"], draws["left"], strict=True)
    for image, (photo, top, left) in enumerate(windows):
        sky.frost_over(images[image], photos[photo], int(top), int(left), pair, out[image])
    return out


def _map_side(height: int, width: int) -> int:
    """The next power of two."""
    return 1 << (max(height, width) - 1).bit_length()


def draw_landscape(streams: Streams, size: tuple[int, int], _params: tuple[float, float]) -> Draws:
    """`wobble`: uniform in (0, 1), `(n, side * side - 1)`, in the order of `sky.plasma`."""
    side = _map_side(*size)
    return {"wobble": streams.uniform32(side * side - 1)}


@corruption(
    "weather",
    ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    table=TABLE,
    source=SOURCE,
    draw=draw_landscape,
)
def fog(images: Images, params: tuple[float, float], draws: Draws) -> Images:
    """Add a random landscape, then darken so that the brightest value stays where it was.

    params: the landscape's height (in units of the full range), and by how much its roughness
    falls when the scale is halved. The landscape is a square whose side is a power of two; the
    image shows its top left part.
    """
    thickness, decay = map(float, params)
    out = np.empty_like(images)
    side = _map_side(*images.shape[1:3])
    sky.fog_over(images, draws["wobble"], thickness, decay, side, out)
    return out


# Weather on the lens: spatter.


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
