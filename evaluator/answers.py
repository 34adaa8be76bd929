"""What a submission answered, and what that says by class, family and corruption.

An image is asked several times and its answers rise and fall together, so intervals count images:
Wilson's interval with as many independent answers as would vary as much as the images do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate.gaussians import Floats
from evaluator.metrics import Score, Z, answer_weights, wilson
from evaluator.plan import Benchmark, Questions

Labels = NDArray[np.signedinteger]
Counts = NDArray[np.int64]
UNKNOWN = -1  # the label where none is stored
CLEAN_PLACE = 0  # of the clean condition in every benchmark
FEWEST_POINTS = 3  # severities that make a curve


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one submission: what every comparison and figure starts from.

    name: of the zip's file. sha256: of the zip. benchmark: whose rows and conditions the questions
    name. labels: whole numbers `(m,)`, from 0, one for each question.
    """

    name: str
    sha256: str
    benchmark: Benchmark
    questions: Questions
    labels: Labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right, bool `(m,)`."""
        return np.asarray(self.labels == self.benchmark.data.labels[self.questions.rows])

    def by_condition(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Answers to each of the benchmark's conditions, and how many are right, `(k,)` each."""
        size, conditions = len(self.benchmark.conditions), self.questions.conditions
        asked = np.bincount(conditions, minlength=size)
        return asked, np.bincount(conditions[self.right], minlength=size)


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
    """One class taken for another: its share of the class's corrupted images, and of its clean."""

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


@dataclass(frozen=True)
class Row:
    """One corruption: its accuracy by severity, as far as it was asked."""

    name: str
    family: str
    by_severity: Mapping[float, Score]

    @property
    def lowest(self) -> tuple[float, Score]:
        """The severity with the lowest accuracy, and the accuracy."""
        return min(self.by_severity.items(), key=lambda item: item[1].value)


def asked_the_same(one: Answers, two: Answers) -> bool:
    """Whether both answer the same questions: images, conditions, seed."""
    mine, other = one.benchmark, two.benchmark
    return (
        (mine.seed, mine.conditions) == (other.seed, other.conditions)
        and np.array_equal(one.questions.rows, two.questions.rows)
        and np.array_equal(one.questions.conditions, two.questions.conditions)
        and (mine.data is other.data or mine.data.fingerprint() == other.data.fingerprint())
    )


def clean_weights(given: Answers) -> Floats:
    """Each clean answer weighs the same, the others nothing."""
    return np.asarray(given.questions.conditions == CLEAN_PLACE, np.float64)


def clustered(values: NDArray[np.bool_], weights: Floats, rows: Labels) -> Score:
    """The weighted share of true values with its interval; answers of one row hang together."""
    used = weights > 0
    values, weights, rows = values[used], weights[used], rows[used]
    _, places = np.unique(rows, return_inverse=True)
    if len(rows) == 0:
        return wilson(0, 0)
    images = int(places.max()) + 1
    share = float(np.average(values, weights=weights))
    by_image = np.bincount(places, weights * (values - share)) / weights.sum()
    variance = float((by_image**2).sum())
    if variance <= 0:  # all alike: as many answers as images
        return wilson(share * images, images)
    independent = max(1, round(share * (1 - share) / variance))
    found = wilson(share * independent, independent)
    return Score(share, min(found.low, share), max(found.high, share), images)


def confusion(given: Answers, weights: Floats, classes: int) -> Confusion:
    """Which label each true class was given."""
    true = given.benchmark.data.labels[given.questions.rows]
    rows: list[tuple[Score, ...]] = []
    for label in range(classes):
        own = (true == label) & (weights > 0)
        labels, images = given.labels[own], given.questions.rows[own]
        rows.append(tuple(clustered(labels == k, weights[own], images) for k in range(classes)))
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
        for i, j in np.ndindex(len(names), len(names))
        if i != j and clean.images[i] and corrupted.shares[i, j] > clean.shares[i, j]
    ]
    return tuple(sorted(found, key=lambda one: one.clean - one.corrupted.value)[:most])


def family_losses(given: Answers) -> tuple[FamilyLoss, ...]:
    """The gap between clean and benchmark accuracy, family by family, the costliest first."""
    right, rows, asked = given.right, given.questions.rows, given.questions.conditions
    clean, images = asked == CLEAN_PLACE, len(given.benchmark.data)
    base = float(right[clean].mean())
    at_clean = np.bincount(rows[clean], right[clean] - base, images)
    weights = answer_weights(given.benchmark, given.questions)
    counts, good = given.by_condition()
    off_mean = right - (good / np.maximum(counts, 1))[asked]
    families = [condition.family for condition in given.benchmark.conditions]
    found: list[tuple[str, Score, float, float]] = []
    for family in dict.fromkeys(families[1:]):
        own = np.where(np.array([one == family for one in families])[asked] & ~clean, weights, 0.0)
        if own.sum() == 0:
            continue
        accuracy = clustered(right, own, rows)
        # How much each image moves the loss: through the clean mean, and its conditions' means.
        by_image = at_clean * own.sum() / clean.sum() - np.bincount(rows, own * off_mean, images)
        lost = float(own.sum() * (base - accuracy.value))
        found.append((family, accuracy, lost, Z * float(np.sqrt((by_image**2).sum()))))
    gap = sum(lost for _, _, lost, _ in found)
    losses = (
        FamilyLoss(
            family,
            accuracy,
            Score(lost, lost - half, lost + half, accuracy.n),
            lost / gap if gap > 0 else 0.0,
        )
        for family, accuracy, lost, half in found
    )
    return tuple(sorted(losses, key=lambda loss: -loss.points.value))


def grid(asked: Iterable[Answers | None]) -> tuple[Row, ...]:
    """Accuracy by severity of all corruptions that stand alone in a condition, family by family.

    asked: answers to library, shown preset and sweep. Where several asked the same, it is from the
    one with the most images, for their images may be the same ones.
    """
    found: dict[tuple[str, str], dict[float, Score]] = {}
    families: dict[tuple[str, str], str] = {}
    for given in asked:
        if given is None:
            continue
        counts, right = given.by_condition()
        for place in np.flatnonzero(counts):
            condition = given.benchmark.conditions[place]
            if len(condition.steps) != 1:
                continue
            step, score = condition.steps[0], wilson(float(right[place]), int(counts[place]))
            key = (step.corruption, condition.table)
            families.setdefault(key, condition.family)
            known = found.setdefault(key, {}).get(step.severity)
            if known is None or score.n > known.n:
                found[key][step.severity] = score
    tables = [name for name, _ in found]
    rows = [
        Row(
            name if tables.count(name) == 1 else f"{name} ({table})",  # where two tables were asked
            families[name, table],
            dict(sorted(levels.items())),
        )
        for (name, table), levels in found.items()
    ]
    order = list(dict.fromkeys(row.family for row in rows))
    return tuple(sorted(rows, key=lambda row: (order.index(row.family), row.name)))


def curves(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The corruptions asked at so many severities that they make a curve, the worst end first."""
    long = [row for row in rows if len(row.by_severity) >= FEWEST_POINTS]
    return tuple(sorted(long, key=lambda row: row.lowest[1].value))
