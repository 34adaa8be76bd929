"""How many hidden images there are, read out of unrounded scores: each is k right answers of n.

The smallest n that fits is not always it: where every k has a divisor in common with n, a divisor
of n fits too. And where few decimals are shown, many n fit by chance. Both are weighed by Bayes'
rule, over all n: a score says the more for an n the fewer scores n images can give. Before any
score, half of all hidden sets have a round size (two digits, then zeros; each decade alike, like
prices), half have any; a smaller size is likelier in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from codabench_rehearsal.console.words import counted
from evaluator.estimate.gaussians import Floats

FEWEST, MOST = 20, 100_000  # images; above, the size of the set hardly matters to an estimate
NEEDED = 2  # scores of more decimals than the set's size has
SURE, SURE_OF_MULTIPLES = 0.5, 0.9  # below, nothing is said
ROUNDED, CUT = 0.9, 0.1  # how often the last digit shown is rounded, how often just the last kept
DROPPED, SHORTENED = 0.9, 0.1  # of a score with fewer digits than others: zeros, or any digits
_USED = 20  # scores, those with most decimals: more add nothing
_COARSE = 2  # decimals that say nothing about a size
_DUST = 1e-10  # of an image: what floating point leaves


@dataclass(frozen=True)
class Size:
    """A number of hidden images that scores speak for. scores: how many of them tell sizes apart.

    certainty: probability that it is this number; or_multiple: that it is this or a multiple.
    """

    images: int
    certainty: float
    or_multiple: float
    scores: int

    def __str__(self) -> str:
        """A sentence for the report."""
        return (
            f"The hidden set has {self.images:,} images, or a multiple of that, by "
            f"{counted(self.scores, 'unrounded score')} (about {self.certainty:.0%} sure)."
        ).replace("% sure", " % sure")


def size_of(scores: Iterable[tuple[float, int]]) -> Size | None:
    """The hidden set's size, by accuracies on one and the same set; None where they do not tell.

    scores: value 0..1 and the decimals that were shown of it, as recorded. Shares of right answers
    only: no other metric is k / n. Equal scores count once, and 0 and 1 say nothing.
    """
    told = sorted(
        {(value, shown) for value, shown in scores if 0 < value < 1 and shown > _COARSE},
        key=lambda score: (-score[1], score[0]),
    )
    if len(told) < NEEDED:
        return None
    sizes, weights = _weighed(told[:_USED])
    if not len(sizes):
        return None
    best = int(sizes[weights.argmax()])
    fine = sum(10**shown > best for _, shown in told)
    found = Size(best, float(weights.max()), float(weights[sizes % best == 0].sum()), fine)
    sure = found.certainty >= SURE and found.or_multiple >= SURE_OF_MULTIPLES
    return found if sure and fine >= NEEDED else None


def _weighed(scores: Sequence[tuple[float, int]]) -> tuple[Floats, Floats]:
    """The sizes that all scores allow, and how likely each is, `(n,)` each.

    scores: those with most decimals first.
    """
    sizes = np.arange(FEWEST, MOST + 1, dtype=np.float64)
    weights = _before(sizes)
    most = scores[0][1]
    for value, shown in scores:
        whole, part = (_likelihood(value, digits, sizes) for digits in (most, shown))
        weights = weights * (DROPPED * whole + SHORTENED * part * 10.0 ** (shown - most))
        sizes, weights = sizes[weights > 0], weights[weights > 0]
        weights = weights / max(weights.sum(), math.ulp(0.0))
    return sizes, weights


def _before(sizes: Floats) -> Floats:
    """How likely each size is before any score."""
    decade = 10 ** np.maximum(1, np.floor(np.log10(sizes) + 1e-9) - 1)
    leading = np.where((sizes >= 100) & (sizes % decade == 0), decade / sizes, 0.0)
    return np.asarray(leading / leading.sum() + 1 / sizes / (1 / sizes).sum())


def _likelihood(value: float, shown: int, sizes: Floats) -> Floats:
    """Of a score that is shown so, for each size, if any number of right answers may be."""
    unit = 10.0**-shown
    rounded = _answers(value - unit / 2, value + unit / 2, sizes)
    cut = _answers(value, value + unit, sizes)
    return np.asarray((ROUNDED * rounded + CUT * cut) / (sizes + 1))


def _answers(low: float, high: float, sizes: Floats) -> Floats:
    """How many k have k / n between the ends; one on an end counts half."""
    wide = np.floor(high * sizes + _DUST) - np.ceil(low * sizes - _DUST) + 1
    narrow = np.floor(high * sizes - _DUST) - np.ceil(low * sizes + _DUST) + 1
    return np.asarray((np.maximum(wide, 0) + np.maximum(narrow, 0)) / 2)
