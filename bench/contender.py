"""What a side offers to be timed: one operator, at its fastest, with its input ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
BATCHES = (8, 64)  # images a call of libraries that take batches; the faster one counts


def as_is(images: Images) -> Images:
    """For libraries that take uint8 `(n, h, w, 3)` as it is."""
    return images


def stacked(results: Sequence[Any]) -> Images:
    """One uint8 array of a list of images."""
    return np.stack([np.asarray(result) for result in results]).astype(np.uint8)


@dataclass(frozen=True)
class Contender:
    """One library's way to do `task`.

    Timed is `call` alone. `prepare` turns uint8 `(n, h, w, 3)` into what the library likes best,
    `finish` its results into uint8 again. `same`: it is meant to compute what our operator does
    with other draws; that claim is measured, see `bench.likeness`. `draws`: it is random.
    """

    task: str
    label: str
    call: Callable[[Any], Any]
    prepare: Callable[[Images], Any] = as_is
    finish: Callable[[Any], Images] = stacked
    same: bool = False
    draws: bool = False
    whole: bool = False  # give it all images at once; others get as many as the time allows
    note: str = ""

    @property
    def key(self) -> str:
        """Unique within a side."""
        return f"{self.task}|{self.label}"


def each(change: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A call that goes through the images one at a time."""
    return lambda images: [change(image) for image in images]
