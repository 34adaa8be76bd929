"""Operators steered by one value an image: how values are drawn, how such operators register.

The registered corruption and the random policies call the same `operation(images, values)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
