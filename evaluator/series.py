"""What evaluations of several zips share: the store, the plans, the past scores, each read or made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codabench_rehearsal.images import Dataset
from evaluator.ask import Rehearsal
from evaluator.choice import find_split
from evaluator.estimate.estimate import Estimate, Estimator
from evaluator.estimate.inputs import LibraryCondition, PastScore, Target
from evaluator.forecast import figures_of, library_conditions
from evaluator.options import Options
from evaluator.past import NOTHING, Past, PastReader
from evaluator.plan import Plan, Round, make_plan
from evaluator.store.store import Run, Store


class Series:
    """Evaluations of one or more zips on the same data, under the same options.

    store: open, None for none. several: whether more than one comes, of which only figures and
    estimate are wanted: what a report says beside them is left out.
    """

    def __init__(
        self, store: Store | None, data: Dataset, options: Options, *, several: bool = False
    ) -> None:
        self.store, self.several = store, several
        self._data, self._options = data, options
        self._plans: dict[Path | None, Plan] = {}
        self._reader: PastReader | None = None
        self._everyone: tuple[PastScore, ...] = ()
        self._estimator: Estimator | None = None

    def plan(self, submission: Path) -> Plan:
        """The zip's plan, by its split. Raises as `make_plan` does."""
        split = find_split(submission, self._options.split)
        if split not in self._plans:
            self._plans[split] = make_plan(submission, self._data, self._options)
        return self._plans[split]

    def expectation(
        self, run: Run, hidden_images: int | None, top_up: Callable[[Path], str]
    ) -> Expectation:
        """What to expect of the zip that is run, from the past scores of the phase."""
        if self.store is not None and self._reader is None:
            self._reader = PastReader(self.store, run, self._data, self._options)
        reader, options = self._reader, self._options
        past = NOTHING if reader is None else reader.past(run.submission, top_up)
        if self.several and reader is not None:
            self._everyone = reader.everyone(run.submission)
        decimals = max((score.decimals or 0 for score in past.scores), default=None)
        target = Target(options.phase, options.hidden_images or hidden_images, decimals)
        return Expectation(past, target, options.tolerance, make=self._made)

    def _made(
        self, conditions: Sequence[LibraryCondition], scores: Sequence[PastScore], target: Target
    ) -> Estimator:
        """The zip's own score, if it has one, is left out of an estimator of all."""
        own = _left_out(self._everyone, scores)
        if own is None or not scores:
            return Estimator(conditions, scores, target)
        if self._estimator is None or not self._estimator.rests_on(self._everyone, target):
            self._estimator = Estimator(conditions, self._everyone, target)
        if own == len(self._everyone):
            return self._estimator.aimed(target)
        return self._estimator.without(own, target)


def _left_out(every: Sequence[PastScore], scores: Sequence[PastScore]) -> int | None:
    """Which one of all is missing, their number if none is; None where more is different."""
    if len(every) - len(scores) not in (0, 1):
        return None
    pairs = zip(every, scores, strict=False)
    place = next((i for i, (one, other) in enumerate(pairs) if one is not other), len(scores))
    rest = every[place + 1 :] if len(every) > len(scores) else every[place:]
    same = all(one is other for one, other in zip(rest, scores[place:], strict=True))
    return place if same else None


__all__ = ["Series"]


# What score to expect while a submission is being asked: renewed after every round.


@dataclass
class Expectation:
    """The estimate so far; None until every condition has an answer.

    make: an estimator of conditions, past scores and target, as `Estimator`.
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
                conditions = library_conditions(rehearsal.plan)
                self._estimator = self.make(conditions, self.past.scores, self.target)
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
