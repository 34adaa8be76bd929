"""From answers to what the estimate takes, and from the estimate to what the store keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate import HIGH, LOW, Estimate
from evaluator.estimation.inputs import Figures, LibraryCell
from evaluator.library import described
from evaluator.storing.rows import Prediction

if TYPE_CHECKING:
    from evaluator.book import Book
    from evaluator.plan import Plan, Round

Mask = NDArray[np.bool_]
METHOD = "shift matching 1 on estimate-v1"


def as_prediction(made: Estimate, phase: str) -> Prediction:
    """An estimate as the store keeps it."""
    return Prediction(phase, made.median, made.low, made.high, HIGH - LOW, made.past, METHOD)


def library_cells(plan: Plan) -> tuple[LibraryCell, ...]:
    """The cells of the plan's library, the clean one first."""
    return described(plan.library.cells) if plan.library is not None else ()


def figures_of(
    plan: Plan, book: Book, name: str, part: Round | None = None, kept: Mask | None = None
) -> Figures | None:
    """A submission's accuracy on every cell of the library; None while a cell lacks an answer.

    part: only the answers up to this round count, so that figures do not depend on what else was
    asked at other times; all when left out. kept: bool `(n,)`, which of the plan's images count.
    """
    if part is None:
        questions, labels = book.everything("library")
    else:
        questions = plan.questions("library", part)
        labels = book.answers("library", questions)
    counted = np.ones(len(labels), bool) if kept is None else kept[questions.rows]
    right = counted & (labels == plan.data.labels[questions.rows])
    cells = len(library_cells(plan))
    asked = np.bincount(questions.cells, counted, cells)
    if (asked == 0).any():
        return None
    shares = np.bincount(questions.cells, right, cells) / asked
    return Figures(name, tuple(map(float, shares)), tuple(map(int, asked)))
