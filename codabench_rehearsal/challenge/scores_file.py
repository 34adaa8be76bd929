"""What a scoring program wrote, as the site takes it: columns, computed ones, the figures shown.

Source: Codabench's compute worker and site of March 2026 (read, not copied). The site keeps a score
as a decimal of 20 digits, 10 of them behind the point, and shows it rounded by its column.
"""

from __future__ import annotations

import decimal
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.console.reading import TooMuchError, parse_json
from codabench_rehearsal.sandbox.validate import read_left

NO_SCORES = "Could not find scores file, did the scoring program output it?"
NOT_DECODED = "Could not decode scores json properly, it contains an error.\n{}"
NOT_FINITE = "Out of range float values are not JSON compliant"
LARGEST_SCORES = 16 << 20  # bytes
DIGITS, PLACES = 20, Decimal("0.0000000001")
_COMPUTED: Mapping[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "avg": statistics.mean,
    "sum": lambda values: sum(values, Decimal(0)),
    "min": min,
    "max": max,
}
Origin = Literal["program", "site", "mean"]


@dataclass(frozen=True)
class Score:
    """One column's figure.

    value: as the program wrote it; where it is computed, as the site keeps it. shown: as on the
    leaderboard. origin: "program"; "site", which computes it; "mean", ours of several tasks'.
    """

    key: str
    title: str
    value: float
    shown: str
    origin: Origin = "program"


@dataclass(frozen=True)
class ScoresFile:
    """What was read.

    kept: key -> as the site keeps it. written: key -> as the program wrote it. dropped: keys that
    are no column. message: with which the platform fails the submission, "" for none. remark: what
    the site did not take, which fails nothing; "" for nothing.
    """

    kept: Mapping[str, Decimal] = field(default_factory=dict)
    written: Mapping[str, float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    message: str = ""
    remark: str = ""


def read_scores(output: Path, columns: Sequence[Column]) -> ScoresFile:
    """Read `scores.json`, else `scores.txt` (YAML), of a scoring program's output."""
    file = next((output / n for n in ("scores.json", "scores.txt") if (output / n).exists()), None)
    if file is None:
        return ScoresFile(message=NO_SCORES)
    left = read_left(file, LARGEST_SCORES)
    if left is None:
        return ScoresFile(message=f"{file.name} is no regular file")
    try:
        found = _parsed(file.name, left)
        json.dumps(found, allow_nan=False)  # the worker sends it as JSON
    except json.JSONDecodeError as error:
        return ScoresFile(message=NOT_DECODED.format(error.msg))
    except (ValueError, TypeError, RecursionError) as error:
        said = str(error)
        return ScoresFile(message=NOT_FINITE if said.startswith(NOT_FINITE) else said)
    return _taken(found, columns)


def site_scores(file: ScoresFile, columns: Sequence[Column]) -> tuple[Score, ...]:
    """The columns of a submission with one task, by their index, computed ones included."""
    computed = _computed([file.kept], columns)
    found = []
    for column in sorted(columns, key=lambda one: one.index):
        if column.key in computed:
            found.append(_score(column, computed[column.key], "site"))
        elif column.key in file.kept:
            found.append(_score(column, file.kept[column.key], value=file.written[column.key]))
    return tuple(found)


def child_scores(file: ScoresFile, columns: Sequence[Column]) -> tuple[Score, ...]:
    """The columns of one task of several: the site computes none for it."""
    rows = [column for column in columns if column.key in file.kept]
    rows.sort(key=lambda one: one.index)
    return tuple(_score(row, file.kept[row.key], value=file.written[row.key]) for row in rows)


def parent_scores(files: Sequence[ScoresFile], columns: Sequence[Column]) -> tuple[Score, ...]:
    """The figures of a submission with several tasks.

    The site computes its columns over the scores of all tasks. Others it shows task by task: for
    them we add the mean of those that have one.
    """
    computed = _computed([file.kept for file in files], columns)
    found = []
    for column in sorted(columns, key=lambda one: one.index):
        values = [file.kept[column.key] for file in files if column.key in file.kept]
        if column.key in computed:
            found.append(_score(column, computed[column.key], "site"))
        elif values:
            found.append(_score(column, statistics.mean(values), "mean"))
    return tuple(found)


def _parsed(name: str, left: bytes) -> Any:
    if name == "scores.txt":
        import yaml

        try:
            return yaml.safe_load(left.decode("utf-8"))
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from None
    if left.startswith(b"\xef\xbb\xbf"):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", "", 0)
    try:
        return parse_json(left)
    except TooMuchError as error:
        raise ValueError(f"scores.json: {error}") from None


def _taken(found: Any, columns: Sequence[Column]) -> ScoresFile:
    """What the site takes, one key after the other; the first that it cannot take is the last."""
    if not isinstance(found, dict):
        kind = type(found).__name__
        return ScoresFile(remark=f"the site took no score: expected keys and values, not a {kind}")
    known = {column.key for column in columns}
    dropped = tuple(str(key) for key in found if key not in known)
    kept: dict[str, Decimal] = {}
    for key in (key for key in found if key in known):
        try:
            kept[key] = _kept(found[key])
        except (ValueError, TypeError, decimal.DecimalException):
            remark = f"the site took no score from {key!r} on: {str(found[key])[:80]} is no number"
            return ScoresFile(kept, _floats(found, kept), dropped, remark=remark)
    return ScoresFile(kept, _floats(found, kept), dropped)


def _floats(found: Mapping[str, Any], keys: Iterable[str]) -> dict[str, float]:
    return {key: float(found[key]) for key in keys}


def _kept(value: Any) -> Decimal:
    """A score as the site keeps it. Raises `ValueError`, `TypeError` or `DecimalException`."""
    context = decimal.Context(prec=DIGITS, traps=[decimal.InvalidOperation])
    if isinstance(value, float):
        number = context.create_decimal_from_float(value)
    elif isinstance(value, int | str):
        number = Decimal(value)
    else:
        raise TypeError(f"a {type(value).__name__} is no number")
    if not number.is_finite():
        raise ValueError("not finite")
    return number.quantize(PLACES, context=context)


def _computed(
    scores: Sequence[Mapping[str, Decimal]], columns: Sequence[Column]
) -> dict[str, Decimal]:
    """The site's own columns over these scores, in its order: a later one may use an earlier."""
    computed: dict[str, Decimal] = {}
    keys = {column.index: column.key for column in columns}
    for column in sorted(columns, key=lambda one: one.index):
        if column.computation not in _COMPUTED:
            continue
        of = [keys[index] for index in column.of if index in keys]
        values = [each[key] for each in scores for key in of if key in each and key not in computed]
        values += [computed[key] for key in of if key in computed]
        if values:
            computed[column.key] = _kept(str(_COMPUTED[column.computation](values)))
    return computed


def _score(
    column: Column, kept: Decimal, origin: Origin = "program", value: float | None = None
) -> Score:
    figure = float(kept)
    shown = str(round(figure, column.precision))
    return Score(column.key, column.title, figure if value is None else value, shown, origin)
