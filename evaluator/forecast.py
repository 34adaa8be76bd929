"""From stored answers and past scores to the estimate, round after round, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate import HIGH, LOW, Estimate, estimate
from evaluator.estimate_inputs import Figures, LibraryCell, PastScore, Target
from evaluator.library import described
from evaluator.store_rows import Prediction

if TYPE_CHECKING:
    from evaluator.book import Book
    from evaluator.plan import Plan, Round

Mask = NDArray[np.bool_]
METHOD = "shift matching 1 on estimate-v1"


@dataclass(frozen=True)
class Forecast:
    """An estimate, and the share of its variance that more answers of this submission would remove."""

    estimate: Estimate
    own_share: float

    def prediction(self, phase: str) -> Prediction:
        """As the store keeps it."""
        made = self.estimate
        return Prediction(phase, made.median, made.low, made.high, HIGH - LOW, made.past, METHOD)


def forecast(
    cells: Sequence[LibraryCell], figures: Figures, past: Sequence[PastScore], target: Target
) -> Forecast:
    """Estimate, and once more as if the local figures were exact."""
    made = estimate(cells, figures, past, target)
    exact = estimate(cells, Figures(figures.name, figures.accuracies), past, target)
    widths = [max(one.high - one.low, 1e-9) for one in (made, exact)]
    return Forecast(made, max(0.0, 1 - (widths[1] / widths[0]) ** 2))


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
