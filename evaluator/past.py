"""Past submissions of a store: their local figures on the same images, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images import Dataset
from corruptions.presets import FORMER, LIBRARY
from evaluator.answers import Counts
from evaluator.estimate.inputs import Figures, PastScore, Target
from evaluator.estimate.sizes import Size, size_of
from evaluator.metrics import Score, Z, wilson
from evaluator.options import Choice, Options, Untrained, find_split
from evaluator.plan import Plan, plan_on
from evaluator.report.evaluation import PastLine
from evaluator.store.rows import LeaderboardScore, Prediction, Run
from evaluator.store.store import Store
from evaluator.stored_answers import StoredAnswers
from submission.archive import sha256_of

TopUp = Callable[[Path], str]  # asks a zip what the estimate needs; returns what went wrong, or ""


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


@dataclass(frozen=True, eq=False)
class _Counted:
    """Local figures of a submission, and the run and images that they are of."""

    figures: Figures
    shown: Score | None
    run: Run
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class _Entry:
    """A past submission that counts. unsplit: no split is known of it."""

    score: PastScore
    line: PastLine
    unsplit: bool


class PastReader:
    """Reads the past submissions of a store, each once, whatever submissions they are past ones of.

    run: of any of these; their data, seed and environment are the same. classes: the challenge's.
    """

    def __init__(
        self, store: Store, run: Run, data: Dataset, options: Options, classes: Sequence[str]
    ) -> None:
        self._store, self._run, self._data, self._options = store, run, data, options
        self._classes = classes
        scores = self._scores = store.scores(options.phase)
        latest = {score.submission.sha256: score for score in scores}  # the last recorded
        self._latest = [score for sha256, score in latest.items() if sha256]
        self._notes = _by_name_only([one for one in scores if not one.submission.sha256])
        self._found: dict[str, _Entry] = {}

    @property
    def said(self) -> int | None:
        """The hidden set's size as recorded with a score, the last one; None without."""
        return next((s.hidden_images for s in reversed(self._scores) if s.hidden_images), None)

    @cached_property
    def size(self) -> Size | None:
        """The hidden set's size as the phase's scores tell it, whosever they are."""
        return size_of((score.value, score.decimals) for score in self._scores)

    def past(self, own: Collection[str], top_up: TopUp) -> Past:
        """The scores of the phase with local figures of the same images, seed and conditions.

        own: SHA-256 of the submissions to predict, which are no past ones of their own. One without
        answers is asked anew where its zip is still to be found.
        """
        used, notes = [], [*self._notes]
        for score in self._latest:
            if score.submission.sha256 in own:
                continue
            entry = self._entry(score, top_up)
            if isinstance(entry, _Entry):
                used.append(entry)
            else:
                notes.append(f"{score.submission.name}, scored {score}, is not used: {entry}")
        self._answers.keep()
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
        path, known = Path(score.submission.path), "its answers are not in the store"
        if self._answered(score, FORMER):
            known = f"its answers are for the older conditions {FORMER}, not for {LIBRARY}"
        if not path.name or not path.is_file():
            return f"{known}, and its zip cannot be found"
        if sha256_of(path) != score.submission.sha256:
            return f"{known}, and {path} is another zip now"
        if not self._store.writable:
            return f"{known}, and the store may only be read"
        wrong = top_up(path)
        return wrong or self._stored(score) or "some conditions have no answer yet"

    def figures(self, name: str, sha256: str, path: Path) -> Figures | None:
        """Of any submission that has answered before; None where some condition lacks an answer."""
        found = self._counted(name, sha256, path)
        return None if found is None else found.figures

    def _stored(self, score: LeaderboardScore) -> _Entry | None:
        own = score.submission
        found = self._counted(own.name, own.sha256, Path(own.path))
        return None if found is None else self._made(score, found)

    def _counted(self, name: str, sha256: str, path: Path) -> _Counted | None:
        """Out of the run with the same images and seed, in this environment before any other."""
        run, subsets = self._run, self._plan.subsets
        wanted = (run.data, run.seed, run.dtype)
        runs = self._store.runs(sha256)
        same = [one for one in runs if (one.data, one.seed, one.dtype) == wanted]
        kept = self._untrained.of(path)
        library, shown = subsets["library"].places, subsets["shown"].places[1:]
        for one in sorted(same, key=lambda one: one.environment != run.environment):
            asked, right = self._answers.counts(one, kept)
            figures = figures_from(name, asked[library], right[library])
            if figures is not None:
                local = _shown(self._plan, asked[shown], right[shown])
                return _Counted(figures, local, one, kept)
        return None

    def _answered(self, score: LeaderboardScore, preset: str) -> bool:
        """Whether it has answers to all conditions of a preset."""
        plan = plan_on(
            Choice(self._data, "all", ()), replace(self._options, corrupt=preset, estimate=False)
        )
        reader, every = StoredAnswers(plan, self._store), np.ones(len(self._data), bool)
        runs = self._store.runs(score.submission.sha256)
        own = [one for one in runs if (one.data, one.seed) == (self._run.data, self._run.seed)]
        return any((reader.counts(one, every)[0] > 0).all() for one in own)

    def _made(self, score: LeaderboardScore, found: _Counted) -> _Entry:
        own, figures = score.submission, found.figures
        images = (figures.images or (0,))[0]
        clean, predicted = wilson(figures.accuracies[0] * images, images), self._predicted
        value, decimals, phase, mine = score.value, score.decimals, score.phase, score.mine
        past = PastScore(figures, value, decimals, score.hidden_images, phase, mine)
        return _Entry(
            replace(past, classes=self._by_class(score, past, found)),
            PastLine(
                *(own.name, clean, found.shown, value),
                *(decimals, phase, predicted.get(score.id), mine),
                score.class_scores.by_name if score.class_scores else None,
            ),
            not own.path or find_split(Path(own.path), None) is None,
        )

    def _by_class(
        self, score: LeaderboardScore, past: PastScore, found: _Counted
    ) -> tuple[PastScore, ...]:
        """Its recalls as scores of their own; () where they are not of the challenge's classes."""
        known = score.class_scores
        if known is None or (recalls := known.of(self._classes)) is None:
            return ()
        library = self._plan.subsets["library"].places
        whole, good = self._answers.counts_by_class(found.run, found.kept, len(self._classes))
        if not whole[:, 0].all():  # no image of some class
            return ()
        shares = (whole[:, 0] / whole[:, 0].sum()).tolist()
        pairs = zip(recalls, shares, whole[:, library], good[:, library], strict=True)
        return tuple(
            replace(
                past,
                figures=_of_class(past.figures, asked, right),
                value=value,
                decimals=known.decimals,
                share=share,
            )
            for value, share, asked, right in pairs
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


def target_of(
    scores: Sequence[PastScore], challenge: Challenge, options: Options, reader: PastReader | None
) -> Target:
    """The score to predict: its phase, how many hidden images there are, how it will be shown."""
    decimals = max((score.decimals or 0 for score in scores), default=None)
    recorded = None if reader is None else reader.said
    hidden = options.hidden_images or challenge.hidden_images or recorded
    counts = challenge.metric == "accuracy"  # only its scores are right answers of all
    found = reader.size if reader and counts and not hidden else None
    return Target(options.phase, hidden, decimals, found)


def _of_class(whole: Figures, asked: Counts, right: Counts) -> Figures:
    """A class's figures; a condition without an image of it is as if one had the mean of all."""
    usual = np.array(whole.accuracies)
    shares = np.where(asked > 0, right / np.maximum(asked, 1), usual)
    return Figures(whole.name, tuple(shares.tolist()), tuple(np.maximum(asked, 1).tolist()))


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
    unused = f"The estimate does not use {names}, known by name only"
    return [f"{unused}: record the zip itself (local-eval record ZIP --score ...)."]


def _without_split(names: Sequence[str]) -> list[str]:
    """Their local figures may rest on images that they have learnt, which bends the estimate."""
    if not names:
        return []
    said = (
        f"No split is known of {', '.join(names)}, used by the estimate: it is too high if they "
        "were trained on these images (split.json beside the zip, or --held-out)."
    )
    return [said]
