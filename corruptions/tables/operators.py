"""Operators that several tables share, and the default table's operators with other numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import motion
from corruptions.kernels.compiled import kernel
from corruptions.registry import (
    DEFAULT_TABLE,
    Corruption,
    Draws,
    Images,
    Params,
    all_operators,
    corruption,
)

Values = NDArray[np.float32]
Indices = NDArray[np.int64]

_NEAR = np.float32(1e-3)  # float32 sums this close below a grey level count as that level


def reuse(numbers: Mapping[str, Sequence[Params]], *, table: str, source: str) -> None:
    """Register operators of the default table with other numbers; revisions follow the original's.

    What the numbers mean is said where the operator is defined.
    """
    for name, severities in numbers.items():
        operator = _default(name)
        corruption(
            operator.family,
            severities,
            source=source,
            draw=operator.draw,
            table=table,
            revision=operator.revision,
            name=name,
            chunk_pixels=operator.chunk_pixels,
        )(operator.apply)


def _default(name: str) -> Corruption:
    found = {op.name: op for op in all_operators() if op.table == DEFAULT_TABLE}
    return found[name]


def pixelate(images: Images, scale: float, _draws: Draws) -> Images:
    """Shrink by averaging, enlarge with the same filter. scale: side of the shrunk image / side.

    Pillow's BOX both ways, as in ImageNet-C; the default table enlarges with NEAREST, which shows
    the same boxes except where the edge of two falls on a pixel's centre.
    """
    from PIL import Image

    height, width = images.shape[1:3]
    small = int(width * scale), int(height * scale)
    out = np.empty_like(images)
    for image, target in zip(images, out, strict=True):
        shrunk = Image.fromarray(image).resize(small, Image.Resampling.BOX)
        target[:] = np.asarray(shrunk.resize((width, height), Image.Resampling.BOX))
    return out


def motion_blur(images: Images, params: tuple[int, float], draws: Draws) -> Images:
    """Smear to one side along a line, fading like half a Gaussian, as ImageMagick does.

    params: radius (2 * radius + 1 copies, a pixel apart) and sigma of the fading, in pixels. The
    copies are shifted by whole pixels, edges are repeated. After the documented behaviour of
    MagickMotionBlurImage, without ImageMagick itself. The default table truncates the sum, this
    rounds it.
    """
    count, height, width, _ = images.shape
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(count * 3, height, width)
    smeared = smear(planes.astype(np.float32), params, np.repeat(draws["angle"], 3))
    levels = np.minimum(np.rint(smeared), 255).astype(np.uint8)
    return np.ascontiguousarray(levels.reshape(count, 3, height, width).transpose(0, 2, 3, 1))


def smear(planes: Values, params: tuple[int, float], angles: NDArray[np.float64]) -> Values:
    """ImageMagick's motion blur of float32 `(n, h, w)`, one angle (degrees) a plane."""
    weights = motion.fading_weights(*params)
    places, counts = motion.shifts(len(weights), angles, *planes.shape[1:])
    out = np.empty_like(planes)
    motion.smear_planes(planes, places, counts, weights.astype(np.float32), out)
    return out


def centred_taps(length: int, factor: float) -> tuple[Indices, NDArray[np.float64]]:
    """A line zoomed by `factor` and trimmed on both sides to its old length.

    For each point: its first source pixel, and the weights of that one and the next.
    """
    left, weights = motion.line_taps(length, factor)
    first, spare = motion.crop(length, factor)[0], (len(left) - length) // 2
    part = slice(spare, spare + length)
    return first + left[part], weights[part]


def zoom_blur(images: Images, factors: tuple[float, ...], _draws: Draws) -> Images:
    """The mean of the image and of its zooms by `factors`, each cut from its middle.

    So in ImageNet-C; the default table cuts the zooms from their top left corner.
    """
    rows, columns = (
        [centred_taps(length, factor) for factor in factors] for length in images.shape[1:3]
    )
    out = np.empty_like(images)
    _mean_zooms(
        images.reshape(len(images), images.shape[1], -1),
        np.stack([left for left, _ in rows]),
        np.stack([weights for _, weights in rows]).astype(np.float32),
        np.stack([left for left, _ in columns]),
        np.stack([weights for _, weights in columns]).astype(np.float32),
        out.reshape(len(images), images.shape[1], -1),
    )
    return out


@kernel
def _mean_zooms(
    images: Images,
    rows: Indices,
    row_weights: Values,
    columns: Indices,
    column_weights: Values,
    out: Images,
) -> None:
    """On uint8 `(n, h, w * 3)`; taps `(zooms, h)` and `(zooms, w)`, weights with a last axis of 2."""
    height, size = images.shape[1], images.shape[2]
    share = np.float32(1 / (rows.shape[0] + 1))
    total, line = np.empty(size, np.float32), np.empty(size, np.float32)
    for image in range(images.shape[0]):
        for y in range(height):
            for x in range(size):
                total[x] = np.float32(images[image, y, x])
            for layer in range(rows.shape[0]):
                upper = images[image, rows[layer, y]]
                lower = images[image, rows[layer, y] + 1]
                top, bottom = row_weights[layer, y]
                for x in range(size):
                    line[x] = top * np.float32(upper[x]) + bottom * np.float32(lower[x])
                _add_line(line, columns[layer], column_weights[layer], total)
            for x in range(size):
                value = min(total[x] * share + _NEAR, np.float32(255))
                out[image, y, x] = np.uint8(np.int32(value))


@kernel
def _add_line(line: Values, columns: Indices, weights: Values, total: Values) -> None:
    for x in range(columns.size):
        source, left, right = 3 * columns[x], weights[x, 0], weights[x, 1]
        for channel in range(3):
            at = source + channel
            total[3 * x + channel] += left * line[at] + right * line[at + 3]
