"""Tables made for microscopy: "pcam" (PatchCamelyon, 96 pixels) and "medmnist-blood" (224 pixels).

Lengths are in pixels and stay so: in a 96-pixel image the second table's cover 5.4 times the share
of the frame. What both share with "tiny" stands in `variants`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Values, cv2
from corruptions.kernels.levels import look_up
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams
from corruptions.variants import MEDMNIST, PCAM, truncated

_POINTS = 49  # of a drawn curve
_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_INKS = np.array([(25, 40, 120), (20, 20, 25), (15, 95, 55), (150, 25, 35)], np.float32)
_INSIDE, _RIM, _GLINT = np.float32(225), np.float32(120), np.float32(255)  # grey levels of a bubble
_LEVELS = np.arange(256, dtype=np.float32)
_LUMA = np.array([19595, 38470, 7471])  # Pillow's, in 65536ths
_BORDER = 10  # pixels between a deposit and the image's edge
_CORNERS = 24  # of a drawn deposit
_FEWEST, _SMALLEST = 7, 3  # bubbles in an image, pixels of a bubble's radius
_RIM_WIDTH, _RIM_ALPHA, _ALPHA = 2, 130, 100  # pixels; opacities of 255


@corruption("color", tables=(PCAM,))
def hue(images: Images, turn: float, _draws: Draws) -> Images:
    """Turn the colour circle: HSV hue + turn (1 is all the way round), as of another stain.

    The source calls its own code unreliable; another version of the file has 0.05 to 0.25. Values
    are float32 and can differ by one level from scikit-image's.
    """
    rows = images.reshape(-1, images.shape[2], 3).astype(np.float32) / np.float32(255)
    hsv = cv2.cvtColor(rows, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + np.float32(360 * turn)) % np.float32(360)
    turned = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)) * np.float32(255)
    return truncated(turned).reshape(images.shape)


def draw_stroke(streams: Streams, size: tuple[int, int], params: tuple[float, float]) -> Draws:
    """`points`: a curve's start, control and end (x, y), `(n, 3, 2)`; `ink`: 0..3 `(n,)`."""
    sides = np.array([size[1], size[0]])
    middle = streams.uniform(0.2, 0.8, (1, 2)) * sides
    angle, bend = streams.uniform(0, 2 * np.pi), streams.uniform(-0.5, 0.5)
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None]
    across = np.stack([-along[..., 1], along[..., 0]], axis=2)
    half = params[0] * min(size) / 2
    steps = np.array([-1.0, 0.0, 1.0])[None, :, None]
    bends = bend[:, None, None] * np.array([0.0, 2.0, 0.0])[None, :, None]
    points = middle + half * (steps * along + bends * across)
    return {"points": points, "ink": streams.integers(0, len(_INKS))}


@corruption(
    "overlay",
    tables=(PCAM,),
    source=" (marking_blur); drawn, numbers ours",
    draw=draw_stroke,
)
def marking(images: Images, params: tuple[float, float], draws: Draws) -> Images:
    """A stroke of a felt pen in blue, black, green or red, nearly opaque.

    params: length and width of the stroke, as shares of the shorter side. Departs from the source:
    that pastes one bitmap a severity (`blots.npy`) at a fixed place into every image; here every
    image gets a stroke of its own, drawn as a bent line, and its numbers are ours.
    """
    width = params[1] * min(images.shape[1:3])
    out = np.empty_like(images)
    for image, points, ink, target in zip(images, draws["points"], draws["ink"], out, strict=True):
        cover = _stroke(images.shape[1:3], points, width)[..., None] * np.float32(0.92 / 255)
        target[:] = image * (1 - cover) + _INKS[ink] * cover + np.float32(0.5)
    return out


def _stroke(size: tuple[int, ...], points: NDArray[np.float64], width: float) -> Values:
    """How much of each pixel a quadratic curve of that width covers, 0..255, float32 `(h, w)`."""
    t = np.linspace(0, 1, _POINTS)[:, None]
    line = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
    mask = np.zeros(size, np.uint8)
    for x, y in line * (1 << _SHIFT):
        centre = round(x), round(y)
        cv2.circle(mask, centre, round(width / 2 * (1 << _SHIFT)), (255,), -1, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32)


def draw_air(streams: Streams, size: tuple[int, int], _opacity: float) -> Draws:
    """`centre`: pixels (row, column), `(n, 2)`; `radius`: pixels, `(n,)`."""
    centre = streams.uniform(0.3, 0.7, (2,)) * np.array(size)
    return {"centre": centre, "radius": streams.uniform(0.25, 0.35) * min(size)}


@corruption("overlay", tables=(PCAM,), source=" (bubble_blur); drawn", draw=draw_air, name="bubble")
def air_bubble(images: Images, opacity: float, draws: Draws) -> Images:
    """An air bubble under the cover glass: pale grey with a darker rim and a bright ring in it.

    opacity: share of the bubble in what is seen there. Departs from the source: that mixes in one
    bitmap (`bubbles.npy`) at a fixed place; here every image gets a drawn disc of its own, with a
    radius of 0.25 to 0.35 of the shorter side and its centre in the middle 40 %.
    """
    y, x = (np.arange(length, dtype=np.float32) for length in images.shape[1:3])
    row, column = draws["centre"].astype(np.float32).T[..., None, None]
    radius = draws["radius"].astype(np.float32)[:, None, None]
    away = np.sqrt((y[:, None] - row) ** 2 + (x - column) ** 2)
    share = np.clip(radius + np.float32(0.5) - away, 0, 1)[..., None] * np.float32(opacity)
    within = away / radius
    shine = np.exp(-(((within - np.float32(0.8)) / np.float32(0.06)) ** 2))
    dark = np.exp(-(((within - np.float32(1)) / np.float32(0.1)) ** 2))
    grey = _INSIDE + shine * (_GLINT - _INSIDE) + dark * (_RIM - _INSIDE)
    mixed: Values = images * (1 - share) + grey[..., None] * share
    return (mixed + np.float32(0.5)).astype(np.uint8)


@corruption("digital", tables=(MEDMNIST,), name="brightness_up")
@corruption("digital", tables=(MEDMNIST,), name="brightness_down")
def enhance_brightness(images: Images, factor: float, _draws: Draws) -> Images:
    """Multiply by `factor`, truncated and clipped, as Pillow's ImageEnhance.Brightness."""
    return look_up(images, _blended(np.zeros(len(images)), factor))


@corruption("digital", tables=(MEDMNIST,), name="contrast_up")
@corruption("digital", tables=(MEDMNIST,), name="contrast_down")
def enhance_contrast(images: Images, factor: float, _draws: Draws) -> Images:
    """Scale the distance to the image's mean grey by `factor`, as Pillow's ImageEnhance.Contrast.

    The mean is one for the whole image, of its luma and rounded; the result is truncated.
    """
    grey = (images.reshape(len(images), -1, 3) @ _LUMA + 0x8000) >> 16
    return look_up(images, _blended(np.floor(grey.mean(axis=1) + 0.5), factor))


def _blended(start: NDArray[np.float64], factor: float) -> Values:
    """Tables `(n, 1, 256)` from `start` (factor 0) over the level itself (1) and beyond."""
    begin = start.astype(np.float32)[:, None, None]
    return np.trunc(begin + np.float32(factor) * (_LEVELS - begin))


def draw_deposits(streams: Streams, size: tuple[int, int], params: tuple[int, int]) -> Draws:
    """`count`: deposits `(n,)`; `corners`: their outlines, pixels (x, y), `(n, most, 24, 2)`."""
    most, side = params
    turn = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    count = streams.integers(1, most + 1)
    wobble = streams.uniform(0, 1, (most, 4, 2))
    waves = np.arange(2, 6)[:, None] * turn + 2 * np.pi * wobble[..., :1]
    reach = 1 + 0.12 * (wobble[..., 1:] * np.cos(waves)).sum(axis=2)
    reach = reach / reach.max(axis=2, keepdims=True) * side / 2
    border = [min(_BORDER, (length - side) // 2) for length in (size[1], size[0])]
    spare = np.array([size[1], size[0]]) - side - 2 * np.array(border)
    centre = border + streams.uniform(0, 1, (most, 1, 2)) * spare + side / 2
    outline = reach[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return {"count": count, "corners": centre + outline}


@corruption("overlay", tables=(MEDMNIST,), source=" and microscopy.py; drawn", draw=draw_deposits)
def stain_deposit(images: Images, _params: tuple[int, int], draws: Draws) -> Images:
    """Black blots of dried stain, 1 to `most` of them, at least 10 pixels from the edge.

    params: most blots, side of the square that holds each (pixels). In an image too small for that
    distance they keep what is left. Departs from the source: that pastes bitmaps of ink (10 of
    each size); here each blot is drawn, a disc with a wavy outline.
    """
    out = images.copy()
    for target, count, corners in zip(out, draws["count"], draws["corners"], strict=True):
        mask = np.zeros(images.shape[1:3], np.uint8)
        for outline in np.rint(corners[:count] * (1 << _SHIFT)).astype(np.int32):
            cv2.fillPoly(mask, [outline], (255,), cv2.LINE_AA, _SHIFT)
        target[:] = _over(target, 0, mask)
    return out


def draw_bubbles(streams: Streams, size: tuple[int, int], params: tuple[int, int]) -> Draws:
    """`count`: bubbles `(n,)`; `radius`: pixels, `(n, most)`; `place`: (x, y), `(n, most, 2)`."""
    radius, most = params
    count = streams.integers(_FEWEST, most + 1)
    radii = streams.integers(_SMALLEST, radius + 1, (most,))
    room = np.array([size[1], size[0]]) - 2 * radii[..., None] + 1
    place = radii[..., None] + np.floor(streams.uniform(0, 1, (most, 2)) * room)
    return {"count": count, "radius": radii, "place": place.astype(np.int64)}


@corruption("overlay", tables=(MEDMNIST,), source=" and microscopy.py", draw=draw_bubbles)
def bubble(images: Images, _params: tuple[int, int], draws: Draws) -> Images:
    """Translucent white discs, 7 to `most`, with a rim of 2 pixels that is less translucent.

    params: largest radius in pixels (the smallest is 3), most bubbles. A later bubble replaces an
    earlier one where they overlap, as in the source; its discs are Pillow's ellipses, these are
    OpenCV's circles, so single pixels of the rim differ.
    """
    out = np.empty_like(images)
    bubbles = zip(images, draws["count"], draws["radius"], draws["place"], out, strict=True)
    for image, count, radii, places, target in bubbles:
        alpha = np.zeros(images.shape[1:3], np.uint8)
        for radius, place in zip(radii[:count].tolist(), places[:count].tolist(), strict=True):
            cv2.circle(alpha, place, radius + _RIM_WIDTH, (_RIM_ALPHA,), -1)
            cv2.circle(alpha, place, radius, (_ALPHA,), -1)
        target[:] = _over(image, 255, alpha)
    return out


def _over(image: Images, level: int, alpha: NDArray[np.uint8]) -> Images:
    """Lay a grey level over `(h, w, 3)` with opacities 0..255 `(h, w)`, rounded."""
    share = alpha[..., None].astype(np.int32)
    mixed = image * (255 - share) + level * share
    return ((mixed + 127) // 255).astype(np.uint8)
