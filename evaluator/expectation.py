"""What to expect of a submission: its local figures, and those of past ones with their scores.

A series of evaluations shares what is read or made once: plans, past submissions, the estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.images import Dataset
from corruptions.presets import LIBRARY, Condition
from evaluator.ask import Runner
from evaluator.beliefs import as_beliefs
from evaluator.estimate.estimate import Estimator
from evaluator.estimate.gaussians import one_thread
from evaluator.estimate.inputs import Figures, PastScore, Target
from evaluator.estimate.result import HIGH, LOW, Estimate
from evaluator.options import Options, find_split
from evaluator.past import Past, PastReader, TopUp, figures_from, target_of
from evaluator.plan import Plan, Round, described, make_plan
from evaluator.store.rows import Prediction, Run
from evaluator.store.store import Store

METHOD = f"drawn mixtures 1 on {LIBRARY}"


class Series:
    """Evaluations of one or more zips on the same data, under the same options.

    store: open, None for none. several: whether more than one comes, of which only figures and
    estimate are wanted: what a report says beside them is left out.
    """

    def __init__(
        self, store: Store | None, data: Dataset, options: Options, *, several: bool = False
    ) -> None:
        self.store, self.several, self.data = store, several, data
        self._options = options
        self._plans: dict[Path | None, Plan] = {}
        self._reader: PastReader | None = None
        self._everyone: tuple[PastScore, ...] = ()
        self._estimator: Estimator | None = None
        self._judge: Estimator | None = None  # of pairs
        self._asked: tuple[tuple[Condition, ...], Target] | None = None

    def plan(self, submission: Path) -> Plan:
        """The zip's plan, by its split. Raises as `make_plan` does."""
        split = find_split(submission, self._options.split)
        if split not in self._plans:
            self._plans[split] = make_plan(submission, self.data, self._options)
        return self._plans[split]

    def expectation(self, run: Run, challenge: Challenge, top_up: TopUp) -> Expectation:
        """What to expect of the zip that is run, from the past scores of the phase."""
        if self.store is not None and self._reader is None:
            self._reader = PastReader(
                self.store, run, self.data, self._options, challenge.label_names
            )
        reader, options = self._reader, self._options
        past = Past() if reader is None else reader.past({run.submission}, top_up)
        if self.several and reader is not None:
            self._everyone = reader.everyone(run.submission)
        target = target_of(past.scores, challenge, options, reader)
        return Expectation(past, target, options.tolerance, self._made)

    @one_thread()
    def ahead(self, one: Figures, other: Figures) -> float | None:
        """The probability that one zip without a score scores above another on the hidden set.

        None before the first expectation.
        """
        if self._asked is None:
            return None
        conditions, target = self._asked
        if self._judge is None:
            beliefs = as_beliefs(self._options.believe or (), conditions)
            self._judge = Estimator(described(conditions), self._everyone, target, beliefs)
        return self._judge.ahead(one, other)

    def _made(
        self, asked: tuple[Condition, ...], scores: Sequence[PastScore], target: Target
    ) -> Estimator:
        """The zip's own score, if it has one, is left out of an estimator of all."""
        self._asked = asked, target
        conditions, own = described(asked), _left_out(self._everyone, scores)
        beliefs = as_beliefs(self._options.believe or (), asked)
        if own is None or not scores:
            return Estimator(conditions, scores, target, beliefs)
        if self._estimator is None or not self._estimator.rests_on(self._everyone, target):
            self._estimator = Estimator(conditions, self._everyone, target, beliefs)
        if own == len(self._everyone):
            return self._estimator.aimed(target)
        return self._estimator.without(own, target)


class Expectation:
    """What to expect of a submission while it is asked; estimate is None until it can be made.

    make: an estimator of conditions, past scores and target.
    """

    def __init__(
        self, past: Past, target: Target, tolerance: float, make: Callable[..., Estimator]
    ) -> None:
        self.past, self.target = past, target
        self.estimate: Estimate | None = None
        self.figures: Figures | None = None
        self._tolerance, self._make = tolerance, make
        self._estimator: Estimator | None = None
        self._all_images = False

    def renew(self, runner: Runner, part: Round) -> None:
        """Estimate from the answers up to a round."""
        figures = self.figures = figures_of(runner, part)
        if figures is None:
            return
        if self._estimator is None:  # what the past scores say stays the same in every round
            asked = runner.plan.benchmark("library").conditions
            self._estimator = self._make(asked, self.past.scores, self.target)
        self.estimate = self._estimator.estimate(figures)
        self._all_images = part.images == len(runner.plan.data)

    @property
    def is_settled(self) -> bool:
        """Whether more answers would hardly narrow any interval.

        A belief's conditions come first for every image: once all images are asked, no further
        condition tells more of it.
        """
        if self.estimate is None:
            return False
        parts = [one for one in self.estimate.parts if not (one.belief and self._all_images)]
        return all(one.own_share < self._tolerance for one in parts)

    def line(self, images: int) -> str:
        """For the screen, while it is refined."""
        made = self.estimate
        if made is None:
            return ""
        return (
            f"after {images:,} images: expected hidden score {made.median:.2f}, "
            f"between {made.low:.2f} and {made.high:.2f} (90 % sure)"
        )


def figures_of(runner: Runner, part: Round) -> Figures | None:
    """Accuracy on the library's conditions; None while one of them lacks an answer.

    Of the answers up to the round alone: figures do not depend on what else was asked before.
    """
    return figures_from(runner.archive.path.name, *runner.answers("library", part).by_condition())


def as_prediction(made: Estimate, phase: str) -> Prediction:
    """An estimate as the store keeps it."""
    level = round(HIGH - LOW, 9)
    return Prediction(phase, made.median, made.low, made.high, level, made.past, METHOD)


def _left_out(every: Sequence[PastScore], scores: Sequence[PastScore]) -> int | None:
    """Which one of all is missing, their number if none is; None where more is different."""
    if len(every) - len(scores) not in (0, 1):
        return None
    pairs = zip(every, scores, strict=False)
    place = next((i for i, (one, other) in enumerate(pairs) if one is not other), len(scores))
    rest = every[place + 1 :] if len(every) > len(scores) else every[place:]
    same = all(one is other for one, other in zip(rest, scores[place:], strict=True))
    return place if same else None
