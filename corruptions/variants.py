"""Table "tiny", Tiny-ImageNet-C's for 64 pixels, and the operators that it shares with others.

Where a variant says pixels, they stay pixels at any size; only what its docstring relates to the
side grows with it. The published set was stored as JPEG of quality 85; here nothing is stored.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions import pictures
from corruptions.blur import draw_angle, zoom_factors
from corruptions.digital import resized
from corruptions.kernels import Values, blurs, cv2, motion
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams
from corruptions.weather import Pair, Snow, draw_snow, frost_on, snow_on, windows

SIDE = 64  # of the images that Tiny-ImageNet-C's numbers were made for
TINY, PCAM, MEDMNIST = "tiny", "pcam", "medmnist-blood"

Elastic = tuple[float, float, float]

_CORNERS = np.array([[1, 1], [1, -1], [-1, -1]])
_NEAR = np.float32(1e-3)  # float32 values this close below a grey level count as that level


def truncated(values: Values) -> Images:
    """Float32 to grey levels, clipped, as float64 would be truncated."""
    levels: Images = np.clip(values + _NEAR, 0, 255).astype(np.uint8)
    return levels


@corruption("digital", tables=(TINY, PCAM, MEDMNIST))
def pixelate(images: Images, scale: float, _draws: Draws) -> Images:
    """Shrink by averaging, enlarge with the same filter. scale: side of the shrunk image / side.

    Pillow's BOX both ways, as in ImageNet-C; the default table enlarges with NEAREST, which shows
    the same boxes except where the edge of two falls on a pixel's centre.
    """
    height, width = images.shape[1:3]
    return resized(images, [(int(width * scale), int(height * scale))], enlarge="BOX")


@corruption("blur", tables=(TINY, PCAM, MEDMNIST), draw=draw_angle)
def motion_blur(images: Images, params: tuple[int, float], draws: Draws) -> Images:
    """Smear to one side along a line, fading like half a Gaussian, as ImageMagick does.

    params: radius (2 * radius + 1 copies, a pixel apart) and sigma of the fading, in pixels. The
    copies are shifted by whole pixels, edges are repeated. After the documented behaviour of
    MagickMotionBlurImage, without ImageMagick itself. The default table truncates the sum, this
    rounds it.
    """
    smeared = motion.smear(images, params, draws["angle"], np.float32)
    levels: Images = np.rint(smeared).astype(np.uint8)
    return levels


@corruption("blur", tables=(TINY, PCAM), read=zoom_factors)
def zoom_blur(images: Images, factors: tuple[float, ...], _draws: Draws) -> Images:
    """The mean of the image and of its zooms by `factors`, each cut from its middle.

    So in ImageNet-C; the default table cuts the zooms from their top left corner.
    """
    lines = images.reshape(*images.shape[:2], images.shape[2] * 3)
    mean = np.empty(lines.shape, np.float32)
    motion.mean_zooms(
        lines, *_zooms(images.shape[1], factors), *_zooms(images.shape[2], factors), mean
    )
    return truncated(mean).reshape(images.shape)


@functools.lru_cache(maxsize=20)
def _zooms(length: int, factors: tuple[float, ...]) -> tuple[NDArray[np.int64], Values]:
    """For every factor and point: its first source, and the weights of that one and the next."""
    taps = [motion.line_taps(length, factor, centred=True) for factor in factors]
    starts = [motion.crop(length, factor)[0] for factor in factors]
    sources = [start + left for start, (left, _) in zip(starts, taps, strict=True)]
    return np.stack(sources), np.stack([weights for _, weights in taps]).astype(np.float32)


@corruption("weather", tables=(TINY,), draw=draw_snow)
def snow(images: Images, params: Snow, draws: Draws) -> Images:
    """Pale colours, and flakes that fall in one direction and, turned by 180 degrees, in another.

    params: mean and sd of normal noise; its enlargement; the value (0..1) over which it is a
    flake; radius and sigma (pixels) of the flakes' motion blur; share of the colours kept.
    Against the default table: the enlarged layer is cut from its middle, truncated to grey levels
    before it is smeared, and smeared as ImageMagick does.
    """
    return snow_on(images, params, draws, centred=True)


@functools.lru_cache(maxsize=4)
def _photos(height: int, width: int) -> tuple[Images, ...]:
    """The first five photographs, RGB, at 0.3 times their size for a side of 64."""
    scale = 0.3 * max(height, width) / SIDE
    scaled = (cv2.resize(photo, (0, 0), fx=scale, fy=scale) for photo in pictures.photos()[:5])
    return tuple(np.ascontiguousarray(photo[..., ::-1], np.uint8) for photo in scaled)


@corruption("weather", tables=(TINY,), draw=windows(_photos))
def frost(images: Images, weights: Pair, draws: Draws) -> Images:
    """Add a window of a photograph of frost. weights: of the image and of the photograph.

    Photographs are scaled by 0.3 for 64 pixels, and with the image's longer side: by 0.45 for 96,
    so that crystals keep their size relative to the image. As in the source, the sixth is unused.
    They are read from the package `imagecorruptions`.
    """
    return frost_on(images, weights, draws, _photos)


def draw_warp(streams: Streams, size: tuple[int, int], params: Elastic) -> Draws:
    """`corner`: uniform in -1..1, `(n, 3, 2)`; `across` and `down`: the same, `(n, h, w)`."""
    corner = streams.uniform(-1, 1, (3, 2))
    if params[0] == 0:
        return {"corner": corner}
    across, down = streams.uniform32(*size), streams.uniform32(*size)
    return {"corner": corner, "across": 2 * across - 1, "down": 2 * down - 1}


@corruption("digital", tables=(TINY,), draw=draw_warp)
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
        target[:] = truncated(values)
    return out


def _affine(image: Values, moves: NDArray[np.float64]) -> Any:
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
    across, down = (
        alpha
        * blurs.smooth(draws[name].astype(np.float64), (sigma, sigma), truncate=3, mode="symmetric")
        for name in ("across", "down")
    )
    y, x = np.mgrid[: across.shape[1], : across.shape[2]]
    columns, rows = (x + across).astype(np.float32), (y + down).astype(np.float32)
    return list(zip(columns, rows, strict=True))
