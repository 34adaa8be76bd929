"""The severity at which accuracy falls below a figure, in a few evaluations of each corruption.

A curve is asked at 3, then at 5 or 1, and halved from there; once the evaluations that are left
would do for halving alone, one is spent on where the line between the bracket's ends crosses. All
points are on the same images with the same draws, so the curve is nearly monotone, and what is not
is made so: the crossing is read off the antitonic fit. Its interval resamples base images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corruptions.between import HIGHEST, LOWEST, plain
from corruptions.operator import Corruption
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import Score, wilson

Right = NDArray[np.bool_]
Where = Literal["within", "below", "above"]

MOST_EVALUATIONS = 8
PRECISION = 0.04  # of the severity itself: no wider is the bracket in the end
MOST_IMAGES = 500  # that a curve is asked on
_TINY = 1e-9  # a fit's sums miss a share that is reached by less
_MIDDLE = (LOWEST + HIGHEST) // 2


@dataclass(frozen=True)
class Threshold:
    """Where accuracy under one corruption falls below a figure.

    where: "within" 1..5, already "below" 1, or still "above" 5. severity: with its 95 % interval
    low..high, each 1..5; severity is 1 or 5 where it is not within. points: accuracy by severity,
    as evaluated. note: where nothing lies between two severities.
    """

    name: str
    table: str
    family: str
    where: Where
    severity: float
    low: float
    high: float
    points: Mapping[float, Score]
    note: str = ""


@dataclass(frozen=True)
class Search:
    """What a search for an accuracy found, the corruption that reaches it first in front.

    clean: accuracy on the same images; where it is below `accuracy`, nothing was asked.
    """

    accuracy: float
    images: int
    clean: Score
    found: tuple[Threshold, ...] = ()


@dataclass(eq=False)
class Curve:
    """One corruption's answers so far. right: by severity, bool `(n,)`, of the same images.

    draws: how often each image is in each resample, `(resamples, n)`.
    """

    operator: Corruption
    table: str
    family: str
    accuracy: float
    draws: NDArray[np.uint8]
    right: dict[float, Right] = field(default_factory=dict)

    def next(self) -> float | None:
        """The severity to ask next; None once the answer is known, or 8 are asked."""
        left = MOST_EVALUATIONS - len(self.right)
        if not left:
            return None
        if _MIDDLE not in self.right:
            return _MIDDLE
        low, high = self._bracket()
        if low is None:
            return LOWEST if LOWEST not in self.right else None
        if high is None:
            return HIGHEST if HIGHEST not in self.right else None
        if high - low > 1:
            return plain((low + high) // 2)
        if high - low <= PRECISION * low or self.operator.is_gap(low, high):
            return self._beyond()
        return self._between(low, high, left)

    def found(self) -> Threshold:
        """The answer, once there is nothing to ask next."""
        low, high = self._bracket()
        ends = self._resampled()
        severities = np.array(sorted(self.right), np.float64)
        middle = float(crossings(severities, self._accuracies()[None], self.accuracy)[0])
        if low is not None and high is not None and self.operator.is_gap(low, high):
            middle = (low + high) / 2
        where: Where = "below" if low is None else "above" if high is None else "within"
        points = {at: wilson(float(one.sum()), len(one)) for at, one in sorted(self.right.items())}
        middle = {"below": LOWEST, "above": HIGHEST}.get(where, middle)
        return Threshold(
            self.operator.name,
            self.table,
            self.family,
            where,
            middle,
            min(ends[0], middle),
            max(ends[1], middle),
            points,
            self.operator.said_between(),
        )

    def _bracket(self) -> tuple[float | None, float | None]:
        """The highest severity before the fall, and the one after it; None where there is none."""
        fallen = [at for at in self.right if self.right[at].mean() < self.accuracy]
        high = min(fallen, default=None)
        before = [at for at in self.right if high is None or at < high]
        return max(before, default=None), high

    def _between(self, low: float, high: float, left: int) -> float:
        """Half of the bracket; where the line crosses, if halving can still follow."""
        middle = (low + high) / 2
        if (high - low) / 2 ** (left - 1) <= PRECISION * low:
            ends = np.array([low, high])
            values = np.array([[self.right[at].mean() for at in (low, high)]])
            crossing = float(crossings(ends, values, self.accuracy)[0])
            half = PRECISION * low / 2  # to its farther side: so that it closes the bracket
            middle = crossing + half if crossing < middle else crossing - half
            margin = (high - low) / 8
            middle = min(max(middle, low + margin), high - margin)
        return plain(middle)

    def _beyond(self) -> float | None:
        """The next whole severity outside, where the interval may reach beyond what was asked."""
        lowest, highest = min(self.right), max(self.right)
        low, high = self._resampled()
        if low <= lowest and lowest > LOWEST:
            return plain(math.ceil(lowest) - 1)
        if high >= highest and highest < HIGHEST:
            return plain(math.floor(highest) + 1)
        return None

    def _accuracies(self) -> Floats:
        return np.array([self.right[at].mean() for at in sorted(self.right)], np.float64)

    def _resampled(self) -> tuple[float, float]:
        """The 95 % interval of the crossing, as far as severities were asked."""
        severities = sorted(self.right)
        right = np.stack([self.right[at] for at in severities], axis=1).astype(np.float32)
        drawn = (self.draws.astype(np.float32) @ right).astype(np.float64) / len(right)
        places = crossings(np.array(severities, np.float64), drawn, self.accuracy)
        low, high = np.percentile(places, [2.5, 97.5])
        return float(low), float(high)


def antitonic(values: Floats) -> Floats:
    """The nearest falling sequences, by least squares; values: `(..., k)`, few of them."""
    k = values.shape[-1]
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    fitted = np.empty_like(values)
    for i in range(k):
        most = [
            np.max([(sums[..., b + 1] - sums[..., a]) / (b + 1 - a) for b in range(i, k)], axis=0)
            for a in range(i + 1)
        ]
        fitted[..., i] = np.min(most, axis=0)
    return fitted


def crossings(severities: Floats, values: Floats, accuracy: float) -> Floats:
    """Where curves fall below an accuracy, `(m,)`, on the lines between points of their fits.

    severities: `(k,)`, ascending; values: `(m, k)`. The first or last severity where a curve lies
    below from there on, or never does.
    """
    fitted = antitonic(values)
    fallen = fitted < accuracy - _TINY
    after = np.where(fallen.any(axis=1), fallen.argmax(axis=1), len(severities) - 1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(fitted))
    top, drop = fitted[rows, before], fitted[rows, before] - fitted[rows, after]
    share = np.where(drop > 0, (top - accuracy) / np.where(drop > 0, drop, 1), 1.0)
    inside = severities[before] + np.clip(share, 0, 1) * (severities[after] - severities[before])
    return np.asarray(np.where(fallen[:, 0], severities[0], inside), np.float64)


def in_order(found: list[Threshold]) -> tuple[Threshold, ...]:
    """What takes the least damage first; those beyond 5 last, by their accuracy there."""
    rank = {"below": 0, "within": 1, "above": 2}

    def key(one: Threshold) -> tuple[int, float, float]:
        return rank[one.where], one.severity, one.points[max(one.points)].value

    return tuple(sorted(found, key=key))
