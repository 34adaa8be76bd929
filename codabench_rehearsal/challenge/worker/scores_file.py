"""What a scoring program wrote, as the site takes it: columns, computed ones, the figures shown.

Source: Codabench's compute worker and site of March 2026 (read, not copied). The site keeps a score
as a decimal of 20 digits, 10 of them behind the point, and shows it rounded by its column.
"""

from __future__ import annotations

import decimal
import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.console.reading import TooMuchError, parse_json
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.sandbox.validate import read_left

NO_SCORES = "Could not find scores file, did the scoring program output it?"
NOT_DECODED = "Could not decode scores json properly, it contains an error.\n{}"
NOT_FINITE = "Out of range float values are not JSON compliant"
LARGEST_SCORES = 16 << 20  # bytes
NO_SCORE = "the site took no score"
DIGITS, PLACES = 20, Decimal("0.0000000001")
_COMPUTED: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "avg": statistics.mean,
    "sum": lambda values: sum(values[1:], values[0]),
    "min": min,
    "max": max,
}
_WHAT = {list: "a list", str: "a text", type(None): "nothing"}
Origin = Literal["program", "site", "mean"]
Number = TypeVar("Number", Decimal, float)


@dataclass(frozen=True)
class Score:
    """One column's figure.

    value: as the program wrote it, or of what it wrote, all digits. shown: as on the leaderboard,
    which goes by the ten digits that the site keeps. origin: "program"; "site", which computes it;
    "mean", ours of several tasks'. hidden: whether organisers alone see it.
    """

    key: str
    title: str
    value: float
    shown: str
    origin: Origin = "program"
    hidden: bool = False

    def __str__(self) -> str:
        return f"{shown(self.key)} {self.shown}{' (hidden)' if self.hidden else ''}"


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
    return _scores([file], columns, "program")


def child_scores(file: ScoresFile, columns: Sequence[Column]) -> tuple[Score, ...]:
    """The columns of one task of several: the site computes none for it."""
    return _scores([file], [replace(column, computation="") for column in columns], "program")


def parent_scores(files: Sequence[ScoresFile], columns: Sequence[Column]) -> tuple[Score, ...]:
    """The figures of a submission with several tasks.

    The site computes its columns over the scores of all tasks. Others it shows task by task: for
    them we add the mean of those that have one.
    """
    return _scores(files, columns, "mean")


def _scores(
    files: Sequence[ScoresFile], columns: Sequence[Column], plain: Origin
) -> tuple[Score, ...]:
    """plain: where the figures of columns come from that are not computed."""
    inner = [column for column in columns if column.computation not in _COMPUTED]
    kept = _all([file.kept for file in files], columns)
    exact = _all([file.written for file in files], columns)
    found = []
    for column in sorted(columns, key=lambda one: one.index):
        if values := kept.get(column.key):
            figure = float(_kept(str(statistics.mean(values))))
            value = float(statistics.mean(exact[column.key]))
            told = str(round(figure, column.precision))
            origin = plain if column in inner else "site"
            found.append(Score(column.key, column.title, value, told, origin, column.hidden))
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
        kind = _WHAT.get(type(found), "a number")
        return ScoresFile(remark=f"{NO_SCORE}: expected keys and values, received {kind}")
    known = {column.key for column in columns}
    dropped = tuple(str(key) for key in found if key not in known)
    kept: dict[str, Decimal] = {}
    for key in (key for key in found if key in known):
        try:
            kept[key] = _kept(found[key])
        except (ValueError, TypeError, decimal.DecimalException):
            remark = f"{NO_SCORE} from {key!r} on: {str(found[key])[:80]} is {_why_not(found[key])}"
            return ScoresFile(kept, _floats(found, kept), dropped, remark=remark)
    return ScoresFile(kept, _floats(found, kept), dropped)


def _why_not(value: Any) -> str:
    """Why a value is no score, for people."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return "too large: the site keeps ten digits before the point"
    return "no number"


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


def _all(
    scores: Sequence[Mapping[str, Number]], columns: Sequence[Column]
) -> dict[str, list[Number]]:
    """Key -> the figures of all tasks, and the one figure of each column that the site computes.

    In its order: a later column may use an earlier one. One that finds none of the others keeps
    what the program wrote.
    """
    keys = {column.index: column.key for column in columns}
    found = {key: [each[key] for each in scores if key in each] for key in keys.values()}
    for column in sorted(columns, key=lambda one: one.index):
        if column.computation in _COMPUTED:
            values = [value for index in column.of for value in found.get(keys.get(index, ""), ())]
            if values:
                found[column.key] = [_COMPUTED[column.computation](values)]
    return found
