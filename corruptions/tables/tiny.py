"""Table "tiny": Tiny-ImageNet-C, made for 64-pixel images, with its own variants of operators.

Where a variant says pixels, they stay pixels at any size; only what its docstring relates to the
side grows with it. The published set was stored as JPEG of quality 85; here nothing is stored.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions import blur, pictures
from corruptions._cv import cv2
from corruptions.kernels import gaussian, motion, sky
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams
from corruptions.tables import operators

TABLE = "tiny"
SOURCE = (
    "Hendrycks and Dietterich, ICLR 2019 (Tiny-ImageNet-C): hendrycks/robustness, "
    "ImageNet-C/create_c/make_tinyimagenet_c.py"
)
SIDE = 64  # of the images that the numbers were made for

Snow = tuple[float, float, float, float, int, float, float]
Elastic = tuple[float, float, float]
Reals = NDArray[np.float64]
Values = NDArray[np.float32]

_CORNERS = np.array([[1, 1], [1, -1], [-1, -1]])
_NEAR = np.float32(1e-3)  # float32 sums this close below a grey level count as that level

operators.reuse(
    {
        "gaussian_noise": (0.04, 0.08, 0.12, 0.15, 0.18),
        "shot_noise": (250, 100, 50, 30, 15),
        "impulse_noise": (0.01, 0.02, 0.05, 0.08, 0.14),
        "speckle_noise": (0.15, 0.2, 0.25, 0.3, 0.35),
        "gaussian_blur": (0.5, 0.75, 1, 1.25, 1.5),
        "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        # A sigma of 0.1 blurs nothing: severity 1 only scatters.
        "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        # The landscape has 64 pixels there; here the next power of two, as in the default table.
        "fog": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        "spatter": (
            (0.62, 0.1, 0.7, 0.7, 0.6, 0),
            (0.65, 0.1, 0.8, 0.7, 0.6, 0),
            (0.65, 0.3, 1, 0.69, 0.6, 0),
            (0.65, 0.1, 0.7, 0.68, 0.6, 1),
            (0.65, 0.1, 0.5, 0.67, 0.6, 1),
        ),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        "jpeg_compression": (65, 58, 50, 40, 25),
    },
    table=TABLE,
    source=SOURCE,
)

corruption(
    "blur",
    ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    table=TABLE,
    source=SOURCE,
    draw=blur.draw_angle,
)(operators.motion_blur)

corruption(
    "blur",
    tuple(tuple(np.arange(1, stop, 0.01).tolist()) for stop in (1.06, 1.11, 1.16, 1.21, 1.26)),
    table=TABLE,
    source=SOURCE,
)(operators.zoom_blur)

corruption("digital", (0.9, 0.8, 0.7, 0.6, 0.5), table=TABLE, source=SOURCE)(operators.pixelate)


def draw_snow(streams: Streams, size: tuple[int, int], params: Snow) -> Draws:
    """`flake`: standard normals for the part of the image that the zoom shows; `angle`: degrees."""
    shown = tuple(motion.crop(length, params[2])[1] for length in size)
    return {"flake": streams.normal32(*shown), "angle": streams.uniform(-135, -45)}


@corruption(
    "weather",
    (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ),
    table=TABLE,
    source=SOURCE,
    draw=draw_snow,
)
def snow(images: Images, params: Snow, draws: Draws) -> Images:
    """Pale colours, and flakes that fall in one direction and, turned by 180 degrees, in another.

    params: mean and sd of normal noise; its enlargement; the value (0..1) over which it is a
    flake; radius and sigma (pixels) of the flakes' motion blur; share of the colours kept.
    Against the default table: the enlarged layer is cut from its middle, truncated to grey levels
    before it is smeared, and smeared as ImageMagick does.
    """
    mean, sd, factor, threshold, radius, sigma, kept = params
    height, width = images.shape[1:3]
    rows, columns = (_shown_taps(length, factor) for length in (height, width))
    layer = np.empty(images.shape[:3], np.float32)
    sky.flakes(draws["flake"], mean, sd, threshold, *rows, *columns, layer)
    layer = np.floor(layer * np.float32(255)) / np.float32(255)
    fallen = operators.smear(layer, (radius, sigma), draws["angle"])
    out = np.empty_like(images)
    sky.snow_over(images, fallen, np.float32(kept), np.float32(1 - kept), out)
    return out


def _shown_taps(length: int, factor: float) -> tuple[NDArray[np.int64], Reals]:
    """`centred_taps`, counted from the first pixel that the zoom shows: only those are drawn."""
    left, weights = operators.centred_taps(length, factor)
    return left - motion.crop(length, factor)[0], weights


@functools.lru_cache(maxsize=4)
def _frost(height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """The first five photographs, RGB, at 0.3 times their size for a side of 64."""
    scale = 0.3 * max(height, width) / SIDE
    scaled = (cv2.resize(photo, (0, 0), fx=scale, fy=scale) for photo in pictures.photos()[:5])
    return tuple(np.ascontiguousarray(photo[..., ::-1], np.uint8) for photo in scaled)


def draw_window(streams: Streams, size: tuple[int, int], _weights: tuple[float, float]) -> Draws:
    """`photo`: 0..4; `top` and `left`: pixels into the scaled photograph; all int64 `(n,)`."""
    spare = np.array([np.subtract(photo.shape[:2], size) for photo in _frost(*size)])
    photo = streams.integers(0, len(spare))
    top, left = (np.floor(streams.uniform() * room) for room in spare[photo].T)
    return {"photo": photo, "top": top.astype(np.int64), "left": left.astype(np.int64)}


@corruption(
    "weather",
    ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    table=TABLE,
    source=SOURCE,
    draw=draw_window,
)
def frost(images: Images, weights: tuple[float, float], draws: Draws) -> Images:
    """Add a window of a photograph of frost. weights: of the image and of the photograph.

    Photographs are scaled by 0.3 for 64 pixels, and with the image's longer side: by 0.45 for 96,
    so that crystals keep their size relative to the image. As in the source, the sixth is unused.
    They are read from the package `imagecorruptions`.
    """
    photos = _frost(*images.shape[1:3])
    pair = float(weights[0]), float(weights[1])
    out = np.empty_like(images)
    windows = zip(draws["photo"], draws["top"], draws["left"], strict=True)
    for image, (photo, top, left) in enumerate(windows):
        sky.frost_over(images[image], photos[photo], int(top), int(left), pair, out[image])
    return out


def draw_warp(streams: Streams, size: tuple[int, int], params: Elastic) -> Draws:
    """`corner`: uniform in -1..1, `(n, 3, 2)`; `across` and `down`: the same, `(n, h, w)`."""
    corner = streams.uniform(-1, 1, (3, 2))
    if params[0] == 0:
        return {"corner": corner}
    across, down = streams.uniform32(*size), streams.uniform32(*size)
    return {"corner": corner, "across": 2 * across - 1, "down": 2 * down - 1}


@corruption(
    "digital",
    ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    table=TABLE,
    source=SOURCE,
    draw=draw_warp,
)
def elastic_transform(images: Images, params: Elastic, draws: Draws) -> Images:
    """Move three corners of a square at random, then displace every pixel by smoothed noise.

    params, as shares of the shorter side (there, of 64 pixels): factor on the noise, which is
    uniform in -1..1; sigma of its smoothing; how far each corner moves at most, along each axis.
    Outside, the image is mirrored. The default table has another operator: it displaces only.
    """
    side = min(images.shape[1:3])
    alpha, sigma, reach = (share * side for share in params)
    places = _places(draws, alpha, sigma) if alpha else [None] * len(images)
    out = np.empty_like(images)
    for image, corner, place, target in zip(images, draws["corner"], places, out, strict=True):
        values = _affine(image.astype(np.float32), corner * reach)
        if place is not None:
            values = cv2.remap(values, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        target[:] = np.clip(values + _NEAR, 0, 255)
    return out


def _affine(image: Values, moves: Reals) -> Any:
    """Map float32 `(h, w, 3)` so that three corners of a centred square move by `moves` (x, y)."""
    height, width = image.shape[:2]
    half = min(height, width) // 3
    corners = np.array([width // 2, height // 2]) + half * _CORNERS
    matrix = cv2.getAffineTransform(
        corners.astype(np.float32), (corners + moves).astype(np.float32)
    )
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _places(draws: Draws, alpha: float, sigma: float) -> list[tuple[Values, Values]]:
    """For each image, the column and the row that each pixel comes from, float32 `(h, w)`."""
    height, width = draws["down"].shape[1:]
    down, along = (
        gaussian.taps(sigma, length, truncate=3, mode="symmetric") for length in (height, width)
    )
    y, x = np.mgrid[:height, :width]
    across, below = (
        alpha * gaussian.smooth(draws[name].astype(np.float64), down, along)
        for name in ("across", "down")
    )
    columns, rows = x + across, y + below
    return list(zip(columns.astype(np.float32), rows.astype(np.float32), strict=True))
