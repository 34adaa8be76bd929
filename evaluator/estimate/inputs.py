"""What an estimate is made from: figures and scores, what is refused, what was expected before."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import ASSUMED_HIDDEN_IMAGES
from codabench_rehearsal.console.errors import EvaluationError
from evaluator.estimate.gaussians import Floats
from evaluator.estimate.sizes import Size

MOST_DECIMALS = 17  # a float64 has no more; so many are recorded of an unrounded score
MOST_BELIEVED = 0.99  # of the probability
MATCHING = 4  # past scores from which the estimate is checked on them


@dataclass(frozen=True)
class LibraryCondition:
    """A condition of the fixed library. composite: several kinds of damage at once. clean: none."""

    name: str
    family: str
    severity: float
    composite: bool = False
    clean: bool = False


@dataclass(frozen=True)
class Figures:
    """A submission's local accuracies, 0..1, one a condition in the library's order.

    images: how many each was measured on; None: so many that chance plays no part.
    """

    name: str
    accuracies: tuple[float, ...]
    images: tuple[int, ...] | None = None


@dataclass(frozen=True)
class PastScore:
    """A score from the leaderboard with the local figures of what was submitted.

    value: 0..1. decimals: as shown, None if exact. hidden: images of the hidden set, if known.
    mine: False for the organisers' baseline or a colleague's: never the best to beat. classes: its
    recall by class, where known, each as a score of its own, with the figures of that class's
    images. share: of the hidden images that the score is of, below 1 for a class.
    """

    figures: Figures
    value: float
    decimals: int | None = None
    hidden: int | None = None
    phase: str = ""
    mine: bool = True
    classes: tuple[PastScore, ...] = ()
    share: float = 1.0


@dataclass(frozen=True)
class Belief:
    """What somebody takes the hidden set for: weights `(C,)` of the library's conditions.

    confidence: the probability, above 0 and below 1, that it is about so. reason: in words.
    """

    name: str
    weights: tuple[float, ...]
    confidence: float
    reason: str = ""


@dataclass(frozen=True)
class Target:
    """What is to be predicted: the score in one phase, on so many hidden images, so shown.

    hidden: as the challenge or the user says it. found: what the phase's scores say of it.
    """

    phase: str = ""
    hidden: int | None = None
    decimals: int | None = None
    found: Size | None = None

    @property
    def size(self) -> int:
        """Images of the hidden set: as somebody said, else as the scores say, else assumed."""
        return self.hidden or (self.found.images if self.found else ASSUMED_HIDDEN_IMAGES)


def best_of(used: Sequence[PastScore]) -> float | None:
    """The highest of the user's own scores; None without one."""
    return max((score.value for score in used if score.mine), default=None)


def check_past(
    library: Sequence[LibraryCondition], past: Sequence[PastScore], target: Target
) -> None:
    """Raises `EvaluationError` for anything that cannot be estimated from."""
    if not library:
        raise EvaluationError("Expected a library of at least one condition, received none.")
    counts = Counter(condition.name for condition in library)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise EvaluationError(f"Expected conditions of different names, received {twice!r} twice.")
    _check_shown(target.decimals, target.hidden, "the score to predict")
    for score in (part for one in past for part in (one, *one.classes)):
        check_figures(score.figures, library)
        where = f"the past score of {score.figures.name!r}"
        _check_share(score.value, where, "Write 0.89, not 89.")
        _check_shown(score.decimals, score.hidden, where)


def check_figures(figures: Figures, library: Sequence[LibraryCondition]) -> None:
    """Raises `EvaluationError` for local figures that cannot be estimated from."""
    name, images = figures.name, figures.images
    for values, what in ((figures.accuracies, "accuracies"), (images, "numbers of images")):
        if values is not None and len(values) != len(library):
            raise EvaluationError(
                f"{name!r}: expected {len(library)} {what}, one for each condition of the library, "
                f"received {len(values)}. Evaluate it on the same library."
            )
    for condition, accuracy in zip(library, figures.accuracies, strict=True):
        _check_share(accuracy, f"{name!r} on {condition.name!r}", "Evaluate it again.")
    for condition, count in zip(library, images or (), strict=False):
        if count < 1:
            raise EvaluationError(
                f"{name!r} on {condition.name!r}: expected 1 image or more, received {count}. "
                "Evaluate every condition before estimating."
            )


def check_beliefs(beliefs: Sequence[Belief], library: Sequence[LibraryCondition]) -> None:
    """Raises `EvaluationError` for beliefs that are none about this library."""
    for belief in beliefs:
        name = f"the belief {belief.name!r}"
        if (
            len(belief.weights) != len(library)
            or min(belief.weights) < 0
            or not any(belief.weights)
        ):
            raise EvaluationError(
                f"{name}: expected {len(library)} weights of 0 or more, one for each condition of "
                "the library, not all of them 0."
            )
        if not 0 < belief.confidence < 1:
            raise EvaluationError(
                f"{name}: expected a confidence above 0 and below 1, received {belief.confidence}"
            )
    total = sum(belief.confidence for belief in beliefs)
    if total > MOST_BELIEVED:
        raise EvaluationError(
            f"Expected confidences of at most {MOST_BELIEVED} together, received {total:.2f}: "
            "something must be left for a hidden set that nobody thought of."
        )


def _check_share(value: float, where: str, advice: str) -> None:
    if not 0 <= value <= 1:  # NaN too
        raise EvaluationError(f"{where}: expected a share from 0 to 1, received {value}. {advice}")


def _check_shown(decimals: int | None, hidden: int | None, where: str) -> None:
    if decimals is not None and not 0 <= decimals <= MOST_DECIMALS:
        raise EvaluationError(
            f"{where}: expected 0 to {MOST_DECIMALS} decimals, received {decimals}."
        )
    if hidden is not None and hidden < 1:
        raise EvaluationError(
            f"{where}: expected a hidden set of 1 image or more, received {hidden}. "
            "Leave it out if it is not known."
        )


@dataclass(frozen=True, eq=False)
class Level:
    """One way to group conditions. members: `(C, groups)`, each condition's share of its group."""

    members: Floats
    shares: Floats  # each group's share of the whole

    @cached_property
    def matrix(self) -> Floats:
        """Covariance of the weights, `(C, C)`, if the shares are of a very wide Dirichlet."""
        whole = self.members @ self.shares
        return np.asarray((self.members * self.shares) @ self.members.T - np.outer(whole, whole))

    def variances(self) -> Floats:
        """Of every condition's weight, `(C,)`."""
        return np.asarray(self.members**2 @ (self.shares * (1 - self.shares)))


@dataclass(frozen=True)
class Prior:
    """The mixtures to expect. mean: `(C,)`, sums to 1. levels: family, severity, condition."""

    mean: Floats
    levels: tuple[Level, ...]


def prior_of(families: Sequence[str], severities: Sequence[float]) -> Prior:
    """Families weigh the same, and so do the conditions of a family."""
    family = np.unique(np.asarray(families), return_inverse=True)[1]
    severity = np.unique(np.asarray(severities), return_inverse=True)[1]
    counts = np.bincount(family)
    mean = 1.0 / (len(counts) * counts[family])
    groups = (family, severity, np.arange(len(mean)))
    return Prior(mean, tuple(_level(mean, group) for group in groups))


def _level(mean: Floats, group: NDArray[np.intp]) -> Level:
    shares = np.bincount(group, mean).astype(np.float64)
    members = np.zeros((len(mean), len(shares)))
    members[np.arange(len(mean)), group] = mean / shares[group]
    return Level(members, shares)


@dataclass(frozen=True)
class Strengths:
    """The grid, one array `(G, 6)`: its columns, in order.

    family, severity, condition: 1 / (1 + concentration) of the Dirichlet at that level.
    offset, profile, own: standard deviations on the logit scale.
    """

    values: Floats

    @classmethod
    def grid(
        cls,
        *,
        family: Sequence[float],
        severity: Sequence[float],
        condition: Sequence[float],
        offset: Sequence[float],
        profile: Sequence[float],
        own: Sequence[float],
    ) -> Strengths:
        """Every combination."""
        choices = itertools.product(family, severity, condition, offset, profile, own)
        return cls(np.array(list(choices), dtype=np.float64))

    def coefficients(self) -> Floats:
        """What the covariances are multiplied with, `(G, 6)`."""
        return np.hstack([self.values[:, :3], self.values[:, 3:] ** 2])
