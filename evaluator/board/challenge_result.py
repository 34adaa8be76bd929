"""Everybody's zip in a challenge's bundle, as plain data: what every rendering is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codabench_rehearsal.console.words import as_json
from evaluator.board.result import Pairs

SCHEMA = 1


@dataclass(frozen=True)
class Place:
    """A submission under one condition. value: the column's figure; None where it failed.

    interval: of it, 95 %. rank: the best and the worst possible one; None without intervals. at:
    by the figure alone.
    """

    value: float | None
    interval: tuple[float, float] | None
    rank: tuple[int, int] | None
    at: int | None


@dataclass(frozen=True)
class Entrant:
    """One zip. status, message: the platform's, of the clean run. places: as the conditions."""

    name: str
    team: str
    status: str
    message: str
    places: tuple[Place, ...]

    @property
    def clean(self) -> Place:
        """Where nothing is damaged."""
        return self.places[0]


@dataclass(frozen=True)
class DamageOfRanks:
    """What a condition does to the order. resolved: submissions with one possible rank.

    swapped: pairs that are surely the one way clean, and surely the other way here. said: what the
    intervals rest on, or why there are none.
    """

    name: str
    family: str
    resolved: int
    swapped: int
    said: str


@dataclass(frozen=True, eq=False)
class ChallengeBoard:
    """All entrants, the best clean one first. conditions: the clean one, then those asked of all.

    pairs: of the first entrants, clean.
    """

    title: str
    phase: str
    column: str
    sorting: str
    preset: str
    seed: int
    worker: str
    conditions: tuple[DamageOfRanks, ...]
    entrants: tuple[Entrant, ...]
    pairs: Pairs | None
    notes: tuple[str, ...]
    has_teams: bool = False
    command: str = ""

    @property
    def failed(self) -> int:
        """How many have no clean figure."""
        return sum(one.clean.value is None for one in self.entrants)

    def to_json(self) -> str:
        """As JSON, schema 1 (docs/board.md)."""
        fields = {key: value for key, value in vars(self).items() if key not in ("pairs",)}
        pairs = self.pairs
        names = [one.name for one in self.entrants[: len(pairs.ahead)]] if pairs else []
        return as_json(
            {
                "schema": SCHEMA,
                "kind": "bundle",
                "level": 0.95,
                **fields,
                "conditions": [vars(one) for one in self.conditions],
                "entrants": [self._entrant(one) for one in self.entrants],
                "pairs": pairs
                and {
                    "submissions": names,
                    "ahead": np.round(pairs.ahead, 4).tolist(),
                    "verdicts": pairs.verdicts.tolist(),
                },
            }
        )

    def _entrant(self, one: Entrant) -> dict[str, Any]:
        named = zip(self.conditions, one.places, strict=True)
        return {**vars(one), "places": {condition.name: vars(at) for condition, at in named}}
