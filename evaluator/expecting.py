"""What score to expect while a submission is being asked: renewed after every round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluator.estimate import Estimate, Estimator
from evaluator.estimation.inputs import Target
from evaluator.forecast import figures_of, library_cells
from evaluator.past import Past
from evaluator.plan import Round
from evaluator.rehearsal import Rehearsal


@dataclass
class Expectation:
    """The estimate so far; None until every cell has an answer.

    make: an estimator of cells, past scores and target, as `Estimator`.
    """

    past: Past
    target: Target
    tolerance: float
    estimate: Estimate | None = field(default=None)
    make: Callable[..., Estimator] = field(default=Estimator, repr=False)
    _estimator: Estimator | None = field(default=None, repr=False)

    def renew(self, rehearsal: Rehearsal, part: Round) -> None:
        """Estimate from the answers up to a round."""
        figures = figures_of(rehearsal.plan, rehearsal.book, rehearsal.name, part)
        if figures is not None:
            if self._estimator is None:  # what the past scores say stays the same in every round
                cells = library_cells(rehearsal.plan)
                self._estimator = self.make(cells, self.past.scores, self.target)
            self.estimate = self._estimator.estimate(figures)

    @property
    def is_settled(self) -> bool:
        """Whether more answers would hardly narrow the interval."""
        return self.estimate is not None and self.estimate.own_share < self.tolerance

    def line(self, images: int) -> str:
        """For the screen, while it is refined."""
        made = self.estimate
        if made is None:
            return ""
        return (
            f"after {images:,} images: expected hidden score {made.median:.2f}, "
            f"90 % between {made.low:.2f} and {made.high:.2f}"
        )
