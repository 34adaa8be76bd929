"""What follows from validation accuracies: learning rates, early stopping, the best epoch.

Pure Python; its state is JSON, so that a training goes on exactly where it was cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.recipes.system import Phase


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
