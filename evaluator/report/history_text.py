"""The history for people and programs: a table, a summary in words, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from codabench_rehearsal.console.words import as_json, counted, shown
from evaluator.estimate.inputs import MATCHING
from evaluator.store.history import Summary, summary, usable, verdict
from evaluator.store.rows import HistoryRow, Prediction, Submission

if TYPE_CHECKING:
    from rich.table import Table


SCHEMA = 2
SHORT = 8  # digits of a SHA-256 that people are shown
LEGEND = (
    "predicted: before the score was recorded; past: scores it rested on; error: score less "
    "prediction, in points"
)
NO_PAST = "without past scores"
_LEFT = ("submission", "phase", "date", "held")


def label(submission: Submission) -> str:
    """A submission's name, with the start of its SHA-256."""
    known = submission.sha256[:SHORT] or "known by name only"
    return f"{shown(submission.name)} ({known})"


def table(rows: Sequence[HistoryRow]) -> Table:
    """A row a score, predicted against actual; columns of which nothing is known are left out."""
    from rich.table import Table
    from rich.text import Text

    levels = {row.prediction.level for row in rows if row.prediction is not None}
    interval = f"{levels.pop():.0%} between" if len(levels) == 1 else "between"
    names = ("date", "submission", "phase", "score", "predicted", interval, "past", "error", "held")
    # Names that stand for several submissions say too little.
    named = Counter(name for name, _ in {(r.submission.name, r.submission.id) for r in rows})
    twins = {name for name, count in named.items() if count > 1}
    texts = [_texts(row, levels=interval == "between", twins=twins) for row in rows]
    columns = zip((*names, "answers"), zip(*texts, strict=True), strict=True)
    known = {name: values for name, values in columns if any(values)}
    made = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in known:
        side: Literal["left", "right"] = "left" if name in _LEFT else "right"
        made.add_column(name, justify=side, overflow="fold", no_wrap=name != "submission")
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
        return [
            "No score had been predicted before it was recorded: there is no error to show yet."
        ]
    return [f"Predicted {kind}: {_in_words(seen)}" for kind, seen in found.items()]


def compared(prediction: Prediction, row: HistoryRow) -> str:
    """What had been predicted, and how far off it was."""
    seen = verdict(row)
    past = f"from {counted(prediction.known, 'past score')}" if prediction.known else NO_PAST
    said = (
        f"Predicted: {prediction.value:.3f} ({prediction.level:.0%} between {prediction.low:.3f} "
        f"and {prediction.high:.3f}, {past})"
    )
    if seen is None:
        return f"{said}."
    points = f"{abs(seen.points):.1f}"
    off = (
        f"{points} points too {'low' if seen.points > 0 else 'high'}" if float(points) else "right"
    )
    return f"{said}, {off}; the interval {'held' if seen.held else 'did not hold'} it."


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
        return f"No score {where} that the estimate can use: it needs the zips they belong to."
    if known < MATCHING:
        return (
            f"{known} of {MATCHING} scores known {where}: the estimate is mainly an offset; "
            f"from {MATCHING} on it matches the shift."
        )
    if known == MATCHING:
        return f"{known} of {MATCHING} scores known {where}: from here on the shift is matched."
    return f"{known} scores known {where}: the shift is matched."


def _texts(row: HistoryRow, *, levels: bool, twins: set[str]) -> Sequence[str]:
    """One text a column; levels: say each interval's. twins: names that say too little."""
    own, score, expected = row.submission, row.score, row.prediction
    known, seen = score or expected, verdict(row)
    prediction = ("", "", "")
    if expected is not None:
        interval = f"{expected.low:.3f}-{expected.high:.3f}"
        interval += f" at {expected.level:.0%}" if levels else ""
        prediction = (f"{expected.value:.3f}", interval, str(expected.known))
    return (
        ((score.date or score.recorded) if score else own.first_seen)[:10],
        label(own) if own.name in twins else shown(own.name),
        shown(known.phase) if known else "",
        str(score or ""),
        *prediction,
        f"{seen.points:+.1f}" if seen else "",
        ("yes" if seen.held else "no") if seen else "",
        f"{row.answers:,}" if own.sha256 else "no zip",
    )


def _in_words(seen: Summary) -> str:
    """The mean error with its standard error, and the intervals against what they promise."""
    spread = "" if seen.standard_error is None else f" (standard error {seen.standard_error:.1f})"
    return (
        f"{counted(seen.count, 'score')}, mean absolute error {seen.error:.1f} points{spread}; "
        f"{seen.held} of {seen.count} intervals held the score, {seen.expected:.1f} should have."
    )


def _document(row: HistoryRow) -> dict[str, Any]:
    seen = verdict(row)
    return {
        "submission": _without(asdict(row.submission), "id"),
        "score": None if row.score is None else _without(asdict(row.score), "id", "submission"),
        "prediction": None if row.prediction is None else asdict(row.prediction),
        "error_points": _rounded(seen.points) if seen else None,
        "held": None if seen is None else seen.held,
        "conditions": row.conditions,
        "cells": row.conditions,  # for one more version
        "answers": row.answers,
    }


def _rounded(points: float | None) -> float | None:
    """Without the dust of binary fractions."""
    return None if points is None else round(points, 6)


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
