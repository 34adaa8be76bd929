"""Past submissions with their scores: their local figures out of the store, asked anew if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images import Dataset, read_split
from evaluator.ask import UNKNOWN, Book, Labels, placed, rows_of
from evaluator.choice import Choice, find_split
from evaluator.estimate.inputs import Figures, PastScore
from evaluator.forecast import figures_from, tally
from evaluator.metrics import wilson
from evaluator.plan import Plan, plan_on
from evaluator.report.evaluation import PastLine
from evaluator.report.result import Score
from evaluator.store.store import LeaderboardScore, Prediction, Run, RunBytes, Store
from submission.archive import sha256_of

if TYPE_CHECKING:
    from evaluator.options import Options


TopUp = Callable[[Path], str]  # asks a zip what the estimate needs; returns what went wrong, or ""
_Z = 1.959964


@dataclass(frozen=True)
class Past:
    """What is known of earlier submissions. notes: of those that had to be left out, and why."""

    scores: tuple[PastScore, ...]
    lines: tuple[PastLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Answers:
    """What the store holds of a past submission: on the library, and under the shown preset."""

    figures: Figures
    shown: Score | None


@dataclass(frozen=True)
class _Entry:
    """A past submission that counts. unsplit: no split is known of it."""

    score: PastScore
    line: PastLine
    unsplit: bool


NOTHING = Past((), (), ())


class PastReader:
    """Reads the past submissions of a store, each once, whatever submissions they are past ones of.

    run: of any of these; their data, seed and environment are the same.
    """

    def __init__(self, store: Store, run: Run, data: Dataset, options: Options) -> None:
        self._store, self._run, self._data, self._options = store, run, data, options
        self._latest = _latest(store, options.phase)
        self._by_name = _by_name_only(store, options.phase)
        self._found: dict[str, _Entry] = {}

    def past(self, own: str, top_up: TopUp) -> Past:
        """The scores of the phase with local figures of the same images, seed and conditions.

        own: SHA-256 of the submission to predict, which is no past one of its own. A submission
        without answers is asked anew where its zip is still to be found.
        """
        used, notes = [], [*self._by_name]
        for score in self._latest:
            if (sha256 := score.submission.sha256) == own:
                continue
            if sha256 not in self._found:
                wrong = self._read(score, top_up)
                if wrong:
                    notes.append(f"{score.submission.name}, scored {score}, is left out: {wrong}")
                    continue
            used.append(self._found[sha256])
        unsplit = [] if self._options.held_out else [one.line.name for one in used if one.unsplit]
        scores, lines = tuple(one.score for one in used), tuple(one.line for one in used)
        return Past(scores, lines, (*notes, *_without_split(unsplit)))

    def everyone(self, own: str) -> tuple[PastScore, ...]:
        """The scores of all that have been read, and of this submission if it has one."""
        for score in self._latest:
            if score.submission.sha256 == own and own not in self._found:
                self._read(score, lambda _: "not now")
        known = (self._found.get(score.submission.sha256) for score in self._latest)
        return tuple(entry.score for entry in known if entry is not None)

    def _read(self, score: LeaderboardScore, top_up: TopUp) -> str:
        """What is wrong with it, or ""."""
        try:
            answers, wrong = self._answers(score, top_up)
        except (DataError, OSError) as error:  # its split, or its zip
            return str(error)
        if answers is None:
            return wrong
        path = score.submission.path
        self._found[score.submission.sha256] = _Entry(
            PastScore(
                answers.figures, score.value, score.decimals, score.hidden_images, score.phase
            ),
            _line(answers, score, self._predicted.get(score.id)),
            not path or find_split(Path(path), None) is None,
        )
        return ""

    def _answers(self, score: LeaderboardScore, top_up: TopUp) -> tuple[_Answers | None, str]:
        found = self._stored(score)
        if found is not None:
            return found, ""
        path = Path(score.submission.path) if score.submission.path else None
        if path is None or not path.is_file():
            return None, "its answers are not in the store, and its zip is not to be found"
        if sha256_of(path) != score.submission.sha256:
            return None, f"its answers are not in the store, and {path} is another zip now"
        if not self._store.writable:
            return None, "its answers are not in the store, which may only be read"
        wrong = top_up(path)
        found = None if wrong else self._stored(score)
        return found, wrong or "some conditions have no answer yet"

    def _stored(self, score: LeaderboardScore) -> _Answers | None:
        """Out of the run with the same images and seed, in this environment before any other."""
        run, places = self._run, self._plan.places
        wanted = (run.data, run.seed, run.dtype)
        runs = self._store.runs(score.submission.sha256)
        same = [one for one in runs if (one.data, one.seed, one.dtype) == wanted]
        kept = self._untrained.of(Path(score.submission.path))
        for one in sorted(same, key=lambda one: one.environment != run.environment):
            asked, right = self._alike.counts(one, kept)
            library, shown = places["library"], places["shown"][1:]
            figures = figures_from(score.submission.name, asked[library], right[library])
            if figures is not None:
                return _Answers(figures, _shown(self._plan, asked[shown], right[shown]))
        return None

    @cached_property
    def _alike(self) -> Alike:
        return Alike(self._plan, self._store)

    @cached_property
    def _plan(self) -> Plan:
        return plan_on(Choice(self._data, "all", ()), self._options)

    @cached_property
    def _untrained(self) -> Untrained:
        return Untrained(self._data)

    @cached_property
    def _predicted(self) -> dict[int, Prediction | None]:
        return {row.score.id: row.prediction for row in self._store.history() if row.score}


def _by_name_only(store: Store, phase: str) -> list[str]:
    names = dict.fromkeys(
        score.submission.name for score in store.scores(phase) if not score.submission.sha256
    )
    if not names:
        return []
    left_out = f"The estimate leaves out {', '.join(names)}, known by name only"
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


def _latest(store: Store, phase: str) -> list[LeaderboardScore]:
    """One score a submission, the last recorded; of those whose zip is known."""
    scores = {score.submission.sha256: score for score in store.scores(phase)}
    return [score for sha256, score in scores.items() if sha256]


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


def _line(answers: _Answers, score: LeaderboardScore, predicted: Prediction | None) -> PastLine:
    figures = answers.figures
    images = figures.images or ()
    clean = wilson(figures.accuracies[0] * images[0], images[0])
    name, value, decimals = score.submission.name, score.value, score.decimals
    return PastLine(name, clean, answers.shown, value, decimals, score.phase, predicted)


def _shown(plan: Plan, asked: NDArray[np.int64], right: NDArray[np.int64]) -> Score | None:
    """Accuracy under the shown preset, with the interval that its conditions' images give.

    None while one of its conditions has no answer: a mean over the others is another benchmark's.
    """
    if (asked == 0).any():
        return None
    weights = np.array([condition.weight for condition in plan.shown.preset.conditions])
    weights = weights / weights.sum()
    value = float(weights @ (right / asked))
    smoothed = (right + 0.5) / (asked + 1)
    half = _Z * float(np.sqrt((weights**2 * smoothed * (1 - smoothed) / asked).sum()))
    return Score(value, max(0.0, value - half), min(1.0, value + half), int(asked.sum()))


# Answers of many submissions that were asked the same: read as they are stored, in a third of the time.
#
# What they were asked is the same bytes in the store, submission after submission: which image an answer
# belongs to, and which label would be right, is found out once. Where it is another question, or the
# bytes are not so simple, they are read as any others are.


Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
_NARROW = 128  # labels below fit into a byte, with -1 for unknown


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a run was asked. of: its bytes. rows, conditions: of the plan, or conditions -1, `(m,)` each.

    known: which of it belongs to the plan, `(m,)`. truth: uint8 `(m,)`, where `judged`, bool `(m,)`.
    places: each stored cell's place in the plan, or -1.
    """

    of: RunBytes
    rows: Counts
    conditions: Counts
    known: Mask
    truth: NDArray[np.uint8]
    judged: Mask
    places: Counts


class Alike:
    """Reads runs against one plan, whose data are those of the runs."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._last: _Asked | None = None

    def counts(self, run: Run, kept: Mask) -> tuple[Counts, Counts]:
        """Answers by condition of the plan that count, and how many are right; kept: see `tally`."""
        found, conditions = self._store.run_bytes(run), len(self._plan.texts)
        if found is None or not kept.all():
            questions, labels = placed(self._plan, self._store.run_answers(run))
            return tally(self._plan, questions, labels, conditions, kept)
        asked = self._asked(found)
        right = np.frombuffer(found.labels, np.uint8) == asked.truth
        right &= asked.judged
        starts = np.cumsum(found.counts) - found.counts
        sums = np.add.reduceat(right.view(np.uint8), starts, dtype=np.int64)
        by_condition = np.zeros(conditions, np.int64)
        there = asked.places != UNKNOWN
        by_condition[asked.places[there]] = sums[there]
        return np.bincount(asked.conditions[asked.known], minlength=conditions), by_condition

    def labels(self, run: Run) -> Labels:
        """What `Book.labels` holds, in as few bytes as will do."""
        found = self._store.run_bytes(run, self._plan.texts)
        if found is None or np.frombuffer(found.labels, np.uint8).max() >= _NARROW:
            labels = Book(self._plan, run, self._store).labels
            return labels.astype(np.int8) if labels.max(initial=0) < _NARROW else labels
        asked = self._asked(found)
        given = np.full((len(self._plan.data), len(self._plan.texts)), UNKNOWN, np.int8)
        there = asked.known
        if there.all():
            given[asked.rows, asked.conditions] = np.frombuffer(found.labels, np.int8)
        else:
            own = np.frombuffer(found.labels, np.int8)[there]
            given[asked.rows[there], asked.conditions[there]] = own
        return given

    def _asked(self, found: RunBytes) -> _Asked:
        if self._last is None or not _same(self._last.of, found):
            self._last = _asked(self._plan, found)
        return self._last


def _asked(plan: Plan, found: RunBytes) -> _Asked:
    ids, position = found.ids(), {text: place for place, text in enumerate(plan.texts)}
    rows = rows_of(plan.data.ids, ids)
    places = np.array([position.get(text, UNKNOWN) for text in found.conditions], np.int64)
    conditions = np.repeat(places, found.counts)
    known = (plan.data.ids[rows] == ids) & (conditions != UNKNOWN)
    truth = plan.data.labels[rows]
    judged = known & (truth >= 0) & (truth < 256)
    return _Asked(found, rows, conditions, known, truth.astype(np.uint8), judged, places)


def _same(one: RunBytes, two: RunBytes) -> bool:
    same = (one.steps, one.conditions) == (two.steps, two.conditions)
    return same and np.array_equal(one.counts, two.counts)


__all__ = ["Alike"]
