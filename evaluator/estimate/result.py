"""An estimate: what it says, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from codabench_rehearsal.challenge.profile import ASSUMED_HIDDEN_IMAGES
from codabench_rehearsal.console.words import percent
from evaluator.estimate.gaussians import Floats
from evaluator.estimate.inputs import MATCHING, LibraryCondition, PastScore, Prior, Target

Regime = Literal["uncalibrated", "few scores", "calibrated"]
LOW, HIGH = 0.05, 0.95
MOVED = 1.25  # times its share before: a family that moved less is not worth a word
SHOWN = 5  # conditions
TOLERANCE = 0.1  # share of the variance that finite local images may have without being named


@dataclass(frozen=True)
class LeaveOneOut:
    """One past score, predicted from the others. z: error over the predicted standard deviation."""

    name: str
    score: float
    predicted: float
    z: float


@dataclass(frozen=True)
class Moved:
    """A family or condition: its share of the mixture before and after the past scores.

    It says which conditions the scores speak for, never which ones the hidden set has: with fewer
    scores than conditions many mixtures explain the scores equally well.
    """

    kind: Literal["family", "condition"]
    name: str
    before: float
    after: float

    def sentence(self) -> str:
        """For the report."""
        change = "more" if self.after > self.before else "less"
        what = f"{self.name} corruptions" if self.kind == "family" else self.name
        after, before = percent(self.after), percent(self.before)
        if after == before:
            after, before = (f"{100 * share:.1f} %" for share in (self.after, self.before))
        return (
            f"the past scores fit better with {change} {what} ({after} of the hidden images, not "
            f"{before}); other mixes would fit them as well"
        )


@dataclass(frozen=True)
class Part:
    """What to expect if one belief about the hidden set holds, or if none does.

    belief: its name, "" for none; reason: its own words. before, after: the probability that it
    holds, before and after the past scores. low, median, high: the score then. own_share: share of
    its variance that is due to finite local images of this submission.
    """

    belief: str
    reason: str
    before: float
    after: float
    low: float
    median: float
    high: float
    own_share: float


@dataclass(frozen=True)
class Estimate:
    """The score to expect on the leaderboard, 0..1.

    parts: what it consists of, "if none of them holds" last; the only one where nothing is
    believed. Without past scores the figures are those of the likeliest part.
    low, high: 90 % of the probability lies between them. past: scores used. error: mean absolute
    leave-one-out error, None below two past scores. widened: factor by which those errors widened
    the interval. best: the highest past score of the user's own,
    None without; beats_best: chance of a higher shown one.
    consistent_with: what past scores speak for, never what was found. finite_share: share of the
    variance that is due to finite local images; own_share: to those of this submission alone.
    assumed: sentences.
    """

    median: float
    low: float
    high: float
    past: int
    regime: Regime
    error: float | None
    widened: float
    left_out: tuple[LeaveOneOut, ...]
    best: float | None
    beats_best: float | None
    consistent_with: tuple[Moved, ...]
    finite_share: float
    own_share: float
    assumed: tuple[str, ...]
    parts: tuple[Part, ...]


def regime_of(past: int) -> Regime:
    """By the number of past scores."""
    if past == 0:
        return "uncalibrated"
    return "calibrated" if past >= MATCHING else "few scores"


def moved(library: Sequence[LibraryCondition], prior: Prior, weights: Floats) -> tuple[Moved, ...]:
    """Families and conditions whose share moved, those that grew most first."""
    after = np.maximum(weights, 0.0)
    after /= after.sum()
    families: dict[str, list[int]] = {}
    for place, condition in enumerate(library):
        families.setdefault(condition.family, []).append(place)
    found = [
        Moved("family", name, float(prior.mean[inside].sum()), float(after[inside].sum()))
        for name, inside in families.items()
    ]
    conditions = [
        Moved("condition", condition.name, float(prior.mean[i]), float(after[i]))
        for i, condition in enumerate(library)
    ]

    def growth(one: Moved) -> tuple[float, str]:
        return (round(one.before - one.after, 12), one.name)

    grown = sorted((b for b in conditions if b.after > MOVED * b.before), key=growth)
    moved = (b for b in found if not 1 / MOVED <= b.after / b.before <= MOVED)
    return (*sorted(moved, key=growth), *grown[:SHOWN])


def assumed(
    library: Sequence[LibraryCondition],
    past: Sequence[PastScore],
    used: Sequence[PastScore],
    aim: Target,
) -> tuple[str, ...]:
    """What the figures rest on and nobody has said."""
    said = []
    if not aim.hidden and aim.found:
        said.append(str(aim.found))
    elif not aim.hidden:
        said.append(
            f"Assumed: about {ASSUMED_HIDDEN_IMAGES:,} hidden images, as nobody said how many."
        )
    if len(used) < len(past):
        said.append(f"{len(past) - len(used)} past scores of another phase are not used.")
    if used:
        said.append("Assumed: the past scores were not picked for being high.")
        said.append("Assumed: all past scores come from the same hidden images.")
    else:
        said.append("Assumed: the hidden set is a mix of conditions that this tool knows.")
    if not any(condition.composite for condition in library):
        said.append(
            "No condition here combines several corruptions: the error may be twice as large."
        )
    return tuple(said)
