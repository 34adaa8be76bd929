"""Rank ranges from figures on the same resamples, with one certainty for all of them at once.

A difference of two submissions is resolved where it is larger than `critical` of its standard
errors; `critical` is the 95 % point, over the resamples, of the largest of all differences (less
what they are) in standard errors. So with 95 % no pair at all is called wrongly, however many there
are, and a rank lies between one more than those surely better and all less those surely worse
(Mogstad, Romano, Shaikh and Wilhelm: Inference for Ranks, Review of Economic Studies 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.dealing import Stream
from evaluator.metrics import LEVEL, Z, wilson

Drawn = NDArray[np.float32]
_TINY = 1e-6  # of the figures: sums of the same terms in another order, in single precision


@dataclass(frozen=True, eq=False)
class Ranks:
    """Of s submissions. low, high: int64 `(s,)`, from 1, the best rank and the worst one possible.

    verdicts: int8 `(s, s)`, 1 where the first is surely better than the second, -1 where it is
    surely worse, 0 where that is not resolved. critical: see above.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    verdicts: NDArray[np.int8]
    critical: float

    @property
    def resolved(self) -> int:
        """How many submissions have one possible rank."""
        return int((self.low == self.high).sum())


def ranked(values: NDArray[np.float64], drawn: Drawn, images: int) -> Ranks:
    """values: figures `(s,)`, more is better. drawn: `(s, b)`, on the same resamples.

    images: behind each figure; what none of them varies in cannot be known better than by so many.
    """
    centred = drawn - drawn.mean(axis=1, keepdims=True)
    count = len(values)
    scale = max(float(np.abs(values).max(initial=0.0)), 1e-30)
    largest = np.zeros(drawn.shape[1], np.float32)
    errors = np.zeros((count, count), np.float32)
    for place in range(count - 1):  # a row at a time: all at once would be gigabytes
        apart = centred[place] - centred[place + 1 :]
        own = np.sqrt(np.einsum("ij,ij->i", apart, apart) / drawn.shape[1])
        errors[place, place + 1 :] = own
        there = own > _TINY * scale
        if there.any():
            np.abs(apart, out=apart)
            np.maximum(largest, (apart[there] / own[there, None]).max(axis=0), out=largest)
    errors += errors.T
    critical = max(Z, float(np.percentile(largest, 100 * LEVEL))) if count > 1 else Z
    apart_by = values[:, None] - values[None, :]
    floor = 2 * scale * wilson(0, images).high / Z  # a difference is twice as wide as a share
    needed = critical * np.where(errors > _TINY * scale, errors, floor)
    verdicts = np.where(np.abs(apart_by) > needed, np.sign(apart_by), 0).astype(np.int8)
    better, worse = (verdicts < 0).sum(axis=1), (verdicts > 0).sum(axis=1)
    return Ranks(1 + better, count - worse, verdicts, critical)


def scattered(drawn: Drawn, scatter: Sequence[float], seed: int) -> Drawn:
    """With the noise of programs that give another figure each time, `(s, b)`.

    scatter: by how much two equal runs of each differed, `(s,)`; 0 for those that are the same.
    """
    rng = np.random.default_rng((seed, Stream.RESAMPLE))
    spread = np.asarray(scatter, np.float64)[:, None] / np.sqrt(2)  # of one run, from two
    return np.asarray(drawn + spread * rng.standard_normal(drawn.shape), np.float32)


def ahead(drawn: Drawn) -> NDArray[np.float64]:
    """The share of resamples in which the first is above the second, `(s, s)`; ties count half."""
    found = np.empty((len(drawn), len(drawn)))
    for place, own in enumerate(drawn):
        found[place] = ((own > drawn).mean(axis=1) + (own >= drawn).mean(axis=1)) / 2
    return found


def places(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Ranks by the figures alone, `(s,)` from 1, more is better; equal figures share the best."""
    return np.array([1 + int((values > one).sum()) for one in values], np.int64)


def rank_text(low: int, high: int) -> str:
    """4, or 2-7 for a rank that is not resolved."""
    return str(low) if low == high else f"{low}\N{EN DASH}{high}"
