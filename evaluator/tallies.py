"""What a sheet of answers says by class, family and corruption; every figure with its interval.

An image is asked several times and its answers rise and fall together, so intervals count images:
Wilson's interval with as many independent answers as would vary as much as the images do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corruptions.presets import Condition
from evaluator.ask import Sheet
from evaluator.metrics import answer_weights, wilson
from evaluator.report.evaluation import Evaluation
from evaluator.report.result import Score

Floats = NDArray[np.float64]
_Z = 1.959964
CLEAN = 0  # the clean condition's place in every benchmark


@dataclass(frozen=True, eq=False)
class Confusion:
    """Answers by true class: `shares[true, given]`, `(k, k)`; a class without images is NaN.

    scores: the same with intervals, row by row. images: base images of each class.
    """

    shares: Floats
    scores: tuple[tuple[Score, ...], ...]
    images: tuple[int, ...]


@dataclass(frozen=True)
class Drop:
    """A class's recall on clean and on corrupted images."""

    name: str
    clean: Score
    corrupted: Score

    @property
    def lost(self) -> float:
        """Clean minus corrupted recall."""
        return self.clean.value - self.corrupted.value


@dataclass(frozen=True)
class MixUp:
    """One class taken for another: its share of the class's corrupted images, and of its clean ones."""

    true: str
    given: str
    corrupted: Score
    clean: float


@dataclass(frozen=True)
class FamilyLoss:
    """What a family of damage costs: accuracy under it, and its part of the gap.

    points: of benchmark accuracy lost through it, -1..1. share: of the whole gap, 0 without one.
    """

    family: str
    accuracy: Score
    points: Score
    share: float


def clean_weights(sheet: Sheet) -> Floats:
    """Each clean answer weighs the same, the others nothing."""
    return np.asarray(sheet.questions.conditions == CLEAN, np.float64)


def clustered(values: NDArray[np.bool_], weights: Floats, rows: NDArray[np.int64]) -> Score:
    """The weighted share of true values with its interval; answers of one row hang together."""
    used = weights > 0
    values, weights, rows = values[used], weights[used], rows[used]
    images = len(np.unique(rows))
    if images == 0:
        return wilson(0, 0)
    share = float(np.average(values, weights=weights))
    _, places = np.unique(rows, return_inverse=True)
    by_image = np.bincount(places, weights * (values - share)) / weights.sum()
    variance = float((by_image**2).sum())
    if variance <= 0:  # all alike: as many answers as images
        return wilson(share * images, images)
    independent = max(1, round(share * (1 - share) / variance))
    found = wilson(share * independent, independent)
    return Score(share, min(found.low, share), max(found.high, share), images)


def confusion(sheet: Sheet, weights: Floats, classes: int) -> Confusion:
    """Which label each true class was given."""
    true = sheet.benchmark.data.labels[sheet.questions.rows]
    rows: list[tuple[Score, ...]] = []
    for label in range(classes):
        own = (true == label) & (weights > 0)
        given, images = sheet.labels[own], sheet.questions.rows[own]
        rows.append(tuple(clustered(given == k, weights[own], images) for k in range(classes)))
    shares = np.array([[score.value for score in row] for row in rows])
    return Confusion(shares, tuple(rows), tuple(row[0].n for row in rows))


def drops(clean: Confusion, corrupted: Confusion, names: tuple[str, ...]) -> tuple[Drop, ...]:
    """Recall of every class that has images, the largest loss first."""
    found = [
        Drop(name, clean.scores[i][i], corrupted.scores[i][i])
        for i, name in enumerate(names)
        if clean.images[i] and corrupted.images[i]
    ]
    return tuple(sorted(found, key=lambda drop: -drop.lost))


def mix_ups(
    clean: Confusion, corrupted: Confusion, names: tuple[str, ...], most: int = 5
) -> tuple[MixUp, ...]:
    """The wrong answers that corruption makes commoner, by how much of a class it adds."""
    found = [
        MixUp(names[i], names[j], corrupted.scores[i][j], float(clean.shares[i, j]))
        for i in range(len(names))
        for j in range(len(names))
        if i != j and clean.images[i] and corrupted.shares[i, j] > clean.shares[i, j]
    ]
    return tuple(sorted(found, key=lambda one: one.clean - one.corrupted.value)[:most])


def family_losses(sheet: Sheet) -> tuple[FamilyLoss, ...]:
    """The gap between clean and benchmark accuracy, family by family, the costliest first."""
    right, questions = sheet.right, sheet.questions
    conditions = sheet.benchmark.conditions
    clean = questions.conditions == CLEAN
    base = float(right[clean].mean())
    at_clean = np.bincount(questions.rows[clean], right[clean] - base, len(sheet.benchmark.data))
    weights = answer_weights(sheet.benchmark, questions)
    means = _condition_means(sheet)
    found: list[tuple[str, Score, float, float]] = []
    for family in dict.fromkeys(condition.family for condition in conditions[1:]):
        inside = np.array(
            [i > 0 and condition.family == family for i, condition in enumerate(conditions)]
        )
        own = np.where(inside[questions.conditions], weights, 0.0)
        if own.sum() == 0:
            continue
        accuracy = clustered(right, own, questions.rows)
        lost = float(own.sum() * (base - accuracy.value))
        # How much each image moves the loss: through the clean mean, and through its conditions' means.
        through = own * (right - means[questions.conditions])
        by_image = at_clean * own.sum() / clean.sum() - np.bincount(
            questions.rows, through, len(at_clean)
        )
        found.append((family, accuracy, lost, float(np.sqrt((by_image**2).sum()))))
    gap = sum(lost for _, _, lost, _ in found)
    losses = (
        FamilyLoss(
            family,
            accuracy,
            Score(lost, lost - _Z * error, lost + _Z * error, accuracy.n),
            lost / gap if gap > 0 else 0.0,
        )
        for family, accuracy, lost, error in found
    )
    return tuple(sorted(losses, key=lambda loss: -loss.points.value))


def _condition_means(sheet: Sheet) -> Floats:
    """Accuracy under every condition, 0 for one that was not asked."""
    size = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=size)
    good = np.bincount(sheet.questions.conditions, sheet.right, size)
    return np.asarray(good / np.maximum(asked, 1))


# Accuracy by corruption and severity, from every condition that does one kind of damage.


SEVERITIES = (1, 2, 3, 4, 5)
FEWEST_POINTS = 3  # severities that make a curve


@dataclass(frozen=True)
class Row:
    """One corruption: its accuracy by severity, as far as it was asked."""

    name: str
    family: str
    by_severity: Mapping[int, Score]

    @property
    def lowest(self) -> tuple[int, Score]:
        """The severity with the lowest accuracy, and the accuracy."""
        return min(self.by_severity.items(), key=lambda item: item[1].value)


def grid(report: Evaluation) -> tuple[Row, ...]:
    """All corruptions that stand alone in a condition, family by family.

    From the sweep, the library and the shown preset; where several asked the same, from the one
    with the most images, for their images may be the same ones.
    """
    found: dict[tuple[str, str], dict[int, Score]] = {}
    families: dict[tuple[str, str], str] = {}
    for sheet in (report.library, report.sheet, report.sweep):
        for condition, score in _single_conditions(sheet):
            key, level = (
                (condition.steps[0].corruption, condition.table),
                condition.steps[0].severity,
            )
            families.setdefault(key, condition.family)
            known = found.setdefault(key, {}).get(level)
            if known is None or score.n > known.n:
                found[key][level] = score
    rows = [
        Row(_label(key, found), families[key], dict(sorted(levels.items())))
        for key, levels in found.items()
    ]
    order = list(dict.fromkeys(row.family for row in rows))
    return tuple(sorted(rows, key=lambda row: (order.index(row.family), row.name)))


def curves(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The corruptions asked at so many severities that they make a curve, the worst end first."""
    long = [row for row in rows if len(row.by_severity) >= FEWEST_POINTS]
    return tuple(sorted(long, key=lambda row: row.lowest[1].value))


def _single_conditions(sheet: Sheet | None) -> Iterable[tuple[Condition, Score]]:
    if sheet is None:
        return
    size = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=size)
    good = np.bincount(sheet.questions.conditions, sheet.right, size)
    for place, condition in enumerate(sheet.benchmark.conditions):
        if len(condition.steps) == 1 and asked[place]:
            yield condition, wilson(float(good[place]), int(asked[place]))


def _label(key: tuple[str, str], found: Iterable[tuple[str, str]]) -> str:
    """The corruption's name; with its severity table where two tables were asked."""
    name, table = key
    return name if sum(other == name for other, _ in found) == 1 else f"{name} ({table})"
