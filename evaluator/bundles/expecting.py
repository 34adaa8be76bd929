"""What hidden score to expect from a benchmark on a bundle, as far as that can be said honestly.

The estimator of hidden scores takes the hidden set for a mixture of conditions; here those are the
few that were asked. With too few of them their range is shown, and called that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.console.words import counted, few
from evaluator.bundles.choice import Choice
from evaluator.bundles.result import Expected
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, PastScore, Target
from evaluator.plan import CLEAN as UNHARMED
from evaluator.plan import described
from evaluator.store.rows import LeaderboardScore

FEWEST_CONDITIONS, FEWEST_FAMILIES = 8, 3  # of which mixtures say anything of a hidden set


@dataclass(frozen=True)
class Measured:
    """A column's figures: clean, and by condition, None where there is none.

    rows: of the reference data, None where nobody knows.
    """

    clean: float | None
    damaged: tuple[tuple[Choice, float | None], ...]
    rows: int | None = None


@dataclass(frozen=True)
class Past:
    """A score of another submission, and its figures under the same conditions, clean first."""

    score: LeaderboardScore
    values: tuple[float, ...]


def expected_of(
    measured: Measured,
    column: Column,
    past: Callable[[Sequence[Choice]], Sequence[Past]] = lambda _: (),
) -> Expected:
    """What the hidden score may be. past: what is known of other submissions under conditions."""
    known = [(choice, value) for choice, value in measured.damaged if value is not None]
    if not known:
        return Expected("none")
    values = [value for _, value in known]
    every = [*values, -1.0 if measured.clean is None else measured.clean]
    if column.sorting == "asc" or not all(0 <= value <= 1 for value in every):
        said = "No hidden score is expected: that takes a column of 0 to 1 where more is better."
        return Expected("none", why=(said,))
    failed = [choice.name for choice, value in measured.damaged if value is None]
    under = f"It fails under {few(failed)}: one such image would cost the whole score."
    more = [under] if failed else []
    single = [(choice, value) for choice, value in known if not choice.is_mixed]
    families = {choice.family for choice, _ in single}
    if len(single) >= FEWEST_CONDITIONS and len(families) >= FEWEST_FAMILIES:
        return _estimated(measured, single, past([choice for choice, _ in single]), more)
    said = (
        f"This is only the range of what was run, {counted(len(single), 'single condition')} of "
        f"{counted(len(families), 'family', 'families')}: an estimate needs {FEWEST_CONDITIONS} "
        f"conditions of {FEWEST_FAMILIES} families."
    )
    return Expected("range", min(values), float(np.median(values)), max(values), (said, *more))


def _estimated(
    measured: Measured,
    single: Sequence[tuple[Choice, float]],
    past: Sequence[Past],
    more: Sequence[str],
) -> Expected:
    """By the estimator of hidden scores, on the conditions that were asked."""
    clean, rows = measured.clean or 0.0, measured.rows
    library = described((UNHARMED, *(choice.conditions[0] for choice, _ in single)))
    images = None if rows is None else (rows,) * len(library)
    own = Figures("", (clean, *(value for _, value in single)), images)
    scores = [_as_past(one, images) for one in past]
    phase = scores[-1].phase if scores else ""
    decimals = scores[-1].decimals if scores else None
    made = estimate(library, own, scores, Target(phase, rows, decimals))
    size = "" if rows is None else f", of {counted(rows, 'row')} as the reference data here"
    said = (
        "It takes the hidden set for a mix of clean images and the "
        f"{counted(len(single), 'condition')} that were run{size}. The width of the range was "
        "set with many more conditions than these: take it as rough."
    )
    rests = [f"It rests on {counted(len(scores), 'past score')}."] if scores else []
    why = (said, *rests, *made.assumed, *more)
    return Expected("estimate", made.low, made.median, made.high, why)


def _as_past(one: Past, images: tuple[int, ...] | None) -> PastScore:
    score = one.score
    figures = Figures(score.submission.name, one.values, images)
    return PastScore(
        figures, score.value, score.decimals, score.hidden_images, score.phase, score.mine
    )
