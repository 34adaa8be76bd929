"""What the project aims at. Everything else in the tables is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SWEEP = 20.0  # times the reference, 95 conditions
ROW = 3.0  # times the reference, one corruption
ROW_ELSE = {"defocus_blur": 2.0, "pixelate": 1.0, "jpeg_compression": 1.0}
PEER = 1.0  # times the fastest peer with the same operator
FULL_SECONDS = 60.0  # for that many images, 95 conditions, two cores
FULL_IMAGES = 12_000
MEMORY_MB = 200.0  # beyond input and output, for any number of images
RAND_AUGMENT_RATE = 6000.0  # images per CPU second
RAND_AUGMENT = 2.5  # times torchvision v2
AUG_MIX = 4.0  # times torchvision v2
SCALING = 0.9  # of what two copies of an arithmetic loop reach
LINEAR = 1.1  # cost an image of 4N images over that of N
FIRST_CALL_PLAIN = 0.3  # seconds, for an operator without compiled loops
FIRST_CALL_COMPILED = 1.5  # seconds, with compiled loops on disk
COLD_COMPILE = 30.0  # seconds, all operators


@dataclass(frozen=True)
class Verdict:
    """One figure against its goal."""

    what: str
    value: float
    sense: Literal["at least", "at most"]
    goal: float

    @property
    def met(self) -> bool:
        """Whether the figure reaches the goal."""
        return self.value >= self.goal if self.sense == "at least" else self.value <= self.goal

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "what": self.what,
            "value": self.value,
            "goal": f"{self.sense} {self.goal:g}",
            "met": self.met,
        }


def at_least(what: str, value: float, goal: float) -> Verdict:
    """A figure that should be large."""
    return Verdict(what, value, "at least", goal)


def at_most(what: str, value: float, goal: float) -> Verdict:
    """A figure that should be small."""
    return Verdict(what, value, "at most", goal)
