"""The operations that RandAugment and AugMix choose from, and what a magnitude means for each.

Read from KerasCV 0.9.0 (`rand_augment.py`, `aug_mix.py`, the layers they build), faults included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions import operations
from corruptions.registry import Images, Operation, Values
from corruptions.streams import Streams

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """Raw draws for a list of operations: standard normals `(k, 2)`, uniforms and signs `(k,)`."""

    normal: Floats
    uniform: Floats
    sign: Floats

    @classmethod
    def draw(cls, streams: Streams, *shape: int) -> Numbers:
        """`prod(shape)` operations for every image, flattened image by image."""
        normal = streams.normal((*shape, 2)).reshape(-1, 2)
        return cls(normal, streams.uniform(shape=shape).ravel(), streams.signs(shape).ravel())

    def at(self, rows: NDArray[np.intp]) -> Numbers:
        """Those of some operations."""
        return Numbers(self.normal[rows], self.uniform[rows], self.sign[rows])

    def around(self, mean: float, spread: float, axis: int = 0) -> Floats:
        """Normal around the mean, clipped to 0..1."""
        drawn: Floats = np.clip(mean + spread * self.normal[:, axis], 0, 1)
        return drawn

    def within(self, limit: float) -> Floats:
        """Uniform in -limit..limit."""
        return limit * (2 * self.uniform - 1)

    def level(self, severity: float) -> Floats:
        """AugMix's strength of one operation: uniform in 0.01..severity."""
        return 0.01 + (severity - 0.01) * self.uniform


Sampler = Callable[[Numbers, float, float], Values]  # (numbers, magnitude, spread) -> values


@dataclass(frozen=True)
class Move:
    """An operation and how its values follow from raw draws; `pair`: two values an image."""

    operation: Operation
    sample: Sampler
    pair: bool = False

    def run(self, images: Images, values: Values) -> Images:
        """The operation with values `(n, 2)`, of which it may want the first column only."""
        return self.operation(images, values if self.pair else values[:, 0])


def sample(
    moves: Sequence[Move], chosen: NDArray[Any], numbers: Numbers, magnitude: float, spread: float
) -> Floats:
    """Values `(*chosen.shape, 2)` of the chosen moves; chosen: indices, -1 for no operation."""
    values = np.zeros((chosen.size, 2))
    for index, move in enumerate(moves):
        rows = np.flatnonzero(chosen.ravel() == index)
        drawn = move.sample(numbers.at(rows), magnitude, spread)
        values[rows] = drawn if move.pair else drawn[:, None]
    return values.reshape(*chosen.shape, 2)


def _always(value: float) -> Sampler:
    return lambda numbers, _magnitude, _spread: np.full(len(numbers.uniform), value)


def _solarize(numbers: Numbers, magnitude: float, spread: float) -> Values:
    """Adds N(110 m, 110 sd) in 0..110; the threshold is N(255 - 255 m, 255 sd) in 0..255."""
    added = 110 * numbers.around(magnitude, spread)
    return np.stack([added, 255 * numbers.around(1 - magnitude, spread, axis=1)], axis=1)


def _shear(numbers: Numbers, magnitude: float, spread: float) -> Values:
    """N(m, sd) in 0..1, either sign: at 0.5 the far edge moves by half the image."""
    return numbers.sign * numbers.around(magnitude, spread)


def _uniform(numbers: Numbers, magnitude: float, _spread: float) -> Values:
    """Uniform in -m .. m of 255 or of the side; the spread has no say."""
    return numbers.within(magnitude)


RAND_AUGMENT_MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "autocontrast": Move(operations.autocontrast, _always(0)),
        "equalize": Move(operations.equalize, _always(1)),
        "solarize": Move(operations.solarize, _solarize, pair=True),
        # N(m, sd) in 0..1 of the way to grey; never over-saturated.
        "color": Move(operations.color, lambda numbers, m, spread: numbers.around(m, spread)),
        # A factor uniform in 1 - m .. 1 + m, m at least 0.001; the spread has no say.
        "contrast": Move(
            operations.adjust_contrast, lambda numbers, m, _: 1 + numbers.within(max(m, 0.001))
        ),
        "brightness": Move(operations.adjust_brightness, _uniform),
        "shear_x": Move(operations.shear_x, _shear),
        "shear_y": Move(operations.shear_y, _shear),
        "translate_x": Move(operations.translate_x, _uniform),
        "translate_y": Move(operations.translate_y, _uniform),
    }
)


def _mix_solarize(numbers: Numbers, severity: float, _spread: float) -> Values:
    """Threshold int(255 level), nothing added: low levels invert nearly the whole image."""
    threshold = np.floor(255 * numbers.level(severity))
    return np.stack([np.zeros_like(threshold), threshold], axis=1)


def _mix_shear(numbers: Numbers, severity: float, _spread: float) -> Values:
    """0.3 level, either sign."""
    return 0.3 * numbers.sign * numbers.level(severity)


def _whole_pixels_x(images: Images, values: Values) -> Images:
    width = images.shape[2]
    return operations.translate_x(images, np.trunc(values * width) / width)


# Eight of nine: KerasCV draws the index below 8, so its translate_y, the ninth, never runs.
AUG_MIX_MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "autocontrast": Move(operations.autocontrast, _always(0)),
        "equalize": Move(operations.equalize, _always(1)),
        # Keeps 3 + int(3 level) bits: three up to a level of 1/3, so more severe is milder.
        "posterize": Move(
            operations.posterize, lambda numbers, s, _: 3 + np.floor(3 * numbers.level(s))
        ),
        # 30 level RADIANS (degrees given to a function of radians): practically any angle.
        "rotate": Move(operations.rotate, lambda numbers, s, _: np.degrees(30 * numbers.level(s))),
        "solarize": Move(operations.solarize, _mix_solarize, pair=True),
        "shear_x": Move(operations.shear_x, _mix_shear),
        "shear_y": Move(operations.shear_y, _mix_shear),
        # A third of the level of the width, either sign, cut to whole pixels.
        "translate_x": Move(
            _whole_pixels_x, lambda numbers, s, _: numbers.sign * numbers.level(s) / 3
        ),
    }
)
