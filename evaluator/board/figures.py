"""The figures of all submissions on one set of questions, and on the same resamples of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptions.presets import Condition
from evaluator.board.common import Common, RunReader
from evaluator.board.ranks import Drawn
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import AT_ONCE, RESAMPLES, Score, interval, resamples
from evaluator.store.rows import Run

_RUNS_AT_ONCE = 32  # whose answers by image are held together
_NONE = 1e-9  # of an image's weight: a resample in which no image was asked


@dataclass(frozen=True, eq=False)
class BoardFigures:
    """Of s submissions, in the order of the runs.

    families: names. by_family: accuracies, `(s, families)`. drawn: benchmark accuracies on the same
    resamples, `(s, b)`.
    """

    clean: tuple[Score, ...]
    benchmark: tuple[Score, ...]
    families: tuple[str, ...]
    by_family: Floats
    drawn: Drawn

    @property
    def values(self) -> Floats:
        """The benchmark accuracies, `(s,)`."""
        return np.array([one.value for one in self.benchmark])


@dataclass(frozen=True, eq=False)
class _Weights:
    """What an answer counts: by condition `(k,)`; by family and condition `(f, k)`."""

    benchmark: Floats
    families: tuple[str, ...]
    by_family: Floats


def board_figures(
    reader: RunReader,
    runs: Sequence[Run],
    common: Common,
    conditions: Sequence[Condition],
    seed: int,
) -> BoardFigures:
    """Of the runs that have answered all of the common questions.

    conditions: of the reader's texts, the clean one first. The benchmark weighs conditions as the
    preset does, whatever number of answers each has.
    """
    rows = common.images
    asked = common.asked[rows]
    weights = _weights(conditions, asked)
    draws = resamples(reader.truth.labels[rows], seed)
    clean_asked = asked[:, 0].astype(np.float32)
    damaged_asked = (asked @ weights.benchmark).astype(np.float32)
    below = [_drawn(draws, one[:, None])[0] for one in (clean_asked, damaged_asked)]
    clean: list[Score] = []
    damaged: list[Score] = []
    drawn = np.empty((len(common.runs), RESAMPLES), np.float32)
    by_family: list[Floats] = []
    chosen = [runs[place] for place in common.runs]
    for sums in _blocks(reader, chosen, rows, asked, weights):
        first = len(clean)
        for found, by_image, count in zip((clean, damaged), sums.by_image, below, strict=True):
            ratios = _drawn(draws, by_image) / np.maximum(count, _NONE)
            found.extend(_scores(by_image, ratios, len(rows), clean=found is clean))
        drawn[first : len(damaged)] = ratios
        by_family += sums.by_family
    return BoardFigures(tuple(clean), tuple(damaged), weights.families, np.array(by_family), drawn)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of some runs. by_image: right answers, clean and weighted damaged ones, `(n, c)` each."""

    by_image: tuple[NDArray[np.float32], NDArray[np.float32]]
    by_family: list[Floats]


def _scores(
    by_image: NDArray[np.float32], ratios: Drawn, images: int, *, clean: bool
) -> Iterator[Score]:
    """Weights of the damaged answers sum to 1; clean ones count 1 each."""
    values = by_image.sum(axis=0, dtype=np.float64) / (images if clean else 1)
    for value, drawn in zip(values, ratios, strict=True):
        found = interval(min(float(value), 1.0), drawn.astype(np.float64), images)
        yield Score(found.value, min(found.low, found.value), max(found.high, found.value), images)


def _weights(conditions: Sequence[Condition], asked: NDArray[np.bool_]) -> _Weights:
    """Each condition's answers together weigh what the preset says, all of them 1."""
    counts = asked.sum(axis=0)
    weights = np.array([one.weight for one in conditions]) * (counts > 0)
    weights[0] = 0.0
    each = weights / weights.sum() / np.maximum(counts, 1)
    names = [one.family for one in conditions]
    known = [name for place, name in enumerate(names) if place and counts[place]]
    families = tuple(dict.fromkeys(known))
    rows = [np.where([name == family for name in names], each, 0.0) for family in families]
    by_family = [row / (row * counts).sum() for row in rows]
    return _Weights(each, families, np.array(by_family))


def _blocks(
    reader: RunReader,
    runs: Sequence[Run],
    rows: NDArray[np.intp],
    asked: NDArray[np.bool_],
    weights: _Weights,
) -> Iterator[_Sums]:
    """The sums of a few runs at a time, each read and summed before the next one is."""
    for first in range(0, len(runs), _RUNS_AT_ONCE):
        clean, damaged, families = [], [], []
        for run in runs[first : first + _RUNS_AT_ONCE]:
            right = reader.read(run).right[rows] & asked
            clean.append(right[:, 0].astype(np.float32))
            damaged.append((right @ weights.benchmark).astype(np.float32))
            families.append(weights.by_family @ right.sum(axis=0))
        yield _Sums((np.stack(clean, axis=1), np.stack(damaged, axis=1)), families)


def _drawn(draws: NDArray[np.uint8], sums: NDArray[np.float32]) -> Drawn:
    """Sums over images in each resample, `(c, b)`; sums: by image, `(n, c)`."""
    parts = [
        draws[first : first + AT_ONCE].astype(np.float32) @ sums
        for first in range(0, len(draws), AT_ONCE)
    ]
    return np.ascontiguousarray(np.concatenate(parts).T)
