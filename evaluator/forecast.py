"""From answers to what the estimate takes, and from the estimate to what the store keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate.estimate import HIGH, LOW, Estimate
from evaluator.estimate.inputs import Figures, LibraryCondition
from evaluator.plan import described
from evaluator.store.rows import Prediction

if TYPE_CHECKING:
    from evaluator.ask import Book
    from evaluator.plan import Plan, Questions, Round

Mask = NDArray[np.bool_]
METHOD = "shift matching 1 on estimate-v1"


def as_prediction(made: Estimate, phase: str) -> Prediction:
    """An estimate as the store keeps it."""
    return Prediction(
        phase, made.median, made.low, made.high, round(HIGH - LOW, 9), made.past, METHOD
    )


def library_conditions(plan: Plan) -> tuple[LibraryCondition, ...]:
    """The conditions of the plan's library, the clean one first."""
    return described(plan.library.conditions) if plan.library is not None else ()


def figures_of(plan: Plan, book: Book, name: str, part: Round | None = None) -> Figures | None:
    """A submission's accuracy on every condition of the library; None while a condition lacks an answer.

    part: only the answers up to this round count, so that figures do not depend on what else was
    asked at other times; all when left out.
    """
    if part is None:
        asked = book.everything("library")
    else:
        questions = plan.questions("library", part)
        asked = questions, book.answers("library", questions)
    return figures_from(name, *tally(plan, *asked, len(library_conditions(plan))))


def figures_from(name: str, asked: NDArray[np.int64], right: NDArray[np.int64]) -> Figures | None:
    """Of answers counted by the library's conditions, `(conditions,)`; None while a condition lacks an answer."""
    if (asked == 0).any():
        return None
    return Figures(name, tuple((right / asked).tolist()), tuple(asked.tolist()))


def tally(
    plan: Plan,
    questions: Questions,
    labels: NDArray[np.signedinteger],
    conditions: int,
    kept: Mask | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Answers by condition that count, and how many of them are right, `(conditions,)` each.

    kept: bool `(n,)`, which of the plan's images count; all when left out.
    """
    counted = np.ones(len(labels), bool) if kept is None else kept[questions.rows]
    right = counted & (labels == plan.data.labels[questions.rows])
    asked = np.bincount(questions.conditions[counted], minlength=conditions)
    return asked, np.bincount(questions.conditions[right], minlength=conditions)
