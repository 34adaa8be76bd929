"""From answers to figures. Intervals resample base images, stratified by class.

One base image is shown clean and under several conditions; its answers rise and fall together, so a
resample draws images, not answers (facts/estimation.md: an answer-wise test claims a difference
that is not there 34 % of the time, a clustered one 4.7 %).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Metric
from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats
from evaluator.plan import Benchmark, Questions

RESAMPLES = 2000
AT_ONCE = 250  # resamples in memory
PORTION = 1 << 16  # answers counted at a time, or a few more
LEVEL = 0.95
Z = 1.959964  # standard deviations in half of a 95 % interval


@dataclass(frozen=True)
class Score:
    """A figure in 0..1 (a difference: -1..1) with its 95 % interval; n base images behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class ConditionScore:
    """Accuracy under one condition of the benchmark."""

    name: str
    family: str
    severity: float
    weight: float
    accuracy: Score


@dataclass(frozen=True)
class GroupScore:
    """Accuracy over the conditions of one family at one severity."""

    family: str
    severity: float
    accuracy: Score


@dataclass(frozen=True)
class Part:
    """Figures over one set of answers: the clean images, or the whole benchmark.

    score: the challenge's own metric. recall: by class, NaN for a class without images.
    answered: each label's share of the answers.
    """

    accuracy: Score
    score: Score
    macro_f1: float
    balanced_accuracy: float
    recall: tuple[float, ...]
    answered: tuple[float, ...]


@dataclass(frozen=True)
class Loss:
    """What a family costs: its mean accuracy, and its share of the gap to the clean accuracy."""

    family: str
    accuracy: float
    share: float


@dataclass(frozen=True)
class Scores:
    """All figures of a finished run. gap: clean minus benchmark accuracy, on the same images."""

    validation: Part
    benchmark: Part
    gap: Score
    conditions: tuple[ConditionScore, ...]
    groups: tuple[GroupScore, ...]
    losses: tuple[Loss, ...]
    answers: int

    def worst(self, count: int = 5) -> tuple[ConditionScore, ...]:
        """The conditions with the lowest accuracy."""
        return tuple(sorted(self.conditions, key=lambda one: one.accuracy.value)[:count])


@dataclass(frozen=True)
class Tally:
    """Weighted counts by class, `(..., k)` each: right answers, answers given, true labels."""

    right: Floats
    given: Floats
    true: Floats

    def total(self) -> Tally:
        """Over all images."""
        return Tally(self.right.sum(0), self.given.sum(0), self.true.sum(0))

    def accuracy(self) -> Floats:
        """Share of right answers."""
        return _ratio(self.right.sum(-1), self.true.sum(-1))

    def recall(self) -> Floats:
        """Right answers by true label; NaN where a class has no images."""
        return _ratio(self.right, self.true)

    def balanced_accuracy(self) -> Floats:
        """Mean recall over the classes that have images."""
        return _mean_where(self.recall(), self.true > 0)

    def macro_f1(self) -> Floats:
        """Mean F1 over the classes that have images or answers."""
        total = self.given + self.true
        return _mean_where(_ratio(2 * self.right, total), total > 0)

    def metric(self, name: Metric) -> Floats:
        """The challenge's metric."""
        match name:
            case "accuracy":
                return self.accuracy()
            case "balanced accuracy":
                return self.balanced_accuracy()
            case "macro-F1":
                return self.macro_f1()


def score(
    benchmark: Benchmark,
    questions: Questions,
    labels: NDArray[np.signedinteger],
    classes: int,
    metric: Metric = "accuracy",
) -> Scores:
    """All figures of a run. labels: `(m,)`, the submission's answer to each question."""
    truth = benchmark.data.labels
    clean = np.zeros(len(benchmark.conditions))
    clean[0] = 1.0
    weights = _condition_weights(benchmark, questions)
    parts = [_by_image(truth, questions, labels, classes, one) for one in (clean, weights)]
    draws = resamples(truth, benchmark.seed)
    boot = [_resampled(part, draws) for part in parts]
    right = labels == truth[questions.rows]
    conditions = _condition_scores(benchmark, questions, right)
    clean_accuracy, damaged = (part.total().accuracy() for part in parts)
    differences = boot[0].accuracy() - boot[1].accuracy()
    return Scores(
        _part(parts[0], boot[0], metric),
        _part(parts[1], boot[1], metric),
        interval(float(clean_accuracy - damaged), differences, len(truth)),
        conditions,
        _groups(benchmark, questions, right),
        _losses(conditions, float(clean_accuracy)),
        len(labels),
    )


def wilson(right: float, n: int) -> Score:
    """A share of n independent answers with Wilson's 95 % interval."""
    if n == 0:
        return Score(float("nan"), 0.0, 1.0, 0)
    p = right / n
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Score(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)), n)


def interval(value: float, resampled: Floats, n: int) -> Score:
    """A figure over n base images with its 95 % interval, from that of every resample."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    if low == high and 0 <= value <= 1:  # all right or all wrong: resampling sees no spread
        return wilson(value * n, n)
    return Score(value, float(low), float(high), n)


def answer_weights(benchmark: Benchmark, questions: Questions) -> Floats:
    """Each condition's answers together weigh what the preset says; clean answers nothing."""
    return np.asarray(_condition_weights(benchmark, questions)[questions.conditions])


def resamples(truth: NDArray[np.int64], seed: int) -> NDArray[np.uint8]:
    """How often each base image is drawn in each resample, `(RESAMPLES, n)`; class sizes stay."""
    rng = np.random.default_rng((seed, Stream.RESAMPLE))
    drawn = np.zeros((RESAMPLES, len(truth)), np.uint8)  # no image is drawn 256 times
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        n = len(rows)
        for first in range(0, RESAMPLES, AT_ONCE):
            count = min(AT_ONCE, RESAMPLES - first)
            picks = rng.integers(0, n, (count, n)) + np.arange(count, dtype=np.int64)[:, None] * n
            counts = np.bincount(picks.ravel(), minlength=count * n).reshape(-1, n)
            drawn[first : first + count, rows] = counts
    return drawn


def _condition_weights(benchmark: Benchmark, questions: Questions) -> Floats:
    """What one answer under each condition weighs."""
    counts = np.bincount(questions.conditions, minlength=len(benchmark.conditions))
    weights = np.array([condition.weight for condition in benchmark.conditions])
    weights[0] = 0.0
    return np.asarray(weights / np.maximum(counts, 1))


def _by_image(
    truth: NDArray[np.int64],
    questions: Questions,
    labels: NDArray[np.signedinteger],
    k: int,
    by_condition: Floats,
) -> Tally:
    """Weighted counts of every base image, `(n, k)`; by_condition: what an answer weighs."""
    right, given, true = (np.zeros(len(truth) * k) for _ in range(3))
    for own in _portions(questions.rows):
        rows, answers = questions.rows[own], labels[own]
        weights, labelled = by_condition[questions.conditions[own]], truth[rows]
        places = rows * k + labelled
        right += np.bincount(places, weights * (answers == labelled), len(right))
        given += np.bincount(rows * k + answers, weights, len(given))
        true += np.bincount(places, weights, len(true))
    return Tally(*(counts.reshape(-1, k) for counts in (right, given, true)))


def _portions(rows: NDArray[np.signedinteger]) -> Iterator[slice]:
    """Of questions image by image, each image's in one portion; all if in another order."""
    if len(rows) <= PORTION or (rows[1:] < rows[:-1]).any():
        yield slice(0, len(rows))
        return
    first = 0
    while first < len(rows):
        last = rows[min(first + PORTION, len(rows)) - 1]
        end = int(np.searchsorted(rows, last, side="right"))
        yield slice(first, end)
        first = end


def _resampled(part: Tally, draws: NDArray[np.uint8]) -> Tally:
    """In single precision: the three counts stay equal where they are equal."""
    counts = np.hstack([part.right, part.given, part.true]).astype(np.float32)
    portions = (draws[first : first + AT_ONCE] for first in range(0, len(draws), AT_ONCE))
    found = np.concatenate([drawn.astype(np.float32) @ counts for drawn in portions])
    return Tally(*np.hsplit(found.astype(np.float64), 3))


def _part(by_image: Tally, boot: Tally, metric: Metric) -> Part:
    total, n = by_image.total(), len(by_image.true)
    return Part(
        interval(float(total.accuracy()), boot.accuracy(), n),
        interval(float(total.metric(metric)), boot.metric(metric), n),
        float(total.macro_f1()),
        float(total.balanced_accuracy()),
        tuple(map(float, total.recall())),
        tuple(map(float, total.given / total.given.sum())),
    )


def _condition_scores(
    benchmark: Benchmark, questions: Questions, right: NDArray[np.bool_]
) -> tuple[ConditionScore, ...]:
    size = len(benchmark.conditions)
    n = np.bincount(questions.conditions, minlength=size)
    good = np.bincount(questions.conditions, right, minlength=size)
    return tuple(
        ConditionScore(one.name, one.family, one.severity, one.weight, wilson(good[i], int(n[i])))
        for i, one in enumerate(benchmark.conditions)
        if i > 0 and n[i] > 0
    )


def _groups(
    benchmark: Benchmark, questions: Questions, right: NDArray[np.bool_]
) -> tuple[GroupScore, ...]:
    """Families by severity. An image may be in a group twice, so the interval counts images."""
    kinds = [(one.family, one.severity) for one in benchmark.conditions]
    groups = []
    for family, severity in sorted(set(kinds[1:])):
        inside = [i for i, kind in enumerate(kinds) if i and kind == (family, severity)]
        chosen = np.isin(questions.conditions, inside)
        if chosen.any():
            images = len(np.unique(questions.rows[chosen]))
            share = wilson(right[chosen].mean() * images, images)
            groups.append(GroupScore(family, severity, share))
    return tuple(groups)


def _losses(conditions: tuple[ConditionScore, ...], clean: float) -> tuple[Loss, ...]:
    """Families by what they take from the clean accuracy, the costliest first."""
    lost = dict.fromkeys((condition.family for condition in conditions), 0.0)
    weight, right = dict(lost), dict(lost)
    for condition in conditions:
        lost[condition.family] += condition.weight * (clean - condition.accuracy.value)
        weight[condition.family] += condition.weight
        right[condition.family] += condition.weight * condition.accuracy.value
    total = sum(lost.values())
    found = [
        Loss(family, right[family] / weight[family], lost[family] / total if total > 0 else 0.0)
        for family in lost
    ]
    return tuple(sorted(found, key=lambda loss: -loss.share))


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _mean_where(values: Floats, there: NDArray[np.bool_]) -> Floats:
    return _ratio(np.where(there, values, 0.0).sum(-1), there.sum(-1).astype(np.float64))
