"""What the door lets in: images, ids, seeds and severities, checked.

The operators know RGB images of at least 32 pixels a side. Grey ones are given three equal channels,
smaller ones mirrored borders (`prepared`); afterwards the borders are cut off and the luma is taken
(`restored`). So a change of hue leaves a grey image as it is, added saturation or a tint becomes a
change of brightness, and noise that is drawn for each channel is averaged by the luma's weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError

SMALLEST_SIDE = 32

_Images = NDArray[np.uint8]


def check_images(images: _Images) -> _Images:
    """The images themselves: uint8 `(n, h, w, 3)`, or grey `(n, h, w, 1)` or `(n, h, w)`."""
    if not isinstance(images, np.ndarray):
        raise CorruptionError(f"Images must be a numpy array, not {type(images).__name__}.")
    if images.dtype != np.uint8:
        raise CorruptionError(
            f"Images must be uint8 (0..255), not {images.dtype}. "
            "For floats in 0..1: (images * 255).round().astype('uint8')."
        )
    _check_shape(images.shape)
    if 0 in images.shape[1:3]:
        raise CorruptionError(f"Images must have pixels, not shape {images.shape}.")
    return images


def _check_shape(shape: tuple[int, ...]) -> None:
    advice = ""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
        advice = " For a single image: image[None]."
    elif len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)):
        return
    raise CorruptionError(
        "Images must have shape (n, h, w, 3), or (n, h, w, 1) or (n, h, w) for grey ones, "
        f"not {shape}.{advice}"
    )


def check_severity(severity: int) -> int:
    """The severity as a plain integer, 1..5."""
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer):
        raise CorruptionError(f"Severity must be an integer from 1 to 5, not {severity!r}.")
    if not 1 <= severity <= 5:
        raise CorruptionError(f"Severity must be from 1 (mild) to 5 (strong), not {severity}.")
    return int(severity)


def check_seed(seed: int) -> None:
    """Any integer is a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise CorruptionError(f"The seed must be an integer, not {seed!r}.")


def check_ids(ids: NDArray[np.int64] | Sequence[int] | None, count: int) -> NDArray[np.int64]:
    """One integer an image, 0..count-1 where none are given; int64 `(count,)`."""
    if ids is None:
        return np.arange(count, dtype=np.int64)
    numbered = np.asarray(ids)
    if numbered.shape != (count,) or (count and numbered.dtype.kind not in "iu"):
        raise CorruptionError(
            f"ids must hold one integer for each of the {count} images, "
            f"not shape {numbered.shape} of {numbered.dtype}."
        )
    return numbered.astype(np.int64)


def is_ready(shape: tuple[int, ...]) -> bool:
    """Whether images of this shape are what the operators take: RGB, no side below 32 pixels."""
    return len(shape) == 4 and shape[3] == 3 and min(shape[1:3]) >= SMALLEST_SIDE


def prepared(images: _Images) -> _Images:
    """RGB `(n, h, w, 3)`, at least 32 pixels a side: grey three times over, borders mirrored."""
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    borders = [_borders(side) for side in images.shape[1:3]]
    if any(sum(border) for border in borders):
        images = np.pad(images, [(0, 0), *borders, (0, 0)], mode="reflect")
    return images


def restored(images: _Images, shape: tuple[int, ...]) -> _Images:
    """Undo `prepared` for images given in this shape: borders cut off, grey where grey was given."""
    (top, _), (left, _) = (_borders(side) for side in shape[1:3])
    images = images[:, top : top + shape[1], left : left + shape[2]]
    if len(shape) == 4 and shape[3] == 3:
        return images
    return _luma(images).reshape((len(images), *shape[1:]))


def _borders(side: int) -> tuple[int, int]:
    missing = max(SMALLEST_SIDE - side, 0)
    return missing // 2, missing - missing // 2


def _luma(images: _Images) -> _Images:
    """Grey `(n, h, w)` (OpenCV's COLOR_RGB2GRAY)."""
    from corruptions._cv import cv2  # here: RGB images do not need it

    count, height, width, _ = images.shape
    if not count:
        return images[..., 0]
    rows = np.ascontiguousarray(images).reshape(count * height, width, 3)
    grey = np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), np.uint8)
    return grey.reshape(count, height, width)
