"""Where a training stands, told a few times a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

EVERY = 0.25  # seconds: a terminal shows no more, and rendering costs time of the training


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
