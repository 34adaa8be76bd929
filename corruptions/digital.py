"""Digital damage: brightness, contrast, saturation, elastic warp, pixels, JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import blurs, cv2, levels, warp
from corruptions.registry import DEFAULT_TABLE, Draws, Images, corruption
from corruptions.streams import Streams


@corruption("digital", tables=(DEFAULT_TABLE,))
def brightness(images: Images, amount: float, _draws: Draws) -> Images:
    """Brighten: HSV value + amount (in units of the full range), clipped."""
    out = np.empty_like(images)
    levels.shift_hsv(images.reshape(-1), amount, 1.0, 0.0, out.reshape(-1))
    return out


def fades_and_strengthens(low: tuple[float, float], high: tuple[float, float]) -> bool:
    """Whether one of two rows takes colour away and the other adds some: between is the image."""
    return (low[0] < 1) != (high[0] < 1)


@corruption("digital", tables=(DEFAULT_TABLE,), apart=fades_and_strengthens)
def saturate(images: Images, params: tuple[float, float], _draws: Draws) -> Images:
    """Fade or strengthen colours: HSV saturation * factor + term, clipped. params: (factor, term).

    Greys have no hue and become reddish where the term is positive, as in the reference.
    """
    out = np.empty_like(images)
    factor, term = map(float, params)
    levels.shift_hsv(images.reshape(-1), 0.0, factor, term, out.reshape(-1))
    return out


@corruption("digital", tables=(DEFAULT_TABLE,))
def contrast(images: Images, factor: float, _draws: Draws) -> Images:
    """Draw every value towards its channel's mean over the image, to `factor` of its distance."""
    means = levels.mean_channels(images)[..., None]
    drawn = (levels.UNIT - means) * factor + means
    return levels.look_up(images, np.floor(np.clip(drawn, 0, 1) * 255))


def draw_displacements(streams: Streams, size: tuple[int, int], _alpha: float) -> Draws:
    """`across` and `down`: uniform in (0, 1), float32 `(n, h, w)`."""
    return {"across": streams.uniform32(*size), "down": streams.uniform32(*size)}


@corruption("digital", tables=(DEFAULT_TABLE,), draw=draw_displacements)
def elastic_transform(images: Images, alpha: float, draws: Draws) -> Images:
    """Displace every pixel by smoothed noise.

    alpha: factor on the noise, which is uniform within 0.5 % of the height and smoothed by 1 % of
    each side. The reference's own operator, without ImageNet-C's affine part; its sigma is under
    a pixel at 96x96, so that it scatters pixels more than it bends shapes.
    """
    height, width = images.shape[1:3]
    sigmas = height * 0.01, width * 0.01
    dy, dx = (
        blurs.smooth(_centred(draws[name], height * 0.005), sigmas, truncate=3, mode="symmetric")
        for name in ("down", "across")
    )
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge") / np.float32(255)
    out = np.empty_like(images)
    warp.displace(framed.astype(np.float64), dy, dx, alpha, out)
    return out


def _centred(unit: NDArray[np.floating], limit: float) -> NDArray[np.float64]:
    """Uniform in 0..1 to uniform in -limit..limit."""
    noise: NDArray[np.float64] = unit * np.float64(2 * limit)
    noise -= limit
    return noise


@corruption("digital", tables=(DEFAULT_TABLE,))
def pixelate(images: Images, scale: float, _draws: Draws) -> Images:
    """Shrink by averaging, enlarge by repeating. scale: side of the shrunk image / side."""
    # Rows before columns, in two steps: Pillow 13 would turn the order round in high images.
    height, width = images.shape[1:3]
    small = int(width * scale), int(height * scale)
    return resized(images, [(small[0], height), small], enlarge="NEAREST")


def resized(images: Images, sizes: Sequence[tuple[int, int]], *, enlarge: str) -> Images:
    """Shrink to `sizes` (width, height) by Pillow's BOX, and enlarge by the filter of that name."""
    from PIL import Image

    out = np.empty_like(images)
    for image, target in zip(images, out, strict=True):
        picture = Image.fromarray(image)
        for size in sizes:
            picture = picture.resize(size, Image.Resampling.BOX)
        whole = picture.resize((image.shape[1], image.shape[0]), Image.Resampling[enlarge])
        target[:] = np.asarray(whole)
    return out


@corruption("digital", tables=(DEFAULT_TABLE,))
def jpeg_compression(images: Images, quality: int, _draws: Draws) -> Images:
    """Write as JPEG and read again. quality: 1..100 of the IJG scale; chroma is halved (4:2:0).

    OpenCV's libjpeg-turbo, bit-equal to Pillow's, which the reference uses.
    """
    out = np.empty_like(images)
    for image, target in zip(images, out, strict=True):
        swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", swapped, (cv2.IMWRITE_JPEG_QUALITY, quality))
        decoded: Any = cv2.imdecode(file, cv2.IMREAD_COLOR)
        cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=target)
    return out
