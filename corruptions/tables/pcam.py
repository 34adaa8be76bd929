"""Table "pcam": made for 96-pixel microscopy (PatchCamelyon), pixels stay pixels at any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions import blur
from corruptions._cv import cv2
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams
from corruptions.tables import operators

TABLE = "pcam"
SOURCE = (
    "Zhang et al. 2022, arXiv 2206.14973: superjamessyx/robustness_benchmark, utils.py, "
    "the branches for 96 pixels"
)

Values = NDArray[np.float32]

_NEAR = np.float32(1e-3)  # float32 values this close below a grey level count as that level
_POINTS = 49  # of a drawn curve
_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_INKS = np.array([(25, 40, 120), (20, 20, 25), (15, 95, 55), (150, 25, 35)], np.float32)
_INSIDE, _RIM, _GLINT = np.float32(225), np.float32(120), np.float32(255)  # grey levels of a bubble

operators.reuse(
    {
        "defocus_blur": ((3, 0.05), (4, 0.3), (5, 0.3), (6, 0.3), (7, 0.3)),
        "jpeg_compression": (25, 18, 15, 10, 7),
        "brightness": (0.05, 0.1, 0.15, 0.2, 0.25),
        # (factor, term): there, saturation is added to, never multiplied.
        "saturate": ((1, 0.05), (1, 0.1), (1, 0.15), (1, 0.2), (1, 0.25)),
    },
    table=TABLE,
    source=SOURCE,
)

corruption(
    "blur",
    ((5, 1), (5, 2), (5, 3), (5, 4), (6, 5)),
    table=TABLE,
    source=SOURCE,
    draw=blur.draw_angle,
)(operators.motion_blur)

corruption(
    "blur",
    tuple(
        tuple(np.arange(1, stop, step).tolist())
        for stop, step in ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))
    ),
    table=TABLE,
    source=SOURCE,
)(operators.zoom_blur)

corruption("digital", (0.6, 0.5, 0.4, 0.3, 0.25), table=TABLE, source=SOURCE)(operators.pixelate)


@corruption("color", (0.02, 0.04, 0.06, 0.08, 0.1), table=TABLE, source=SOURCE)
def hue(images: Images, turn: float, _draws: Draws) -> Images:
    """Turn the colour circle: HSV hue + turn (1 is all the way round), as of another stain.

    The source calls its own code unreliable; another version of the file has 0.05 to 0.25. Values
    are float32 and can differ by one level from scikit-image's.
    """
    rows = images.reshape(-1, images.shape[2], 3).astype(np.float32) / np.float32(255)
    if not rows.size:
        return images.copy()
    hsv = cv2.cvtColor(rows, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + np.float32(360 * turn)) % np.float32(360)
    turned = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)) * np.float32(255) + _NEAR
    levels: Images = np.clip(turned, 0, 255).astype(np.uint8)
    return levels.reshape(images.shape)


def draw_stroke(streams: Streams, size: tuple[int, int], params: tuple[float, float]) -> Draws:
    """`points`: a curve's start, control and end, pixels (x, y), `(n, 3, 2)`; `ink`: 0..3 `(n,)`."""
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
    ((0.3, 0.05), (0.4, 0.07), (0.55, 0.1), (0.7, 0.13), (0.9, 0.17)),
    table=TABLE,
    source=SOURCE + " (marking_blur); drawn, numbers ours",
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


def draw_bubble(streams: Streams, size: tuple[int, int], _opacity: float) -> Draws:
    """`centre`: pixels (row, column), `(n, 2)`; `radius`: pixels, `(n,)`."""
    centre = streams.uniform(0.3, 0.7, (2,)) * np.array(size)
    return {"centre": centre, "radius": streams.uniform(0.25, 0.35) * min(size)}


@corruption(
    "overlay",
    (0.1, 0.3, 0.5, 0.7, 0.9),
    table=TABLE,
    source=SOURCE + " (bubble_blur); drawn",
    draw=draw_bubble,
)
def bubble(images: Images, opacity: float, draws: Draws) -> Images:
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
