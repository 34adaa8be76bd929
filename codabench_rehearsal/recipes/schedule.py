"""What follows from validation accuracies: learning rates, early stopping, the best epoch.

Pure Python; its state is JSON, so that a training goes on exactly where it was cut off.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from codabench_rehearsal.images import DataError, Dataset
from codabench_rehearsal.images.splitting import split
from codabench_rehearsal.recipes.system import Phase, RecipeError


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
        if self.phase.decay == "cosine":
            done = (self.epochs * self.steps + step) / max(1, self.phase.epochs * self.steps)
            rate *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        return rate

    @property
    def varies(self) -> bool:
        """Whether the rate changes within an epoch."""
        return self.phase.decay != ""

    @property
    def over(self) -> bool:
        """Whether the phase has ended: all its epochs, or its patience."""
        if self.epochs >= self.phase.epochs:
            return True
        patience = self.phase.patience
        return (
            patience is not None
            and self.best is not None
            and self.epochs - self.best_epoch >= max(1, patience)
        )

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
        """All that changes, as JSON holds it."""
        return {
            "epochs": self.epochs,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "factor": self.factor,
            "flat": self.flat,
        }

    @classmethod
    def restored(cls, phase: Phase, steps: int, state: Mapping[str, Any]) -> Schedule:
        """The schedule that had this state."""
        return cls(phase, steps, **state)


# How many epochs to train when no image is to be spared for validation: k folds find it.
#
# The folds are of the training side. The validation side stays out of everything here, so that
# `local-eval` has images to judge by; the team then trained its last network on all it had.


FitFold = Callable[[int, Dataset, Dataset], int]


def fold_sides(data: Dataset, folds: int, seed: int) -> Iterator[tuple[Dataset, Dataset]]:
    """For each fold (the images to learn from, its own); every image is in one fold at most.

    Stratified and seeded; identical images stay together. A class's last image is always learnt
    from. Raises `RecipeError` where a fold would be empty.
    """
    for rows in _own_rows(data, folds, seed):
        own = np.zeros(len(data), dtype=bool)
        own[rows] = True
        yield data.subset(~own), data.subset(own)


def epochs_by_folds(
    data: Dataset,
    phase: Phase,
    seed: int,
    done: list[int],
    fit_fold: FitFold,
    after: Callable[[], None],
) -> int:
    """The median of the folds' best epochs, at least 1.

    fit_fold: (fold from 0, to learn from, to validate) -> its best epoch. done: what earlier runs
    found, extended in place fold by fold; after: called whenever it has grown.
    """
    for number, (learnt, own) in enumerate(fold_sides(data, phase.folds, seed)):
        if number >= len(done):
            done.append(fit_fold(number, learnt, own))
            after()
    return median_epochs(done)


def median_epochs(best: Sequence[int]) -> int:
    """The median, rounded half up; of an even number the mean of the middle two."""
    return max(1, int(statistics.median(best) + 0.5))


def found(phase: Phase, epochs: int) -> Phase:
    """The phase as it is trained once its folds are done: so many epochs, no validation."""
    return replace(phase, epochs=epochs, folds=0, validation=False, patience=None, plateau=None)


def _own_rows(data: Dataset, folds: int, seed: int) -> Iterator[np.ndarray]:
    """Each fold's rows: a k-th of all, then a (k-1)-th of the rest, and so on."""
    left = np.arange(len(data))
    for remaining in range(folds, 0, -1):
        if remaining == 1:
            yield left[_not_alone(data, left)]
            return
        try:
            sides = split(data.subset(left), 1 / remaining, seed)
        except DataError:
            raise RecipeError(
                f"{len(data)} training images are too few for {folds} folds; give more images."
            ) from None
        held = np.isin(data.ids[left], sides.validation.ids)
        yield left[held]
        left = left[~held]


def _not_alone(data: Dataset, rows: np.ndarray) -> np.ndarray:
    """Of the last fold's rows those whose class has images elsewhere."""
    others = np.ones(len(data), dtype=bool)
    others[rows] = False
    return np.isin(data.labels[rows], np.unique(data.labels[others]))
