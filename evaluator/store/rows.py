"""What the store keeps, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corruptions.presets import Condition


@dataclass(frozen=True)
class Submission:
    """One submission. sha256: of the zip, "" for one known by its name only.

    path: where it was last seen. first_seen: UTC, ISO 8601.
    """

    id: int
    sha256: str
    name: str
    path: str
    first_seen: str
    note: str


@dataclass(frozen=True)
class Run:
    """What answers depend on, beside the condition and the image.

    submission: the zip's sha256. environment: see `environment_text`. data: the fingerprint of
    the whole file, to which image ids belong; never that of a subset. seed: of the benchmark.
    dtype: of the images that `predict` received.
    """

    submission: str
    environment: str
    data: str
    seed: int
    dtype: str = "uint8"


@dataclass(frozen=True)
class AnswerKey:
    """The key of a condition's answers; condition: see `condition_text`."""

    run: Run
    condition: str


@dataclass(frozen=True, eq=False)
class Answers:
    """The labels given to images: int64 `(n,)` each, ids ascending and unique."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class RunAnswers:
    """All answers of a run, condition after condition. conditions: as texts. counts: answers of each, int64 `(m,)`.

    answers: of all conditions together; ids ascend within a condition. total: how many are stored, those that
    cannot be read among them.
    """

    conditions: tuple[str, ...]
    counts: NDArray[np.int64]
    answers: Answers
    total: int


@dataclass(frozen=True, eq=False)
class RunBytes:
    """A run's answers as they are stored, where a byte each is enough. conditions, counts: see `RunAnswers`.

    steps: between ascending ids, from 0 in each condition, condition after condition. labels: likewise.
    """

    conditions: tuple[str, ...]
    counts: NDArray[np.int64]
    steps: bytes
    labels: bytes

    def ids(self) -> NDArray[np.int64]:
        """All ids, condition after condition, int64 `(m,)`."""
        import numpy as np

        steps, ends = np.frombuffer(self.steps, np.uint8), np.cumsum(self.counts)
        sums = np.cumsum(steps, dtype=np.int64)
        first = ends - self.counts
        return np.asarray(sums - np.repeat(sums[first] - steps[first], self.counts), np.int64)


@dataclass(frozen=True)
class LeaderboardScore:
    """A score as the platform showed it.

    value: 0..1. decimals: how many were shown of it (0.89 and 89 % have 2). date: ISO, "" if
    unknown. hidden_images: size of the hidden set, None if unknown. recorded: UTC, ISO 8601.
    """

    id: int
    submission: Submission
    phase: str
    value: float
    decimals: int
    date: str
    hidden_images: int | None
    note: str
    recorded: str

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"


@dataclass(frozen=True)
class Prediction:
    """A score that was expected of a submission: value with its interval low..high at `level`.

    known: how many past scores it rests on. method: which estimate made it. made: UTC, ISO 8601.
    """

    phase: str
    value: float
    low: float
    high: float
    level: float
    known: int
    method: str
    made: str = ""


@dataclass(frozen=True)
class HistoryRow:
    """A submission with one of its scores, and what was expected of it before that was recorded.

    score is None for a submission without one; prediction is then the latest. answers: how many
    labels are stored of it, in `conditions` different conditions.
    """

    submission: Submission
    score: LeaderboardScore | None
    prediction: Prediction | None
    conditions: int
    answers: int


def environment_text(versions: Mapping[str, str]) -> str:
    """Versions as one canonical text: `{"python": "3.11.7", "keras": "3.4.1"}`, in any order."""
    return ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def condition_text(condition: Condition) -> str:
    """A condition as one canonical text: its operators with parameters and revisions, no weight or name.

    Loads the registry of corruptions (about a second), except for the clean condition.
    """
    if not condition.steps:
        return "clean"
    from corruptions.chain import condition_revision

    return condition_revision(condition)
