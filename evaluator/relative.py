"""Errors beside those of a reference zip: a ratio for each corruption, and their mean.

It is error / reference error on the same images under the same conditions: no published mCE, whose
reference, images and severities are others. Intervals resample base images, the same ones for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import CLEAN_PLACE, Answers, asked_the_same
from evaluator.estimate.gaussians import Floats
from evaluator.metrics import resamples

FEWEST_ERRORS = 5  # of the reference: fewer are nothing to divide by
_CLEAN = "clean"
_TAIL = 2.5  # per cent, at either end of a 95 % interval


@dataclass(frozen=True)
class Ratio:
    """Error over the reference's error, with its 95 % interval low..high; below 1 is better.

    error, reference: shares of wrong answers, 0..1, all severities of a corruption alike.
    """

    name: str
    error: float
    reference: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Relative:
    """Errors relative to a reference's. images: behind the figures, new to both submissions.

    clean: None where the reference makes too few errors there. ratios: the largest first. mean: of
    the ratios, None without any. left_out: corruptions under which the reference makes fewer than 5
    errors.
    """

    reference: str
    sha256: str
    images: int
    clean: Ratio | None
    ratios: tuple[Ratio, ...]
    mean: Ratio | None
    left_out: tuple[str, ...]


def relative(own: Answers, reference: Answers, new: NDArray[np.bool_] | None = None) -> Relative:
    """Hold a submission's errors against the reference's, on the same questions.

    new: bool `(n,)` by row of the data, which images count; all when left out. Raises
    `EvaluationError` where the questions differ, and where no image counts.
    """
    if not asked_the_same(own, reference):
        raise EvaluationError(f"{reference.name} has not answered all that {own.name} has.")
    rows = np.unique(own.questions.rows)
    rows = rows if new is None else rows[new[rows]]
    if len(rows) == 0:
        raise EvaluationError(
            f"{reference.name} was trained on each of these images: errors relative to it need "
            "images that are new to it (--data, or --split none if its split.json is wrong)."
        )
    draws = resamples(own.benchmark.data.labels[rows], own.benchmark.seed).astype(np.float32)
    found = {
        name: _ratio(name, _by_image((own, reference), rows, member), draws)
        for name, member in _groups(own).items()
    }
    kept = {name: pair for name, pair in found.items() if pair is not None}
    clean = kept.pop(_CLEAN, None)
    return Relative(
        reference.name,
        reference.sha256,
        len(rows),
        None if clean is None else clean[0],
        tuple(sorted((one for one, _ in kept.values()), key=lambda one: -one.value)),
        _mean(list(kept.values())),
        tuple(name for name, pair in found.items() if pair is None and name != _CLEAN),
    )


@dataclass(frozen=True, eq=False)
class _Errors:
    """By image, float64 `(n,)`: shares of wrong answers of both, which sum to their errors.

    count: the reference's wrong answers.
    """

    own: Floats
    reference: Floats
    count: int


def _groups(given: Answers) -> dict[str, list[int]]:
    """The asked conditions of each corruption, or chain of corruptions, whatever its severities."""
    found: dict[str, list[int]] = {}
    counts, _ = given.by_condition()
    for at, one in enumerate(given.benchmark.conditions):
        name = "+".join(step.corruption for step in one.steps) or _CLEAN
        if counts[at] and (one.steps or at == CLEAN_PLACE):
            found.setdefault(name, []).append(at)
    return found


def _by_image(
    sides: tuple[Answers, Answers], rows: NDArray[np.signedinteger], member: list[int]
) -> _Errors:
    """Errors under a group's conditions, each of which counts the same."""
    questions = sides[0].questions
    counted = np.isin(questions.rows, rows) & np.isin(questions.conditions, member)
    place = np.searchsorted(rows, questions.rows[counted])
    conditions, counts = np.unique(questions.conditions[counted], return_counts=True)
    each = 1 / np.maximum(counts, 1) / max(len(conditions), 1)
    weights = each[np.searchsorted(conditions, questions.conditions[counted])]
    wrong = [~side.right[counted] for side in sides]
    own, reference = (
        np.bincount(place, weights * one, len(rows)).astype(np.float64) for one in wrong
    )
    return _Errors(own, reference, int(wrong[1].sum()))


def _ratio(name: str, errors: _Errors, draws: NDArray[np.float32]) -> tuple[Ratio, Floats] | None:
    """The ratio, and that of every resample; None where the reference errs too rarely."""
    if errors.count < FEWEST_ERRORS:
        return None
    above, below = draws @ errors.own, draws @ errors.reference
    drawn = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
    error, reference = float(errors.own.sum()), float(errors.reference.sum())
    return Ratio(name, error, reference, error / reference, *_ends(drawn)), drawn


def _mean(found: Sequence[tuple[Ratio, Floats]]) -> Ratio | None:
    if not found:
        return None
    error, reference, value = (
        float(np.mean([getattr(one, field) for one, _ in found]))
        for field in ("error", "reference", "value")
    )
    drawn = np.stack([one for _, one in found])
    counts = np.maximum((~np.isnan(drawn)).sum(axis=0), 1)
    means = np.where(np.isnan(drawn).all(axis=0), np.nan, np.nansum(drawn, axis=0) / counts)
    return Ratio("mean", error, reference, value, *_ends(means))


def _ends(drawn: Floats) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, [_TAIL, 100 - _TAIL])
    return float(low), float(high)
