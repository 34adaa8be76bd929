"""Which submissions of a store can be compared, and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import few, shown
from corruptions.presets import Preset
from evaluator.board.common import Common, RunReader, in_common
from evaluator.board.figures import BoardFigures, board_figures
from evaluator.board.ranks import Ranks, ahead, ranked
from evaluator.board.result import MOST_PAIRS, BoardSource, Pairs
from evaluator.plan import CLEAN
from evaluator.store.measured import Truth
from evaluator.store.rows import Run, Submission, condition_text
from evaluator.store.store import Store

ASK = "local-eval ZIP --data FILE"
SHORT = 8  # digits of a hash that people are shown
_Key = tuple[str, int, str]  # data, seed, dtype


@dataclass(frozen=True, eq=False)
class Compared:
    """What was compared. place: of a submission's number among the compared ones.

    why: of the others, by their numbers. notes: sentences that qualify the figures.
    """

    source: BoardSource
    why: Mapping[int, str]
    notes: tuple[str, ...] = ()
    place: Mapping[int, int] = field(default_factory=dict)
    figures: BoardFigures | None = None
    ranks: Ranks | None = None

    def pairs(self, order: Sequence[int]) -> Pairs | None:
        """Of the best ones. order: places among the compared ones, the best first."""
        if self.figures is None or self.ranks is None or len(order) < 2:
            return None
        best = np.array(order[:MOST_PAIRS])
        return Pairs(ahead(self.figures.drawn[best]), self.ranks.verdicts[np.ix_(best, best)])


def compared(
    store: Store,
    known: Sequence[Submission],
    preset: Preset,
    source: BoardSource,
    data: str = "",
    seed: int | None = None,
) -> Compared:
    """Figures of all that have answered the same questions.

    source: what is known of it; images and answers are filled in. data: the start of a data file's
    fingerprint. Raises `EvaluationError` where no answers are on such data.
    """
    of_sha = {one.sha256: one for one in known if one.sha256}
    why = {one.id: unanswered(one) for one in known}
    group = _group(store, of_sha, data, seed)
    if group is None:
        return Compared(source, why, (f"No answers are stored yet: {ASK} on each of them first.",))
    why |= {of_sha[sha256].id: "answered on other images alone" for sha256 in group.elsewhere}
    source = replace(source, fingerprint=group.data[:16], seed=group.seed)
    truth = store.truth(group.data)
    if truth is None:
        nothing = (
            "The right labels of these images are not in the store yet, so no answer can be "
            f"judged: {ASK} once more on one of the submissions; kept answers are not run again."
        )
        return Compared(source, why, (nothing,))
    number = {run.submission: of_sha[run.submission].id for run, _ in group.runs}
    found = _judged(store, preset, group, truth, replace(source, data=truth.source), number)
    return replace(found, why={**why, **found.why})


def _judged(
    store: Store,
    preset: Preset,
    group: _Group,
    truth: Truth,
    source: BoardSource,
    number: Mapping[str, int],
) -> Compared:
    """number: of each submission, by its SHA-256."""
    conditions = (CLEAN, *preset.conditions)
    reader = RunReader(store, truth, [condition_text(one) for one in conditions])
    runs = _best_runs(group.runs)
    common, asked = in_common(reader, runs), f"{ASK} --corrupt {source.preset}"
    if common is None:
        nothing = f"Nobody has answered benchmark {source.preset!r} on these images: {asked}, or "
        return Compared(source, {}, (f"{nothing}name another (--corrupt).", *group.notes))
    figures = board_figures(reader, runs, common, conditions, group.seed)
    return Compared(
        replace(source, images=len(common.images), answers=int(common.asked.sum())),
        {number[run.submission]: f"some answers are missing: {asked}" for run in runs},
        (*_environments(runs, common), *group.notes),
        {number[runs[at].submission]: place for place, at in enumerate(common.runs)},
        figures,
        ranked(figures.values, figures.drawn, len(common.images)),
    )


def unanswered(one: Submission) -> str:
    """Why a submission without answers has no rank."""
    return f"no answers stored: {ASK}" if one.sha256 else "known by name only"


@dataclass(frozen=True)
class _Group:
    """Runs on one data file under one seed. elsewhere: SHA-256 of those that have runs on others.

    notes: which others there are.
    """

    data: str
    seed: int
    runs: tuple[tuple[Run, int], ...]
    elsewhere: tuple[str, ...]
    notes: tuple[str, ...]


def _group(
    store: Store, of_sha: Mapping[str, Submission], data: str, seed: int | None
) -> _Group | None:
    """The runs that most submissions share images and seed with; None where there is none."""
    every: dict[_Key, list[tuple[Run, int]]] = {}
    for run, count in store.every_run():
        if run.submission in of_sha and count:
            every.setdefault((run.data, run.seed, run.dtype), []).append((run, count))
    wanted = [key for key in every if key[0].startswith(data) and seed in (None, key[1])]
    if not wanted:
        if every and (data or seed is not None):
            there = few([_named(key) for key in every])
            raise EvaluationError(
                f"no answers on such images: the store has those on {there}. Choose among these "
                "(--fingerprint START, --seed N)"
            )
        return None
    sizes = {key: len({run.submission for run, _ in every[key]}) for key in wanted}
    best = max(wanted, key=lambda key: (sizes[key], wanted.index(key)))  # the newest of equal ones
    others = [key for key in every if key != best]
    elsewhere = tuple(run.submission for key in others for run, _ in every[key])
    notes = (_other_groups(others),) if others else ()
    return _Group(best[0], best[1], tuple(every[best]), elsewhere, notes)


def _named(key: _Key) -> str:
    return f"{key[0][:SHORT]} (seed {key[1]})"


def _other_groups(others: Sequence[_Key]) -> str:
    return (
        "Answers on other images or under other seeds are left out: "
        f"{few([_named(key) for key in others])}; --fingerprint START and --seed N choose them."
    )


def _best_runs(runs: Sequence[tuple[Run, int]]) -> list[Run]:
    """Of each submission the run with the most answers: those of two environments never mix."""
    best: dict[str, tuple[Run, int]] = {}
    for run, count in runs:
        if run.submission not in best or count >= best[run.submission][1]:
            best[run.submission] = (run, count)
    return [run for run, _ in best.values()]


def _environments(runs: Sequence[Run], common: Common) -> list[str]:
    found = Counter(runs[place].environment for place in common.runs)
    if len(found) < 2:
        return []
    told = "; ".join(f"{count} under {shown(name)}" for name, count in found.most_common(4))
    return [f"The submissions ran under {len(found)} environments ({told})."]
