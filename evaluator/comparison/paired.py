"""Two accuracies on the same base images: how far apart, how surely, and what could have been seen.

The interval resamples base images, class by class, as in `scores`. The p-value flips signs: were
the two sides alike, what an image adds to the difference might as well have counted for the other
side. An image goes as a whole in both, because its answers rise and fall together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import AT_ONCE, Score, Z, interval, resamples, wilson

Verdict = Literal["better", "worse", "not resolved"]
ALPHA = 0.05
FLIPS = 9999
_Z_POWER = 0.841621  # standard deviations that 80 % power takes beside those of 5 % two-sided
_TINY = 1e-12  # sums of the same terms in another order


@dataclass(frozen=True, eq=False)
class Side:
    """Weighted answers of every base image, float64 `(n,)` each: the right ones, and all."""

    right: Floats
    asked: Floats

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(self.right.sum() / self.asked.sum())


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two sides to hold against each other, image by image."""

    name: str
    base: Side
    other: Side

    @property
    def change(self) -> float:
        """The other side's accuracy less the base's."""
        return self.other.accuracy - self.base.accuracy

    def shares(self) -> Floats:
        """What each image adds to the change, float64 `(n,)`, had both sides the same accuracy."""
        base, other = self.base, self.other
        common = (base.accuracy + other.accuracy) / 2
        weights = other.asked / other.asked.sum() - base.asked / base.asked.sum()
        gained = other.right / other.asked.sum() - base.right / base.asked.sum()
        return np.asarray(gained - common * weights)


@dataclass(frozen=True)
class Difference:
    """What came of a contrast; all in 0..1.

    change: other less base, with its 95 % interval and the number of images behind it. p:
    two-sided. adjusted: p after Holm's correction for the differences judged together with it.
    detectable: the true difference that would be resolved 80 % of the time at alpha 5 %.
    """

    name: str
    base: float
    other: float
    change: Score
    p: float
    adjusted: float
    detectable: float

    @property
    def verdict(self) -> Verdict:
        """Resolved only where the adjusted p-value and the interval both say so."""
        if self.adjusted >= ALPHA or self.change.low <= 0 <= self.change.high:
            return "not resolved"
        return "better" if self.change.value > 0 else "worse"


def measure(
    contrasts: Sequence[Contrast], truth: NDArray[np.int64], seed: int
) -> tuple[Difference, ...]:
    """All contrasts with the same resamples and flips; p not adjusted yet.

    truth: the base images' labels, int64 `(n,)`. Seeded: the same answers give the same figures.
    """
    if not contrasts:
        return ()
    draws = resamples(truth, seed)
    base = _ratios([c.base for c in contrasts], draws)
    other = _ratios([c.other for c in contrasts], draws)
    chances = sign_flips(np.stack([c.shares() for c in contrasts], axis=1), seed)
    return tuple(
        _difference(contrast, drawn, float(p))
        for contrast, drawn, p in zip(contrasts, other - base, chances, strict=True)
    )


def judged_together(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The differences with their p-values adjusted for being several."""
    adjusted = holm([one.p for one in differences])
    return tuple(replace(one, adjusted=p) for one, p in zip(differences, adjusted, strict=True))


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values: the chance of one false claim or more among all stays below 5 %."""
    order = np.argsort(chances, kind="stable")
    factors = np.arange(len(order), 0, -1)
    grown = np.maximum.accumulate(np.asarray(chances, float)[order] * factors)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(grown, 1.0)
    return tuple(map(float, adjusted))


def sign_flips(shares: Floats, seed: int) -> Floats:
    """Two-sided p-values, `(c,)`, of sums over images; shares: `(n, c)`."""
    moved = shares[(shares != 0).any(axis=1)]
    if len(moved) == 0:
        return np.ones(shares.shape[1])
    observed = np.abs(moved.sum(axis=0)) - _TINY
    rng = np.random.default_rng((seed, Stream.FLIP))
    beyond = np.zeros(shares.shape[1])
    for count in _portions(FLIPS):
        beyond += (np.abs(_signs(rng, count, len(moved)) @ moved) >= observed).sum(axis=0)
    return np.asarray((1 + beyond) / (1 + FLIPS))


def side_scores(sides: Sequence[Side], draws: NDArray[np.uint8]) -> list[Score]:
    """The sides' accuracies with intervals; draws: how often each image is in each resample."""
    return [
        interval(side.accuracy, drawn, int((side.asked > 0).sum()))
        for side, drawn in zip(sides, _ratios(sides, draws), strict=True)
    ]


def _difference(contrast: Contrast, drawn: Floats, p: float) -> Difference:
    base, other = contrast.base, contrast.other
    images = int(((base.asked > 0) | (other.asked > 0)).sum())
    change = contrast.change
    low, high = np.percentile(drawn, [100 * ALPHA / 2, 100 * (1 - ALPHA / 2)])
    error = float(np.std(drawn))
    if error < _TINY:  # no two images differ in what they add: resampling sees no spread
        spread = wilson(0, images).high
        low, high, error = max(-1, change - spread), min(1, change + spread), spread / Z
    figure = Score(change, float(low), float(high), images)
    detectable = (Z + _Z_POWER) * error
    return Difference(contrast.name, base.accuracy, other.accuracy, figure, p, p, detectable)


def _ratios(sides: Sequence[Side], draws: NDArray[np.uint8]) -> Floats:
    """Each side's accuracy in each resample; where none of its images was drawn, its own."""
    distinct = list({id(side): side for side in sides}.values())  # the base is in every pair
    if len(distinct) < len(sides):
        place = {id(side): i for i, side in enumerate(distinct)}
        return _ratios(distinct, draws)[[place[id(side)] for side in sides]]
    right = np.stack([side.right for side in sides], axis=1)
    asked = np.stack([side.asked for side in sides], axis=1)
    found: Floats = np.empty((len(draws), len(sides)))
    first = 0
    for count in _portions(len(draws)):
        drawn = draws[first : first + count].astype(np.float64)  # exact: equal counts stay equal
        above, below = drawn @ right, drawn @ asked
        own = [side.accuracy for side in sides]
        found[first : first + count] = np.where(below > 0, above / np.maximum(below, _TINY), own)
        first += count
    return np.asarray(found.T, np.float64)


def _signs(rng: np.random.Generator, count: int, width: int) -> Floats:
    """Fair signs, `(count, width)`."""
    packed = np.frombuffer(rng.bytes(count * -(-width // 8)), np.uint8).reshape(count, -1)
    return np.asarray(np.unpackbits(packed, axis=1, count=width) * 2.0 - 1.0, np.float64)


def _portions(total: int) -> Iterator[int]:
    """Portions that fit into memory."""
    for first in range(0, total, AT_ONCE):
        yield min(AT_ONCE, total - first)
