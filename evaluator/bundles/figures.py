"""From runs to figures: how far damage moves the score, how sure that is, what to expect.

An interval comes from resampled rows, the same rows clean and damaged, and is never narrower than
what two equal clean runs differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.console.words import counted, few, shown
from corruptions.presets import CLEAN
from evaluator.bundles.choice import Choice
from evaluator.bundles.expecting import Measured, Past, expected_of
from evaluator.bundles.result import BundleCondition, Expected, Interval
from evaluator.bundles.rows import Aligned, align, interval, left_files
from evaluator.bundles.running import Run, Runner
from evaluator.estimate.gaussians import Floats

ENOUGH = 3  # conditions that change no answer are no chance any more
_COMPUTED = ("avg", "sum", "min", "max")


@dataclass(frozen=True)
class Asked:
    """A run, and what was damaged in it; None for nothing."""

    choice: Choice | None
    run: Run


@dataclass(frozen=True)
class Judged:
    """The figures of a report, as its fields are called."""

    clean: BundleCondition
    again: float | None
    scatter: float | None
    conditions: tuple[BundleCondition, ...]
    rows: str
    notes: tuple[str, ...]
    expected: Expected


@dataclass(frozen=True, eq=False)
class Samples:
    """Scores on the same resampled rows by run, `(b,)` each, None without.

    said: what they rest on. rows: how many.
    """

    by_run: Sequence[Floats | None]
    said: str
    rows: int | None = None


def judged(asked: Sequence[Asked], again: Run | None, column: Column, runner: Runner) -> Judged:
    """All figures. asked: the clean run first. again: the second clean one."""
    clean = _value(asked[0].run, column)
    second = _value(again, column) if again is not None else None
    scatter = None if clean is None or second is None else abs(clean - second)
    samples = samples_of(asked, column, runner)
    worse = 1.0 if column.sorting == "asc" else -1.0
    rows = []
    for one, drawn in zip(asked, samples.by_run, strict=True):
        rows.append(_row(one, clean, column, drawn, samples.by_run[0], worse, scatter or 0.0))
    return Judged(
        rows[0],
        second,
        scatter,
        tuple(rows[1:]),
        samples.said,
        (*_notes(asked[0].run, again, column, scatter), *_unmoved([one.run for one in asked])),
        _expected(asked, column, samples.rows, runner),
    )


def _row(
    one: Asked,
    clean: float | None,
    column: Column,
    drawn: Floats | None,
    clean_drawn: Floats | None,
    worse: float,
    floor: float,
) -> BundleCondition:
    run, choice, value = one.run, one.choice, _value(one.run, column)
    lost = None if value is None or clean is None or choice is None else worse * (value - clean)
    paired = None
    if drawn is not None and clean_drawn is not None and lost is not None:
        paired = _interval(worse * (drawn - clean_drawn), lost, floor)
    return BundleCondition(
        name=choice.name if choice else CLEAN,
        family=choice.family if choice else "",
        severity=choice.severity if choice else 0,
        status=run.status,
        message=run.message,
        cause=run.cause,
        value=value,
        interval=_interval(drawn, value, floor),
        lost=lost,
        lost_interval=paired,
        scores=run.scores,
        seconds=run.seconds,
    )


def _interval(drawn: Floats | None, value: float | None, floor: float) -> Interval | None:
    found = None if drawn is None or value is None else interval(drawn)
    if found is None or value is None:
        return None
    return Interval(*found).widened(value, floor)


def _value(run: Run, column: Column) -> float | None:
    return run.scores.get(column.key) if run.finished else None


def _notes(clean: Run, again: Run | None, column: Column, scatter: float | None) -> list[str]:
    said = []
    if clean.finished and column.key not in clean.scores:
        has = few(sorted(clean.scores)) or "no score"
        said.append(
            f"The scoring program wrote no {shown(column.key)}, but {has}: choose a column "
            "(--column KEY)."
        )
    if again is not None and not again.finished:
        said.append(
            f"The second clean run failed ({shown(again.message or again.cause)}): it runs "
            "differently from time to time, so no corrupted images were run."
        )
    if scatter:
        said.append(
            f"Two clean runs differ by {scatter:.3g}: no interval is narrower than that to either "
            "side."
        )
    return said


def _unmoved(runs: Sequence[Run]) -> list[str]:
    """Where the same bytes were answered every time: equal scores would look like robustness."""
    clean, *others = [one.files if one.finished else () for one in runs]
    if len(others) < ENOUGH or not any(clean) or any(one != clean for one in others):
        return []
    said = (
        f"The answers to clean and corrupted images are the same in all {len(runs)} runs, byte for "
        "byte. Either the submission does not look at what was corrupted (a constant answer, other "
        "files: --perturb GLOB chooses which), or no corruption changes any of its answers."
    )
    return [said]


def samples_of(asked: Sequence[Asked], column: Column, runner: Runner) -> Samples:
    """Of runs that have a score, whosesoever; tasks are resampled apart, their mean is the figure.

    runner: of any of them; bundle, phase and seed are the same.
    """
    nothing = [None] * len(asked)
    scored = [at for at, one in enumerate(asked) if _value(one.run, column) is not None]
    if len(scored) < 2:  # nothing was damaged
        return Samples(nothing, "")
    tasks = runner.bundle.tasks_of(runner.phase)
    if len(tasks) > 1 and column.computation in _COMPUTED:
        said = f"Without intervals: the site computes {shown(column.key)} out of other columns."
        return Samples(nothing, said)
    found: list[Aligned] = []
    for place, task in enumerate(tasks):
        references = left_files(task.reference_data) if task.reference_data else {}
        runs = [(asked[at].run.files[place], asked[at].run.tasks[place]) for at in scored]
        if not all(column.key in scores for _, scores in runs):
            return Samples(nothing, f"Without intervals: a task has no {shown(column.key)}.")
        made = align([(files, scores[column.key]) for files, scores in runs], references)
        if made is None:
            return Samples(nothing, _unaligned(column))
        found.append(made)
    by_task = [made.spread(runner.seed + place) for place, made in enumerate(found)]
    means = dict(zip(scored, _means(by_task), strict=True))
    rows = sum(made.rows for made in found)
    said = (
        f"Intervals: 95 % of resamples of {counted(rows, 'row')}; the score is the {found[0].line}."
    )
    return Samples([means.get(at) for at in range(len(asked))], said, rows)


def _unaligned(column: Column) -> str:
    return (
        f"Without intervals: no predictions were found that line up with the reference data and "
        f"give {shown(column.key)} by a metric known here."
    )


def _means(by_task: Sequence[Sequence[Floats | None]]) -> list[Floats | None]:
    """Of the tasks' resamples, run by run; as many as the task with the fewest has."""
    means: list[Floats | None] = []
    for each in zip(*by_task, strict=True):
        known = [one for one in each if one is not None]
        shortest = min(map(len, known), default=0)
        complete = len(known) == len(each)
        means.append(np.mean([one[:shortest] for one in known], axis=0) if complete else None)
    return means


def _expected(asked: Sequence[Asked], column: Column, rows: int | None, runner: Runner) -> Expected:
    measured = Measured(
        _value(asked[0].run, column),
        tuple((one.choice, _value(one.run, column)) for one in asked if one.choice),
        rows,
    )
    return expected_of(measured, column, lambda choices: past_scores(choices, column, runner))


def past_scores(choices: Sequence[Choice], column: Column, runner: Runner) -> list[Past]:
    """Other submissions with a score, whose figures under these conditions are known."""
    if runner.store is None:
        return []
    texts = [CLEAN, *(one.text() for one in choices)]
    found = []
    for score in runner.store.scores(runner.score_phase):
        sha256 = score.submission.sha256
        if not sha256 or sha256 == runner.sha256:
            continue
        other = replace(runner, sha256=sha256)
        runs = [other.known(text) for text in texts]
        values = [None if run is None else _value(run, column) for run in runs]
        known = tuple(value for value in values if value is not None)
        if len(known) == len(texts) and all(0 <= value <= 1 for value in known):
            found.append(Past(score, known))
    return found
