"""Answers of many submissions that were asked the same: read as they are stored, in a third of the time.

What they were asked is the same bytes in the store, submission after submission: which image an answer
belongs to, and which label would be right, is found out once. Where it is another question, or the
bytes are not so simple, they are read as any others are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.book import UNKNOWN, Book, placed, rows_of
from evaluator.forecast import tally
from evaluator.plan import Plan
from evaluator.sheet import Labels
from evaluator.store import Run, RunBytes, Store

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
_NARROW = 128  # labels below fit into a byte, with -1 for unknown


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a run was asked. of: its bytes. rows, cells: of the plan, or cells -1, `(m,)` each.

    known: which of it belongs to the plan, `(m,)`. truth: uint8 `(m,)`, where `judged`, bool `(m,)`.
    places: each stored cell's place in the plan, or -1.
    """

    of: RunBytes
    rows: Counts
    cells: Counts
    known: Mask
    truth: NDArray[np.uint8]
    judged: Mask
    places: Counts


class Alike:
    """Reads runs against one plan, whose data are those of the runs."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._last: _Asked | None = None

    def counts(self, run: Run, kept: Mask) -> tuple[Counts, Counts]:
        """Answers by cell of the plan that count, and how many are right; kept: see `tally`."""
        found, cells = self._store.run_bytes(run), len(self._plan.texts)
        if found is None or not kept.all():
            questions, labels = placed(self._plan, self._store.run_answers(run))
            return tally(self._plan, questions, labels, cells, kept)
        asked = self._asked(found)
        right = np.frombuffer(found.labels, np.uint8) == asked.truth
        right &= asked.judged
        starts = np.cumsum(found.counts) - found.counts
        sums = np.add.reduceat(right.view(np.uint8), starts, dtype=np.int64)
        by_cell = np.zeros(cells, np.int64)
        there = asked.places != UNKNOWN
        by_cell[asked.places[there]] = sums[there]
        return np.bincount(asked.cells[asked.known], minlength=cells), by_cell

    def labels(self, run: Run) -> Labels:
        """What `Book.labels` holds, in as few bytes as will do."""
        found = self._store.run_bytes(run, self._plan.texts)
        if found is None or np.frombuffer(found.labels, np.uint8).max() >= _NARROW:
            labels = Book(self._plan, run, self._store).labels
            return labels.astype(np.int8) if labels.max(initial=0) < _NARROW else labels
        asked = self._asked(found)
        given = np.full((len(self._plan.data), len(self._plan.texts)), UNKNOWN, np.int8)
        there = asked.known
        if there.all():
            given[asked.rows, asked.cells] = np.frombuffer(found.labels, np.int8)
        else:
            own = np.frombuffer(found.labels, np.int8)[there]
            given[asked.rows[there], asked.cells[there]] = own
        return given

    def _asked(self, found: RunBytes) -> _Asked:
        if self._last is None or not _same(self._last.of, found):
            self._last = _asked(self._plan, found)
        return self._last


def _asked(plan: Plan, found: RunBytes) -> _Asked:
    ids, position = found.ids(), {text: place for place, text in enumerate(plan.texts)}
    rows = rows_of(plan.data.ids, ids)
    places = np.array([position.get(text, UNKNOWN) for text in found.cells], np.int64)
    cells = np.repeat(places, found.counts)
    known = (plan.data.ids[rows] == ids) & (cells != UNKNOWN)
    truth = plan.data.labels[rows]
    judged = known & (truth >= 0) & (truth < 256)
    return _Asked(found, rows, cells, known, truth.astype(np.uint8), judged, places)


def _same(one: RunBytes, two: RunBytes) -> bool:
    same = (one.steps, one.cells) == (two.steps, two.cells)
    return same and np.array_equal(one.counts, two.counts)


__all__ = ["Alike"]
