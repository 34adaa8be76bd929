"""Where a training stands, told a few times a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

EVERY = 0.25  # seconds: a terminal shows no more, and rendering costs time of the training


@dataclass(frozen=True)
class Progress:
    """A moment of a training.

    phase: its name, with the fold where one is trained. epoch: the one under way, counted from 1
    over all phases (within a fold: in the fold), of `epochs` at most. share: of the epoch's
    batches, 0..1. figures: the latest loss and accuracies. member, members: which network of how
    many. seconds: since the start of this run. seconds_left: at the pace so far, if no phase ends
    early; None before there is a pace.
    """

    phase: str
    epoch: int
    epochs: int
    share: float
    figures: Mapping[str, float]
    member: int = 1
    members: int = 1
    seconds: float = 0.0
    seconds_left: float | None = None


Tell = Callable[[Progress], None]
Say = Callable[[str], None]


@dataclass
class Reporter:
    """Turns batches into `Progress`. work: epochs of all members and folds that lie ahead."""

    tell: Tell
    work: float
    say: Say = lambda _: None
    member: int = 1
    members: int = 1
    clock: Callable[[], float] = time.monotonic
    _phase: str = ""
    _epochs: int = 0
    _done: float = 0.0
    _skipped: float = 0.0
    _told: float = float("-inf")
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def stretch(self, phase: str, epochs: int) -> None:
        """A phase or a fold begins; epochs: the last epoch's number that it can reach."""
        self._phase, self._epochs = phase, epochs

    def batch(self, epoch: int, share: float, figures: Mapping[str, float]) -> None:
        """A batch of an epoch is done; told if the last time was long enough ago."""
        now = self.clock()
        if now - self._told >= EVERY:
            self._told = now
            self._say(epoch, share, figures, now)

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """An epoch is done; always told."""
        self._done += 1
        self._told = now = self.clock()
        self._say(epoch, 0.0, figures, now, ended=True)

    def skip(self, epochs: float) -> None:
        """So many epochs of the work will not be trained: done before, or ended early."""
        self._skipped += epochs

    def _say(
        self,
        epoch: int,
        share: float,
        figures: Mapping[str, float],
        now: float,
        *,
        ended: bool = False,
    ) -> None:
        done = self._done + share
        seconds = now - self._started
        ahead = max(0.0, self.work - self._skipped - done)
        left = seconds / done * ahead if done > 0 else None
        self.tell(
            Progress(
                self._phase,
                epoch,
                self._epochs,
                1.0 if ended else share,
                figures,
                self.member,
                self.members,
                seconds,
                left,
            )
        )
