"""What the door lets in: images, ids, seeds and severities, checked; grey images made RGB and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corruptions.errors import CorruptionError

SMALLEST_SIDE = 32

_Images = NDArray[np.uint8]


def check_images(images: _Images) -> _Images:
    """The images themselves: uint8 `(n, h, w, 3)` or `(n, h, w)`, sides of at least 32 pixels."""
    if not isinstance(images, np.ndarray):
        raise CorruptionError(f"Images must be a numpy array, not {type(images).__name__}.")
    if images.dtype != np.uint8:
        raise CorruptionError(
            f"Images must be uint8 (0..255), not {images.dtype}. "
            "For floats in 0..1: (images * 255).round().astype('uint8')."
        )
    _check_shape(images.shape)
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise CorruptionError(
            f"Images must be at least {SMALLEST_SIDE} pixels high and wide, "
            f"not {images.shape[1]}x{images.shape[2]}."
        )
    return images


def _check_shape(shape: tuple[int, ...]) -> None:
    advice = ""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
        advice = " For a single image: image[None]."
    elif len(shape) == 4 and shape[3] == 1:
        advice = " For grey images with a channel axis: images[..., 0]."
    elif len(shape) == 3 or (len(shape) == 4 and shape[3] == 3):
        return
    raise CorruptionError(
        f"Images must have shape (n, h, w, 3), or (n, h, w) for grey ones, not {shape}.{advice}"
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


def to_rgb(images: _Images) -> _Images:
    """Grey `(n, h, w)` three times over, `(n, h, w, 3)`; RGB as it is."""
    return images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=3)


def from_rgb(images: _Images, dimensions: int) -> _Images:
    """The luma `(n, h, w)` where the images given had 3 dimensions (OpenCV's COLOR_RGB2GRAY)."""
    if dimensions == 4:
        return images
    from corruptions._cv import cv2  # here: RGB images do not need it

    count, height, width, _ = images.shape
    if not count:
        return images[..., 0]
    rows = np.ascontiguousarray(images).reshape(count * height, width, 3)
    grey = np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), np.uint8)
    return grey.reshape(count, height, width)
