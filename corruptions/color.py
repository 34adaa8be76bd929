"""Tones and colours: solarize, posterize, equalize and the rest of RandAugment's point operations.

Every operation takes uint8 `(n, h, w, 3)` images and one value (or row of values) an image. The
definitions are KerasCV 0.9's; where PIL's ImageOps differ, the docstring says how. KerasCV keeps
floats between operations; here every operation rounds to the nearest level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.geometry import signed
from corruptions.kernels import cv2
from corruptions.kernels.levels import histograms, look_up
from corruptions.registry import Draws, Images, Params, Values, steered
from corruptions.streams import Streams

_LEVELS = np.arange(256, dtype=np.float64)
_GREY = np.array([0.2989, 0.5870, 0.1140], np.float32)  # tf.image.rgb_to_grayscale
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / np.float32(13.0)
_MAGNITUDE = (0.2, 0.35, 0.5, 0.65, 0.8)  # severity 3 is RandAugment's 0.5
_SHIFT = (0.08, 0.16, 0.25, 0.35, 0.45)  # RandAugment at 0.5: evenly in -0.5..0.5, mean 0.25
_KERASCV = "KerasCV 0.9.0 (formula); own severities"


def _constant(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    return {"value": np.full(len(streams), level)}


def _solarized(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """RandAugment's line: at magnitude m 110 * m is added and the threshold is 255 * (1 - m)."""
    magnitude = np.minimum(level * streams.uniform(0.8, 1.2), 1)
    return {"value": np.stack([110 * magnitude, 255 * (1 - magnitude)], axis=1)}


@steered("color", _MAGNITUDE, draw=_solarized, source=_KERASCV)
def solarize(images: Images, values: Values) -> Images:
    """Add, clip, then invert what is not below the threshold. values: `(n, 2)` added, threshold.

    PIL's solarize is the case without an addition, and inverts from an integer threshold on.
    """
    added, threshold = values[:, 0, None], values[:, 1, None]
    shifted = np.clip(_LEVELS + added, 0, 255)
    return look_up(images, np.where(shifted < threshold, shifted, 255 - shifted)[:, None])


@steered("color", (5, 4, 3, 2, 1), draw=_constant, source="PIL ImageOps; own severities")
def posterize(images: Images, values: Values) -> Images:
    """Keep the highest bits of each level. values: `(n,)` bits, 1..8. Same as PIL's."""
    shift = 8 - values.astype(np.int64)[:, None]
    return look_up(images, (np.arange(256) >> shift << shift)[:, None])


@steered("color", (0.2, 0.4, 0.6, 0.8, 1.0), draw=_constant, source=_KERASCV)
def equalize(images: Images, values: Values) -> Images:
    """Flatten each channel's histogram. values: `(n,)`, 0 leaves the image, 1 equalizes it.

    Level v becomes (pixels below v + step // 2) // step, with step = (pixels - rarest level's
    pixels) // 255; a channel with step 0 stays. PIL takes the brightest level's pixels in place of
    the rarest's.
    """
    counts = histograms(images)
    total = images.shape[1] * images.shape[2]
    rarest = np.where(counts > 0, counts, total).min(axis=2, keepdims=True)
    step = (total - rarest) // 255
    below = np.cumsum(counts, axis=2) - counts
    divisor = np.maximum(step, 1)
    flat = np.clip((below + divisor // 2) // divisor, 0, 255)
    return look_up(images, _towards(np.where(step > 0, flat, _LEVELS), values))


@steered("color", (0.0, 0.02, 0.05, 0.1, 0.2), draw=_constant, source=_KERASCV)
def autocontrast(images: Images, values: Values) -> Images:
    """Stretch each channel to 0..255. values: `(n,)`, share of pixels ignored at either end.

    0 is KerasCV's AutoContrast; one-level channels stay. PIL's cutoff is 100 times ours; its table
    truncates where this one rounds.
    """
    counts = histograms(images)
    ignored = values[:, None, None] * (images.shape[1] * images.shape[2])
    low = np.argmax(np.cumsum(counts, axis=2) > ignored, axis=2)[..., None]
    above = np.cumsum(counts[..., ::-1], axis=2)
    high = 255 - np.argmax(above > ignored, axis=2)[..., None]
    scale = 255.0 / np.maximum(high - low, 1)
    return look_up(images, np.where(high > low, (_LEVELS - low) * scale, _LEVELS))


@steered("color", (0.2, 0.35, 0.65, 0.8, 1.0), draw=_constant, source="own")
def invert(images: Images, values: Values) -> Images:
    """Blend towards the negative. values: `(n,)`, 1 is the negative, 1/2 flat grey."""
    return look_up(images, _towards(255 - _LEVELS[None, None], values))


def _contrasts(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    return {"value": 1 + level * streams.signs()}


@steered("color", _MAGNITUDE, draw=_contrasts, source=_KERASCV)
def adjust_contrast(images: Images, values: Values) -> Images:
    """(x - mean) * value + mean, mean of each image and channel. values: `(n,)` factors."""
    means = (histograms(images) @ _LEVELS / (images.shape[1] * images.shape[2]))[..., None]
    return look_up(images, (_LEVELS - means) * values[:, None, None] + means)


@steered("color", _SHIFT, draw=signed, source=_KERASCV)
def adjust_brightness(images: Images, values: Values) -> Images:
    """Add value * 255 to all channels. values: `(n,)`, -1 is black, 1 white."""
    return look_up(images, _LEVELS + 255 * values[:, None, None])


def _colors(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """Half the images towards grey, half over-saturated to 1 + 2 * level."""
    return {"value": np.where(streams.signs() < 0, level, -2.0 * level)}


@steered("color", (0.2, 0.35, 0.5, 0.75, 1.0), draw=_colors, source=_KERASCV)
def color(images: Images, values: Values) -> Images:
    """Blend towards grey. values: `(n,)`, 0 leaves the image, 1 is grey, below 0 over-saturates."""
    factors = values.astype(np.float32)[:, None, None, None]
    red, green, blue = (images[..., channel, None] * _GREY[channel] for channel in range(3))
    grey = factors * (red + green + blue) + np.float32(0.5)
    blended: Images = np.clip((1 - factors) * images + grey, 0, 255).astype(np.uint8)
    return blended


@steered("color", (1.0, 2.0, 4.0, 7.0, 12.0), draw=_constant, source="PIL ImageEnhance")
def sharpness(images: Images, values: Values) -> Images:
    """Level x + value * (x - smooth x). values: `(n,)`: 0 keeps, above sharpens, -1 smooths.

    The outermost pixels stay, as in PIL's ImageEnhance.Sharpness (its factor is 1 + value).
    """
    sharpened = images.copy()
    for image, value, target in zip(images, values, sharpened, strict=True):
        smooth = cv2.filter2D(image, cv2.CV_32F, _SMOOTH)[1:-1, 1:-1]
        inner = image[1:-1, 1:-1].astype(np.float32)
        inner += np.float32(value) * (inner - smooth)
        target[1:-1, 1:-1] = np.clip(np.rint(inner), 0, 255)
    return sharpened


def _towards(tables: NDArray[np.float64], values: Values) -> NDArray[np.float64]:
    """The given share of the way from the identity to the tables."""
    mixed: NDArray[np.float64] = _LEVELS + values[:, None, None] * (tables - _LEVELS)
    return mixed
