"""Predictions in the place of code: a file, or a zip with one, beside a sample or the reference."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import replacing
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.words import counted, few, shown
from codabench_rehearsal.rehearsal.predictions.cells import (
    cell_faults,
    label_faults,
    row_faults,
)
from codabench_rehearsal.rehearsal.predictions.sample import Expected
from codabench_rehearsal.rehearsal.predictions.table import (
    TABLES,
    SeveralError,
    Table,
    binary_kind,
    contents,
    read_table,
)
from submission.findings import Finding, Severity, found
from submission.zipping import best_level, put

_MOST_FAULTS = 5  # of one level of a document
_MOST_ROWS = 30  # that tell whether a table's numbers are cut in two
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_INDEX = ("", "unnamed: 0", "index")


def check_results(path: Path, expected: Expected, inside: str = "") -> list[Finding]:
    """What is wrong with predictions, compared with a sample or the reference; nothing is run.

    path: a table (.csv, .tsv, .txt), JSON, or a zip with one of them. inside: the name in the zip
    that scoring opens, where that is told (`scoring_reads.reads_of(...).only`). Ids, where there is
    a column of them, tell which rows are compared; else their order does. Raises `SubmissionError`
    for a path that cannot be opened, and for a sample that is no table or JSON itself.
    """
    try:
        name, data = contents(path, inside)
    except SubmissionError as error:
        if not path.is_file():
            raise
        severity: Severity | None = "note" if isinstance(error, SeveralError) else None
        return [found("S802", str(error).rstrip("."), severity)]
    suffix = _suffix(name)
    meant = suffix not in TABLES and suffix in (_suffix(inside), _suffix(expected.name))
    if meant and binary_kind(data):
        return list(_of_array(data, expected)) if suffix == ".npy" else []
    if expected.is_json:
        return list(_of_json(data, name, expected))
    like = expected.table
    if _is_document(data):
        return [found("S802", f"{shown(name)} is JSON, and {expected.place} is a table")]
    try:
        table = read_table(data, name, like)
    except SubmissionError as error:
        return [found("S802", str(error).rstrip("."))]
    return list(_of_table(table, expected))


def check_labels(path: Path, reference: Expected, inside: str = "") -> list[Finding]:
    """Where a sample says what the table is like: labels that the reference never has.

    [] for what is no table. Raises as `check_results` does.
    """
    try:
        table = read_table(contents(path, inside)[1], path.name, reference.table)
    except SubmissionError:
        return []
    if table.ragged or not table.count:
        return []
    return list(label_faults(table, reference, _columns(table, reference)[0]))


def packed_results(path: Path, name: str, out: Path) -> Path:
    """Pack predictions into the zip that the platform takes, under the name that scoring opens.

    name: "" for the file's own. Their bytes stay as they are, also out of another zip. Raises
    `SubmissionError` for predictions that cannot be read, `FileError` for a place that is refused.
    """
    own, data = contents(path, name)
    with replacing(out, len(data)) as file, zipfile.ZipFile(file, "w") as archive:
        put(archive, name or own.rpartition("/")[2], data, best_level(data))
    return out


def _of_table(table: Table, expected: Expected) -> Iterator[Finding]:
    like = expected.table
    yield from _of_encoding(table)
    if table.delimiter != like.delimiter and like.width > 1:  # one column has no separator
        has, wants = _NAMES[table.delimiter], _NAMES[like.delimiter]
        yield found("S804", f"cells are separated by {has}, and by {wants} in {expected.place}")
    faults = list(chain(_of_rows(table, like), _of_header(table, expected)))
    yield from faults
    if table.ragged or not table.count:
        return
    pairs, more = _columns(table, expected)
    yield from more
    if pairs:
        yield from row_faults(table, expected, pairs)
        yield from cell_faults(table, expected, pairs)


def _of_encoding(table: Table) -> Iterator[Finding]:
    if table.encoding == "utf-8 with a mark":
        message = f"{shown(table.name)} begins with a byte order mark"
        advice = 'Save it without: encoding="utf-8", not "utf-8-sig".'
        yield found("S803", message, "warning", advice, kind="unknown")
    elif table.encoding != "utf-8":
        kind = "UTF-16" if table.encoding == "utf-16" else "not in UTF-8"
        yield found("S803", f"{shown(table.name)} is {kind}")


def _of_rows(table: Table, like: Table) -> Iterator[Finding]:
    """Rows that are longer or shorter than the first."""
    if not table.count:
        yield found("S809", "there are no rows below the header")
    longer = [table.row(at) for at in table.ragged]
    if not longer:
        return
    at = table.ragged[0]
    first = f"line {table.lines[at]} has {counted(len(longer[0]), 'cell')}"
    what = f"{first}, the first line {table.width}"
    others = f" ({counted(len(longer), 'row')} of another length)" if len(longer) > 1 else ""
    if _are_halves(longer, table.width, sum(column.has_fractions for column in like.columns)):
        yield found("S820", f"{what}{others}: numbers seem to be written with a comma")
    elif all(len(row) == table.width + 1 and not row[-1].strip() for row in longer):
        yield found("S818", f"{what}{others}: rows end with a separator", advice="Leave it out.")
    else:
        yield found("S818", f"{what}{others}")


def _is_document(data: bytes) -> bool:
    """Whether a text is JSON with keys, or a list of such."""
    if not data.lstrip().startswith((b"{", b"[{")):
        return False
    try:
        return isinstance(parse_json(data), dict | list)
    except ValueError:
        return False


def _are_halves(rows: list[list[str]], width: int, fractions: int) -> bool:
    """Whether rows are longer because each of so many numbers is cut in two by its comma."""
    return (
        fractions > 0
        and bool(rows)
        and all(
            len(row) == width + fractions
            and not any("." in cell for cell in row)
            and sum(cell.strip(" +-").isdigit() for cell in row) >= 2 * fractions
            for row in rows
        )
    )


def _of_header(table: Table, expected: Expected) -> Iterator[Finding]:
    like, first = expected.table, few([shown(cell) for cell in table.row(0)], 5)
    weaker: Severity | None = "warning" if expected.kind == "reference" else None
    if like.has_header and not table.has_header:
        names = like.delimiter.join(like.header)
        yield found("S805", f"there is no header ({names}): the first line is {first}", weaker)
    elif table.has_header and not like.has_header:
        yield found(
            "S805", f"the first line is a header ({first}): {expected.place} has none", weaker
        )


def _columns(table: Table, expected: Expected) -> tuple[list[tuple[int, int]], list[Finding]]:
    """The columns that belong together, the sample's first, and what is wrong with the others."""
    like = expected.table
    if not (table.has_header and like.has_header):
        return _by_place(table, expected)
    has, wants = table.header, like.header
    pairs = [(at, has.index(name)) for at, name in enumerate(wants) if name in has]
    missing = [name for name in wants if name not in has]
    more = [name for name in has if name not in wants]
    if expected.kind == "reference":
        if len(has) == len(wants) and missing:
            return [(at, at) for at in range(len(wants))], []
        return pairs, []
    blanks = [shown(repr(cell)) for cell in table.row(0) if cell != cell.strip()]
    kept = blanks if all(cell == cell.strip() for cell in like.row(0)) else []
    beside = [found("S806", f"blanks stand in the names: {few(kept, 4)}")] if kept else []
    names = _of_names(has, missing, more)
    return pairs, [*beside, *names, *_of_order(pairs, more, expected)]


def _by_place(table: Table, expected: Expected) -> tuple[list[tuple[int, int]], list[Finding]]:
    width, like = table.width, expected.table
    if width == like.width:
        return [(at, at) for at in range(width)], []
    if expected.kind == "reference":
        return [], []
    said = f"{counted(width, 'column')}, expected {counted(like.width, 'column')} as in "
    said += expected.place
    rows = [table.row(at) for at in range(table.has_header, min(len(table.widths), _MOST_ROWS))]
    if _are_halves(rows, like.width, sum(column.has_fractions for column in like.columns)):
        return [], [found("S820", f"{said}: numbers seem to be written with a comma")]
    return [], [found("S806", said)]


def _of_names(has: list[str], missing: list[str], more: list[str]) -> Iterator[Finding]:
    alike = {name.casefold().replace(" ", "_"): name for name in more}
    renamed = {name: alike.get(name.casefold().replace(" ", "_"), "") for name in missing}
    for name, other in renamed.items():
        if other:
            yield found("S806", f"the column {shown(name)} is called {shown(other)}")
    left = [name for name, other in renamed.items() if not other]
    if left:
        yield found("S806", f"there is no column {few(left)}; there are {few(has)}")
    rest = [name for name in more if name not in renamed.values()]
    if has[0].lower() in _INDEX and has[0] in rest:
        rest.remove(has[0])
        named = f"called {has[0]}" if has[0] else "without a name"
        yield found("S819", f"the first column, {named}, numbers the rows")
    trailing = [name for name in rest if not name]
    if trailing:
        yield found("S818", "the header ends with a separator", advice="Leave it out.")
    if rest := [name for name in rest if name]:
        yield found("S807", f"{few(rest)} is no column of the sample")


def _of_order(
    pairs: list[tuple[int, int]], more: list[str], expected: Expected
) -> Iterator[Finding]:
    places = [place for _, place in pairs]
    if places != sorted(places) and not more:
        yield found("S808", f"the order is not that of {expected.place}")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _of_array(data: bytes, expected: Expected) -> Iterator[Finding]:
    """An array of NumPy: its shape, and values that are none."""
    import numpy as np

    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        yield found("S802", f"the array cannot be read: {error}")
        return
    if binary_kind(expected.data) == binary_kind(data):
        like = np.load(io.BytesIO(expected.data), allow_pickle=False)
        if like.shape != array.shape:
            yield found("S809", f"the array is {array.shape}, and {like.shape} in {expected.place}")
    if array.dtype.kind in "fc" and (strange := int((~np.isfinite(array)).sum())):
        yield found("S816", f"{counted(strange, 'value')} of the array NaN or infinite")


def _of_json(data: bytes, name: str, expected: Expected) -> Iterator[Finding]:
    try:
        wants = expected.document
    except ValueError as error:
        raise SubmissionError(f"{expected.place}: no JSON ({error}). Name another.") from None
    try:
        has = parse_json(data)
    except ValueError as error:
        yield found("S802", f"{shown(name)} is no JSON: {error}")
        return
    yield from _alike("", has, wants)


def _alike(place: str, has: Any, wants: Any) -> Iterator[Finding]:
    """Keys and lengths of a document beside those of another, to any depth."""
    where = f"at {shown(place)}: " if place else ""
    if isinstance(wants, dict) and isinstance(has, dict):
        yield from _alike_keys(place, where, has, wants)
    elif isinstance(wants, list) and isinstance(has, list):
        if len(wants) != len(has):
            yield found("S821", f"{where}{len(has):,} values, expected {len(wants):,}")
        kinds = {_kind(one) for one in wants}
        strange = [one for one in has if kinds and _kind(one) not in kinds]
        if strange:
            yield found("S821", f"{where}{shown(repr(strange[0]))} is of another kind")
    elif _kind(has) != _kind(wants):
        yield found("S821", f"{where}{shown(repr(has))} is of another kind than expected")


def _alike_keys(
    place: str, where: str, has: dict[str, Any], wants: dict[str, Any]
) -> Iterator[Finding]:
    if missing := [key for key in wants if key not in has]:
        yield found("S821", f"{where}it lacks {few([shown(key) for key in missing], 5)}")
    if more := [key for key in has if key not in wants]:
        yield found("S821", f"{where}it has also {few([shown(key) for key in more], 5)}", "warning")
    told = 0
    for key in wants:
        faults = list(_alike(f"{place}/{key}", has[key], wants[key])) if key in has else []
        yield from faults if told < _MOST_FAULTS else []
        told += len(faults)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return "no number"
    return "number" if isinstance(value, int | float) else type(value).__name__
