"""Past submissions with their scores: their local figures out of the store, asked anew if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cells import Dataset, read_split
from evaluator.book import Book
from evaluator.choice import Choice, find_split
from evaluator.estimation.inputs import Figures, PastScore
from evaluator.forecast import figures_of
from evaluator.plan import Plan, plan_on
from evaluator.result import PastLine, Score
from evaluator.scores import wilson
from evaluator.store import LeaderboardScore, Run, Store
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


NOTHING = Past((), (), ())


def past_scores(store: Store, run: Run, data: Dataset, options: Options, top_up: TopUp) -> Past:
    """The scores of the phase with local figures of the same images, seed and cells.

    The submission of `run` itself is no past one of its own. A submission without answers is asked
    anew where its zip is still to be found.
    """
    others = _latest(store, options.phase, run.submission)
    if not others:
        return NOTHING
    plan = plan_on(Choice(data, "all", ()), options)
    scores, lines, notes = [], [], []
    for found in others:
        figures, wrong = _figures(store, run, plan, found, top_up)
        if figures is None:
            notes.append(f"{found.submission.name}, scored {found}, is left out: {wrong}")
            continue
        scores.append(
            PastScore(figures, found.value, found.decimals, found.hidden_images, found.phase)
        )
        lines.append(_line(store, plan, figures, found))
    return Past(tuple(scores), tuple(lines), tuple(notes))


def _latest(store: Store, phase: str, own: str) -> list[LeaderboardScore]:
    """One score a submission, the last recorded; of those whose zip is known, and not our own."""
    scores = {score.submission.sha256: score for score in store.scores(phase)}
    return [score for sha256, score in scores.items() if sha256 not in ("", own)]


def _figures(
    store: Store, run: Run, plan: Plan, score: LeaderboardScore, top_up: TopUp
) -> tuple[Figures | None, str]:
    figures = _stored_figures(store, run, plan, score)
    if figures is not None:
        return figures, ""
    path = Path(score.submission.path) if score.submission.path else None
    if path is None or not path.is_file():
        return None, "its answers are not in the store, and its zip is not to be found"
    if sha256_of(path) != score.submission.sha256:
        return None, f"its answers are not in the store, and {path} is another zip now"
    wrong = top_up(path)
    figures = None if wrong else _stored_figures(store, run, plan, score)
    return figures, wrong or "some cells have no answer yet"


def _stored_figures(store: Store, run: Run, plan: Plan, score: LeaderboardScore) -> Figures | None:
    """Out of the run with the same images and seed, in this environment before any other."""
    sha256 = score.submission.sha256
    wanted = (run.data, run.seed, run.dtype)
    runs = [r for r in store.runs(sha256) if (r.data, r.seed, r.dtype) == wanted]
    kept = not_trained_on(Path(score.submission.path), plan.data)
    for one in sorted(runs, key=lambda r: r.environment != run.environment):
        figures = figures_of(plan, Book(plan, one, store), score.submission.name, kept=kept)
        if figures is not None:
            return figures
    return None


def not_trained_on(submission: Path, data: Dataset, given: str | None = None) -> NDArray[np.bool_]:
    """Which images a submission has not been trained on, as far as a split tells, bool `(n,)`.

    given: the split's file; the one beside the zip when left out.
    """
    split = find_split(submission, given) if submission.name else None
    if split is None:
        return np.ones(len(data), bool)
    return np.asarray(read_split(split).side(data) != "train")


def _line(store: Store, plan: Plan, figures: Figures, score: LeaderboardScore) -> PastLine:
    predicted = next(
        (row.prediction for row in store.history() if row.score and row.score.id == score.id), None
    )
    images = figures.images or ()
    clean = wilson(figures.accuracies[0] * images[0], images[0])
    shown = _shown_places(plan)
    return PastLine(
        score.submission.name,
        clean,
        _mean(figures, shown),
        score.value,
        score.decimals,
        score.phase,
        predicted,
    )


def _shown_places(plan: Plan) -> Sequence[tuple[int, float]]:
    """Positions and weights of the shown preset's cells in the library; all of it if some are missing."""
    library = plan.places["library"].tolist()
    wanted = list(zip(plan.places["shown"][1:].tolist(), plan.shown.preset.cells, strict=True))
    if all(place in library for place, _ in wanted):
        return [(library.index(place), cell.weight) for place, cell in wanted]
    return [(place, 1.0) for place in range(1, len(library))]


def _mean(figures: Figures, places: Sequence[tuple[int, float]]) -> Score:
    """A weighted mean over cells, with the interval that the cells' images give."""
    at = [place for place, _ in places]
    weights = np.array([weight for _, weight in places])
    weights = weights / weights.sum()
    shares = np.array(figures.accuracies)[at]
    images = np.array(figures.images)[at]
    value = float(weights @ shares)
    smoothed = (shares * images + 0.5) / (images + 1)
    half = _Z * float(np.sqrt((weights**2 * smoothed * (1 - smoothed) / images).sum()))
    return Score(value, max(0.0, value - half), min(1.0, value + half), int(images.sum()))
