"""May the published pairs narrow an estimate without past scores? Leave-one-team-out coverage.

A prior would say: on the logit scale the hidden score lies so far below the local figure, give or
take. Mean and spread come from the other teams' pairs, each team weighing the same. It may be
shipped only if its 90 % interval covers at least 90 % of the left-out teams' scores and is narrower
than ours without past scores.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student

PAIRS = Path(__file__).parents[2] / "shared" / "facts" / "leaderboard_pairs.csv"
NEEDED = 0.9
Figure = Literal["val_acc", "bench_acc"]


@dataclass(frozen=True)
class Pair:
    """A published local figure and the score that followed."""

    team: str
    local: float
    score: float


@dataclass(frozen=True)
class Coverage:
    """Leave-one-team-out. by_team: mean of the teams' own coverages; the others count pairs."""

    figure: Figure
    pairs: int
    teams: int
    covered: float
    by_team: float
    width: float

    def may_ship(self, own: float) -> bool:
        """Whether it covers, counted either way, and narrows our own interval of that width."""
        return min(self.covered, self.by_team) >= NEEDED and self.width < own


def read_pairs(path: Path, figure: Figure) -> list[Pair]:
    """Rows with both figures; upper bounds are left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        Pair(row["team"], float(row[figure]), float(row["codabench_acc"]))
        for row in rows
        if row[figure] and row["codabench_acc"][:1].isdigit()
    ]


def coverage(pairs: Sequence[Pair], figure: Figure) -> Coverage:
    """Of the 90 % interval, for each team from the others."""
    teams = sorted({pair.team for pair in pairs})
    hits: dict[str, list[bool]] = {team: [] for team in teams}
    widths = []
    for pair in pairs:
        low, high = _interval([p for p in pairs if p.team != pair.team], pair.local)
        hits[pair.team].append(low <= pair.score <= high)
        widths.append(high - low)
    every = [hit for team in hits.values() for hit in team]
    by_team = float(np.mean([np.mean(team) for team in hits.values()]))
    width = float(np.mean(widths))
    return Coverage(figure, len(pairs), len(teams), float(np.mean(every)), by_team, width)


def _interval(others: Sequence[Pair], local: float) -> tuple[float, float]:
    """Student's, with as many degrees of freedom as teams less one."""
    drops = {team: _drops(others, team) for team in {pair.team for pair in others}}
    means = np.array([np.mean(drop) for drop in drops.values()])
    centre = float(means.mean())
    spread = float(np.mean([np.mean((drop - centre) ** 2) for drop in drops.values()]))
    freedom = max(len(means) - 1, 1)
    half = student.ppf(0.95, freedom) * np.sqrt(spread * (1 + 1 / len(means)))
    middle = float(logit(local)) + centre
    return float(expit(middle - half)), float(expit(middle + half))


def _drops(pairs: Sequence[Pair], team: str) -> NDArray[np.float64]:
    return np.array([logit(p.score) - logit(p.local) for p in pairs if p.team == team])
