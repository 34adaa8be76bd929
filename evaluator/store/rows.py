"""What the store keeps, as plain frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corruptions.presets import Condition
    from corruptions.registry import Corruption

_STEP = re.compile(r"([^/+]+)/((?:[\w.]+:)?\w+):(.*?)@(\d+)(?:\+|(?=\|)|$)")


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


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """The labels given to images: int64 `(n,)` each, ids ascending and unique."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The labels of some images, int64 `(m,)`, and which are there at all, bool `(m,)`."""
        import numpy as np

        if len(self) == 0:
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return self.labels[places], self.ids[places] == ids


@dataclass(frozen=True, eq=False)
class RunAnswers:
    """All answers of a run, condition after condition.

    conditions: as texts. counts: answers of each, int64 `(k,)`. steps: between the ids, which
    ascend in each condition, from 0 on, unsigned `(m,)`. labels: unsigned `(m,)`. total: how many
    are stored, those that cannot be read among them.
    """

    conditions: tuple[str, ...]
    counts: NDArray[np.int64]
    steps: NDArray[np.unsignedinteger]
    labels: NDArray[np.unsignedinteger]
    total: int

    def ids(self) -> NDArray[np.int64]:
        """All ids, condition after condition, int64 `(m,)`."""
        import numpy as np

        sums = np.concatenate([[0], np.cumsum(self.steps, dtype=np.int64)])
        before = sums[np.cumsum(self.counts) - self.counts]  # in the conditions before this one
        return np.asarray(sums[1:] - np.repeat(before, self.counts), np.int64)

    def asks_the_same(self, other: RunAnswers) -> bool:
        """Whether another run was asked about the same images, condition by condition."""
        import numpy as np

        same = self.conditions == other.conditions and np.array_equal(self.counts, other.counts)
        return same and np.array_equal(self.steps, other.steps)

    def of(self, condition: str) -> ImageLabels:
        """The answers of one condition; none if it has none."""
        import numpy as np

        own = slice(0, 0)
        if condition in self.conditions:
            place = self.conditions.index(condition)
            first = int(self.counts[:place].sum())
            own = slice(first, first + int(self.counts[place]))
        ids = np.cumsum(self.steps[own], dtype=np.int64)
        return ImageLabels(ids, self.labels[own].astype(np.int64))


@dataclass(frozen=True)
class ClassScores:
    """Recall by class on the hidden set. values: 0..1, one a name; decimals: shown of each."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    decimals: int

    def of(self, classes: Sequence[str]) -> tuple[float, ...] | None:
        """In the order of these classes; None if they are others."""
        known = self.by_name
        if set(known) != set(classes):
            return None
        return tuple(known[name] for name in classes)

    @property
    def by_name(self) -> dict[str, float]:
        """Recall by the class's name."""
        return dict(zip(self.names, self.values, strict=True))

    def texts(self) -> dict[str, str]:
        """By name, as shown."""
        pairs = zip(self.names, self.values, strict=True)
        return {name: f"{value:.{self.decimals}f}" for name, value in pairs}


@dataclass(frozen=True)
class LeaderboardScore:
    """A score as the platform showed it.

    value: 0..1. decimals: how many were shown of it (0.89 and 89 % have 2). date: ISO, "" if
    unknown. hidden_images: size of the hidden set, None if unknown. recorded: UTC, ISO 8601. mine:
    False for the organisers' baseline or a colleague's zip. columns: what else the leaderboard
    showed, name and figure as text. class_scores: its recall by class, None if unknown.
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
    mine: bool = True
    columns: tuple[tuple[str, str], ...] = ()
    class_scores: ClassScores | None = None

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
    """A condition as one canonical text: operators with parameters and revisions, nothing else.

    Loads the registry of corruptions (about a second), except for the clean condition.
    """
    if not condition.steps:
        return "clean"
    from corruptions.chain import condition_revision

    return condition_revision(condition)


@lru_cache(maxsize=4096)
def read_condition(text: str, pictures: str = "") -> Condition | None:
    """The condition that `condition_text` calls so; None if no operators here are called so.

    pictures: the folder of its blends. Name, family and weight are not in the text.
    """
    from corruptions.presets import Condition, Step

    if text == "clean":
        return Condition(text, "", (), 0.0)
    from corruptions.registry import get, is_known, tables

    told = _STEP.findall(text)
    for table in tables():
        if not all(is_known(name, table) for _, name, _, _ in told):
            continue
        levels = [_severity(get(name, table), params) for _, name, params, _ in told]
        if all(levels):
            pairs = zip(told, levels, strict=True)
            steps = tuple(Step(name, level) for (_, name, _, _), level in pairs)
            found = Condition(text, "", steps, 0.0, table, pictures)
            if condition_text(found) == text:
                return found
    return None


def _severity(operator: Corruption, params: str) -> float:
    """The severity that has these parameters; 0 for none. Between whole ones it is written."""
    whole = [str(one) for one in operator.severities]
    if params in whole:
        return 1 + whole.index(params)
    from corruptions.between import read_severity

    return read_severity(params.partition("=")[0]) or 0
