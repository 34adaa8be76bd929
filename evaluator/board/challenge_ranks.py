"""Ranks of everybody under one condition, on the same resampled rows of the reference data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.console.words import shown
from corruptions.presets import CLEAN
from evaluator.board.challenge_result import DamageOfRanks, Place
from evaluator.board.ranks import Drawn, Ranks, ahead, places, ranked, scattered
from evaluator.board.result import Pairs
from evaluator.bundles.choice import Choice
from evaluator.bundles.figures import Asked, Samples, samples_of
from evaluator.bundles.result import BundleCondition
from evaluator.bundles.running import Runner
from evaluator.estimate.gaussians import Floats

_FEWEST_DRAWS = 100  # resamples in which everybody has a figure
_BASES = 3  # submissions that the others are tried to line up with


@dataclass(frozen=True, eq=False)
class RanksUnder:
    """All zips under one condition. position: of those with resamples, in `ranks` and `drawn`."""

    choice: Choice | None
    conditions: Sequence[BundleCondition | None]
    standing: Mapping[int, int]  # by the figure alone
    position: Mapping[int, int]
    ranks: Ranks | None
    drawn: Drawn | None
    said: str

    def place(self, at: int) -> Place:
        """A zip's."""
        own, row = self.conditions[at], self.position.get(at)
        value = own.value if own else None
        if self.ranks is None or row is None:  # what it left is no ground for an interval either
            return Place(value, None, None, self.standing.get(at))
        ends = (own.interval.low, own.interval.high) if own and own.interval else None
        rank = int(self.ranks.low[row]), int(self.ranks.high[row])
        return Place(value, ends, rank, self.standing.get(at))

    def pairs(self, kept: Sequence[int]) -> Pairs | None:
        """Of some zips."""
        if self.ranks is None or self.drawn is None or len(kept) < 2:
            return None
        own = [self.position[at] for at in kept]
        return Pairs(ahead(self.drawn[own]), self.ranks.verdicts[np.ix_(own, own)])

    def summary(self, clean: RanksUnder) -> DamageOfRanks:
        """What it does to the clean order."""
        name, family = (self.choice.name, self.choice.family) if self.choice else (CLEAN, "")
        if self.ranks is None:
            return DamageOfRanks(shown(name), shown(family), 0, 0, self.said)
        swapped = 0
        if clean.ranks is not None and self.choice is not None:
            both = [at for at in self.position if at in clean.position]
            here, there = ([one.position[at] for at in both] for one in (self, clean))
            mine = self.ranks.verdicts[np.ix_(here, here)].astype(np.int64)
            swapped = int((mine * clean.ranks.verdicts[np.ix_(there, there)] < 0).sum()) // 2
        return DamageOfRanks(shown(name), shown(family), self.ranks.resolved, swapped, self.said)


def ranks_under(
    choice: Choice | None,
    conditions: Sequence[BundleCondition | None],
    runners: Sequence[Runner | None],
    scatter: Sequence[float],
    column: Column,
) -> RanksUnder:
    """Under one condition: its runs are read out of the store, and let go again.

    choice: None for nothing damaged. conditions, runners: of every zip, None where it never ran.
    scatter: by how much two clean runs of each differ.
    """
    text, sign = choice.text() if choice else CLEAN, -1.0 if column.sorting == "asc" else 1.0
    values = [one.value if one else None for one in conditions]
    known = [at for at, value in enumerate(values) if value is not None]
    figures = sign * np.array([values[at] for at in known], np.float64)
    standing = dict(zip(known, map(int, places(figures)), strict=True))
    runs = {at: run for at in known if (own := runners[at]) and (run := own.known(text))}
    runner = next((one for one in runners if one), None)
    if len(runs) < 2 or runner is None:
        said = "Without ranges: fewer than two submissions have a score."
        return RanksUnder(choice, conditions, standing, {}, None, None, said)
    made, samples = _aligned({at: Asked(choice, run) for at, run in runs.items()}, column, runner)
    drawn = sign * np.stack(list(made.values())).astype(np.float32) if made else None
    whole = None if drawn is None else drawn[:, np.isfinite(drawn).all(axis=0)]
    if whole is None or len(made) < 2 or whole.shape[1] < _FEWEST_DRAWS:
        return RanksUnder(choice, conditions, standing, {}, None, None, samples.said)
    figures = sign * np.array([values[at] for at in made], np.float64)
    whole = scattered(whole, [scatter[at] for at in made], runner.seed)
    ranks = ranked(figures, whole, samples.rows or 1)
    position = {at: place for place, at in enumerate(made)}
    return RanksUnder(choice, conditions, standing, position, ranks, whole, samples.said)


def _aligned(
    asked: Mapping[int, Asked], column: Column, runner: Runner
) -> tuple[dict[int, Floats], Samples]:
    """Resamples of those whose predictions line up: of all, else of most.

    One zip that writes its own predictions file is not to cost all others their ranges.
    """
    whole, own = _resampled(asked, column, runner)
    if own or len(asked) < 3:
        return own, whole
    for base in list(asked)[:_BASES]:
        fits = {
            at: one
            for at, one in asked.items()
            if at == base or _resampled({base: asked[base], at: one}, column, runner)[1]
        }
        if len(fits) > len(asked) / 2:
            samples, found = _resampled(fits, column, runner)
            if found:
                return found, samples
    return own, whole


def _resampled(
    asked: Mapping[int, Asked], column: Column, runner: Runner
) -> tuple[Samples, dict[int, Floats]]:
    samples = samples_of(list(asked.values()), column, runner)
    pairs = zip(asked, samples.by_run, strict=True)
    return samples, {at: drawn for at, drawn in pairs if drawn is not None}
