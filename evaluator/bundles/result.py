"""What a benchmark on a bundle found, as plain data: what every rendering is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.words import one_line, shown
from evaluator.bundles.choice import WHOLE

Kind = Literal["estimate", "range", "none"]


@dataclass(frozen=True)
class Interval:
    """95 % of the resamples of rows lie in it."""

    low: float
    high: float

    def widened(self, value: float, floor: float) -> Interval:
        """With a half width of at least `floor` to both sides of a value."""
        return Interval(min(self.low, value - floor), max(self.high, value + floor))


@dataclass(frozen=True)
class BundleCondition:
    """The submission under one damage of the input data.

    status, message: the platform's; cause: of a failure, in our words. value: the column's figure,
    None where it has none; interval: of it. lost: by how much it is worse than the clean one, in
    the column's own unit; lost_interval: of that, of the same rows. scores: all columns.
    """

    name: str
    family: str
    severity: float
    status: str
    message: str
    cause: str
    value: float | None
    interval: Interval | None
    lost: float | None
    lost_interval: Interval | None
    scores: Mapping[str, float]
    seconds: float

    def __post_init__(self) -> None:
        """Clean what programs and bundles said."""
        for field in ("name", "family", "message", "cause"):
            object.__setattr__(self, field, one_line(getattr(self, field)))
        object.__setattr__(self, "scores", {shown(k): v for k, v in self.scores.items()})

    @property
    def is_mixed(self) -> bool:
        """Whether it is the preset as a whole."""
        return self.family == WHOLE

    @property
    def is_clean(self) -> bool:
        """Whether nothing was damaged."""
        return not self.family


@dataclass(frozen=True)
class Expected:
    """What to expect on the hidden set.

    kind: "estimate": low..high hold 90 % of the probability; "range": they are the worst and the
    best figure of the conditions asked, no more; "none". why: sentences.
    """

    kind: Kind
    low: float | None = None
    median: float | None = None
    high: float | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Example:
    """One image, clean and damaged, uint8 `(h, w, c)`."""

    condition: str
    clean: NDArray[np.uint8]
    damaged: NDArray[np.uint8]


@dataclass(frozen=True)
class BundleSource:
    """Where the figures come from.

    column, title: of the leaderboard; sorting: "desc" where more is better. images: what is
    damaged. tasks: how many the phase has. made: when, for people.
    """

    submission: str
    sha256: str
    bundle: str
    title: str
    phase: str
    tasks: int
    worker: str
    column: str
    column_title: str
    sorting: str
    preset: str
    description: str
    seed: int
    fingerprint: str
    environment: str
    images: tuple[str, ...] = ()
    command: str = ""
    made: str = ""

    def __post_init__(self) -> None:
        """Clean what the bundle says of itself."""
        for field in ("bundle", "title", "phase", "column", "column_title", "preset"):
            object.__setattr__(self, field, shown(getattr(self, field)))
        object.__setattr__(self, "description", one_line(self.description))

    @property
    def name(self) -> str:
        """The zip's file name."""
        return shown(PurePath(self.submission).name)


@dataclass(frozen=True)
class BundleEvaluation:
    """A submission in a bundle: clean, and on damaged input data.

    clean: the first run. again: the second clean run's figure, None without one; scatter: by how
    much both differ. conditions: those asked, in order. not_asked: names. rows: what intervals rest
    on, or why there are none. notes: what the user should know. budget_seconds: for the damaged
    runs; spent_seconds: in this call, clean runs included. known: runs that came out of the store.
    """

    source: BundleSource
    clean: BundleCondition
    again: float | None
    scatter: float | None
    conditions: tuple[BundleCondition, ...]
    not_asked: tuple[str, ...]
    rows: str
    notes: tuple[str, ...]
    expected: Expected
    examples: tuple[Example, ...]
    budget_seconds: float
    spent_seconds: float
    known: int

    def __post_init__(self) -> None:
        """Clean what holds foreign names."""
        object.__setattr__(self, "notes", tuple(map(one_line, self.notes)))
        object.__setattr__(self, "rows", one_line(self.rows))

    @property
    def failed(self) -> bool:
        """Whether the platform would fail it, clean or damaged: an exit code's findings."""
        return any(one.status == "Failed" for one in (self.clean, *self.conditions))
