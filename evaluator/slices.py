"""Accuracy by what an image looks like: brightness, contrast, sharpness, and the cell's size.

The measures are of the clean pixels; images are cut into quarters by each. A slice is held against
all other images: were the measure of no matter, it might as well have been any images of that
number, so the p-value reassigns images to slices at random, each with all its answers. Holm's
correction goes over all slices, clean and damaged. It costs no question: the answers are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from evaluator.answers import Answers, clean_weights, clustered
from evaluator.comparison.paired import ALPHA, holm
from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import AT_ONCE, Score, answer_weights

Images = NDArray[np.uint8]

QUANTILES = 4
FEWEST_IMAGES = 80  # in all: twenty in a slice
SHUFFLES = 3999
_PORTION = 512  # images measured at a time
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_TINY = 1e-9  # sums of the same terms in another order


@dataclass(frozen=True)
class Held:
    """A slice's accuracy against that of all other images. adjusted: p after Holm's correction."""

    accuracy: Score
    rest: float
    p: float
    adjusted: float

    @property
    def worse(self) -> bool:
        """Whether the slice is worse than the rest beyond chance."""
        return self.adjusted < ALPHA and self.accuracy.value < self.rest


@dataclass(frozen=True)
class Slice:
    """A quarter of the images by one measure, from low to high (its values, both included).

    quantile: 1 for the lowest quarter. images: how many are in it.
    """

    measure: str
    quantile: int
    low: float
    high: float
    images: int
    clean: Held
    benchmark: Held

    @property
    def worse(self) -> bool:
        """Whether it is worse than the rest on clean or on damaged images, beyond chance."""
        return self.clean.worse or self.benchmark.worse

    @property
    def lost(self) -> float:
        """By how much it is worse than the rest, where it is most."""
        return max(one.rest - one.accuracy.value for one in (self.clean, self.benchmark))


def slices(given: Answers) -> tuple[Slice, ...]:
    """The slices of all measures, those that lose most first; none of fewer than 80 images."""
    data, rows = given.benchmark.data, np.unique(given.questions.rows)
    if len(rows) < FEWEST_IMAGES:
        return ()
    values = measured(data, rows)
    where = [(name, *_quarters(own)) for name, own in values.items()]
    found = [
        (name, quantile, place == quantile)
        for name, place, count in where
        for quantile in range(count)
    ]
    inside = np.stack([own for _, _, own in found], axis=1)
    held = _held(given, rows, inside)
    made = []
    for place, (name, quantile, own) in enumerate(found):
        ends = values[name][own]
        spread = float(ends.min()), float(ends.max())
        pair = held[0][place], held[1][place]
        made.append(Slice(name, quantile + 1, *spread, int(own.sum()), *pair))
    return tuple(sorted(made, key=lambda one: -one.lost))


def measured(data: Dataset, rows: NDArray[np.signedinteger]) -> dict[str, Floats]:
    """Every measure of some rows' clean images, float64 `(len(rows),)` each."""
    parts = []
    for first in range(0, len(rows), _PORTION):
        luma = luma_of(data.pictures(rows[first : first + _PORTION]))
        parts.append({name: measure(luma) for name, measure in MEASURES.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in MEASURES}


def luma_of(images: Images) -> Floats:
    """Luma 0..255, `(n, h, w)`; of other than three channels, their mean."""
    weights = _LUMA if images.shape[3] == 3 else np.full(images.shape[3], 1 / images.shape[3])
    return np.asarray(images @ weights, np.float64)


def brightness(luma: Floats) -> Floats:
    """Mean luma."""
    return np.asarray(luma.mean(axis=(1, 2)))


def contrast(luma: Floats) -> Floats:
    """Standard deviation of the luma."""
    return np.asarray(luma.std(axis=(1, 2)))


def sharpness(luma: Floats) -> Floats:
    """Variance of the Laplacian: an inner pixel's four neighbours less four times itself."""
    beside = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    if beside.size == 0:
        return np.zeros(len(luma))
    return np.asarray((beside - 4 * luma[:, 1:-1, 1:-1]).var(axis=(1, 2)))


def cell_size(luma: Floats) -> Floats:
    """Share of the image that Otsu's threshold on the luma parts from what its border shows most.

    The threshold cuts levels in two so that the parts' means lie farthest apart; the background is
    the part that holds most of the outermost pixels, the cell's region all of the other.
    """
    levels = np.clip(luma, 0, 255).astype(np.uint8)
    return np.array([_region(one) for one in levels])


MEASURES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "brightness": brightness,
        "contrast": contrast,
        "sharpness": sharpness,
        "cell size": cell_size,
    }
)


def _region(levels: NDArray[np.uint8]) -> float:
    counts = np.bincount(levels.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    sums = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    between = (sums[-1] * below - sums * below[-1]) ** 2 / np.maximum(below * above, 1)
    high = levels > between.argmax()
    border = np.concatenate([high[0], high[-1], high[1:-1, 0], high[1:-1, -1]])
    region = ~high if border.mean() > 1 / 2 else high
    return float(region.mean())


def _quarters(values: Floats) -> tuple[NDArray[np.int64], int]:
    """Each image's quarter, from 0, and how many there are: fewer where many values are equal."""
    edges = np.quantile(values, np.arange(1, QUANTILES) / QUANTILES)
    places = np.searchsorted(edges, values, side="left")
    kept, places = np.unique(places, return_inverse=True)
    return places.astype(np.int64), len(kept)


def _held(
    given: Answers, rows: NDArray[np.signedinteger], inside: NDArray[np.bool_]
) -> tuple[list[Held], list[Held]]:
    """Every slice against the rest, on clean and on damaged images; inside: `(n, slices)`."""
    weights = clean_weights(given), answer_weights(given.benchmark, given.questions)
    found = [_against_rest(given, rows, inside, one) for one in weights]
    adjusted = iter(holm([one.p for part in found for one in part]))
    clean, damaged = ([replace(one, adjusted=next(adjusted)) for one in part] for part in found)
    return clean, damaged


def _against_rest(
    given: Answers,
    rows: NDArray[np.signedinteger],
    inside: NDArray[np.bool_],
    weights: Floats,
) -> list[Held]:
    place = np.searchsorted(rows, given.questions.rows)
    asked = np.bincount(place, weights, len(rows))
    right = np.bincount(place, weights * given.right, len(rows))
    accuracy = right.sum() / asked.sum() if asked.sum() else np.nan
    chances = _shuffled(right - accuracy * asked, inside, given.benchmark.seed)
    held = []
    for own, p in zip(inside.T, chances, strict=True):
        score = clustered(given.right, weights * own[place], given.questions.rows)
        left = asked[~own].sum()
        rest = float(right[~own].sum() / left) if left else np.nan
        held.append(Held(score, rest, float(p), float(p)))
    return held


def _shuffled(shares: Floats, inside: NDArray[np.bool_], seed: int) -> Sequence[float]:
    """Two-sided p-values of the slices' sums, `(slices,)`: images are shuffled among them."""
    members = inside.astype(np.float64)
    observed = np.abs(shares @ members) - _TINY
    rng = np.random.default_rng((seed, Stream.SLICE))
    beyond = np.zeros(inside.shape[1])
    for first in range(0, SHUFFLES, AT_ONCE):
        several = np.tile(shares, (min(AT_ONCE, SHUFFLES - first), 1))
        rng.permuted(several, axis=1, out=several)
        beyond += (np.abs(several @ members) >= observed).sum(axis=0)
    return [float(p) for p in (1 + beyond) / (1 + SHUFFLES)]
