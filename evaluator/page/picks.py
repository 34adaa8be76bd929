"""Which images to show: those that the damage itself made wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from evaluator.sheet import Sheet
from evaluator.tallies import CLEAN

SHOWN = 12


@dataclass(frozen=True, eq=False)
class Pick:
    """One image, clean and corrupted, with what it is and what was answered.

    clean, corrupted: uint8 `(h, w, c)`. truth, answer: labels. others: share of right answers to
    all pictures of this image.
    """

    cell: str
    clean: NDArray[np.uint8]
    corrupted: NDArray[np.uint8]
    truth: int
    answer: int
    others: float


def picks(sheet: Sheet, most: int = SHOWN) -> tuple[Pick, ...]:
    """Images right when clean and wrong when corrupted, each once, from the costliest cells.

    Cells take turns, the costliest first. Within a cell those images come first that are otherwise
    answered best: there the damage did it, not the image.
    """
    by_cell = [_candidates(sheet, cell) for cell in _costliest(sheet)]
    turns = chain.from_iterable(zip_longest(*by_cell))
    chosen: dict[int, int] = {}
    for question in turns:
        if question is not None and len(chosen) < most:
            chosen.setdefault(int(sheet.questions.rows[question]), question)
    easy = _ease(sheet)
    return tuple(_pick(sheet, question, easy) for question in chosen.values())


def _costliest(sheet: Sheet) -> list[int]:
    """Cells by the accuracy that they take from the clean one, times their weight."""
    size = len(sheet.benchmark.cells)
    asked = np.bincount(sheet.questions.cells, minlength=size)
    means = np.bincount(sheet.questions.cells, sheet.right, size) / np.maximum(asked, 1)
    weights = np.array([cell.weight for cell in sheet.benchmark.cells])
    cost = np.where(asked > 0, weights * (means[CLEAN] - means), -np.inf)
    cost[CLEAN] = -np.inf
    return [int(cell) for cell in np.argsort(-cost, kind="stable") if cost[cell] > 0]


def _candidates(sheet: Sheet, cell: int) -> Iterator[int]:
    """Questions of a cell that were answered wrongly on images that are right when clean."""
    right, questions = sheet.right, sheet.questions
    fine = np.zeros(len(sheet.benchmark.data), bool)
    fine[questions.rows[(questions.cells == CLEAN) & right]] = True
    wrong = np.flatnonzero((questions.cells == cell) & ~right & fine[questions.rows])
    order = np.lexsort((questions.rows[wrong], -_ease(sheet)[questions.rows[wrong]]))
    yield from wrong[order].tolist()


def _ease(sheet: Sheet) -> NDArray[np.float64]:
    """Each image's share of right answers, `(n,)`; 0 where it was never shown."""
    rows, size = sheet.questions.rows, len(sheet.benchmark.data)
    asked = np.bincount(rows, minlength=size)
    return np.asarray(np.bincount(rows, sheet.right, size) / np.maximum(asked, 1))


def _pick(sheet: Sheet, question: int, easy: NDArray[np.float64]) -> Pick:
    row, cell = int(sheet.questions.rows[question]), int(sheet.questions.cells[question])
    at = np.array([row], np.int64)
    return Pick(
        sheet.benchmark.cells[cell].name,
        sheet.benchmark.data.pictures(row),
        sheet.benchmark.images(cell, at)[0],
        int(sheet.benchmark.data.labels[row]),
        int(sheet.labels[question]),
        float(easy[row]),
    )
