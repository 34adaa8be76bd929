"""How right past predictions were: the error of each, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from evaluator.storing.rows import HistoryRow


@dataclass(frozen=True)
class Verdict:
    """A prediction held against its score.

    points: score less prediction, in points (hundredths of the scale 0..1): above 0, the prediction
    was too low. held: whether the interval holds the score as shown.
    """

    points: float
    held: bool


@dataclass(frozen=True)
class Summary:
    """Several verdicts. error: mean absolute error in points, with its standard error (None for one).

    held: intervals that hold their score. expected: how many should, by their levels.
    """

    count: int
    error: float
    standard_error: float | None
    held: int
    expected: float


def verdict(row: HistoryRow) -> Verdict | None:
    """What came of a row's prediction; None without a prediction or a score."""
    if row.score is None or row.prediction is None:
        return None
    expected, shown = row.prediction, row.score.value
    return Verdict(100 * (shown - expected.value), expected.low <= shown <= expected.high)


def summary(rows: Iterable[HistoryRow]) -> Summary | None:
    """All verdicts of these rows together; None where there is none."""
    found = [
        (seen, row.prediction.level) for row in rows if (seen := verdict(row)) and row.prediction
    ]
    if not found:
        return None
    errors = [abs(seen.points) for seen, _ in found]
    return Summary(
        len(found),
        fmean(errors),
        stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else None,
        sum(seen.held for seen, _ in found),
        math.fsum(level for _, level in found),
    )


def usable(rows: Iterable[HistoryRow]) -> int:
    """How many submissions have a score that an estimate can rest on."""
    return len({row.submission.id for row in rows if row.score is not None and _can_be_asked(row)})


def _can_be_asked(row: HistoryRow) -> bool:
    """Whether there are answers, or the zip to get them from."""
    own = row.submission
    return bool(own.sha256) and (row.answers > 0 or Path(own.path).is_file())
