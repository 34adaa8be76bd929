"""RandAugment's own operations: shears and turns, tones and colours.

Each takes uint8 `(n, h, w, 3)` images and one value (or row of values) an image. The definitions
are KerasCV 0.9's; where PIL's ImageOps differ, the docstring says how. KerasCV keeps floats between
operations; here every operation rounds to the nearest level. Borders are reflected about the edge
of the last pixel, `d c b a | a b c d | d c b a` (OpenCV's BORDER_REFLECT), as in KerasCV's layers.
Revision 2 of shear and translation blends neighbours with 15-bit weights, without a general warp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import cv2
from corruptions.kernels.levels import histograms, look_up
from corruptions.kernels.warp import slide_rows
from corruptions.registry import Draws, Images, Params, Values, steered
from corruptions.streams import Streams

_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_SOURCE = "KerasCV 0.9.0 RandomShear and RandomTranslation (matrices, reflection); own severities"
_SHEAR = (0.1, 0.3, 0.5, 0.65, 0.8)  # RandAugment at magnitude 0.5: 0.5 +- 0.15
_SHIFT = (0.08, 0.16, 0.25, 0.33, 0.4)  # the same: evenly in -0.5..0.5, 0.25 in the mean
_ANGLE = (10.0, 20.0, 40.0, 80.0, 140.0)  # not in KerasCV's RandAugment
_LEVELS = np.arange(256, dtype=np.float64)
_GREY = np.array([0.2989, 0.5870, 0.1140], np.float32)  # tf.image.rgb_to_grayscale
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / np.float32(13.0)
_MAGNITUDE = (0.2, 0.35, 0.5, 0.65, 0.8)  # severity 3 is RandAugment's 0.5
_TONE_SHIFT = (0.08, 0.16, 0.25, 0.35, 0.45)  # RandAugment at 0.5: evenly in -0.5..0.5, mean 0.25
_KERASCV = "KerasCV 0.9.0 (formula); own severities"


def signed(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """The level, between 3/4 and 5/4 of it, in either direction."""
    return {"value": streams.signs() * level * streams.uniform(0.75, 1.25)}


@steered("geometry", _SHEAR, draw=signed, source=_SOURCE, revision=2)
def shear_x(images: Images, values: Values) -> Images:
    """Input column = x + value * y: about the top left corner, as KerasCV does. values: `(n,)`."""
    return _slide(images, values[:, None] * np.arange(images.shape[1]))


@steered("geometry", _SHEAR, draw=signed, source=_SOURCE, revision=2)
def shear_y(images: Images, values: Values) -> Images:
    """Input row = y + value * x. values: `(n,)`."""
    return _slide_down(images, values[:, None] * np.arange(images.shape[2]))


@steered("geometry", _SHIFT, draw=signed, source=_SOURCE, revision=2)
def translate_x(images: Images, values: Values) -> Images:
    """Move right by value * width. values: `(n,)`, negative to the left."""
    return _slide(images, np.repeat(-values[:, None] * images.shape[2], images.shape[1], axis=1))


@steered("geometry", _SHIFT, draw=signed, source=_SOURCE, revision=2)
def translate_y(images: Images, values: Values) -> Images:
    """Move down by value * height. values: `(n,)`, negative upwards."""
    return _slide_down(
        images, np.repeat(-values[:, None] * images.shape[1], images.shape[2], axis=1)
    )


@steered("geometry", _ANGLE, draw=signed, source="own, degrees")
def rotate(images: Images, values: Values) -> Images:
    """Turn counter-clockwise about the centre by value degrees. values: `(n,)`."""
    cos, sin = np.cos(np.radians(values)), np.sin(np.radians(values))
    x, y = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    matrices = np.stack(
        [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y], axis=-1
    ).reshape(-1, 2, 3)
    warped: Images = np.empty(images.shape, np.uint8)
    size = (images.shape[2], images.shape[1])
    for image, matrix, target in zip(images, matrices, warped, strict=True):
        cv2.warpAffine(image, matrix, size, dst=target, flags=_FLAGS, borderMode=cv2.BORDER_REFLECT)
    return warped


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


def _around_grey(low: float, high: float) -> bool:
    """Whether flat grey lies between two shares of the negative: no image at all."""
    return low < 1 / 2 < high


@steered("color", (0.2, 0.35, 0.65, 0.8, 1.0), draw=_constant, source="own", apart=_around_grey)
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


@steered("color", _TONE_SHIFT, draw=signed, source=_KERASCV)
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


def _slide(images: Images, offsets: NDArray[np.float64]) -> Images:
    """Rows along themselves, by offsets `(n, h)`."""
    slid: Images = np.empty(images.shape, np.uint8)
    pixels = np.require(images, requirements=["C", "W", "E"])  # one type: compiled once
    slide_rows(pixels, np.ascontiguousarray(offsets, np.float64), slid)
    return slid


def _slide_down(images: Images, offsets: NDArray[np.float64]) -> Images:
    """Columns along themselves, by offsets `(n, w)`."""
    turned = _slide(images.transpose(0, 2, 1, 3), offsets)
    return np.ascontiguousarray(turned.transpose(0, 2, 1, 3))


def _towards(tables: NDArray[np.float64], values: Values) -> NDArray[np.float64]:
    """The given share of the way from the identity to the tables."""
    mixed: NDArray[np.float64] = _LEVELS + values[:, None, None] * (tables - _LEVELS)
    return mixed
