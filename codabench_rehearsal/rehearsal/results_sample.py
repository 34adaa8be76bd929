"""What a file of predictions should look like: a sample of a starting kit, else the reference."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from codabench_rehearsal.challenge.bundle import Bundle, Phase
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json, read_limited
from codabench_rehearsal.rehearsal.results_table import (
    LARGEST,
    TABLES,
    Table,
    contents,
    is_id,
    read_table,
)

Kind = Literal["sample", "reference"]
_SAMPLE = re.compile(
    r"(sample|example|dummy|random|baseline|template)[\w -]*(subm|pred|result|solution|answer)|"
    r"(subm|pred|result|answer)\w*[ _-]*(sample|example|template|format)",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"(submission|predictions?|results?|answers?)\.\w+$", re.IGNORECASE)
_MOST_FILES = 5_000  # of a kit that are looked at
_LARGE = 64 << 20  # bytes; a larger file is looked at only when its name is a sample's
SURE_SHARE = 0.5  # of unnamed ids that both have


@dataclass(frozen=True)
class Expected:
    """What predictions are compared with. place: where it lies, for people. data: its bytes."""

    kind: Kind
    place: str
    name: str
    data: bytes

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, no table."""
        return self.name.lower().endswith(".json")

    @cached_property
    def table(self) -> Table:
        """It as a table. Raises `SubmissionError` for none."""
        return read_table(self.data, self.name)

    @cached_property
    def document(self) -> Any:
        """It as JSON. Raises `ValueError`."""
        return parse_json(self.data)

    @cached_property
    def id_at(self) -> int | None:
        """The column that tells rows apart by its name, or the first of its kind; None for none."""
        columns = [c for c in self.table.columns if len(c.distinct) == len(c.cells) > 0]
        places = {id(column): at for at, column in enumerate(self.table.columns)}
        named = [column for column in columns if self.table.has_header and is_id(column.name)]
        first = self.table.columns[0]
        plain = self.table.width > 1 and first in columns and not first.has_fractions
        chosen = named[:1] or ([first] if plain else [])
        return places[id(chosen[0])] if chosen else None

    @property
    def id_is_named(self) -> bool:
        """Whether the name of that column says so."""
        at = self.id_at
        return at is not None and self.table.has_header and is_id(self.table.header[at])


def expected_from(path: Path, kind: Kind = "sample") -> Expected:
    """A sample or reference that the user names. Raises `SubmissionError`."""
    name, data = contents(path)
    return Expected(kind, str(path), name, data)


def find_expected(bundle: Bundle, phase: Phase, path: Path, inside: str = "") -> Expected | None:
    """What a bundle has that predictions in a file can be compared with; None for nothing.

    A sample in the phase's starting kit or public data, of the same kind as the file, by its name;
    else a file of the reference data with as many columns. inside: see `check_results`.
    Raises `SubmissionError` where the predictions cannot be read.
    """
    name, data = contents(path, inside)
    is_json = name.lower().endswith(".json")
    width = 0 if is_json else _width(data, name)
    samples = sorted(_samples(phase), key=lambda one: one.name != PurePosixPath(name).name)
    alike = [one for one in samples if one.is_json == is_json]
    if exact := [one for one in alike if is_json or _width(one.data, one.name) == width]:
        return exact[0]
    if alike:
        return alike[0]
    tasks = [task for task in bundle.tasks if task.index in phase.tasks]
    for task in tasks:
        for one in _references(task.reference_data):
            same = one.is_json == is_json and (is_json or _width(one.data, one.name) == width)
            if same:
                return one
    return None


def _width(data: bytes, name: str) -> int:
    try:
        return read_table(data, name).width
    except SubmissionError:
        return -1


def _samples(phase: Phase) -> Iterator[Expected]:
    """The files of a kit that are called samples, in zips too."""
    kits = (("starting kit", phase.starting_kit), ("public data", phase.public_data))
    for where, folder in kits:
        for path in _files(folder):
            inner = path.relative_to(folder or path).as_posix()
            is_sample = bool(_SAMPLE.search(inner))
            called = (is_sample or _PLAIN.search(inner)) and _is_kind(path.name)
            if called or (is_sample and path.suffix == ".zip"):
                yield from _read("sample", path, f"{inner} of the {where}")


def _references(folder: Path | None) -> Iterator[Expected]:
    for path in _files(folder):
        if _is_kind(path.name):
            inner = path.relative_to(folder or path).as_posix()
            yield from _read("reference", path, f"{inner} of the reference data")


def _read(kind: Kind, path: Path, place: str) -> Iterator[Expected]:
    try:
        name, data = contents(path) if zipfile.is_zipfile(path) else (path.name, b"")
        if _is_kind(name):
            yield Expected(kind, place, name, data or read_limited(path, LARGEST, SubmissionError))
    except (SubmissionError, OSError):
        return  # another file may do


def _files(folder: Path | None) -> list[Path]:
    """The files below a folder that are worth a look, in order."""
    found = []
    for at, path in enumerate(sorted(folder.rglob("*")) if folder else ()):
        if at == _MOST_FILES:
            break
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGE:
            found.append(path)
    return found


def _is_kind(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in (*TABLES, ".json")
