"""How an array holds images: which axis is what, which values are black and white.

`Layout` turns such an array into uint8 images and back, so that what is written has the dtype, the
range and the axes of what was read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SMALLEST = 8  # pixels a side: what is smaller is a table or a series
_PORTION = 1 << 24  # values looked at at a time
_SURE_WHITE = 128.0  # floats up to 255 reach this somewhere, or nobody knows what their white is
_ENDS = ((-1.0, 1.0), (-0.5, 0.5))  # ranges of which both ends must be met exactly
Order = Literal["none", "last", "first", "flat"]
Array = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """An array of images.

    order: where the channels are: "none" for (n, h, w), "last" (n, h, w, c), "first" (n, c, h, w),
    "flat" (n, h * w). low, high: the values of black and white. dtype: as in the array.
    """

    count: int
    height: int
    width: int
    channels: int
    order: Order
    dtype: np.dtype[Any]
    low: float = 0.0
    high: float = 255.0

    def images(self, part: Array) -> NDArray[np.uint8]:
        """Some of the array's rows as uint8 images `(n, h, w, c)`, rounded to 256 steps."""
        if self.order == "first":
            part = np.moveaxis(part, 1, 3)
        part = part.reshape(len(part), self.height, self.width, self.channels)
        if self.dtype == np.uint8:
            return np.ascontiguousarray(part)
        shares = (part.astype(np.float64) - self.low) / (self.high - self.low)
        return np.asarray(np.clip(np.rint(shares * 255), 0, 255), np.uint8)

    def array(self, images: NDArray[np.uint8]) -> Array:
        """uint8 images `(n, h, w, c)` as rows of the array."""
        part: Array = images
        if self.dtype.kind == "f" and (self.low, self.high) == (0.0, 1.0):
            kind = self.dtype.newbyteorder("=")  # as programs make them: images / 255
            part = images.astype(np.promote_types(kind, np.float32)) / np.asarray(255, kind)
        elif self.dtype != np.uint8:
            part = self.low + images.astype(np.float64) * ((self.high - self.low) / 255)
        if self.order == "first":
            part = np.moveaxis(part, 3, 1)
        shapes = {"none": images.shape[:3], "flat": (len(images), -1)}
        return part.reshape(shapes.get(self.order, part.shape)).astype(self.dtype)

    def __str__(self) -> str:
        """28 x 28, grey, floats of 0 to 1."""
        colour = "grey" if self.channels == 1 else "colour"
        axes = ", channels first" if self.order == "first" else ""
        if self.dtype == np.uint8:
            return f"{self.height} x {self.width}, {colour}{axes}, uint8"
        ends = f"{self.low:g} to {self.high:g}"
        return f"{self.height} x {self.width}, {colour}{axes}, {self.dtype.name} of {ends}"


def layout_of(shape: tuple[int, ...], dtype: np.dtype[Any], *, said: bool = False) -> Layout | str:
    """The layout that a shape and a type allow, or why it holds no images.

    said: the user calls it images; then square rows, flat, are some, and integers of any size.
    """
    if dtype.kind not in ("iuf" if said else "f") and dtype != np.uint8:
        return f"{dtype.name} is not taken for pixels"
    if not shape or not shape[0]:
        return "it has no rows"
    axes = _axes(shape, flat=said)
    if axes is None:
        return f"shape {shape} is not (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w)"
    if min(axes[:2]) < SMALLEST:
        return f"shape {shape}: a side of fewer than {SMALLEST} is no picture"
    return Layout(shape[0], *axes, dtype)


def _axes(shape: tuple[int, ...], *, flat: bool) -> tuple[int, int, int, Order] | None:
    """Height, width, channels and where these are; None for no images. flat: rows may be some."""
    match shape:
        case (_, pixels) if flat and isqrt(pixels) ** 2 == pixels:
            return (isqrt(pixels), isqrt(pixels), 1, "flat")
        case (_, height, width):
            return (height, width, 1, "none")
        case (_, height, width, 1 | 3 as channels):
            return (height, width, channels, "last")
        case (_, 1 | 3 as channels, height, width):
            return (height, width, channels, "first")
    return None


def with_range(layout: Layout, array: Array) -> Layout | str:
    """The same with the values of black and white, or why nobody can tell them."""
    if layout.dtype == np.uint8:
        return layout if _ends(array)[1] > 1 else "it holds 0 and 1 alone"
    low, high = _ends(array)
    if not np.isfinite([low, high]).all():
        return "it holds values that are not finite"
    ends = _range(low, high)
    if ends is None or (layout.dtype.kind in "iu" and ends != (0.0, 255.0)):
        return (
            f"its values, {low:.3g} to {high:.3g}, are neither 0 to 1 nor 0 to 255 (standardised, "
            "perhaps): what black and white are is not known"
        )
    return replace(layout, low=ends[0], high=ends[1])


def _range(low: float, high: float) -> tuple[float, float] | None:
    if (low, high) in _ENDS:
        return (low, high)
    if low < 0:
        return None
    if high <= 1:
        return (0.0, 1.0)
    return (0.0, 255.0) if _SURE_WHITE <= high <= 255 else None


def _ends(array: Array) -> tuple[float, float]:
    """The lowest and the highest value; NaN where one is among them."""
    rows = max(1, _PORTION // max(1, int(np.prod(array.shape[1:]))))
    parts = [array[at : at + rows] for at in range(0, len(array), rows)]
    lows, highs = [float(part.min()) for part in parts], [float(part.max()) for part in parts]
    return float(np.min(lows)), float(np.max(highs))
