"""The figures of an evaluation: plain frozen values, computed first and rendered elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


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
    severity: int
    weight: float
    accuracy: Score


@dataclass(frozen=True)
class GroupScore:
    """Accuracy over the conditions of one family at one severity."""

    family: str
    severity: int
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
    """What a family costs: its mean accuracy, and its share of the gap to clean images."""

    family: str
    accuracy: float
    share: float


@dataclass(frozen=True)
class Timing:
    """Wall seconds of a run.

    start: until the model stood ready; load: its constructor alone; predict: all predict calls;
    total: everything.
    """

    start_seconds: float
    load_seconds: float
    predict_seconds: float
    total_seconds: float
    answers: int

    @property
    def seconds_per_thousand(self) -> float:
        """Seconds of predict for a thousand images."""
        return 1000 * self.predict_seconds / max(self.answers, 1)


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
        return tuple(
            sorted(self.conditions, key=lambda condition: condition.accuracy.value)[:count]
        )
