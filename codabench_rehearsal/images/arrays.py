"""From whatever arrays a file held to images and ids: converted with a note, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Notes = tuple[str, ...]


class RawArrays(NamedTuple):
    """Arrays as found, before any check; `source` names them in messages."""

    images: Array
    labels: Array
    ids: Array | None
    notes: Notes
    source: str


def as_images(
    array: Array, source: str, shape: Sequence[int] | None = None
) -> tuple[NDArray[np.uint8], Notes]:
    """Return images uint8 (n, h, w, 3) or (n, h, w, 1), and notes on what was converted.

    Raises DataError, naming `source`, if the array cannot be images or not of (h, w, c) `shape`.
    """
    array, axis_notes = _with_channels(array, source)
    if 0 in array.shape:
        raise DataError(f"{source}: expected at least one image, received shape {array.shape}")
    if shape is not None and array.shape[1:] != tuple(shape):
        raise DataError(
            f"{source}: expected images of {_by(shape)}, received {_by(array.shape[1:])}; "
            "choose the file that goes with this challenge, or resize the images"
        )
    images, value_notes = _as_bytes(array, source)
    return images, axis_notes + value_notes


def as_ids(array: Array | None, count: int, source: str) -> NDArray[np.int64]:
    """Return ids int64 (count,): the given ones checked, or 0..count-1 if None."""
    if array is None:
        return np.arange(count, dtype=np.int64)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise DataError(
            f"{source}: expected ids as integers of shape ({count},), received "
            f"{array.dtype} {array.shape}; drop the key 'ids' to number the rows anew"
        )
    ids = array.astype(np.int64)
    if ids.min() < 0 or len(np.unique(ids)) != count:
        raise DataError(
            f"{source}: expected ids that are unique and not negative; "
            "drop the key 'ids' to number the rows anew"
        )
    return ids


def _with_channels(array: Array, source: str) -> tuple[Array, Notes]:
    shape = array.shape
    if array.ndim == 3 and shape[2] not in (1, 3):
        return array[..., None], ("Grey images without a channel axis: one was added.",)
    if array.ndim == 4 and shape[3] in (1, 3):
        return array, ()
    raise DataError(
        f"{source}: expected images of shape (n, h, w, 3), (n, h, w, 1) or (n, h, w), "
        f"received {shape}; {_shape_advice(shape)}"
    )


def _shape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 4 and shape[1] in (1, 3):
        return "the channels come first: transpose with images.transpose(0, 2, 3, 1)"
    if len(shape) == 4 and shape[3] == 4:
        return "drop the fourth channel (transparency) with images[..., :3]"
    if len(shape) == 3:
        return "that looks like one single image: add an axis with images[None]"
    if len(shape) == 2:
        return "the images were flattened: reshape them to (n, h, w, 3)"
    return "reshape them"


def _as_bytes(array: Array, source: str) -> tuple[NDArray[np.uint8], Notes]:
    if array.dtype.kind == "u" and array.dtype.itemsize == 1:
        dark = "No pixel exceeds 1: were images in 0..1 cut to integers before they were saved?"
        return array.astype(np.uint8, copy=False), (dark,) if array.max() <= 1 else ()
    if array.dtype.kind in "iu":
        _check_values(array, source)
        return array.astype(np.uint8), (f"Images converted from {array.dtype} to uint8.",)
    if array.dtype.kind == "f":
        return _from_floats(array, source)
    raise DataError(
        f"{source}: expected images as uint8 0..255 or floats 0..1 or 0..255, received "
        f"{array.dtype}; convert them to uint8"
    )


def _from_floats(array: Array, source: str) -> tuple[NDArray[np.uint8], Notes]:
    wrong = next((row for row, image in enumerate(array) if not np.isfinite(image).all()), None)
    if wrong is not None:
        raise DataError(
            f"{source}: expected finite pixel values, received NaN or infinity, first in image "
            f"{wrong}; drop such images or load the original ones"
        )
    _check_values(array, source)
    scale, of = (255, "0..1") if array.max() <= 1 else (1, "0..255")
    images = np.empty(array.shape, np.uint8)
    for row, image in enumerate(array):  # one at a time: a float copy of all may not fit
        images[row] = np.rint(image * scale)
    return images, (f"Images converted from {array.dtype} {of} to uint8, rounded.",)


def _check_values(array: Array, source: str) -> None:
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        advice = "they look standardised: load the original ones" if low < 0 else "rescale them"
        raise DataError(
            f"{source}: expected pixel values in 0..255 (or floats in 0..1), received "
            f"{low:g}..{high:g} ({array.dtype}); {advice}"
        )


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
