"""A challenge's bundle: `competition.yaml` and what lies beside it, as plain data.

Source: Codabench's bundle format (docs.codabench.org, "Competition bundle structure"), and its
unpacker (March 2026) for what it takes where a bundle says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codabench_rehearsal.challenge.bundle_files import opened_tree, place, plain_name
from codabench_rehearsal.challenge.dates import site_date
from codabench_rehearsal.challenge.manifest import Manifest, read_manifest
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import shown

LEGACY_IMAGE = "codalab/codalab-legacy:py37"  # where a bundle names none
SECONDS = 600  # of each step, where a phase does not say
PER_DAY, IN_ALL = 5, 100  # submissions, where a phase does not say
TASK_FILES = ("scoring_program", "ingestion_program", "input_data", "reference_data")
Sorting = Literal["asc", "desc"]


@dataclass(frozen=True)
class Column:
    """A leaderboard's column. computation: "avg", "sum", "min", "max" of others by index, or ""."""

    index: int
    key: str
    title: str
    sorting: Sorting = "desc"
    precision: int = 2
    hidden: bool = False
    computation: str = ""
    of: tuple[int, ...] = ()


@dataclass(frozen=True)
class Task:
    """What one job of a submission needs. Paths are folders that hold what a zip holds.

    missing: the keys that the bundle names and whose files are not there.
    """

    index: int
    name: str
    scoring: Path | None
    ingestion: Path | None = None
    input_data: Path | None = None
    reference_data: Path | None = None
    only_during_scoring: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)  # key -> what the bundle names


@dataclass(frozen=True)
class Phase:
    """A phase: its tasks by their index, and its limits. start, end: as the site takes them."""

    index: int
    name: str
    tasks: tuple[int, ...]
    start: str = ""
    end: str = ""
    seconds: int = SECONDS
    per_day: int | None = PER_DAY
    in_all: int | None = IN_ALL
    starting_kit: Path | None = None
    public_data: Path | None = None


@dataclass(frozen=True)
class Bundle:
    """A whole challenge. folder: where it is unpacked. source: as the user named it."""

    source: str
    folder: Path
    title: str
    image: str
    phases: tuple[Phase, ...]
    tasks: tuple[Task, ...]
    columns: tuple[Column, ...]
    detailed_results: bool = False

    def tasks_of(self, phase: Phase) -> tuple[Task, ...]:
        """A phase's tasks, in its order."""
        return tuple(task for index in phase.tasks for task in self.tasks if task.index == index)


def read_bundle(source: Path, folder: Path) -> Bundle:
    """Read a bundle's zip or folder; zips, and folders of a zip, are unpacked below `folder`.

    What the bundle names and does not hold is no error: `Task.missing` names it; where a zip is
    named and a folder of that name lies there, as in repositories, it is taken. Nothing in it is
    executed or imported. Raises `SubmissionError` for no bundle of either format, one that no task
    or phase can be read of, and for zips that are damaged or too large; `NoRoomError`; `OSError`.
    """
    with opened_tree(source) as tree:
        manifest = read_manifest(tree)
        _require_version(manifest)
        find = _Places(manifest, folder)
        tasks = tuple(_task(given, find) for given in tables(manifest.values.get("tasks")))
        if not tasks:
            raise _wrong(manifest, "tasks", "a list of tasks")
        known = {task.index for task in tasks}
        in_turn = enumerate(in_order(manifest.values.get("phases")))
        phases = tuple(_phase(index, given, known, find) for index, given in in_turn)
        if not any(phase.tasks for phase in phases):
            raise _wrong(manifest, "phases", f"a list of phases with tasks among {sorted(known)}")
        return Bundle(
            source=str(source),
            folder=folder if tree.path is None else source,
            title=_text(manifest.values.get("title")),
            image=_text(manifest.values.get("docker_image")) or LEGACY_IMAGE,
            phases=phases,
            tasks=tasks,
            columns=_columns(manifest),
            detailed_results=is_true(manifest.values.get("enable_detailed_results")),
        )


def tables(value: object) -> list[Mapping[str, Any]]:
    """The tables of a list; what else stands in it is passed over."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def in_order(value: object) -> list[Mapping[str, Any]]:
    """Phases in the site's order: by `index`, 0 where none is given."""
    return sorted(tables(value), key=lambda phase: whole(phase.get("index"), 0))


def whole(value: object, usual: int) -> int:
    """A number as the site takes it: whole, or a text of digits; `usual` for another, or none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return usual
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return usual


def is_true(value: object) -> bool:
    """A truth value as the site's forms take it."""
    return str(value).strip().lower() in ("true", "t", "yes", "y", "on", "1")


@dataclass
class _Places:
    """Where the files of a bundle are; each is unpacked once, whatever names it."""

    manifest: Manifest
    folder: Path
    known: dict[str, Path | None] = field(default_factory=dict)

    def __call__(self, value: object) -> Path | None:
        if not isinstance(value, str):
            return None
        name, tree = plain_name(value), self.manifest.tree
        if name not in self.known:
            unzipped = name.removesuffix(".zip")  # repositories zip it as they upload
            taken = unzipped if not tree.kind(name) and tree.kind(unzipped) == "folder" else name
            target = self.folder / f"{len(self.known):02d}-{Path(name).stem[:40] or 'bundle'}"
            self.known[name] = place(tree, taken, target)
        return self.known[name]


def _require_version(manifest: Manifest) -> None:
    version = str(manifest.values.get("version", "1"))
    if version.split(".")[0] != "2":
        raise SubmissionError(
            f"{manifest.name}: expected version: 2, or CodaLab's old format with html and "
            f"leaderboard, received version {shown(version)}. "
            "What is wrong with it: codabench-challenge check BUNDLE."
        )


def _wrong(manifest: Manifest, key: str, expected: str) -> SubmissionError:
    has = shown(repr(manifest.values.get(key)))[:80]
    return SubmissionError(
        f"{manifest.name}: {key}: expected {expected}, received {has}. "
        "What else is wrong with it: codabench-challenge check BUNDLE."
    )


def _task(given: Mapping[str, Any], find: Callable[[object], Path | None]) -> Task:
    found = {key: find(given.get(key)) for key in TASK_FILES}
    missing = {k: _text(given[k]) for k in TASK_FILES if given.get(k) and found[k] is None}
    if "key" in given:
        missing["key"] = _text(given["key"])
    return Task(
        index=whole(given.get("index"), 0),
        name=_text(given.get("name")),
        scoring=found["scoring_program"],
        ingestion=found["ingestion_program"],
        input_data=found["input_data"],
        reference_data=found["reference_data"],
        only_during_scoring=is_true(given.get("ingestion_only_during_scoring")),
        missing=missing,
    )


def _phase(
    index: int, given: Mapping[str, Any], known: set[int], find: Callable[[object], Path | None]
) -> Phase:
    named = given.get("tasks")
    tasks = tuple(whole(one, -1) for one in named) if isinstance(named, list) else ()
    return Phase(
        index=index,
        name=_text(given.get("name")),
        tasks=tuple(task for task in tasks if task in known),
        start=_date(given.get("start")),
        end=_date(given.get("end")),
        seconds=whole(given.get("execution_time_limit"), 0) or SECONDS,
        per_day=_limit(given, "max_submissions_per_day", PER_DAY),
        in_all=_limit(given, "max_submissions", IN_ALL),
        starting_kit=find(given.get("starting_kit")),
        public_data=find(given.get("public_data")),
    )


def _limit(given: Mapping[str, Any], key: str, usual: int) -> int | None:
    """A number of submissions; 0 and null are no limit, as the site takes them."""
    return whole(given[key], 0) or None if key in given else usual


def _columns(manifest: Manifest) -> tuple[Column, ...]:
    """The columns of the first leaderboard, which is the only one that the site shows."""
    boards = tables(manifest.values.get("leaderboards"))
    given = tables(boards[0].get("columns")) if boards else []
    columns = (_column(at, one) for at, one in enumerate(given) if one.get("key") is not None)
    return tuple(sorted(columns, key=lambda column: column.index))


def _column(at: int, given: Mapping[str, Any]) -> Column:
    of = given.get("computation_indexes")
    return Column(
        index=whole(given.get("index"), at),
        key=_text(given.get("key")),
        title=_text(given.get("title")),
        sorting="asc" if given.get("sorting") == "asc" else "desc",
        precision=whole(given.get("precision"), 2),
        hidden=is_true(given.get("hidden")),
        computation=_text(given.get("computation")),
        of=tuple(whole(one, -1) for one in of) if isinstance(of, list) else (),
    )


def _date(value: object) -> str:
    """A date as the site takes it; as it stands where we cannot tell."""
    kept = site_date(value).value if value else None
    return _text(kept or value)


def _text(value: object) -> str:
    return "" if value is None else str(value)
