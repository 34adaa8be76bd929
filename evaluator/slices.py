"""Accuracy by what an image looks like: brightness, contrast, sharpness, and the cell's size.

The measures are of the clean pixels; images are cut into quarters by each. A slice is held against
all other images: were the measure of no matter, it might as well have been any images of that
number, so the p-value reassigns images to slices at random, each with all its answers. Holm's
correction goes over all slices, clean and damaged. It costs no question: the answers are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions.kernels import cv2
from evaluator.answers import Answers, clean_weights, clustered
from evaluator.comparison.paired import ALPHA, holm
from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import AT_ONCE, Score, answer_weights

Image = NDArray[np.uint8]

QUANTILES = 4
FEWEST_IMAGES = 80  # in all: twenty in a slice
SHUFFLES = 3999
_PORTION = 512  # images measured at a time
_RGB = 3  # channels
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
    found = []
    for first in range(0, len(rows), _PORTION):
        for image in data.pictures(rows[first : first + _PORTION]):
            luma = luma_of(image)
            found.append([measure(luma) for measure in MEASURES.values()])
    return dict(zip(MEASURES, np.array(found, np.float64).T, strict=True))


def luma_of(image: Image) -> Image:
    """Luma 0..255 of an image `(h, w, c)`, rounded, `(h, w)`; not of three channels, their mean."""
    if image.shape[2] != _RGB:
        return np.asarray(image.mean(axis=2).round(), np.uint8)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def brightness(luma: Image) -> float:
    """Mean luma."""
    return float(luma.mean())


def contrast(luma: Image) -> float:
    """Standard deviation of the luma."""
    return float(cv2.meanStdDev(luma)[1][0, 0])


def sharpness(luma: Image) -> float:
    """Variance of the Laplacian: an inner pixel's four neighbours less four times itself."""
    inner = np.asarray(cv2.Laplacian(luma, cv2.CV_16S))[1:-1, 1:-1]
    return float(cv2.meanStdDev(inner)[1][0, 0] ** 2) if inner.size else 0.0


def cell_size(luma: Image) -> float:
    """Share of the image that Otsu's threshold on the luma parts from what its border shows most.

    The threshold cuts levels in two so that the parts' means lie farthest apart; the background is
    the part that holds most of the outermost pixels, the cell's region all of the other.
    """
    level, _ = cv2.threshold(luma, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    high = luma > level
    border = np.concatenate([high[0], high[-1], high[1:-1, 0], high[1:-1, -1]])
    share = float(high.mean())
    return 1 - share if border.mean() > 1 / 2 else share


MEASURES: Mapping[str, Callable[[Image], float]] = MappingProxyType(
    {
        "brightness": brightness,
        "contrast": contrast,
        "sharpness": sharpness,
        "cell size": cell_size,
    }
)


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
    accuracy = right.sum() / max(asked.sum(), _TINY)
    chances = _shuffled(right - accuracy * asked, inside, given.benchmark.seed)
    held = []
    for own, p in zip(inside.T, chances, strict=True):
        score = clustered(given.right, weights * own[place], given.questions.rows)
        left = asked[~own].sum()
        rest = float(right[~own].sum() / left) if left else np.nan
        held.append(Held(score, rest, float(p), float(p)))
    return held


def _shuffled(shares: Floats, inside: NDArray[np.bool_], seed: int) -> Floats:
    """Two-sided p-values of the slices' sums, `(slices,)`: held against those of random images.

    Slices of one size have the same chances; one shuffle deals as many of them as there is room.
    """
    observed = np.abs(shares @ inside.astype(np.float64)) - _TINY
    sizes = inside.sum(axis=0)
    found = np.ones(len(sizes))
    for size in np.unique(sizes):
        drawn = np.abs(_dealt(shares, int(size), np.random.default_rng((seed, Stream.SLICE, size))))
        own = sizes == size
        beyond = (drawn[:, None] >= observed[own]).sum(axis=0)
        found[own] = (1 + beyond) / (1 + len(drawn))
    return found


def _dealt(shares: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Sums of so many random images, `(SHUFFLES or a few more,)`."""
    several = len(shares) // size
    sums: list[Floats] = []
    for first in range(0, SHUFFLES, AT_ONCE * several):
        count = min(AT_ONCE, -(-(SHUFFLES - first) // several))
        shuffled = rng.permuted(np.tile(shares, (count, 1)), axis=1)[:, : several * size]
        sums.append(shuffled.reshape(-1, size).sum(axis=1))
    return np.concatenate(sums)
