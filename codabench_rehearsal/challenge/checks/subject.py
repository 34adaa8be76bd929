"""What the checks of a bundle look at, and the list of them; a check's docstring is its advice.

"error": the site refuses the upload, or its worker fails every submission whatever it holds.
"warning": some will run into it. "note": worth knowing. Source of each rule: Codabench's unpacker,
serializers and worker (March 2026), and the worker of October 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from codabench_rehearsal.challenge.bundle import TASK_FILES, tables
from codabench_rehearsal.challenge.bundle_files import Tree, opened_tree, plain_name
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.manifest import (
    NAME,
    NAMES,
    Manifest,
    find_manifest,
    read_manifest,
)
from codabench_rehearsal.console import coded
from codabench_rehearsal.console.coded import Registry, Severity
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import few, one_line

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
LONGEST_MESSAGE = 600  # characters
MOST_OF_A_KIND = 8  # findings of one check that are told one by one
PHASE_FILES = ("starting_kit", "public_data")
_MODULES = ("keys", "files", "programs", "paths", "scores", "phases", "leaderboards")


@dataclass(frozen=True)
class BundleFinding:
    """One thing found. code: B1 and two digits. message: what was found; advice: what to do."""

    code: str
    severity: Severity
    message: str
    advice: str

    def __post_init__(self) -> None:
        for name in ("message", "advice"):
            object.__setattr__(self, name, one_line(getattr(self, name), LONGEST_MESSAGE))


@dataclass(frozen=True)
class Said:
    """What a check says of one thing, where it weighs more or less than the check's own rule."""

    message: str
    severity: Severity | None = None
    advice: str = ""


class Named(NamedTuple):
    """A file that competition.yaml names. place: "tasks[0].input_data"; value: as it stands."""

    place: str
    key: str
    value: object


class Subject:
    """A bundle under examination. All cached; zips in it stay open as long as `stack` is."""

    def __init__(self, manifest: Manifest, stack: ExitStack) -> None:
        self.manifest, self.tree, self.top = manifest, manifest.tree, manifest.values
        self._stack = stack
        self._trees: dict[str, Tree | None] = {}

    def tables(self, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        """The tables of a list at the top, each with its place, as "tasks[0]"."""
        given = self.top.get(key)
        named = enumerate(given if isinstance(given, list) else [])
        return [(f"{key}[{at}]", one) for at, one in named if isinstance(one, dict)]

    @property
    def columns(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The columns of the first leaderboard, each with its place."""
        boards = self.tables("leaderboards")
        place, board = boards[0] if boards else ("", {})
        return [
            (f"{place}.columns[{at}]", one) for at, one in enumerate(tables(board.get("columns")))
        ]

    @cached_property
    def named(self) -> tuple[Named, ...]:
        """Every program and data set that tasks, phases and solutions name."""
        lists = (("tasks", TASK_FILES), ("phases", PHASE_FILES), ("solutions", ("path",)))
        return tuple(
            Named(f"{place}.{key}", key, table[key])
            for name, keys in lists
            for place, table in self.tables(name)
            for key in keys
            if key in table and "key" not in table
        )

    def inside(self, value: object) -> Tree | None:
        """The files of a program or data set: of a folder, or of a zip; None for neither."""
        if not isinstance(value, str):
            return None
        name = plain_name(value)
        if name not in self._trees:
            kind = self.tree.kind(name)
            below = self.tree.below(name) if kind == "folder" else None
            self._trees[name] = self.tree.in_zip(name, self._stack) if kind == "file" else below
        return self._trees[name]

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """The programs, each once, in the order of the tasks, ingestion before scoring."""
        found: dict[tuple[str, str], Program] = {}
        for key in ("ingestion_program", "scoring_program"):
            for _, task in self.tables("tasks"):
                value = task.get(key)
                tree = self.inside(value)
                if tree is not None and isinstance(value, str):
                    kind = key.removesuffix("_program")
                    found.setdefault((kind, plain_name(value)), Program(kind, value, tree))
        return tuple(found.values())

    @property
    def image(self) -> str:
        """The docker image that programs run in, "" where none is named."""
        value = self.top.get("docker_image")
        return value if isinstance(value, str) else ""


Check = coded.Check[Subject, str | Said]
_REGISTRY: Registry[Subject, str | Said] = Registry(
    "codabench_rehearsal.challenge.checks", _MODULES
)
check, checks = _REGISTRY.check, _REGISTRY.all


def check_bundle(source: Path) -> tuple[BundleFinding, ...]:
    """What is wrong with a bundle's zip or folder, the worst first; nothing of it is executed.

    Raises `SubmissionError` for what is no bundle at all, `OSError`.
    """
    with opened_tree(source) as tree, ExitStack() as stack:
        if stops := list(_not_readable(tree)):
            return tuple(stops)
        subject = Subject(read_manifest(tree), stack)
        found = [*_not_at_the_root(subject.manifest)]
        for one in checks():
            found += _findings(one, subject)
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.code)))


def _not_readable(tree: Tree) -> Iterator[BundleFinding]:
    if not find_manifest(tree.sizes):
        deep = [name for name in tree.sizes if name.rpartition("/")[2] in NAMES]
        where = f"; there is {few(sorted(deep))}" if deep else ""
        advice = f"Zip the files themselves, so that {NAME} is at the root."
        yield BundleFinding("B101", "error", f"there is no {NAME} in the bundle{where}", advice)
        return
    try:
        read_manifest(tree)
    except SubmissionError as error:
        advice = "Put texts with a colon, a # or a leading * or @ into quotes; indent by blanks."
        if "not a text in UTF-8" in str(error):
            advice = "Save it as UTF-8: the site reads no other encoding."
        yield BundleFinding("B102", "error", str(error).rstrip("."), advice)


def _not_at_the_root(manifest: Manifest) -> Iterator[BundleFinding]:
    if manifest.name != NAME:
        message = f"{manifest.name} is read here, but the site reads {NAME} at the root alone"
        is_folder = manifest.tree.path is not None and "/" in manifest.name
        advice = f"Call it {NAME}, and zip the files themselves, not the folder around them."
        yield BundleFinding("B101", "warning" if is_folder else "error", message, advice)


def _findings(one: Check, subject: Subject) -> Iterator[BundleFinding]:
    said = [s if isinstance(s, Said) else Said(s) for s in dict.fromkeys(one.look(subject))]
    for at, what in enumerate(said):
        severity = what.severity or one.severity
        if at == MOST_OF_A_KIND:
            more = f"and {len(said) - at:,} more of this kind"
            yield BundleFinding(one.code, severity, more, one.advice)
            return
        yield BundleFinding(one.code, severity, what.message, what.advice or one.advice)
