"""Table "medmnist-blood": MedMNIST-C's eleven for BloodMNIST, made for 224-pixel images.

Lengths are in pixels and stay so: in a 96-pixel image they cover 5.4 times the share of the frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions import blur
from corruptions._cv import cv2
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams
from corruptions.tables import operators
from corruptions.values import LEVELS, look_up

TABLE = "medmnist-blood"
SOURCE = (
    "Di Salvo et al. 2024, MedMNIST-C: francescodisalvo05/medmnistc-api, "
    "medmnistc/corruptions/registry.py, bloodmnist"
)

_LUMA = np.array([19595, 38470, 7471])  # Pillow's, in 65536ths
_BORDER = 10  # pixels between a deposit and the image's edge
_CORNERS = 24  # of a drawn deposit
_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_FEWEST, _SMALLEST = 7, 3  # bubbles in an image, pixels of a bubble's radius
_RIM, _RIM_ALPHA, _ALPHA = 2, 130, 100  # pixels; opacities of 255

operators.reuse(
    {
        "jpeg_compression": (50, 30, 15, 10, 7),
        "defocus_blur": ((2, 0.01), (3, 0.1), (4, 0.1), (5, 0.1), (6, 0.1)),
        # (factor, term): there, saturation is added to, never multiplied.
        "saturate": ((1, 0.05), (1, 0.1), (1, 0.15), (1, 0.17), (1, 0.2)),
    },
    table=TABLE,
    source=SOURCE,
)

corruption("digital", (0.6, 0.5, 0.4, 0.3, 0.25), table=TABLE, source=SOURCE)(operators.pixelate)

corruption(
    "blur",
    ((3, 3), (5, 5), (10, 5), (10, 7), (10, 9)),
    table=TABLE,
    source=SOURCE,
    draw=blur.draw_angle,
)(operators.motion_blur)


def _brightness(images: Images, factor: float, _draws: Draws) -> Images:
    """Multiply by `factor`, truncated and clipped, as Pillow's ImageEnhance.Brightness."""
    return look_up(images, _blended(np.zeros(len(images)), factor))


def _contrast(images: Images, factor: float, _draws: Draws) -> Images:
    """Scale the distance to the image's mean grey by `factor`, as Pillow's ImageEnhance.Contrast.

    The mean is one for the whole image, of its luma and rounded; the result is truncated.
    """
    grey = (images.reshape(len(images), -1, 3) @ _LUMA + 0x8000) >> 16
    means = np.floor(grey.mean(axis=1) + 0.5) if grey.size else np.zeros(0)
    return look_up(images, _blended(means, factor))


def _blended(start: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Tables `(n, 1, 256)` from `start` (factor 0) over the level itself (1) and beyond."""
    single, begin = np.float32(factor), start.astype(np.float32)[:, None]
    return np.trunc(begin + single * (LEVELS.astype(np.float32) - begin))[:, None].astype(float)


for _name, _apply, _factors in (
    ("brightness_up", _brightness, (1.1, 1.2, 1.3, 1.35, 1.4)),
    ("brightness_down", _brightness, (0.9, 0.8, 0.7, 0.6, 0.5)),
    ("contrast_up", _contrast, (1.1, 1.15, 1.2, 1.25, 1.3)),
    ("contrast_down", _contrast, (0.9, 0.8, 0.7, 0.6, 0.5)),
):
    corruption("digital", _factors, table=TABLE, source=SOURCE, name=_name)(_apply)


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


@corruption(
    "overlay",
    ((1, 24), (2, 24), (3, 24), (3, 24), (3, 32)),
    table=TABLE,
    source=SOURCE + " and microscopy.py; drawn",
    draw=draw_deposits,
)
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
    """`count`: bubbles `(n,)`; `radius`: whole pixels, `(n, most)`; `place`: 0..1, `(n, most, 2)`."""
    radius, most = params
    count = streams.integers(_FEWEST, most + 1)
    radii = streams.integers(_SMALLEST, radius + 1, (most,))
    room = np.array([size[1], size[0]]) - 2 * radii[..., None] + 1
    place = radii[..., None] + np.floor(streams.uniform(0, 1, (most, 2)) * room)
    return {"count": count, "radius": radii, "place": place.astype(np.int64)}


@corruption(
    "overlay",
    ((5, 10), (7, 10), (10, 10), (12, 12), (15, 12)),
    table=TABLE,
    source=SOURCE + " and microscopy.py",
    draw=draw_bubbles,
)
def bubble(images: Images, _params: tuple[int, int], draws: Draws) -> Images:
    """Translucent white discs, 7 to `most` of them, with a rim of 2 pixels that is less translucent.

    params: largest radius in pixels (the smallest is 3), most bubbles. A later bubble replaces an
    earlier one where they overlap, as in the source; its discs are Pillow's ellipses, these are
    OpenCV's circles, so single pixels of the rim differ.
    """
    out = np.empty_like(images)
    bubbles = zip(images, draws["count"], draws["radius"], draws["place"], out, strict=True)
    for image, count, radii, places, target in bubbles:
        alpha = np.zeros(images.shape[1:3], np.uint8)
        for radius, place in zip(radii[:count].tolist(), places[:count].tolist(), strict=True):
            cv2.circle(alpha, place, radius + _RIM, (_RIM_ALPHA,), -1)
            cv2.circle(alpha, place, radius, (_ALPHA,), -1)
        target[:] = _over(image, 255, alpha)
    return out


def _over(image: Images, level: int, alpha: NDArray[np.uint8]) -> Images:
    """Lay a grey level over `(h, w, 3)` with opacities 0..255 `(h, w)`, rounded."""
    share = alpha[..., None].astype(np.int32)
    mixed = image * (255 - share) + level * share
    return ((mixed + 127) // 255).astype(np.uint8)
