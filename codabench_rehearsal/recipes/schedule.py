"""What a phase learns and by what, and what follows from validation: rates, stopping, epochs.

No Keras; its state is JSON, so that a training goes on exactly where it was cut off.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import DataError, Dataset
from codabench_rehearsal.images.splitting import split
from codabench_rehearsal.recipes.system import Phase, RecipeError

EVERY = 0.25  # seconds: a terminal shows no more, and rendering costs time of the training


@dataclass
class Schedule:
    """A phase under way.

    steps: batches in an epoch. epochs: how many were trained. best: the highest validation
    accuracy so far, None before the first; best_epoch: its epoch, counted from 1, the first one of
    equals. factor: what the plateaus have left of the learning rate. flat: epochs since the best
    one or since the last drop of the rate.
    """

    phase: Phase
    steps: int
    epochs: int = 0
    best: float | None = None
    best_epoch: int = 0
    factor: float = 1.0
    flat: int = 0

    def rate(self, step: int = 0) -> float:
        """The learning rate at a step, counted from 0, of the epoch under way."""
        rate = self.phase.learning_rate * self.factor
        if self.varies:
            done = (self.epochs * self.steps + step) / max(1, self.phase.epochs * self.steps)
            rate *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        return rate

    @property
    def varies(self) -> bool:
        """Whether the rate changes within an epoch."""
        return self.phase.decay == "cosine"

    @property
    def over(self) -> bool:
        """Whether the phase has ended: all its epochs, or its patience."""
        if self.phase.patience is None or self.best is None:
            return self.epochs >= self.phase.epochs
        waited = self.epochs - self.best_epoch
        return self.epochs >= self.phase.epochs or waited >= max(1, self.phase.patience)

    def saw(self, accuracy: float | None) -> None:
        """Count an epoch that ended with this validation accuracy; None where none was measured."""
        self.epochs += 1
        if accuracy is None:
            return
        if self.best is None or accuracy > self.best:
            self.best, self.best_epoch, self.flat = accuracy, self.epochs, 0
            return
        self.flat += 1
        if self.phase.plateau is not None and self.flat >= self.phase.plateau:
            self.factor, self.flat = self.factor * self.phase.factor, 0

    def state(self) -> dict[str, Any]:
        """All that changes, as JSON holds it and `Schedule(phase, steps, **state)` takes it."""
        changing = ("epochs", "best", "best_epoch", "factor", "flat")
        return {name: getattr(self, name) for name in changing}


def fold_sides(data: Dataset, folds: int, seed: int) -> Iterator[tuple[Dataset, Dataset]]:
    """For each fold (the images to learn from, its own); every image is in one fold at most.

    Stratified and seeded; identical images stay together. A class's last image is always learnt
    from. The folds are of the training side: the validation side stays out of everything here, so
    that `local-eval` has images to judge by, where the team then trained its last network on all it
    had. Raises `RecipeError` where a fold would be empty.
    """
    for rows in _own_rows(data, folds, seed):
        own = np.zeros(len(data), dtype=bool)
        own[rows] = True
        yield data.subset(~own), data.subset(own)


def after_folds(phase: Phase, best: Sequence[int]) -> Phase:
    """The phase as it is trained once its folds are done, without validation.

    It has the median of their best epochs, rounded half up, at least 1.
    """
    epochs = max(1, int(statistics.median(best) + 0.5))
    return replace(phase, epochs=epochs, folds=0, validation=False, patience=None, plateau=None)


@dataclass(frozen=True)
class TrainingProgress:
    """A moment of a training.

    phase: its name, with the fold where one is trained. epoch: the one under way, counted from 1
    over all phases (within a fold: in the fold), of `epochs` at most. share: of the epoch's
    batches, 0..1. figures: the latest loss and accuracies. member, members: which network of how
    many. seconds_left: at the pace so far, if no phase ends early; None before there is a pace.
    """

    phase: str
    epoch: int
    epochs: int
    share: float
    figures: Mapping[str, float]
    member: int = 1
    members: int = 1
    seconds_left: float | None = None


Tell = Callable[[TrainingProgress], None]
Say = Callable[[str], None]


@dataclass
class Reporter:
    """Turns batches into `TrainingProgress`. later: epochs of the networks after this one."""

    tell: Tell
    say: Say = lambda _: None
    members: int = 1
    member: int = 1
    later: int = 0
    clock: Callable[[], float] = time.monotonic
    _phase: str = ""
    _last: int = 0
    _ahead: int = 0
    _done: int = 0
    _told: float = float("-inf")
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def stretch(self, phase: str, last: int, ahead: int) -> None:
        """A phase or a fold begins.

        last: the number of the last epoch that it can reach. ahead: epochs of this network from
        here on, its folds' included, if nothing ends early.
        """
        self._phase, self._last, self._ahead = phase, last, ahead

    def batch(self, epoch: int, share: float, figures: Mapping[str, float]) -> None:
        """A batch of an epoch is done; told if the last time was long enough ago."""
        if self.clock() - self._told >= EVERY:
            self._say(epoch, share, figures, share)

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """An epoch is done; always told."""
        self._done, self._ahead = self._done + 1, self._ahead - 1
        self._say(epoch, 1.0, figures, 0.0)

    def _say(self, epoch: int, share: float, figures: Mapping[str, float], more: float) -> None:
        """Tell; more: what of the epoch under way is done."""
        self._told = self.clock()
        seconds, done = self._told - self._started, self._done + more
        left = seconds / done * (self.later + self._ahead - more) if done else None
        place = (self._phase, epoch, self._last, share)
        self.tell(TrainingProgress(*place, figures, self.member, self.members, left))


def _own_rows(data: Dataset, folds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Each fold's rows: a k-th of all, then a (k-1)-th of the rest, and so on."""
    left = np.arange(len(data))
    for remaining in range(folds, 1, -1):
        try:
            sides = split(data.subset(left), 1 / remaining, seed)
        except DataError:
            raise RecipeError(
                f"{len(data)} training images are too few for {folds} folds; give more images."
            ) from None
        held = np.isin(data.ids[left], sides.validation.ids)
        yield left[held]
        left = left[~held]
    elsewhere = np.delete(data.labels, left)  # of the last fold those whose class has images there
    yield left[np.isin(data.labels[left], elsewhere)]
