"""Conditions and presets: which corruptions a benchmark draws, as data. Standard library only."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.reading import LARGEST_SETTINGS, parse_toml, read_limited

DEFAULT_TABLE = "imagecorruptions"
DEFAULT_DRAWS = 4
MOST_CONDITIONS, MOST_STEPS = 1000, 20
CLEAN = "clean"  # the chain without a step
BLENDS = ("blend_convex", "blend_multiplicative")  # the corruptions that take `pictures`
_DATA = Path(__file__).parent / "preset_data"
LIBRARY = "estimate-v1"  # what the hidden score is estimated from; never changed, only succeeded
NAMES = ("light", "medium", "heavy", "an2dl-2024", LIBRARY)

_PRESET_KEYS = ("description", "draws", "table", "pictures", "family")
_FAMILY_KEYS = ("name", "weight", "cells")
_CONDITION_KEYS = ("chain", "name", "weight", "table", "pictures")


@dataclass(frozen=True)
class Step:
    """One operator of a chain at one severity (1..5)."""

    corruption: str
    severity: int


@dataclass(frozen=True)
class Condition:
    """One kind of damage: a chain of steps. A condition without steps is the clean image.

    `weight` is the condition's share of its preset; a preset's weights sum to 1. `pictures` is a folder
    from which the condition's blends take their pictures; without one they are drawn.
    """

    name: str
    family: str
    steps: tuple[Step, ...]
    weight: float
    table: str = DEFAULT_TABLE
    pictures: str = ""

    @property
    def severity(self) -> int:
        """The strongest step's severity; 0 for the clean condition."""
        return max((step.severity for step in self.steps), default=0)


@dataclass(frozen=True)
class Preset:
    """A weighted list of conditions; a benchmark draws `draws` of them for every image, balanced."""

    name: str
    conditions: tuple[Condition, ...]
    draws: int
    description: str

    @property
    def families(self) -> tuple[str, ...]:
        """The conditions' families, each once, in order."""
        return tuple(dict.fromkeys(condition.family for condition in self.conditions))


def resolve(spec: str) -> Preset:
    """The preset that a user names on a command line.

    spec: one of `NAMES`, a corruption with its severity (`fog:3`), a chain of them
    (`fog:3+jpeg_compression:2`), `clean`, or the path of a TOML file (see docs/presets.md).
    The names of corruptions are not checked here, but by `chain.validate`, which loads numpy.
    Raises `CorruptionError`.
    """
    if spec in NAMES:
        return read(_DATA / f"{spec}.toml")
    if spec.endswith(".toml"):
        return read(Path(spec))
    if ":" not in spec and spec != CLEAN:
        raise CorruptionError(_unknown(spec))
    steps = _chain(spec, "--corrupt")
    family = "composite" if len(steps) > 1 else "single"
    return Preset(spec, (Condition(spec, family, steps, 1.0),), 1, f"Every image through {spec}.")


def read(path: Path) -> Preset:
    """A preset from a TOML file; its name is the file's. Raises `CorruptionError`."""
    try:
        data = parse_toml(read_limited(path, LARGEST_SETTINGS, CorruptionError).decode("utf-8-sig"))
    except OSError as error:
        raise CorruptionError(f"{path}: cannot be read: {error.strerror}.") from error
    except CorruptionError:
        raise
    except ValueError as error:
        raise CorruptionError(f"{path}: is not TOML: {error}.") from error
    top = _Table(data, str(path), "", path.parent)
    top.allow(_PRESET_KEYS)
    families = _families(top)
    count = sum(len(found) for _, found in families)
    if count > MOST_CONDITIONS:
        raise CorruptionError(
            f"{path}: expected at most {MOST_CONDITIONS:,} conditions, received {count:,}."
        )
    conditions = _weighted(families)
    _check_unique((condition.name for condition in conditions), str(path))
    draws = top.whole("draws", DEFAULT_DRAWS)
    return Preset(path.stem, conditions, draws, " ".join(top.text("description", "").split()))


@dataclass(frozen=True)
class _Table:
    """A TOML table that knows where it stands, for its error messages."""

    data: Mapping[str, Any]
    file: str
    place: str  # "" or "family[2]." or "family[2].conditions[1]."
    home: Path

    def wrong(self, key: str, expected: str) -> CorruptionError:
        received = repr(self.data[key]) if key in self.data else "nothing"
        return CorruptionError(
            f"{self.file}: {self.place}{key}: expected {expected}, received {received}."
        )

    def allow(self, keys: Iterable[str]) -> None:
        for key in self.data:
            if key not in keys:
                expected = f"one of the keys {', '.join(keys)}"
                raise CorruptionError(
                    f"{self.file}: {self.place}{key}: expected {expected}, received {key!r}."
                    + _nearest(key, keys)
                )

    def text(self, key: str, default: str | None = None) -> str:
        value = self.data.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.wrong(key, "text")
        return value

    def whole(self, key: str, default: int) -> int:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(key, "a whole number, 1 or more")
        return value

    def weight(self) -> float:
        value = self.data.get("weight", 1.0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:
            raise self.wrong("weight", "a number above 0")
        return float(value)

    def items(self, key: str) -> list[Any]:
        value = self.data.get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "a list with at least one entry")
        return value

    def folder(self, key: str) -> str:
        """A folder, relative to the file that names it; "" where the key is missing."""
        return str(self.home / self.text(key)) if key in self.data else ""

    def inner(self, key: str, index: int, entry: object) -> _Table:
        place = f"{self.place}{key}[{index}]"
        if not isinstance(entry, dict):
            raise CorruptionError(f"{self.file}: {place}: expected a table, received {entry!r}.")
        return _Table(entry, self.file, f"{place}.", self.home)


def _families(top: _Table) -> list[tuple[float, list[Condition]]]:
    """Each family's weight and conditions, weights as in the file."""
    entries = [
        top.inner("family", index, entry) for index, entry in enumerate(top.items("family"), 1)
    ]
    families = []
    for entry in entries:
        entry.allow(_FAMILY_KEYS)
        name = entry.text("name")
        conditions = [_cell(top, entry, name, i, c) for i, c in enumerate(entry.items("cells"), 1)]
        families.append((entry.weight(), conditions))
    _check_unique((entry.text("name") for entry in entries), top.file)
    return families


def _cell(top: _Table, family: _Table, name: str, index: int, entry: object) -> Condition:
    """A condition from a chain as text, or from a table with a chain in it."""
    own = {"chain": entry} if isinstance(entry, str) else entry
    condition = family.inner("cells", index, own)
    condition.allow(_CONDITION_KEYS)
    chain = condition.text("chain")
    steps = _chain(chain, f"{condition.file}: {condition.place}chain")
    if "pictures" in condition.data and not any(step.corruption in BLENDS for step in steps):
        raise condition.wrong(
            "pictures", f"no pictures in a condition without {' or '.join(BLENDS)}"
        )
    return Condition(
        condition.text("name", chain),
        name,
        steps,
        condition.weight(),
        condition.text("table", top.text("table", DEFAULT_TABLE)),
        condition.folder("pictures") or top.folder("pictures"),
    )


def _weighted(families: list[tuple[float, list[Condition]]]) -> tuple[Condition, ...]:
    """Families share the preset by their weights, the conditions of a family share what it has."""
    whole = sum(weight for weight, _ in families)
    return tuple(
        replace(
            condition, weight=weight / whole * condition.weight / sum(c.weight for c in conditions)
        )
        for weight, conditions in families
        for condition in conditions
    )


def _chain(text: str, where: str) -> tuple[Step, ...]:
    if text.strip() == CLEAN:
        return ()
    parts = text.split("+")
    if len(parts) > MOST_STEPS:
        raise CorruptionError(
            f"{where}: expected at most {MOST_STEPS} steps in a chain, received {len(parts):,}."
        )
    return tuple(_step(part, text, where) for part in parts)


def _step(part: str, text: str, where: str) -> Step:
    name, _, severity = (piece.strip() for piece in part.partition(":"))
    if not name or severity not in ("1", "2", "3", "4", "5"):
        raise CorruptionError(
            f"{where}: expected name:severity with a severity from 1 to 5, such as fog:3 or "
            f"fog:3+jpeg_compression:2, received {part.strip()!r} in {text!r}."
        )
    return Step(name, int(severity))


def _check_unique(names: Iterable[str], file: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CorruptionError(f"{file}: expected different names, received {name!r} twice.")
        seen.add(name)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, tuple(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _unknown(spec: str) -> str:
    return (
        f"Unknown preset {spec!r}: expected {', '.join(NAMES)}, a corruption with its severity "
        f"(fog:3), a chain (fog:3+jpeg_compression:2) or a TOML file.{_nearest(spec, NAMES)}"
    )
