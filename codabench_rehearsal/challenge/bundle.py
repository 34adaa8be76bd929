"""A challenge's bundle: `competition.yaml`, version 2, and what lies beside it, as plain data.

Source: Codabench's bundle format (docs.codabench.org, "Competition bundle structure").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LEGACY_IMAGE = "codalab/codalab-legacy:py37"  # where a bundle names none
SECONDS = 600  # of each step, where a phase does not say
PER_DAY, IN_ALL = 5, 100  # submissions, where a phase does not say
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
    """A phase: its tasks by their index, and its limits."""

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
