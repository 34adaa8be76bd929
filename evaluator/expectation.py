"""What to expect of a submission: its local figures, and those of past ones with their scores.

A series of evaluations shares what is read or made once: plans, past submissions, the estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images import Dataset
from evaluator.answers import Counts, StoredAnswers
from evaluator.ask import Runner
from evaluator.estimate.estimate import HIGH, LOW, Estimate, Estimator
from evaluator.estimate.inputs import Figures, LibraryCondition, PastScore, Target
from evaluator.metrics import Score, Z, wilson
from evaluator.options import Choice, Options, Untrained, find_split
from evaluator.plan import Plan, Round, described, make_plan, plan_on
from evaluator.report.evaluation import PastLine
from evaluator.store.rows import LeaderboardScore, Prediction, Run
from evaluator.store.store import Store
from submission.archive import sha256_of

METHOD = "shift matching 1 on estimate-v1"
TopUp = Callable[[Path], str]  # asks a zip what the estimate needs; returns what went wrong, or ""


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

    def plan(self, submission: Path) -> Plan:
        """The zip's plan, by its split. Raises as `make_plan` does."""
        split = find_split(submission, self._options.split)
        if split not in self._plans:
            self._plans[split] = make_plan(submission, self.data, self._options)
        return self._plans[split]

    def expectation(self, run: Run, hidden_images: int | None, top_up: TopUp) -> Expectation:
        """What to expect of the zip that is run, from the past scores of the phase."""
        if self.store is not None and self._reader is None:
            self._reader = PastReader(self.store, run, self.data, self._options)
        reader, options = self._reader, self._options
        past = Past() if reader is None else reader.past(run.submission, top_up)
        if self.several and reader is not None:
            self._everyone = reader.everyone(run.submission)
        decimals = max((score.decimals or 0 for score in past.scores), default=None)
        target = Target(options.phase, options.hidden_images or hidden_images, decimals)
        return Expectation(past, target, options.tolerance, self._made)

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


class Expectation:
    """What to expect of a submission while it is asked; estimate is None until it can be made.

    make: an estimator of conditions, past scores and target.
    """

    def __init__(
        self, past: Past, target: Target, tolerance: float, make: Callable[..., Estimator]
    ) -> None:
        self.past, self.target = past, target
        self.estimate: Estimate | None = None
        self._tolerance, self._make = tolerance, make
        self._estimator: Estimator | None = None

    def renew(self, runner: Runner, part: Round) -> None:
        """Estimate from the answers up to a round."""
        figures = figures_of(runner, part)
        if figures is None:
            return
        if self._estimator is None:  # what the past scores say stays the same in every round
            conditions = described(runner.plan.benchmark("library").conditions)
            self._estimator = self._make(conditions, self.past.scores, self.target)
        self.estimate = self._estimator.estimate(figures)

    @property
    def is_settled(self) -> bool:
        """Whether more answers would hardly narrow the interval."""
        return self.estimate is not None and self.estimate.own_share < self._tolerance

    def line(self, images: int) -> str:
        """For the screen, while it is refined."""
        made = self.estimate
        if made is None:
            return ""
        return (
            f"after {images:,} images: expected hidden score {made.median:.2f}, "
            f"90 % between {made.low:.2f} and {made.high:.2f}"
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


def figures_from(name: str, asked: Counts, right: Counts) -> Figures | None:
    """Of answers counted by the library's conditions; None while a condition lacks an answer."""
    if (asked == 0).any():
        return None
    return Figures(name, tuple((right / asked).tolist()), tuple(asked.tolist()))


@dataclass(frozen=True)
class Past:
    """What is known of earlier submissions. notes: of those that had to be left out, and why."""

    scores: tuple[PastScore, ...] = ()
    lines: tuple[PastLine, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """A past submission that counts. unsplit: no split is known of it."""

    score: PastScore
    line: PastLine
    unsplit: bool


class PastReader:
    """Reads the past submissions of a store, each once, whatever submissions they are past ones of.

    run: of any of these; their data, seed and environment are the same.
    """

    def __init__(self, store: Store, run: Run, data: Dataset, options: Options) -> None:
        self._store, self._run, self._data, self._options = store, run, data, options
        scores = store.scores(options.phase)
        latest = {score.submission.sha256: score for score in scores}  # the last recorded
        self._latest = [score for sha256, score in latest.items() if sha256]
        self._notes = _by_name_only([one for one in scores if not one.submission.sha256])
        self._found: dict[str, _Entry] = {}

    def past(self, own: str, top_up: TopUp) -> Past:
        """The scores of the phase with local figures of the same images, seed and conditions.

        own: SHA-256 of the submission to predict, which is no past one of its own. A submission
        without answers is asked anew where its zip is still to be found.
        """
        used, notes = [], [*self._notes]
        for score in self._latest:
            if score.submission.sha256 == own:
                continue
            entry = self._entry(score, top_up)
            if isinstance(entry, _Entry):
                used.append(entry)
            else:
                notes.append(f"{score.submission.name}, scored {score}, is left out: {entry}")
        if not self._options.held_out:
            notes += _without_split([one.line.name for one in used if one.unsplit])
        scores, lines = tuple(one.score for one in used), tuple(one.line for one in used)
        return Past(scores, lines, tuple(notes))

    def everyone(self, own: str) -> tuple[PastScore, ...]:
        """The scores of all that have been read, and of this submission if it has one."""
        for score in self._latest:
            if score.submission.sha256 == own:
                self._entry(score, lambda _: "not now")
        known = (self._found.get(score.submission.sha256) for score in self._latest)
        return tuple(entry.score for entry in known if entry is not None)

    def _entry(self, score: LeaderboardScore, top_up: TopUp) -> _Entry | str:
        """What is known of it, or what is wrong with it."""
        sha256 = score.submission.sha256
        if sha256 not in self._found:
            try:
                entry = self._stored(score) or self._asked(score, top_up)
            except (DataError, OSError) as error:  # its split, or its zip
                return str(error)
            if isinstance(entry, str):
                return entry
            self._found[sha256] = entry
        return self._found[sha256]

    def _asked(self, score: LeaderboardScore, top_up: TopUp) -> _Entry | str:
        path = Path(score.submission.path)
        if not path.name or not path.is_file():
            return "its answers are not in the store, and its zip is not to be found"
        if sha256_of(path) != score.submission.sha256:
            return f"its answers are not in the store, and {path} is another zip now"
        if not self._store.writable:
            return "its answers are not in the store, which may only be read"
        wrong = top_up(path)
        return wrong or self._stored(score) or "some conditions have no answer yet"

    def _stored(self, score: LeaderboardScore) -> _Entry | None:
        """Out of the run with the same images and seed, in this environment before any other."""
        run, subsets, own = self._run, self._plan.subsets, score.submission
        wanted = (run.data, run.seed, run.dtype)
        runs = self._store.runs(own.sha256)
        same = [one for one in runs if (one.data, one.seed, one.dtype) == wanted]
        kept = self._untrained.of(Path(own.path))
        library, shown = subsets["library"].places, subsets["shown"].places[1:]
        for one in sorted(same, key=lambda one: one.environment != run.environment):
            asked, right = self._answers.counts(one, kept)
            figures = figures_from(own.name, asked[library], right[library])
            if figures is not None:
                return self._made(score, figures, _shown(self._plan, asked[shown], right[shown]))
        return None

    def _made(self, score: LeaderboardScore, figures: Figures, shown: Score | None) -> _Entry:
        own, images = score.submission, (figures.images or (0,))[0]
        clean, predicted = wilson(figures.accuracies[0] * images, images), self._predicted
        exact = score.value, score.decimals, score.phase
        return _Entry(
            PastScore(figures, score.value, score.decimals, score.hidden_images, score.phase),
            PastLine(own.name, clean, shown, *exact, predicted.get(score.id)),
            not own.path or find_split(Path(own.path), None) is None,
        )

    @cached_property
    def _answers(self) -> StoredAnswers:
        return StoredAnswers(self._plan, self._store)

    @cached_property
    def _plan(self) -> Plan:
        return plan_on(Choice(self._data, "all", ()), self._options)

    @cached_property
    def _untrained(self) -> Untrained:
        return Untrained(self._data)

    @cached_property
    def _predicted(self) -> dict[int, Prediction | None]:
        return {row.score.id: row.prediction for row in self._store.history() if row.score}


def _shown(plan: Plan, asked: Counts, right: Counts) -> Score | None:
    """Accuracy under the shown preset, with the interval that its conditions' images give.

    None while one of its conditions has no answer: a mean over the others is another benchmark's.
    """
    if (asked == 0).any():
        return None
    conditions = plan.subsets["shown"].preset.conditions
    weights = np.array([condition.weight for condition in conditions])
    weights = weights / weights.sum()
    value = float(weights @ (right / asked))
    smoothed = (right + 0.5) / (asked + 1)
    half = Z * float(np.sqrt((weights**2 * smoothed * (1 - smoothed) / asked).sum()))
    return Score(value, max(0.0, value - half), min(1.0, value + half), int(asked.sum()))


def _by_name_only(scores: Sequence[LeaderboardScore]) -> list[str]:
    names = ", ".join(dict.fromkeys(score.submission.name for score in scores))
    if not names:
        return []
    left_out = f"The estimate leaves out {names}, known by name only"
    return [f"{left_out}: record the zip itself (local-eval record ZIP --score ...)."]


def _without_split(names: Sequence[str]) -> list[str]:
    """Their local figures may rest on images that they have learnt, which bends the estimate."""
    if not names:
        return []
    said = (
        f"No split is known of {', '.join(names)}, used by the estimate: figures on images that "
        "they were trained on would promise too much (split.json beside the zip, or --held-out)."
    )
    return [said]


def _left_out(every: Sequence[PastScore], scores: Sequence[PastScore]) -> int | None:
    """Which one of all is missing, their number if none is; None where more is different."""
    if len(every) - len(scores) not in (0, 1):
        return None
    pairs = zip(every, scores, strict=False)
    place = next((i for i, (one, other) in enumerate(pairs) if one is not other), len(scores))
    rest = every[place + 1 :] if len(every) > len(scores) else every[place:]
    same = all(one is other for one, other in zip(rest, scores[place:], strict=True))
    return place if same else None
