"""Digital damage: brightness, contrast, saturation, elastic warp, pixels, JPEG."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import gaussian, jpeg, levels, warp
from corruptions.registry import Draws, Images, corruption
from corruptions.streams import Streams

TABLE = "imagecorruptions"
SOURCE = "Hendrycks and Dietterich, ICLR 2019 (ImageNet-C), as in imagecorruptions-imaug 1.1.5"


@corruption("digital", (0.1, 0.2, 0.3, 0.4, 0.5), table=TABLE, source=SOURCE)
def brightness(images: Images, amount: float, _draws: Draws) -> Images:
    """Brighten: HSV value + amount (in units of the full range), clipped."""
    out = np.empty_like(images)
    levels.shift_hsv(images.reshape(-1), amount, 1.0, 0.0, out.reshape(-1))
    return out


@corruption(
    "digital", ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)), table=TABLE, source=SOURCE
)
def saturate(images: Images, params: tuple[float, float], _draws: Draws) -> Images:
    """Fade or strengthen colours: HSV saturation * factor + term, clipped. params: (factor, term).

    Greys have no hue and become reddish where the term is positive, as in the reference.
    """
    out = np.empty_like(images)
    factor, term = map(float, params)
    levels.shift_hsv(images.reshape(-1), 0.0, factor, term, out.reshape(-1))
    return out


@corruption("digital", (0.4, 0.3, 0.2, 0.1, 0.05), table=TABLE, source=SOURCE)
def contrast(images: Images, factor: float, _draws: Draws) -> Images:
    """Draw every value towards its channel's mean over the image, to `factor` of its distance."""
    means = np.empty((len(images), 3))
    levels.mean_channels(images, means)
    scale = np.arange(256) / 255
    drawn = (scale - means[..., None]) * factor + means[..., None]
    tables = (np.clip(drawn, 0, 1) * 255).astype(np.uint8)
    out = np.empty_like(images)
    levels.look_up(images, tables, out)
    return out


def draw_displacements(streams: Streams, size: tuple[int, int], _alpha: float) -> Draws:
    """`across` and `down`: uniform in (0, 1), float32 `(n, h, w)`."""
    return {"across": streams.uniform32(*size), "down": streams.uniform32(*size)}


@corruption(
    "digital",
    tuple(250 * alpha for alpha in (0.05, 0.065, 0.085, 0.1, 0.12)),
    table=TABLE,
    source=SOURCE,
    draw=draw_displacements,
)
def elastic_transform(images: Images, alpha: float, draws: Draws) -> Images:
    """Displace every pixel by smoothed noise.

    alpha: factor on the noise, which is uniform within 0.5 % of the height and smoothed by 1 % of
    each side. The reference's own operator, without ImageNet-C's affine part; its sigma is under
    a pixel at 96x96, so that it scatters pixels more than it bends shapes.
    """
    height, width = images.shape[1:3]
    down = gaussian.taps(height * 0.01, height, truncate=3, mode="symmetric")
    along = gaussian.taps(width * 0.01, width, truncate=3, mode="symmetric")
    dy, dx = (
        gaussian.smooth(_centred(draws[name], height * 0.005), down, along)
        for name in ("down", "across")
    )
    out = np.empty_like(images)
    warp.displace(images, dy, dx, alpha, out)
    return out


def _centred(unit: NDArray[Any], limit: float) -> NDArray[np.float64]:
    """Uniform in 0..1 to uniform in -limit..limit."""
    noise: NDArray[np.float64] = unit * np.float64(2 * limit)
    noise -= limit
    return noise


@corruption("digital", (0.6, 0.5, 0.4, 0.3, 0.25), table=TABLE, source=SOURCE)
def pixelate(images: Images, scale: float, _draws: Draws) -> Images:
    """Shrink by averaging, enlarge by repeating. scale: side of the shrunk image / side.

    Bit-equal to Pillow's BOX and NEAREST, rows before columns. Pillow 13 does the columns of
    images more than twice as high as wide first: there, values differ by one level.
    """
    height, width = images.shape[1:3]
    small_height, small_width = int(height * scale), int(width * scale)
    out = np.empty_like(images)
    levels.pixelate(
        images,
        *levels.boxes(height, small_height),
        *levels.boxes(width, small_width),
        levels.nearest(height, small_height),
        levels.nearest(width, small_width),
        out,
    )
    return out


@corruption("digital", (25, 18, 15, 10, 7), table=TABLE, source=SOURCE)
def jpeg_compression(images: Images, quality: int, _draws: Draws) -> Images:
    """Write as JPEG and read again. quality: 1..100 of the IJG scale; chroma is halved (4:2:0).

    Bit-equal to Pillow (libjpeg-turbo), which the reference uses, without writing a file.
    """
    out = np.empty_like(images)
    jpeg.through_jpeg(images, *jpeg.steps(quality), out)
    return out
