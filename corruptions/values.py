"""Operators steered by one value an image: how values are drawn, how such operators register.

The registered corruption and the random policies call the same `operation(images, values)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel
from corruptions.registry import Draw, Draws, Images, Params, corruption
from corruptions.streams import Streams

Values = NDArray[Any]
Operation = Callable[[Images, Values], Images]


def constant(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """The level itself for every image."""
    return {"value": np.full(len(streams), level)}


def signs(streams: Streams) -> NDArray[np.float64]:
    """-1 or 1 for every image, shape `(n,)`."""
    return np.where(streams.uniform() < 0.5, -1.0, 1.0)


def signed(streams: Streams, _size: tuple[int, int], level: Params) -> Draws:
    """The level, between 3/4 and 5/4 of it, in either direction."""
    return {"value": signs(streams) * level * streams.uniform(0.75, 1.25)}


def register(
    family: str,
    name: str,
    operation: Operation,
    levels: Sequence[Params],
    *,
    source: str,
    draw: Draw = constant,
    revision: int = 1,
) -> None:
    """Register `operation` as a corruption whose `draw` returns one "value" an image."""

    def apply(images: Images, _params: Params, draws: Draws) -> Images:
        return operation(images, draws["value"])

    apply.__doc__ = operation.__doc__  # the gallery shows it
    corruption(family, levels, source=source, draw=draw, name=name, revision=revision)(apply)


# Point operations on whole batches: a 256-entry table an image and channel.


LEVELS = np.arange(256, dtype=np.float64)


def look_up(images: Images, tables: NDArray[Any]) -> Images:
    """Replace every level by its table entry.

    tables: `(n, 3, 256)`, or `(n, 1, 256)` for the same in all channels; floats are rounded to the
    nearest level and clipped.
    """
    levels = np.clip(np.rint(tables), 0, 255).astype(np.uint8)
    entries = np.ascontiguousarray(np.broadcast_to(levels, (len(images), 3, 256)))
    looked_up: Images = np.empty(images.shape, np.uint8)
    _look_up(_flat(images), entries, _flat(looked_up))
    return looked_up


def histograms(images: Images) -> NDArray[np.int64]:
    """Pixels at each level, shape `(n, 3, 256)`."""
    counts = np.zeros((len(images), 3, 256), np.int64)
    _count(_flat(images), counts)
    return counts


def _flat(images: Images) -> Images:
    return np.ascontiguousarray(images).reshape(len(images), -1, 3)


@kernel
def _look_up(pixels: Images, tables: Images, looked_up: Images) -> None:
    for i in range(pixels.shape[0]):
        for p in range(pixels.shape[1]):
            for c in range(3):
                looked_up[i, p, c] = tables[i, c, pixels[i, p, c]]


@kernel
def _count(pixels: Images, counts: NDArray[np.int64]) -> None:
    for i in range(pixels.shape[0]):
        for p in range(pixels.shape[1]):
            for c in range(3):
                counts[i, c, pixels[i, p, c]] += 1
