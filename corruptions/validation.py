"""What the door lets in: images, ids, seeds and severities, checked.

The operators know RGB images of at least 32 pixels a side. Grey ones are given three equal
channels, smaller ones mirrored borders (`prepared`); afterwards the borders are cut off and the
luma is taken (`restored`). So a change of hue leaves a grey image as it is, added saturation or a
tint becomes a change of brightness, and noise that is drawn for each channel is averaged by the
luma's weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.between import HIGHEST, LOWEST, plain

SMALLEST_SIDE = 32

Images = NDArray[np.uint8]
Ids = NDArray[np.int64] | Sequence[int] | None  # one integer an image; 0..n-1 where there are none


def check_images(images: Images) -> Images:
    """The images themselves: uint8 `(n, h, w, 3)`, or grey `(n, h, w, 1)` or `(n, h, w)`."""
    if not isinstance(images, np.ndarray):
        raise CorruptionError(f"Images must be a numpy array, not {type(images).__name__}.")
    if images.dtype != np.uint8:
        raise CorruptionError(
            f"Images must be uint8 (0..255), not {images.dtype}. "
            "For floats in 0..1: (images * 255).round().astype('uint8')."
        )
    colored = images.shape[-1:] in ((1,), (3,))
    if images.ndim != (4 if colored else 3):
        advice = " For a single image: image[None]." if images.ndim in (2, 3) else ""
        raise CorruptionError(
            "Images must have shape (n, h, w, 3), or (n, h, w, 1) or (n, h, w) for grey ones, "
            f"not {images.shape}.{advice}"
        )
    if 0 in images.shape[1:3]:
        raise CorruptionError(f"Images must have pixels, not shape {images.shape}.")
    return images


def check_severity(severity: float) -> float:
    """The severity as a plain number, 1..5: an integer where it is whole."""
    number = isinstance(severity, int | float | np.integer | np.floating)
    if isinstance(severity, bool) or not number:
        raise CorruptionError(f"Severity must be a number from 1 to 5, not {severity!r}.")
    if not LOWEST <= severity <= HIGHEST:
        raise CorruptionError(f"Severity must be from 1 (mild) to 5 (strong), not {severity}.")
    return plain(severity)


def check_seed(seed: int) -> None:
    """Any integer is a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise CorruptionError(f"The seed must be an integer, not {seed!r}.")


def check_ids(ids: Ids, count: int) -> NDArray[np.int64]:
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


def prepared(images: Images) -> Images:
    """RGB `(n, h, w, 3)`, at least 32 pixels a side: grey three times over, borders mirrored."""
    if is_ready(images.shape):
        return images
    if images.ndim == 3 or images.shape[3] == 1:
        images = np.repeat(images.reshape((*images.shape[:3], 1)), 3, axis=3)
    borders = [_borders(side) for side in images.shape[1:3]]
    return np.pad(images, [(0, 0), *borders, (0, 0)], mode="reflect")


def restored(images: Images, shape: tuple[int, ...]) -> Images:
    """Undo `prepared` for images given in this shape: borders cut off, grey where it was given."""
    (top, _), (left, _) = (_borders(side) for side in shape[1:3])
    images = images[:, top : top + shape[1], left : left + shape[2]]
    if len(shape) == 4 and shape[3] == 3:
        return images
    from corruptions.kernels import cv2  # here: RGB images do not need it

    grey = np.empty((len(images), *shape[1:3]), np.uint8)
    for image, target in zip(images, grey, strict=True):
        target[:] = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return grey.reshape((len(images), *shape[1:]))


def _borders(side: int) -> tuple[int, int]:
    missing = max(SMALLEST_SIDE - side, 0)
    return missing // 2, missing - missing // 2
