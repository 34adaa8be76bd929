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
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.rehearsal.predictions.table import (
    LARGEST,
    TABLES,
    SeveralError,
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
_OLD = (".predict", ".predictions", ".solution", ".labels", ".scores")  # as old bundles have them
_NO_TABLES = ("metadata", "README", "LICENSE", "requirements", "Makefile", "Dockerfile")
_CODE = re.compile(r"code", re.IGNORECASE)
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
        table = read_table(self.data, self.name)
        if table.ragged:
            line = table.lines[table.ragged[0]]
            raise SubmissionError(
                f"{shown(self.place)}: expected a table, received rows of different length (line "
                f"{line}). Name another."
            )
        return table

    @cached_property
    def document(self) -> Any:
        """It as JSON. Raises `ValueError`."""
        return parse_json(self.data)

    @cached_property
    def id_at(self) -> int | None:
        """The column that tells rows apart by its name, or the first of its kind; None for none."""
        columns, has_header = self.table.columns, self.table.has_header
        unique = [at for at, one in enumerate(columns) if len(one.distinct) == len(one.cells) > 0]
        named = [at for at in unique if has_header and is_id(columns[at].name)]
        plain = len(columns) > 1 and 0 in unique and not columns[0].has_fractions
        return named[0] if named else 0 if plain else None

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
    else the file of the reference data with as many columns: of several the one of the same name,
    or of as many rows. inside: see `check_results`.
    None too for a zip of several files. Raises `SubmissionError` where it cannot be read.
    """
    try:
        name, data = contents(path, inside)
    except SeveralError:
        return None
    mine = Expected("sample", str(path), name, data)
    samples = sorted(_samples(phase), key=lambda one: one.name != PurePosixPath(name).name)
    alike = [one for one in samples if one.is_json == mine.is_json and _is_readable(one)]
    if alike:
        return next((one for one in alike if _is_alike(one, mine)), alike[0])
    return _of_references(bundle, phase, mine)


def find_reference(bundle: Bundle, phase: Phase, path: Path, inside: str = "") -> Expected | None:
    """The file of the reference data that predictions in a file answer; see `find_expected`."""
    try:
        name, data = contents(path, inside)
    except SeveralError:
        return None
    return _of_references(bundle, phase, Expected("sample", str(path), name, data))


def _of_references(bundle: Bundle, phase: Phase, mine: Expected) -> Expected | None:
    tasks = [task for task in bundle.tasks if task.index in phase.tasks]
    folders = dict.fromkeys(task.reference_data for task in tasks)
    return next(filter(None, (_reference(folder, mine) for folder in folders)), None)


def _reference(folder: Path | None, mine: Expected) -> Expected | None:
    """The file of the reference data that predictions answer; None where several may be it."""
    stem = PurePosixPath(mine.name).stem
    alike = [one for one in _references(folder) if _is_alike(one, mine)]
    named = [one for one in alike if PurePosixPath(one.name).stem == stem]
    if named or len(alike) == 1:
        return (named or alike)[0]
    tables = [] if mine.is_json else alike
    return next((one for one in tables if one.table.count == mine.table.count), None)


def _is_readable(one: Expected) -> bool:
    try:
        return bool(one.document if one.is_json else one.table)
    except (SubmissionError, ValueError):
        return False


def _is_alike(one: Expected, mine: Expected) -> bool:
    """Whether two files are of one form: as many columns, or JSON of the same keys."""
    if one.is_json != mine.is_json:
        return False
    if mine.is_json:
        return _have_one_form(one, mine)
    try:
        return one.table.width == mine.table.width
    except SubmissionError:
        return False


def _have_one_form(one: Expected, mine: Expected) -> bool:
    try:
        wants, has = one.document, mine.document
    except ValueError:
        return False
    both = isinstance(wants, dict) and isinstance(has, dict)
    shared = len(set(wants) & set(has)) if both else 0
    lists = isinstance(wants, list) and isinstance(has, list)
    return lists or (both and shared >= SURE_SHARE * max(len(wants), 1))


def _samples(phase: Phase) -> Iterator[Expected]:
    """The files of a kit that are called samples, in zips too."""
    kits = (("starting kit", phase.starting_kit), ("public data", phase.public_data))
    for where, folder in kits:
        for path in _files(folder):
            inner = path.relative_to(folder or path).as_posix()
            is_sample = bool(_SAMPLE.search(inner)) and not _CODE.search(inner)
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
    path = PurePosixPath(name)
    return path.suffix.lower() in (*TABLES, *_OLD, ".json") and path.stem not in _NO_TABLES
