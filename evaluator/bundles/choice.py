"""Which conditions a benchmark on a bundle asks: as many as a time allows, the most telling first.

First the preset as a whole, each image under one of its conditions, as a hidden set of that preset
would be; then single conditions, the families taking turns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from codabench_rehearsal.console.words import counted
from corruptions.presets import Condition, Preset
from evaluator.store.rows import condition_text

CLEAN_RUNS = 10  # the time that is taken where nobody says how much
_ROUNDING = 0.05  # of a run: ten runs' time is ten runs, however it was measured
WHOLE = "mixed"  # the family of a preset as a whole


@dataclass(frozen=True)
class Choice:
    """One row of the benchmark. conditions: several are dealt to the images by weight."""

    name: str
    family: str
    severity: float
    conditions: tuple[Condition, ...]

    @property
    def is_mixed(self) -> bool:
        """Whether it is the preset as a whole."""
        return len(self.conditions) > 1

    def text(self) -> str:
        """For the store: operators with parameters and revisions, and weights."""
        if not self.is_mixed:
            return condition_text(self.conditions[0])
        parts = (f"{one.weight!r} {condition_text(one)}" for one in self.conditions)
        return f"{WHOLE} {hashlib.sha256(' '.join(parts).encode()).hexdigest()}"


@dataclass(frozen=True)
class Budget:
    """How long the damaged runs may take. seconds: in all; clean_seconds: of one clean run."""

    seconds: float
    clean_seconds: float

    @property
    def runs(self) -> int:
        """How many fit."""
        return int(self.seconds / max(self.clean_seconds, 1e-3) + _ROUNDING)

    def line(self, asked: int, known: int) -> str:
        """What is said before it starts. asked: conditions; known: answered already."""
        before = f", {known:,} of them kept from earlier" if known else ""
        expected = self.clean_seconds * (asked - known)
        return (
            f"one clean run takes {duration(self.clean_seconds)}; "
            f"{counted(asked, 'condition')} fit into {duration(self.seconds)}{before}: "
            f"about {duration(expected)} from now on (--budget TIME for more or fewer)"
        )


def budget_of(seconds: float | None, clean_seconds: float) -> Budget:
    """Of the user's seconds, or of ten clean runs."""
    return Budget(CLEAN_RUNS * clean_seconds if seconds is None else seconds, clean_seconds)


def choices(preset: Preset) -> tuple[Choice, ...]:
    """All that could be asked, the preset as a whole first; the clean condition is no question."""
    whole = Choice(preset.name, WHOLE, 0, preset.conditions)
    single = [Choice(c.name, c.family, c.severity, (c,)) for c in in_turn(preset.conditions)]
    return (whole, *single) if whole.is_mixed else tuple(single)


def in_turn(conditions: Sequence[Condition]) -> list[Condition]:
    """Damaging conditions, the heaviest family first and the heaviest of each family first."""
    families: dict[str, list[Condition]] = {}
    for one in conditions:
        if one.steps:
            families.setdefault(one.family, []).append(one)
    for members in families.values():
        members.sort(key=lambda one: (-one.weight, abs(one.severity - 3)))  # stable beyond
    by_weight = sorted(families.values(), key=lambda members: -sum(one.weight for one in members))
    turns = chain.from_iterable(zip_longest(*by_weight))
    return [one for one in turns if one is not None]


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min, 1.5 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
