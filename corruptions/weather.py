"""Weather: snow, frost, fog, and spatter on the lens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from corruptions import pictures
from corruptions.kernels import Reals, blurs, cv2, motion, sky
from corruptions.registry import DEFAULT_TABLE, Draw, Draws, Images, corruption
from corruptions.streams import Streams

Photos = Callable[[int, int], tuple[Images, ...]]  # photographs for images of (height, width)
Pair = tuple[float, float]
Snow = tuple[float, float, float, float, int, float, float]
Spatter = tuple[float, float, float, float, float, int]

_FULL = np.float32(255)
_WATER = np.array([175, 238, 238], np.float32) / _FULL  # pale turquoise
_MUD = np.array([63, 42, 20]) / 255
_DEEPEST = np.float32(20)  # pixels from the edge of a splash
_LIGHT = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])  # from one side


def draw_snow(streams: Streams, size: tuple[int, int], params: Snow) -> Draws:
    """`flake`: standard normals for the part of the image that the zoom shows; `angle`: degrees."""
    shown = tuple(motion.crop(length, params[2])[1] for length in size)
    return {"flake": streams.normal32(*shown), "angle": streams.uniform(-135, -45)}


@corruption("weather", tables=(DEFAULT_TABLE,), draw=draw_snow)
def snow(images: Images, params: Snow, draws: Draws) -> Images:
    """Pale colours, and flakes that fall in one direction and, turned by 180 degrees, in another.

    params: mean and sd of normal noise; its enlargement; the value (0..1) over which it is a
    flake; radius and sigma (pixels) of the flakes' motion blur; share of the colours kept.
    """
    return snow_on(images, params, draws, centred=False)


def snow_on(images: Images, params: Snow, draws: Draws, *, centred: bool) -> Images:
    """`snow`; `centred`: its layer is cut from the middle, and truncated before it is smeared."""
    mean, sd, factor, threshold, radius, sigma, kept = params
    rows, columns = (
        motion.line_taps(length, factor, centred=centred) for length in images.shape[1:3]
    )
    layer = np.empty((len(images), len(rows[0]), len(columns[0])), np.float32)
    sky.flakes(draws["flake"], mean, sd, threshold, *rows, *columns, layer)
    layer = np.floor(layer * _FULL) / _FULL if centred else layer
    fallen = motion.smear(layer, (radius, sigma), draws["angle"], np.float32)
    out = np.empty_like(images)
    sky.snow_over(images, fallen, np.float32(kept), np.float32(1 - kept), out)
    return out


def windows(photos: Photos) -> Draw:
    """Draws `photo`: its number; `top` and `left`: pixels into it; all int64 `(n,)`."""

    def draw(streams: Streams, size: tuple[int, int], _weights: Pair) -> Draws:
        spare = np.array([np.subtract(photo.shape[:2], size) for photo in photos(*size)])
        photo = streams.integers(0, len(spare))
        top, left = (np.floor(streams.uniform() * room) for room in spare[photo].T)
        return {"photo": photo, "top": top.astype(np.int64), "left": left.astype(np.int64)}

    return draw


@corruption("weather", tables=(DEFAULT_TABLE,), draw=windows(pictures.scaled))
def frost(images: Images, weights: Pair, draws: Draws) -> Images:
    """Add a window of a photograph of frost. weights: of the image and of the photograph.

    Photographs are scaled by 1.1 (not to the image's size), so a small image shows few, coarse
    crystals, as in the reference. They are read from the package `imagecorruptions`; all six
    are used, as in imagecorruptions-imaug 1.1.5.
    """
    return frost_on(images, weights, draws, pictures.scaled)


def frost_on(images: Images, weights: Pair, draws: Draws, photos: Photos) -> Images:
    """`frost` with the drawn windows of these photographs."""
    height, width = images.shape[1:3]
    kept, added = map(float, weights)
    out = np.empty_like(images)
    drawn = zip(images, draws["photo"], draws["top"], draws["left"], out, strict=True)
    for image, photo, top, left, target in drawn:
        ice = photos(height, width)[photo][top : top + height, left : left + width]
        target[:] = np.minimum(kept * image + added * ice, 255)
    return out


def _map_side(height: int, width: int) -> int:
    """The next power of two."""
    return 1 << (max(height, width) - 1).bit_length()


def draw_landscape(streams: Streams, size: tuple[int, int], _params: Pair) -> Draws:
    """`wobble`: uniform in (0, 1), `(n, side * side - 1)`, in the order of `sky.fog_over`."""
    side = _map_side(*size)
    return {"wobble": streams.uniform32(side * side - 1)}


@corruption("weather", tables=(DEFAULT_TABLE,), draw=draw_landscape)
def fog(images: Images, params: Pair, draws: Draws) -> Images:
    """Add a random landscape, then darken so that the brightest value stays where it was.

    params: the landscape's height (in units of the full range), and by how much its roughness
    falls when the scale is halved. The landscape is a square whose side is a power of two; the
    image shows its top left part.
    """
    thickness, decay = map(float, params)
    tops = images.max(axis=(1, 2, 3)) / 255
    out = np.empty_like(images)
    side = _map_side(*images.shape[1:3])
    sky.fog_over(images, tops, draws["wobble"], thickness, decay, side, out)
    return out


def draw_liquid(streams: Streams, size: tuple[int, int], _params: Spatter) -> Draws:
    """`liquid`: standard normals, `(n, h, w)`."""
    return {"liquid": streams.normal32(*size)}


def water_and_mud(low: Spatter, high: Spatter) -> bool:
    """Whether one of two rows is of another kind: their other numbers mean different things."""
    return low[5] != high[5]


@corruption("weather", tables=(DEFAULT_TABLE,), draw=draw_liquid, apart=water_and_mud)
def spatter(images: Images, params: Spatter, draws: Draws) -> Images:
    """Splashes of water (kind 0) or mud (kind 1) on the lens.

    params: mean, sd and smoothing (pixels) of normal noise; the value over which it is liquid;
    the water's strength, or the smoothing of the mud's edge (pixels); the kind.
    An image without any splash stays as it is; the reference divides by zero there and turns it
    black.
    """
    mean, sd, sigma, threshold, extent, kind = params
    layer = blurs.smooth(mean + sd * draws["liquid"].astype(np.float64), (sigma, sigma))
    lines = images.reshape(*images.shape[:2], -1) / _FULL
    colour = np.tile(_MUD if kind else _WATER, images.shape[2])
    if kind:
        mud = (layer > threshold).astype(np.float64)
        cover = blurs.smooth(mud, (extent, extent), single=True).astype(np.float32)
        cover[cover < np.float32(0.8)] = 0
        share = np.repeat(cover, 3, axis=2)  # not broadcast: loops over a line are faster
        mixed = lines * (1 - share) + colour * share
    else:
        light = _glints(layer, threshold, np.float32(extent))
        mixed = lines + np.repeat(light, 3, axis=2) * colour
    levels: Images = (np.minimum(mixed, 1) * mixed.dtype.type(255)).astype(np.uint8)
    return levels.reshape(images.shape)


def _glints(layer: Reals, threshold: float, strength: np.float32) -> NDArray[np.float32]:
    """How strongly each pixel of layers of water shines, `(n, h, w)`, 0..strength."""
    liquid = (layer * 255).astype(np.int32).astype(np.uint8)
    liquid[layer < threshold] = 0
    light = np.empty(layer.shape, np.float32)
    for one, target in zip(liquid, light, strict=True):
        dry = cv2.bitwise_not(cv2.Canny(one, 50, 150))
        distance = np.minimum(cv2.distanceTransform(dry, cv2.DIST_L2, 5), _DEEPEST)
        depth = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
        relief = cv2.blur(cv2.filter2D(depth, cv2.CV_8U, _LIGHT), (3, 3))
        shine = np.multiply(one, relief, dtype=np.float32)
        target[:] = shine / max(shine.max(), np.float32(1)) * strength
    return light
