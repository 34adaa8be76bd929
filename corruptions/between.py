"""Severities between the whole ones: the parameters that lie between two rows of a table.

A number lies on the line between its neighbours; a whole number (an `int` in the annotation of the
operator's parameters, or in every row where there is none) is rounded. Some neighbours do different
things: `saturate` fades at severity 2 and strengthens at 3, `spatter` throws water, then mud. What
lay between them would be neither, so the nearer row holds (`apart` of `registry.corruption`).
"""

from __future__ import annotations

import functools
import math
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from typing import Any

from codabench_rehearsal.console.errors import CorruptionError

DECIMALS = 6  # of a parameter: what is stored under it does not hang on the last bits
STEP_DECIMALS = 3  # of a severity
LOWEST, HIGHEST = 1, 5
_WRITTEN = re.compile(rf"[0-9](?:\.[0-9]{{1,{STEP_DECIMALS}}})?")

Apart = Callable[[Any, Any], bool]  # whether two neighbouring rows do different things


def same_kind(_low: Any, _high: Any) -> bool:
    """For tables whose rows do more and more of one thing: none of them are apart."""
    return False


def read_severity(text: str) -> float | None:
    """A severity as it is written, `3` or `2.5`: `int` where it is whole; None for others."""
    if not _WRITTEN.fullmatch(text):
        return None
    value = float(text)
    return plain(value) if LOWEST <= value <= HIGHEST else None


def plain(severity: float) -> float:
    """With three decimals at most, and as `int` where it is whole."""
    rounded = round(float(severity), STEP_DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded


def parameters_between(
    rows: Sequence[Any], severity: float, apply: Callable[..., Any], apart: Apart
) -> Any:
    """The parameters at a severity that is not whole, 1..5, of a table's five rows."""
    low, high = rows[math.floor(severity) - 1], rows[math.ceil(severity) - 1]
    share = severity - math.floor(severity)
    if apart(low, high):
        return low if share < 1 / 2 else high
    return _mixed((low, high), share, whole_numbers(apply, tuple(rows)))


@functools.lru_cache(maxsize=256)
def whole_numbers(apply: Callable[..., Any], rows: tuple[Any, ...]) -> tuple[bool, ...]:
    """Which parts of the parameters are whole numbers; one where they are a single number."""
    several = isinstance(rows[0], tuple)
    columns = tuple(zip(*rows, strict=True)) if several else (rows,)
    told = _annotated(apply, len(columns), several=several)
    return tuple(
        kind is int if kind in (int, float) else all(type(one) is int for one in column)
        for kind, column in zip(told, columns, strict=True)
    )


def _annotated(apply: Callable[..., Any], count: int, *, several: bool) -> tuple[Any, ...]:
    """What the operator's second argument is said to hold, part by part; None where unknown."""
    kinds = list(typing.get_type_hints(apply).values())[1:2]
    parts = typing.get_args(kinds[0]) if several and kinds else tuple(kinds)
    return parts if len(parts) == count and Ellipsis not in parts else (None,) * count


def _mixed(rows: tuple[Any, Any], share: float, whole: tuple[bool, ...]) -> Any:
    """What lies at a share of the way from one row to the other: numbers, or several of them."""
    low, high = rows
    row: Any = low
    if isinstance(low, tuple):
        pairs = zip(low, high, whole, strict=True)
        return tuple(_between(one, other, share, whole=rounded) for one, other, rounded in pairs)
    if not is_dataclass(low):
        return _between(low, high, share, whole=whole[0])
    pairs_of = {f.name: (getattr(low, f.name), getattr(high, f.name)) for f in fields(row)}
    changed = {name: pair for name, pair in pairs_of.items() if pair[0] != pair[1]}
    return replace(row, **{n: _between(*pair, share, whole=False) for n, pair in changed.items()})


def _between(low: Any, high: Any, share: float, *, whole: bool) -> Any:
    if low == high:
        return low
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise CorruptionError(f"Nothing lies between {low!r} and {high!r}: take a whole severity.")
    value = low + (high - low) * share
    return math.floor(value + 1 / 2) if whole else round(value, DECIMALS)


def said_of(rows: Sequence[Any], apply: Callable[..., Any], apart: Apart) -> str:
    """Where nothing, or little, lies between two rows, for people; "" where all is on a line."""
    gaps = [at for at, pair in enumerate(pairwise(rows), LOWEST) if apart(*pair)]
    found = [f"nothing lies between {at} and {at + 1}, where it does something else" for at in gaps]
    columns = zip(*rows, strict=True) if isinstance(rows[0], tuple) else [rows]
    changing = [
        whole
        for column, whole in zip(columns, whole_numbers(apply, tuple(rows)), strict=True)
        if any(one != column[0] for one in column)
    ]
    return "; ".join([*found, *(["it grows in whole steps"] if all(changing) else [])])
