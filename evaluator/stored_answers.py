"""Stored answers held against a plan: labels, and how many of them are right."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.answers import UNKNOWN, Counts, Labels
from evaluator.plan import Plan
from evaluator.store.measured import Tally
from evaluator.store.rows import Run, RunAnswers
from evaluator.store.schema import StoreError
from evaluator.store.store import Store

_DENSE = 10_000_000  # ids below may be looked up in a table
_COUNTED = "tally 1"  # raised where the same answers are counted otherwise
_NARROW = 128  # labels below fit into a byte, with -1 for unknown


class StoredAnswers:
    """Reads runs against one plan, whose data are those of the runs.

    Most submissions were asked the same: then where in the plan each answer belongs, and which
    label would be right, is found out once.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._last: _Asked | None = None
        self._new: list[Tally] = []

    def labels(self, run: Run) -> tuple[Labels, int]:
        """The labels by image and condition of the plan, `(n, conditions)`; -1 where unknown.

        In as few bytes as will do; and how many answers of the run are stored, of the plan or not.
        """
        found = self._store.run_answers(run, self._plan.texts)
        asked, given = self._asked(found), found.labels
        narrow = given.max(initial=0) < _NARROW
        shape = len(self._plan.data), len(self._plan.texts)
        labels = np.full(shape, UNKNOWN, np.int8 if narrow else np.int64)
        if asked.known.all():
            labels[asked.rows, asked.conditions] = given
        else:
            own = asked.known
            labels[asked.rows[own], asked.conditions[own]] = given[own]
        return labels, found.total

    def counts(self, run: Run, kept: NDArray[np.bool_]) -> tuple[Counts, Counts]:
        """Answers by condition of the plan, and how many of them are right, `(conditions,)` each.

        kept: bool `(n,)`, which of the plan's images count.
        """
        asked, right = self._tallied(run, kept, 1)
        return asked[0], right[0]

    def counts_by_class(
        self, run: Run, kept: NDArray[np.bool_], classes: int
    ) -> tuple[Counts, Counts]:
        """As `counts`, by class: `(classes, conditions)` each."""
        return self._tallied(run, kept, classes)

    def keep(self) -> None:
        """Have the store keep what was counted, for the commands that come; see `Tally`."""
        if self._new and self._store.writable:
            with suppress(StoreError):  # nothing is lost: it is counted again
                self._store.put_tallies(self._new)
        self._new.clear()

    def _tallied(self, run: Run, kept: NDArray[np.bool_], classes: int) -> tuple[Counts, Counts]:
        key, size = self._key(kept, classes), len(self._plan.texts)
        found = self._store.tally(run, key)
        if found is None or len(found) != 2 * classes * size:
            answers = self._store.run_answers(run, self._plan.texts)
            found = np.concatenate(self._counted(answers, kept, classes))
            self._new.append(Tally(run, key, answers.total, found))
        asked, right = found.reshape(2, classes, size)
        return asked, right

    def _counted(
        self, found: RunAnswers, kept: NDArray[np.bool_], classes: int
    ) -> tuple[Counts, Counts]:
        """Answers and right ones, `(classes * conditions,)` each; one class: of all."""
        asked, size = self._asked(found), len(self._plan.texts)
        counted = asked.known if kept.all() else asked.known & kept[asked.rows]
        place = asked.conditions + (asked.truth * size if classes > 1 else 0)
        right = counted & (found.labels == asked.truth)
        given, good = (
            np.bincount(place[chosen], minlength=classes * size) for chosen in (counted, right)
        )
        return given, good

    def _key(self, kept: NDArray[np.bool_], classes: int) -> str:
        """All that decides what is counted, beside the run."""
        whole = self._what.copy()
        whole.update(repr(classes).encode())
        whole.update(np.packbits(kept).data)
        return str(whole.hexdigest())

    @cached_property
    def _what(self) -> Any:  # hashlib's own type has no name
        data = self._plan.data
        whole = hashlib.sha256(repr((_COUNTED, len(data), self._plan.texts)).encode())
        for part in (data.labels, data.ids):
            whole.update(part.astype("<i8").tobytes())
        return whole

    def _asked(self, found: RunAnswers) -> _Asked:
        if self._last is None or not self._last.of.asks_the_same(found):
            position = {text: place for place, text in enumerate(self._plan.texts)}
            places = np.array([position.get(t, UNKNOWN) for t in found.conditions], np.int64)
            ids, data = found.ids(), self._plan.data
            rows, conditions = rows_of(data.ids, ids), np.repeat(places, found.counts)
            known = (data.ids[rows] == ids) & (conditions != UNKNOWN)
            self._last = _Asked(found, rows, conditions, known, data.labels[rows])
        return self._last


def rows_of(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each wanted id stands among `ids`, if it does: the caller looks."""
    largest = int(ids.max())
    if largest < _DENSE:  # ids are rows of a file: a table is ten times as fast as a search
        table = np.zeros(largest + 1, np.int64)
        table[ids] = np.arange(len(ids))
        return table[np.minimum(wanted, largest)]
    order = np.argsort(ids)
    found = np.searchsorted(ids, wanted, sorter=order)
    return order[np.minimum(found, len(order) - 1)]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a run was asked. rows, conditions: in the plan, `(m,)`. truth: the right labels, `(m,)`.

    known: which of it belongs to the plan, bool `(m,)`.
    """

    of: RunAnswers
    rows: Counts
    conditions: Counts
    known: NDArray[np.bool_]
    truth: Counts
