"""What a submission has answered so far: in memory, and in the store if there is one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluator.benchmark import Questions
from evaluator.plan import Plan
from evaluator.store import AnswerKey, Run, RunAnswers, Store

UNKNOWN = -1
_DENSE = 10_000_000


class Book:
    """The answers to a plan's questions, by image and cell of `plan.whole`.

    labels: int32 `(n, cells)`, by image and cell of `plan.whole`; -1 where unknown.
    run: what they depend on beside cell and image. stored: how many were in the store already.
    contradicted: how many new answers differ from stored ones, which stay.
    """

    def __init__(self, plan: Plan, run: Run, store: Store | None) -> None:
        self._plan, self.run, self._store = plan, run, store
        self.labels = np.full((len(plan.data), len(plan.texts)), UNKNOWN, np.int32)
        self.contradicted = 0
        self._known = 0  # answers of the run, in the plan or not, that this process has seen
        if store is not None:
            self._read(store, run)
        self.stored = int((self.labels != UNKNOWN).sum())

    @property
    def is_stored(self) -> bool:
        """Whether answers outlive this run."""
        return self._store is not None and self._store.writable

    def missing(self, questions: Questions) -> Questions:
        """Those without an answer, in the same order."""
        open_ = self.labels[questions.rows, questions.cells] == UNKNOWN
        if open_.all():
            return questions
        return Questions(questions.rows[open_], questions.cells[open_])

    def keep(self, questions: Questions, labels: NDArray[np.int64]) -> None:
        """Write down the answers to a block of questions; stored before this returns."""
        self.labels[questions.rows, questions.cells] = labels
        if self._store is None or not self._store.writable:
            return
        ids, block = self._plan.data.ids, []
        for cell in np.unique(questions.cells):
            asked = questions.cells == cell
            key = AnswerKey(self.run, self._plan.texts[cell])
            block.append((key, ids[questions.rows[asked]], labels[asked]))
        self.contradicted += self._store.put_block(block, self._known)
        self._known += len(labels)

    def answers(self, name: str, questions: Questions) -> NDArray[np.int32]:
        """The labels given to questions of one of the plan's benchmarks, int32 `(m,)`; -1: unknown."""
        cells = self._plan.places[name].astype(np.int32)[questions.cells]
        return np.asarray(self.labels[questions.rows, cells], np.int32)

    def everything(self, name: str) -> tuple[Questions, NDArray[np.int32]]:
        """All that is known of one of the plan's benchmarks: questions and labels `(m,)`."""
        labels = self.labels[:, self._plan.places[name]]
        rows, cells = np.nonzero(labels != UNKNOWN)
        return Questions(rows, cells), np.asarray(labels[rows, cells], np.int32)

    def _read(self, store: Store, run: Run) -> None:
        stored = store.run_answers(run, self._plan.texts)
        self._known = stored.total
        questions, labels = placed(self._plan, stored)
        self.labels[questions.rows, questions.cells] = labels


def placed(plan: Plan, stored: RunAnswers) -> tuple[Questions, NDArray[np.int64]]:
    """Those of a run's answers that belong to the plan: questions, with cells of `whole`, and labels."""
    places = {text: place for place, text in enumerate(plan.texts)}
    cells = np.array([places.get(text, UNKNOWN) for text in stored.cells], np.int64)
    rows = rows_of(plan.data.ids, stored.answers.ids)
    asked = np.repeat(cells, stored.counts)
    known = (asked != UNKNOWN) & (plan.data.ids[rows] == stored.answers.ids)
    return Questions(rows[known], asked[known]), stored.answers.labels[known]


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


__all__ = ["UNKNOWN", "Book", "placed", "rows_of"]
