"""The rows and cells of predictions beside those of a sample or the reference."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from codabench_rehearsal.console.words import counted, few, shown
from codabench_rehearsal.rehearsal.predictions.sample import SURE_SHARE, Expected
from codabench_rehearsal.rehearsal.predictions.table import MISSING, Column, Table, number
from submission.findings import Finding, Severity, found

Pairs = Sequence[tuple[int, int]]  # columns of the sample, and those of the file
_MOST = 4
_DECIMAL = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
MOST_LABELS = 200  # more different values are no labels
_REPEATED = 2  # rows a label, at least: else numbers are counts


def row_faults(table: Table, expected: Expected, pairs: Pairs) -> Iterator[Finding]:
    """Ids that are missing, twice, unknown or in another order; else the number of rows."""
    ids = _ids(table, expected, pairs)
    if ids is None:
        if table.count != expected.table.count:
            wants = f"{expected.table.count:,} in {expected.place}"
            yield found("S809", f"there are {counted(table.count, 'row')}, and {wants}")
        return
    has, wants_ids, column = ids
    if list(has) == list(wants_ids):
        return
    seen = Counter(has)
    missing = [one for one in wants_ids if one not in seen]
    known = set(wants_ids)
    strange = [one for one in seen if one not in known]
    twice = [one for one, times in seen.items() if times > 1]
    # A reference may hold a part of what is asked, as the public half.
    weaker: Severity | None = "warning" if expected.kind == "reference" else None
    for code, what, some in (
        ("S810", "missing", missing),
        ("S812", "there more than once", twice),
    ):
        if some:
            yield found(code, f"{column.name}: {_some(some)} {_is(some)} {what}")
    if strange:
        message = f"{column.name}: {_some(strange)} {_is(strange)} not in {expected.place}"
        yield found("S811", message, weaker)
    if not (missing or strange or twice):
        yield found(
            "S813", f"{column.name}: the rows are in another order than in {expected.place}"
        )


def _some(ids: Sequence[object]) -> str:
    return f"{counted(len(ids), 'id')} ({few([shown(one) for one in ids], _MOST)})"


def _is(some: Sequence[object]) -> str:
    return "is" if len(some) == 1 else "are"


def _ids(
    table: Table, expected: Expected, pairs: Pairs
) -> tuple[Sequence[object], Sequence[object], Column] | None:
    """The ids of the file and of the sample, made alike, and the file's column of them."""
    at, places = expected.id_at, dict(pairs)
    if at is None or at not in places:
        return None
    place = places[at]
    column, like = table.columns[place], expected.table.columns[at]
    has, wants = column.cells, like.cells
    if has == wants:
        return has, wants, column
    if column.is_numeric and like.is_numeric:
        plain = [_plain(cell) for cell in has], [_plain(cell) for cell in wants]
    else:
        plain = [cell.strip() for cell in has], [cell.strip() for cell in wants]
    share = len(set(plain[0]) & set(plain[1])) / max(1, len(plain[0]))
    if not expected.id_is_named and share < SURE_SHARE:
        return None  # no ids at all, perhaps
    return plain[0], plain[1], column


def _plain(cell: str) -> object:
    """An id that is a number, however it is written: 7, 7.0, 007."""
    try:
        return int(cell)
    except ValueError:
        value = number(cell)
        whole = value is not None and math.isfinite(value) and value == int(value)
        return int(value) if whole and value is not None else cell.strip()


def cell_faults(table: Table, expected: Expected, pairs: Pairs) -> Iterator[Finding]:
    """Cells of another kind, missing ones, labels and numbers that cannot be right."""
    for at, place in pairs:
        if at != expected.id_at:
            yield from _of_column(table.columns[place], expected.table.columns[at], expected)


def label_faults(table: Table, reference: Expected, pairs: Pairs) -> Iterator[Finding]:
    """Columns of which most labels are none of the reference's."""
    for at, place in pairs:
        column, like = table.columns[place], reference.table.columns[at]
        if at != reference.id_at and column.is_numeric == like.is_numeric:
            known = {_plain(cell) for cell in like.distinct}
            if sum(_plain(cell) in known for cell in column.cells) < len(column.cells) / 2:
                yield from _of_labels(column, like)


def _of_column(column: Column, like: Column, expected: Expected) -> Iterator[Finding]:
    gaps = column.gaps(numeric=like.is_numeric)
    if gaps and not like.gaps(numeric=like.is_numeric):
        yield found("S816", _first(column, list(_cells(column, gaps))))
    kinds = list(_of_kind(column, like))
    yield from kinds
    if kinds:
        return
    if like.is_numeric:
        yield from _of_range(column, like, expected)
    if expected.kind == "reference":
        yield from _of_labels(column, like)


def _of_kind(column: Column, like: Column) -> Iterator[Finding]:
    """Texts in the place of numbers, and the other way round."""
    if not like.is_numeric and column.is_numeric and column.present:
        has, wants = shown(column.cells[0]), shown(next(iter(like.cells), ""))
        message = f"{_name(column)}: numbers as {has}, expected texts as {wants}"
        yield found("S814", message, "warning", kind="rules")
    if not like.is_numeric or column.is_numeric:
        return
    strange = list(_no_numbers(column))
    if strange and all(_DECIMAL.fullmatch(cell.strip()) for _, cell in strange):
        yield found("S820", _first(column, strange))
    elif strange:
        yield found("S814", f"{_first(column, strange)}, which is no number")


def _no_numbers(column: Column) -> Iterator[tuple[int, str]]:
    gaps = column.gaps(numeric=True)
    bad = frozenset(cell for cell in column.distinct - gaps if number(cell) is None)
    return _cells(column, bad)


def _cells(column: Column, wanted: frozenset[str]) -> Iterator[tuple[int, str]]:
    """The lines that have one of some cells, and the cell."""
    for line, cell in zip(column.lines, column.cells, strict=True):
        if cell in wanted:
            yield line, cell


def _first(column: Column, where: Sequence[tuple[int, str]]) -> str:
    line, cell = where[0]
    told = shown(repr(cell)) if cell.strip() else "an empty cell"
    times = f" ({len(where):,} such cells)" if len(where) > 1 else ""
    return f"{_name(column)}: line {line} has {told}{times}"


def _name(column: Column) -> str:
    return shown(column.name) or "a column without a name"


def _of_range(column: Column, like: Column, expected: Expected) -> Iterator[Finding]:
    """Numbers outside of 0..1 where all that is known are shares, or 0 and 1 of a reference."""
    known = like.present
    if not known or min(known) < 0 or max(known) > 1 or not column.present:
        return
    shares = any(0 < value < 1 for value in known)
    both = expected.kind == "reference" and {min(known), max(known)} == {0.0, 1.0}
    low, high = min(column.present), max(column.present)
    if (shares or (both and column.has_fractions)) and (low < 0 or high > 1):
        yield found("S817", f"{_name(column)}: {low:g} to {high:g}, expected 0 to 1")


def _of_labels(column: Column, like: Column) -> Iterator[Finding]:
    """Labels that the reference never has, where both are labels."""
    labels = len(like.distinct) <= MOST_LABELS
    repeated = len(like.cells) >= _REPEATED * len(like.distinct)
    if not labels or not repeated or like.has_fractions or column.has_fractions:
        return
    numeric = column.is_numeric and like.is_numeric
    known = {_plain(cell) if numeric else cell.strip() for cell in like.distinct}
    has = {_plain(cell) if numeric else cell.strip() for cell in column.distinct}
    strange = sorted(str(one) for one in has - known if str(one).lower() not in MISSING)
    if strange:
        wants = few([shown(one) for one in sorted(map(str, known))], _MOST)
        what = f"{few([shown(one) for one in strange], _MOST)}; the reference has {wants}"
        yield found("S815", f"{_name(column)}: {what}")
