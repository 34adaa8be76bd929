"""Past submissions with their scores: local figures out of the store, asked anew if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images import Dataset, read_split
from evaluator.estimate.inputs import Figures, PastScore
from evaluator.metrics import Score, Z, wilson
from evaluator.options import Choice, Options, find_split
from evaluator.plan import Plan, plan_on
from evaluator.report.evaluation import PastLine
from evaluator.store.rows import RunAnswers
from evaluator.store.store import LeaderboardScore, Prediction, Run, Store
from submission.archive import sha256_of

TopUp = Callable[[Path], str]  # asks a zip what the estimate needs; returns what went wrong, or ""


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


class Untrained:
    """Which images a submission has not been trained on, as far as a split tells.

    given: the split's file; the one beside each zip when left out. Each split is read once.
    """

    def __init__(self, data: Dataset, given: str | None = None) -> None:
        self._data, self._given = data, given
        self._known: dict[Path, NDArray[np.bool_]] = {}

    def of(self, submission: Path) -> NDArray[np.bool_]:
        """Bool `(n,)`. Raises `DataError` for a broken split."""
        split = find_split(submission, self._given) if submission.name else None
        if split is None:
            return np.ones(len(self._data), bool)
        if split not in self._known:
            self._known[split] = np.asarray(read_split(split).side(self._data) != "train")
        return self._known[split]


def figures_from(name: str, asked: Counts, right: Counts) -> Figures | None:
    """Of answers counted by the library's conditions; None while a condition lacks an answer."""
    if (asked == 0).any():
        return None
    return Figures(name, tuple((right / asked).tolist()), tuple(asked.tolist()))


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


# Most submissions were asked the same: then it is found out once where in the plan each of their
# answers belongs, and which label would be right.


UNKNOWN = -1
_DENSE = 10_000_000  # ids below may be looked up in a table
_NARROW = 128  # labels below fit into a byte, with -1 for unknown
Labels = NDArray[np.signedinteger]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a run was asked. rows, conditions: in the plan, `(m,)`. truth: the right labels, `(m,)`.

    known: which of it belongs to the plan, bool `(m,)`. counts: of that, by condition of the plan.
    """

    of: RunAnswers
    rows: Counts
    conditions: Counts
    known: Mask
    truth: Counts
    counts: Counts


class StoredAnswers:
    """Reads runs against one plan, whose data are those of the runs."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._last: _Asked | None = None

    def labels(self, run: Run) -> tuple[Labels, int]:
        """The labels by image and condition of the plan, `(n, conditions)`; -1 where unknown.

        In as few bytes as will do; and how many answers of the run are stored, of the plan or not.
        """
        found = self._store.run_answers(run, self._plan.texts)
        asked, given = self._asked(found), found.labels
        narrow = given.max(initial=0) < _NARROW
        shape = len(self._plan.data), len(self._plan.texts)
        labels = np.full(shape, UNKNOWN, np.int8 if narrow else np.int64)
        if asked.known.all():
            labels[asked.rows, asked.conditions] = given
        else:
            own = asked.known
            labels[asked.rows[own], asked.conditions[own]] = given[own]
        return labels, found.total

    def counts(self, run: Run, kept: Mask) -> tuple[Counts, Counts]:
        """Answers by condition of the plan, and how many of them are right, `(conditions,)` each.

        kept: bool `(n,)`, which of the plan's images count.
        """
        found, size = self._store.run_answers(run, self._plan.texts), len(self._plan.texts)
        asked = self._asked(found)
        counted, given = asked.known, asked.counts
        if not kept.all():
            counted = counted & kept[asked.rows]
            given = np.bincount(asked.conditions[counted], minlength=size)
        right = counted & (found.labels == asked.truth)
        return given, np.bincount(asked.conditions[right], minlength=size)

    def _asked(self, found: RunAnswers) -> _Asked:
        if self._last is None or not self._last.of.asks_the_same(found):
            position = {text: place for place, text in enumerate(self._plan.texts)}
            places = np.array([position.get(t, UNKNOWN) for t in found.conditions], np.int64)
            ids, data = found.ids(), self._plan.data
            rows, conditions = rows_of(data.ids, ids), np.repeat(places, found.counts)
            known = (data.ids[rows] == ids) & (conditions != UNKNOWN)
            counts = np.bincount(conditions[known], minlength=len(position))
            self._last = _Asked(found, rows, conditions, known, data.labels[rows], counts)
        return self._last


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
