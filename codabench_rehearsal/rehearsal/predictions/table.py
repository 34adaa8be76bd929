"""A file of predictions as a table of texts: its encoding, its separator, its header.

Standard library only: 100,000 rows of 10 columns take a fraction of a second.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path, PurePosixPath

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import read_limited, require_file
from codabench_rehearsal.console.words import few, human_bytes, shown

LARGEST = 1 << 30  # bytes; predictions for a million images of a thousand classes take more
TABLES = (".csv", ".tsv", ".txt", ".dat", "")
MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "infinity"))
DELIMITERS = (",", ";", "\t", "|")
BLANKS = " "  # cells between any number of blanks
_LOOKED_AT = 30  # lines that tell the separator
_ID = re.compile(
    r"(^|[_ ])(?i:id|ids|index|idx|key|row|sample|name|filename|file|image|path)$|[a-z](Id|ID)$"
)
_HEADS = re.compile(r"(?i)(target|label|class|pred\w*|prob\w*|score|value|output|answer|y\d*)")
_BOOLEANS = {"true": 1.0, "false": 0.0}
_SIGNS = {  # of files that are no text
    b"PK\x03\x04": "an Excel file or another zip",
    b"\x93NUMPY": "an array of NumPy",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "packed by gzip",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}


class SeveralError(SubmissionError):
    """A zip of several files, of which nobody knows which holds the predictions."""


@dataclass(frozen=True)
class Column:
    """Cells of one column, header left out. lines: of the file, counted from 1."""

    name: str
    cells: Sequence[str]
    lines: Sequence[int]

    @cached_property
    def numbers(self) -> list[float] | None:
        """Its cells as numbers, or None where one of them is none; NaN and infinity are numbers."""
        try:
            return list(map(float, self.cells))
        except ValueError:
            return None

    @cached_property
    def present(self) -> list[float]:
        """The numbers among its cells."""
        found = self.numbers or [v for cell in self.cells if (v := number(cell)) is not None]
        return found if math.isfinite(sum(found)) else list(filter(math.isfinite, found))

    @cached_property
    def distinct(self) -> frozenset[str]:
        """Its different cells."""
        return frozenset(self.cells)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether all its cells are numbers, but for those that are missing."""
        if self.numbers is not None:
            return True
        told = [cell for cell in self.distinct if cell.strip().lower() not in MISSING]
        return bool(told) and all(number(cell) is not None for cell in told)

    @cached_property
    def has_fractions(self) -> bool:
        """Whether it holds numbers, and some of them are not whole."""
        return self.is_numeric and any(value != int(value) for value in self.present)

    def gaps(self, *, numeric: bool) -> frozenset[str]:
        """Its different cells that are empty or NaN; where numbers are meant, also None, inf."""
        if self.numbers is not None and math.isfinite(sum(self.numbers)):
            return frozenset()
        return frozenset(cell for cell in self.distinct if _is_gap(cell, numeric=numeric))


@dataclass(frozen=True)
class Table:
    """name: as messages say it. cells: of all rows, one after the other, the header too.

    widths: the number of cells of each row; blank lines are left out. lines: the line on which each
    row ends. delimiter: one sign, a blank for any number of them. encoding: "utf-8", "utf-8 with a
    mark", "utf-16", or "another".
    """

    name: str
    cells: list[str]
    widths: list[int]
    lines: Sequence[int]
    delimiter: str = ","
    encoding: str = "utf-8"
    has_header: bool = True

    @cached_property
    def width(self) -> int:
        """The number of columns: of the first row."""
        return self.widths[0]

    @cached_property
    def ragged(self) -> list[int]:
        """The rows of another length than the first."""
        if self.widths.count(self.width) == len(self.widths):
            return []
        return [at for at, width in enumerate(self.widths) if width != self.width]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(self.widths)]

    def row(self, at: int) -> list[str]:
        """The cells of a row; 0 is the header, where there is one."""
        return self.cells[self._starts[at] : self._starts[at + 1]]

    @property
    def count(self) -> int:
        """The number of rows without the header."""
        return len(self.widths) - self.has_header

    @property
    def header(self) -> list[str]:
        """The names of the columns; their places where it has none."""
        if self.has_header:
            return [name.strip() for name in self.row(0)]
        return [f"column {at + 1}" for at in range(self.width)]

    @cached_property
    def columns(self) -> list[Column]:
        """Its columns. Rows have to be of one length."""
        first, lines = self.width * self.has_header, self.lines[self.has_header :]
        parts = [self.cells[first + at :: self.width] for at in range(self.width)]
        return [Column(name, part, lines) for name, part in zip(self.header, parts, strict=True)]


def number(cell: str) -> float | None:
    """A cell as a number; True and False count as one, as pandas reads them."""
    try:
        return float(cell)
    except ValueError:
        return _BOOLEANS.get(cell.strip().lower())


def _is_gap(cell: str, *, numeric: bool) -> bool:
    plain = cell.strip().lower()
    if not numeric:
        return plain in ("", "nan")
    return plain in MISSING or not math.isfinite(number(cell) or 0.0)


def is_id(name: str) -> bool:
    """Whether a column's name says that it tells rows apart."""
    return bool(_ID.search(name.strip()))


def contents(path: Path, inside: str = "") -> tuple[str, bytes]:
    """The name and the bytes of a file of predictions, or of the one in a zip.

    inside: its name in the zip, where that is known. Raises `SubmissionError` for no file, more
    than `LARGEST`, and a zip without one; `SeveralError` for a zip of several.
    """
    require_file(path, SubmissionError)
    if not path.exists():
        raise SubmissionError(
            f"{shown(path)}: no such file; expected predictions, as a CSV or zip."
        )
    if path.suffix.lower() != ".zip":
        return path.name, read_limited(path, LARGEST, SubmissionError)
    try:
        with zipfile.ZipFile(path) as file:
            infos = [one for one in file.infolist() if not one.is_dir() and _counts(one.filename)]
            name = _chosen([one.filename for one in infos], path, inside)
            info = next(one for one in reversed(infos) if one.filename == name)
            if info.file_size > LARGEST:
                size, most = human_bytes(info.file_size), human_bytes(LARGEST)
                raise SubmissionError(f"{shown(name)}: expected at most {most}, received {size}.")
            return name, file.read(info)
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, NotImplementedError) as error:
        raise SubmissionError(f"{shown(path)}: no readable zip ({error}). Build it anew.") from None


def _counts(name: str) -> bool:
    last = PurePosixPath(name).name
    return not name.startswith("__MACOSX/") and not last.startswith(".") and last != "metadata"


def _chosen(names: list[str], path: Path, inside: str) -> str:
    if inside in names:
        return inside
    known = [n for n in names if PurePosixPath(n).suffix.lower() in (*TABLES, ".json")]
    if len(known) == 1 or len(names) == 1:
        return (known or names)[0]
    has = few([shown(name) for name in sorted(names)], 5) or "nothing"
    wrong = SeveralError if names else SubmissionError
    raise wrong(
        f"{shown(path)}: expected one file of predictions, received {has}. Put one into it."
    )


def binary_kind(data: bytes) -> str:
    """What a file is that is no text, for people; "" for what may be text."""
    return next((kind for sign, kind in _SIGNS.items() if data.startswith(sign)), "")


def read_table(data: bytes, name: str, like: Table | None = None) -> Table:
    """A table of a file's bytes. like: the one it should be alike.

    Raises `SubmissionError` for what is no text, or nothing.
    """
    text, encoding = _decoded(data, name)
    head = [line for line in text[: _LOOKED_AT << 16].splitlines()[:_LOOKED_AT] if line.strip()]
    delimiter = _delimiter(head)
    if like is not None and like.width > 1 and {like.width} == set(_widths(head, like.delimiter)):
        delimiter = like.delimiter
    cells, widths, lines = _split(text, delimiter)
    if not widths:
        raise SubmissionError(f"{shown(name)} is empty")
    table = Table(name, cells, widths, lines, delimiter, encoding)
    return replace(table, has_header=_has_header(table, like))


def _decoded(data: bytes, name: str) -> tuple[str, str]:
    if kind := binary_kind(data):
        raise SubmissionError(f"{shown(name)} is no text but {kind}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), "utf-16"
    if b"\0" in data[:4096]:
        raise SubmissionError(f"{shown(name)} is no text: it holds zero bytes")
    try:
        return data.decode("utf-8-sig"), (
            "utf-8 with a mark" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
        )
    except UnicodeDecodeError:
        return data.decode("latin-1"), "another"


def _split(text: str, delimiter: str) -> tuple[list[str], list[int], Sequence[int]]:
    """The cells of all rows, how many each has, and on which line it ends; no blank lines."""
    cells: list[str] = []
    widths: list[int] = []
    lines: list[int] = []
    # Cells are kept, rows are not: a hundred thousand lists take longer than all of the rest.
    if delimiter == BLANKS:
        for at, line in enumerate(text.splitlines(), 1):
            if row := line.split():
                cells += row
                widths.append(len(row))
                lines.append(at)
        return cells, widths, lines
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                cells += row
                widths.append(len(row))
                lines.append(reader.line_num)
    except csv.Error as error:
        raise SubmissionError(f"line {reader.line_num} cannot be read as CSV: {error}") from None
    return cells, widths, lines


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    if delimiter == BLANKS:
        return [len(line.split()) for line in lines]
    try:
        return [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return []


def _delimiter(head: Sequence[str]) -> str:
    """The sign that splits all lines into the most cells, equally many in each; else a comma."""
    found = {one: _widths(head, one) for one in DELIMITERS}
    alike = {one: widths[0] for one, widths in found.items() if len(set(widths)) == 1}
    best = max(alike, key=lambda one: alike[one], default=",")
    if alike.get(best, 1) > 1:
        return best
    blanks = _widths(head, BLANKS)
    cells = [cell for line in head[1:] for cell in line.split()]
    plain = len(set(blanks)) == 1 and blanks[0] > 1 and all(number(c) is not None for c in cells)
    if plain:
        return BLANKS
    often = {one: sum(line.count(one) for line in head) for one in DELIMITERS}
    return max(often, key=lambda one: often[one]) if any(often.values()) else ","


def _has_header(table: Table, like: Table | None) -> bool:
    """Whether the first row names the columns."""
    first = [cell.strip() for cell in table.row(0)]
    if like is not None and like.has_header and set(first) & set(like.header):
        return True
    if any(number(cell) is not None for cell in first) or not any(first):
        return False
    rows = (table.row(at) for at in range(1, min(len(table.widths), _LOOKED_AT)))
    body = [row for row in rows if len(row) == len(first)]
    numeric = any(all(number(row[at]) is not None for row in body) for at in range(len(first)))
    named = any(is_id(cell) or _HEADS.fullmatch(cell) for cell in first)
    if like is not None and not like.has_header:
        return bool(body) and numeric
    return bool(body) and (numeric or named)
