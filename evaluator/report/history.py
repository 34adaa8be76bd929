"""How right past predictions were: in words, as a table, as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal

from codabench_rehearsal.console.words import as_json, counted, percent, shown
from evaluator.estimate.inputs import MATCHING
from evaluator.store.rows import HistoryRow, LeaderboardScore, Prediction, Submission

if TYPE_CHECKING:
    from rich.table import Table


SCHEMA = 2
SHORT = 8  # digits of a SHA-256 that people are shown
LEGEND = (
    "predicted: the expected score, before the score was recorded; past: the past scores it "
    "rested on; error: score minus prediction, in points (0.01); held: the score is in the range"
)
NO_PAST = "without past scores"
_LEFT = ("submission", "phase", "date", "held", "yours")
NOT_MINE = "not yours"


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
    """Several verdicts. error: mean absolute error in points; its standard error is None for one.

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
    found = [(one, row.prediction) for row in rows if (one := verdict(row)) and row.prediction]
    if not found:
        return None
    errors = [abs(one.points) for one, _ in found]
    spread = stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else None
    held = sum(one.held for one, _ in found)
    return Summary(len(found), fmean(errors), spread, held, math.fsum(p.level for _, p in found))


def usable(rows: Iterable[HistoryRow]) -> int:
    """How many submissions have a score that an estimate can rest on: answers, or a zip to ask."""
    return len(
        {
            row.submission.id
            for row in rows
            if row.score is not None
            and row.submission.sha256
            and (row.answers > 0 or Path(row.submission.path).is_file())
        }
    )


def label(submission: Submission) -> str:
    """A submission's name, with the start of its SHA-256."""
    known = submission.sha256[:SHORT] or "known by name only"
    return f"{shown(submission.name)} ({known})"


def table(rows: Sequence[HistoryRow]) -> Table:
    """A row a score, predicted against actual; columns of which nothing is known are left out."""
    from rich.table import Table
    from rich.text import Text

    levels = {row.prediction.level for row in rows if row.prediction is not None}
    interval = f"{percent(levels.pop())} range" if len(levels) == 1 else "range"
    predicted = f"predicted ({interval})"
    names = ("date", "submission", "phase", "score", predicted, "past", "error", "held")
    # Names that stand for several submissions say too little.
    named = Counter(name for name, _ in {(r.submission.name, r.submission.id) for r in rows})
    twins = {name for name, count in named.items() if count > 1}
    texts = [_texts(row, levels=interval == "range", twins=twins) for row in rows]
    columns = zip((*names, "yours", "answers"), zip(*texts, strict=True), strict=True)
    known = {name: values for name, values in columns if any(values)}
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in known:
        side: Literal["left", "right"] = "left" if name in _LEFT else "right"
        whole = name not in ("submission", predicted)  # these two are broken on a narrow terminal
        made.add_column(name, justify=side, overflow="fold", no_wrap=whole)
    for values in zip(*known.values(), strict=True):
        made.add_row(*(Text(value) for value in values))
    return made


def lines(rows: Sequence[HistoryRow]) -> list[str]:
    """What the predictions with a score say together, in words; those from no past score apart."""
    kinds = {
        "from past scores": [row for row in rows if row.prediction and row.prediction.known],
        NO_PAST: [row for row in rows if row.prediction and not row.prediction.known],
    }
    found = {kind: seen for kind, chosen in kinds.items() if (seen := summary(chosen))}
    if not found:
        return ["No score was predicted before it was recorded, so there is no error to show yet."]
    return [f"Predicted {kind}: {_in_words(seen)}" for kind, seen in found.items()]


def compared(prediction: Prediction, row: HistoryRow) -> str:
    """What had been predicted, and how far off it was."""
    seen = verdict(row)
    past = f"from {counted(prediction.known, 'past score')}" if prediction.known else NO_PAST
    said = (
        f"Predicted: {prediction.value:.3f}, between {prediction.low:.3f} and "
        f"{prediction.high:.3f} ({percent(prediction.level)} sure), {past}"
    )
    if seen is None:
        return f"{said}."
    points = f"{abs(seen.points):.1f}"
    off = (
        f"{points} points too {'low' if seen.points > 0 else 'high'}" if float(points) else "right"
    )
    return f"{said}: {off}, {'inside' if seen.held else 'outside'} the range."


def shown_beside(score: LeaderboardScore) -> str:
    """The leaderboard's other columns and recall by class, in words; "" without any."""
    parts = [f"{shown(name)} {shown(figure)}" for name, figure in score.columns]
    if score.class_scores is not None:
        texts = score.class_scores.texts()
        parts.append(f"recall {', '.join(f'{shown(name)} {text}' for name, text in texts.items())}")
    return "; ".join(parts)


def beside(rows: Iterable[HistoryRow]) -> list[str]:
    """What leaderboards showed beside the scores, a line each."""
    return [
        f"{label(row.submission)}, {row.score} in phase {shown(row.score.phase)}: {said}"
        for row in rows
        if row.score and (said := shown_beside(row.score))
    ]


def progress(rows: Sequence[HistoryRow]) -> list[str]:
    """How many scores the estimate can rest on, and what that means for it: a sentence a phase."""
    phases = dict.fromkeys(row.score.phase for row in rows if row.score)
    return [
        _progress(usable(row for row in rows if row.score and row.score.phase == phase), phase)
        for phase in phases
    ]


def to_json(rows: Sequence[HistoryRow]) -> str:
    """The history as JSON, as docs/history.md describes it."""
    seen = summary(rows)
    said = None
    if seen is not None:
        said = {
            "predicted_scores": seen.count,
            "mean_absolute_error_points": round(seen.error, 6),
            "standard_error_points": _rounded(seen.standard_error),
            "intervals_held": seen.held,
            "intervals_expected": seen.expected,
        }
    return as_json({"schema": SCHEMA, "rows": [_document(row) for row in rows], "summary": said})


def _progress(known: int, phase: str) -> str:
    where = f"in phase {shown(phase)}"
    if known == 0:
        return f"No score {where} can be used by the estimate: it needs the zips that got them."
    if known < MATCHING:
        return (
            f"{counted(known, 'past score')} {where}: few to rest an estimate on. With {MATCHING} "
            "or more its range also widens where it misses them, each predicted from the others."
        )
    return f"{known} past scores {where}: the estimate is tested on them."


def _texts(row: HistoryRow, *, levels: bool, twins: set[str]) -> Sequence[str]:
    """One text a column; levels: say each interval's. twins: names that say too little."""
    own, score, expected = row.submission, row.score, row.prediction
    known, seen = score or expected, verdict(row)
    prediction = ("", "")
    if expected is not None:
        interval = f"{expected.low:.3f}-{expected.high:.3f}"
        interval += f" at {percent(expected.level)}" if levels else ""
        prediction = (f"{expected.value:.3f} ({interval})", str(expected.known))
    return (
        ((score.date or score.recorded) if score else own.first_seen)[:10],
        label(own) if own.name in twins else shown(own.name),
        shown(known.phase) if known else "",
        str(score or ""),
        *prediction,
        f"{seen.points:+.1f}" if seen else "",
        ("yes" if seen.held else "no") if seen else "",
        "" if score is None or score.mine else "no",
        ("" if row.answers else "none") if own.sha256 else "no zip",
    )


def _in_words(seen: Summary) -> str:
    """The mean error with its standard error, and the intervals against what they promise."""
    spread = "" if seen.standard_error is None else f" (standard error {seen.standard_error:.1f})"
    return (
        f"{counted(seen.count, 'score')}, mean absolute error {seen.error:.1f} points{spread}; "
        f"{seen.held} of {seen.count} ranges held the score, {seen.expected:.1f} should have."
    )


def _document(row: HistoryRow) -> dict[str, Any]:
    seen = verdict(row)
    return {
        "submission": _without(asdict(row.submission), "id"),
        "score": None if row.score is None else _score(row.score),
        "prediction": None if row.prediction is None else asdict(row.prediction),
        "error_points": _rounded(seen.points) if seen else None,
        "held": None if seen is None else seen.held,
        "conditions": row.conditions,
        "cells": row.conditions,  # for one more version
        "answers": row.answers,
    }


def _score(score: LeaderboardScore) -> dict[str, Any]:
    fields = _without(asdict(score), "id", "submission")
    classes = score.class_scores
    by_class = classes and classes.by_name
    decimals = classes and classes.decimals
    beside = {"class_scores": by_class, "class_decimals": decimals}
    return fields | {"columns": dict(score.columns)} | beside


def _rounded(points: float | None) -> float | None:
    """Without the dust of binary fractions."""
    return None if points is None else round(points, 6)


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
