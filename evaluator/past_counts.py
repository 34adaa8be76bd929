"""Counts of right answers by cell, of many past submissions that were asked the same.

What they were asked is the same bytes in the store, submission after submission: which image an answer
belongs to, and which label would be right, is found out once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.book import UNKNOWN, placed, rows_of
from evaluator.forecast import tally
from evaluator.plan import Plan
from evaluator.store import Run, RunBytes, Store

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a run was asked. steps: its ids as they are stored; cells: their texts, with `counts` each.

    truth: uint8 `(m,)`. known: which answers belong to the plan and may be
    right, bool `(m,)`. places: each cell's in the plan, or -1. asked: by the plan's cells.
    """

    steps: bytes
    cells: tuple[str, ...]
    counts: Counts
    truth: NDArray[np.uint8]
    known: Mask
    places: Counts
    asked: Counts


class PastCounter:
    """Counts runs against one plan, whose data are those of the runs."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._last: _Asked | None = None

    def counts(self, store: Store, run: Run, kept: Mask) -> tuple[Counts, Counts]:
        """Answers by cell of the plan that count, and how many are right; kept: see `tally`."""
        found = store.run_bytes(run) if kept.all() else None
        if found is None:
            return self._slowly(store, run, kept)
        asked = self._asked(found)
        right = np.frombuffer(found.labels, np.uint8) == asked.truth
        right &= asked.known
        starts = np.cumsum(found.counts) - found.counts
        sums = np.add.reduceat(right.view(np.uint8), starts, dtype=np.int64)
        by_cell = np.zeros(len(self._plan.texts), np.int64)
        there = asked.places != UNKNOWN
        by_cell[asked.places[there]] = sums[there]
        return asked.asked, by_cell

    def _slowly(self, store: Store, run: Run, kept: Mask) -> tuple[Counts, Counts]:
        questions, labels = placed(self._plan, store.run_answers(run))
        return tally(self._plan, questions, labels, len(self._plan.texts), kept)

    def _asked(self, found: RunBytes) -> _Asked:
        last = self._last
        if last is not None and _same(last, found):
            return last
        plan, ids = self._plan, found.ids()
        rows = rows_of(plan.data.ids, ids)
        known = plan.data.ids[rows] == ids
        places = {text: place for place, text in enumerate(plan.texts)}
        own = np.array([places.get(text, UNKNOWN) for text in found.cells], np.int64)
        cells = np.repeat(own, found.counts)
        known &= cells != UNKNOWN
        asked = np.bincount(cells[known], minlength=len(plan.texts))
        truth = plan.data.labels[rows]
        possible = known & (truth >= 0) & (truth < 256)
        self._last = _Asked(
            found.steps, found.cells, found.counts, truth.astype(np.uint8), possible, own, asked
        )  # fmt: skip
        return self._last


def _same(asked: _Asked, found: RunBytes) -> bool:
    same = (asked.steps, asked.cells) == (found.steps, found.cells)
    return same and np.array_equal(asked.counts, found.counts)


__all__ = ["PastCounter"]
