"""Conditions and presets: which corruptions a benchmark draws, as data. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.fields import (
    Fields,
    is_above_zero,
    is_list,
    is_text,
    is_whole,
    nearest,
    told,
)
from codabench_rehearsal.console.reading import LARGEST_SETTINGS, parse_toml, read_limited
from corruptions.between import read_severity

DEFAULT_TABLE = "imagecorruptions"
DEFAULT_DRAWS = 4
MOST_CONDITIONS, MOST_STEPS = 1000, 20
CLEAN = "clean"  # the chain without a step
BLENDS = ("blend_convex", "blend_multiplicative")  # the corruptions that take `pictures`
_DATA = Path(__file__).parent / "preset_data"
FORMER = "estimate-v1"  # what it was estimated from before
LIBRARY = "estimate-v2"  # what the hidden score is estimated from; never changed, only succeeded
NAMES = ("light", "medium", "heavy", "an2dl-2024", FORMER, LIBRARY)

_PRESET_KEYS = ("description", "draws", "table", "pictures", "family")
_FAMILY_KEYS = ("name", "weight", "conditions")
_CONDITIONS_ONCE = "cells"  # what "conditions" was called; read for one more version
_CONDITION_KEYS = ("chain", "name", "weight", "table", "pictures")

_TYPED = "--corrupt"  # what the user types, not what a file says
_TEXT = ("text", is_text)
_SOME_TEXT = ("text", lambda value: is_text(value) and value != "")
_WEIGHT = ("a number above 0", is_above_zero)
_ENTRIES = ("a list with at least one entry", is_list)


@dataclass(frozen=True)
class Step:
    """One operator of a chain at one severity, 1..5: `int` where it is whole."""

    corruption: str
    severity: float


@dataclass(frozen=True)
class Condition:
    """One kind of damage: a chain of steps. A condition without steps is the clean image.

    `weight` is the condition's share of its preset; a preset's weights sum to 1. `pictures` is a
    folder from which the condition's blends take their pictures; without one they are drawn.
    """

    name: str
    family: str
    steps: tuple[Step, ...]
    weight: float
    table: str = DEFAULT_TABLE
    pictures: str = ""

    @property
    def severity(self) -> float:
        """The strongest step's severity; 0 for the clean condition."""
        return max((step.severity for step in self.steps), default=0)


@dataclass(frozen=True)
class Preset:
    """A weighted list of conditions; a benchmark draws `draws` of them an image, balanced."""

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

    spec: one of `NAMES`, a corruption with its severity (`fog:3`, `fog:2.5`), a chain of them
    (`fog:3+jpeg_compression:2`), `clean`, or the path of a TOML file (see docs/presets.md). For
    what a user types `named.named` is the door: it knows bare corruptions, and functions.
    The names of corruptions are not checked here, but by `chain.validate`, which loads numpy.
    Raises `CorruptionError`.
    """
    if spec in NAMES:
        return read(_DATA / f"{spec}.toml")
    if spec.endswith(".toml"):
        return read(Path(spec))
    if ":" not in spec and spec != CLEAN:
        raise CorruptionError(
            f"Unknown preset {spec!r}: expected {', '.join(NAMES)}, a corruption with its severity "
            "(fog:3), a chain (fog:3+jpeg_compression:2) or a TOML file."
            f"{_did_you_mean(spec, NAMES)}"
        )
    steps = _chain(spec, _TYPED)
    family = "composite" if len(steps) > 1 else "single"
    return Preset(spec, (Condition(spec, family, steps, 1.0),), 1, f"Every image through {spec}.")


def read(path: Path) -> Preset:
    """A preset from a TOML file; its name is the file's. Raises `CorruptionError`."""
    malformed, unreadable = ": is not TOML: {}.", ": cannot be read: {}."
    with told(path, CorruptionError, malformed=malformed, unreadable=unreadable):
        data = read_limited(path, LARGEST_SETTINGS, CorruptionError)
        top = Fields(parse_toml(data.decode("utf-8-sig")), path, CorruptionError)
    _only(top, _PRESET_KEYS)
    entries = [
        top.inner(f"family[{place}]", entry)
        for place, entry in enumerate(top.take("family", _ENTRIES), 1)
    ]
    families = [_family(top, entry) for entry in entries]
    _check_unique((entry.take("name", _SOME_TEXT) for entry in entries), path)
    count = sum(len(conditions) for _, conditions in families)
    if count > MOST_CONDITIONS:
        raise CorruptionError(
            f"{path}: expected at most {MOST_CONDITIONS:,} conditions, received {count:,}."
        )
    conditions = _weighted(families)
    _check_unique((condition.name for condition in conditions), path)
    draws = top.take("draws", ("a whole number, 1 or more", is_whole), DEFAULT_DRAWS)
    description = " ".join(top.take("description", _TEXT, "").split())
    return Preset(path.stem, conditions, draws, description)


def _only(fields: Fields, keys: tuple[str, ...]) -> None:
    for key in fields.values:
        if key not in keys:
            raise CorruptionError(
                f"{fields.source}: {fields.place}{key}: expected one of the keys "
                f"{', '.join(keys)}, received {key!r}.{_did_you_mean(key, keys)}"
            )


def _family(top: Fields, family: Fields) -> tuple[float, list[Condition]]:
    """The family's weight and conditions, weights as in the file."""
    old = _CONDITIONS_ONCE in family.values
    if old and "conditions" in family.values:
        raise family.fail(
            _CONDITIONS_ONCE, "conditions alone, which it is called now: not both keys"
        )
    key = _CONDITIONS_ONCE if old else "conditions"
    _only(family, (*_FAMILY_KEYS, _CONDITIONS_ONCE) if old else _FAMILY_KEYS)
    name = family.take("name", _SOME_TEXT)
    conditions = [
        _condition(top, family, name, f"{key}[{place}]", entry)
        for place, entry in enumerate(family.take(key, _ENTRIES), 1)
    ]
    return float(family.take("weight", _WEIGHT, 1.0)), conditions


def _weighted(families: list[tuple[float, list[Condition]]]) -> tuple[Condition, ...]:
    """Families share the preset by their weights, the conditions of a family share what it has."""
    whole = sum(weight for weight, _ in families)
    return tuple(
        replace(one, weight=weight / whole * one.weight / sum(each.weight for each in conditions))
        for weight, conditions in families
        for one in conditions
    )


def _condition(
    top: Fields, family: Fields, family_name: str, place: str, entry: object
) -> Condition:
    """A condition from a chain as text, or from a table with a chain in it."""
    own = family.inner(place, {"chain": entry} if isinstance(entry, str) else entry)
    _only(own, _CONDITION_KEYS)
    chain = own.take("chain", _SOME_TEXT)
    steps = _chain(chain, f"{own.source}: {own.place}chain")
    if "pictures" in own.values and not any(step.corruption in BLENDS for step in steps):
        raise own.fail("pictures", f"no pictures in a condition without {' or '.join(BLENDS)}")
    return Condition(
        own.take("name", _TEXT, chain),
        family_name,
        steps,
        float(own.take("weight", _WEIGHT, 1.0)),
        own.take("table", _TEXT, top.take("table", _TEXT, DEFAULT_TABLE)),
        _folder(own) or _folder(top),
    )


def _folder(fields: Fields) -> str:
    """The folder of pictures, relative to the file that names it; "" where there is none."""
    if "pictures" not in fields.values:
        return ""
    return str(Path(fields.source).parent / fields.take("pictures", _SOME_TEXT))


def _chain(text: str, where: str) -> tuple[Step, ...]:
    if text.strip() == CLEAN:
        return ()
    parts = text.split("+")
    if len(parts) > MOST_STEPS:
        raise CorruptionError(
            f"{where}: expected at most {MOST_STEPS} steps in a chain, received {len(parts):,}."
        )
    return tuple(_step(part, text, where) for part in parts)


def is_function(text: str) -> bool:
    """Whether it is written as `package.module:function`, which the user names with --corrupt."""
    module, _, word = text.partition(":")
    return word.isidentifier() and all(part.isidentifier() for part in module.split("."))


def modules_in(spec: str) -> list[str]:
    """The modules whose functions a `--corrupt` names, as written; they need not be there."""
    parts = [part.strip() for part in re.split(r"[+,]", spec)]
    named = [*parts, *(part.rpartition(":")[0] for part in parts)]
    return [name.partition(":")[0] for name in named if is_function(name)]


def _step(part: str, text: str, where: str) -> Step:
    name, _, number = (piece.strip() for piece in part.rpartition(":"))
    severity = read_severity(number)
    function = is_function(name)
    if not name or severity is None or (":" in name and not function):
        raise CorruptionError(
            f"{where}: expected name:severity with a severity from 1 to 5, such as fog:3, fog:2.5 "
            f"or fog:3+jpeg_compression:2, received {part.strip()!r} in {text!r}."
        )
    if function and where != _TYPED:
        raise CorruptionError(
            f"{where}: {name!r} is a function: a file may not name code that runs. Name it in "
            f"--corrupt {text}."
        )
    return Step(name, severity)


def _check_unique(names: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CorruptionError(f"{path}: expected different names, received {name!r} twice.")
        seen.add(name)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    hint = nearest(word, known)
    return f" {hint[0].upper()}{hint[1:]}" if hint else ""
