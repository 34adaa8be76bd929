"""Rehearse a submission: plan the questions, ask what the store lacks, score, expect."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.console.errors import DataError, EvaluationError, SubmissionError
from codabench_rehearsal.images import Dataset, from_arrays, load
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.sandbox.ingest import Outcome
from codabench_rehearsal.sandbox.job import SandboxError
from corruptions.named import parse
from evaluator.ask import Runner, open_store
from evaluator.estimate.gaussians import one_thread
from evaluator.expectation import Expectation, Series, as_prediction, figures_of
from evaluator.further import held_against, search
from evaluator.options import Options, believing, chosen
from evaluator.plan import Round, make_plan
from evaluator.progress import Shown, silent, waits
from evaluator.remarks import (
    contradicted,
    ended_by,
    failure,
    flattered,
    limits_untried,
    meaningless,
    refuted_by_answers,
    source_of,
)
from evaluator.report.evaluation import Timing
from evaluator.report.report import Report
from evaluator.severity import Search
from evaluator.slices import slices
from evaluator.store.measured import FindingLine, Measured
from evaluator.store.schema import StoreError
from evaluator.store.store import Store
from submission.archive import Archive
from submission.checks.subject import examine
from submission.findings import STOPS

PRECISION = 0.02  # half of the benchmark's interval: coarser figures are asked further
TOPPED_UP = 512  # images of a past submission whose answers are not stored
FATAL = tuple(sorted(STOPS))  # nothing that could be unpacked and run


def local_eval(
    submission: str | Path = "submission.zip",
    images: NDArray[Any] | Dataset | str | Path | None = None,
    labels: NDArray[Any] | None = None,
    **options: Any,
) -> Report:
    """Rehearse a submission: `local_eval("submission.zip", images, labels, corrupt="heavy")`.

    images: uint8 `(n, h, w, c)` with labels `(n,)`, a `codabench_rehearsal.images.Dataset`, or a
    file to load. Further options are the fields of `Options`; `count` is another name for
    `images=N` there. Raises `EvaluationError`, `DataError`, `CorruptionError` or `SubmissionError`
    for what cannot be used; a submission's own failure is no exception but a finding in the report.
    """
    named = chosen(**options)
    challenge = load_challenge(named.challenge)
    named = believing(named, challenge)
    data = as_dataset(images, labels, challenge, named.part)
    if not named.cluster:
        return evaluate(Path(submission), data, challenge, named, waits)
    from evaluator.cluster import opened

    with opened(named) as cluster:
        named = replace(named, workers=len(cluster.workers))
        return evaluate(Path(submission), data, challenge, named, waits)


@one_thread()
def evaluate(
    zip_path: Path,
    data: Dataset,
    challenge: Challenge,
    options: Options,
    shown: Shown = silent,
    series: Series | None = None,
) -> Report:
    """Evaluate one zip on one data set; see `local_eval`. `shown` is told of the progress.

    series: of this data and these options, where several are evaluated one after the other.
    """
    started = time.monotonic()
    parse(options.corrupt)  # a wrong name is told before anything is started
    if options.reference and not Path(options.reference).exists():
        raise EvaluationError(f"--reference {options.reference}: no such file")
    with Archive(zip_path) as archive, ExitStack() as stack:
        if examine(archive, challenge, only=FATAL):
            plan = make_plan(archive.path, data, options)
            source = source_of(archive, challenge, data, plan, options)
            findings = tuple(examine(archive, challenge))
            timing = Timing(0.0, 0.0, 0.0, time.monotonic() - started, 0)
            return Report(source, None, findings, timing, 0, 0, {}, {})
        display = stack.enter_context(shown())
        if series is None:
            store = stack.enter_context(opened) if (opened := open_store(options)) else None
            series = Series(store, data, options)
        runner = Runner(archive, challenge, options, data, series.store, display)
        return _evaluated(stack.enter_context(runner), series, started)


def _evaluated(runner: Runner, series: Series, started: float) -> Report:
    archive, challenge, options = runner.archive, runner.challenge, runner.options
    store, data = series.store, series.data
    if store is None or not (store.runs(archive.sha256) or store.scores(options.phase)):
        runner.begin()  # there is something to ask for certain: it loads meanwhile
    findings = examine(archive, challenge, ignored=FATAL)
    plan = series.plan(archive.path)
    flattering = flattered(archive, plan, options)  # a misspelt name is told before it runs
    runner.follow(plan)
    expected = _expectation(runner, series)
    part = _ask(runner, expected)
    complete = runner.is_complete(part)
    meaning = meaningless(runner, part) if complete and not series.several else []
    searched = _searched(runner, part) if complete and not series.several else None
    complete = complete and (searched is None) == (options.until is None or series.several)
    outcome = runner.finish()
    failed = [] if complete else failure(outcome, challenge, options.python, ended_by(runner))
    scores = None if failed else runner.scores(part)
    notes = (
        *contradicted(runner),
        *runner.notes,
        *limits_untried(runner, part),
        *flattering,
        *(store.notes if store else ()),
        *(expected.past.notes if expected else ()),
        *(() if failed else _remember(runner, expected, store)),
    )
    source = source_of(archive, challenge, data, plan, options, notes)
    report = Report(
        replace(source, order_seed=runner.secret),
        scores,
        (*refuted_by_answers(findings, failed), *failed, *meaning),
        _timing(outcome, time.monotonic() - started, runner.asked + runner.fed),
        outcome.result.peak_memory_bytes if outcome else 0,
        runner.calls,
        outcome.versions if outcome else {},
        outcome.result.limits if outcome else {},
        runner.asked,
        options.full,
    )
    if store is not None and store.writable:
        with suppress(StoreError):  # a full disk has been told where answers are kept
            store.put_measured(archive.sha256, measured_of(report))
    if failed:
        return report
    return _with_answers(replace(report, search=searched), runner, part, expected, series)


def measured_of(report: Report) -> Measured:
    """What the store keeps of a report beside answers: size, time, memory, findings."""
    ran, timing = report.timing.answers > 0, report.timing
    return Measured(
        report.source.bytes,
        timing.start_seconds if ran else None,
        timing.seconds_per_thousand if ran else None,
        report.peak_memory_bytes if ran else None,
        report.source.split,
        tuple(FindingLine(one.code, one.severity, one.message) for one in report.findings),
    )


def _with_answers(
    report: Report, runner: Runner, part: Round, expected: Expectation | None, series: Series
) -> Report:
    if expected is not None:
        report = replace(report, estimate=expected.estimate, on_library=expected.figures)
    if series.several:  # two hundred are kept: nothing of the size of the past, nor of the answers
        short = None if report.estimate is None else replace(report.estimate, left_out=())
        return replace(report, estimate=short)
    given = {name: runner.answers(name, part) for name in runner.plan.subsets}
    reference = runner.options.reference
    return replace(
        report,
        sheet=given["shown"],
        slices=slices(given["shown"]),
        relative=held_against(runner, part, Path(reference)) if reference else None,
        library=given.get("library"),
        sweep=given.get("sweep"),
        past=expected.past.lines if expected else (),
        history=series.store.history() if series.store else (),
    )


def _searched(runner: Runner, part: Round) -> Search | None:
    until = runner.options.until
    return None if until is None else search(runner, part, until)


def _timing(outcome: Outcome | None, seconds: float, answers: int) -> Timing:
    if outcome is None:
        return Timing(0.0, 0.0, 0.0, seconds, 0)
    spent = (outcome.start_seconds, outcome.load_seconds, outcome.predict_seconds)
    return Timing(*spent, seconds, answers)


def _expectation(runner: Runner, series: Series) -> Expectation | None:
    if not runner.options.estimate:
        return None

    def top_up(path: Path) -> str:
        runner.display.say(f"{path.name}, a past submission, is run first")
        try:
            return _topped_up(path, runner, series)
        except (SubmissionError, EvaluationError, DataError, SandboxError) as error:
            return str(error)

    return series.expectation(runner.run, runner.challenge, top_up)


def _topped_up(path: Path, runner: Runner, series: Series) -> str:
    """Ask a past submission what the estimate needs of it; returns what went wrong, or ""."""
    options = replace(runner.options, corrupt="clean", split=None, sweep=False, full=False)
    data, challenge = series.data, runner.challenge
    with Archive(path) as archive:
        if examine(archive, challenge, only=FATAL):
            return "its zip is damaged"
        with Runner(archive, challenge, options, data, series.store, runner.display) as past:
            past.begin()
            past.follow(make_plan(path, data, options))
            wanted = min(TOPPED_UP, len(past.plan.data))
            for part in past.plan.rounds(options):
                if part.images < wanted:
                    continue
                if not past.ask(part):
                    return "it fails when it is run here (local-eval on it says why)"
                if figures_of(past, part) is not None:
                    break
            return ""


def _ask(runner: Runner, expected: Expectation | None) -> Round:
    """Rounds until the estimate is settled and the benchmark precise; the last one asked."""
    rounds = runner.plan.rounds(runner.options)
    for part in rounds:
        if not runner.ask(part) or expected is None:
            return part
        expected.renew(runner, part)
        precise = part.images == rounds[-1].images or runner.half_width(part) <= PRECISION
        if expected.is_settled and precise:
            return part
        if part != rounds[-1]:
            runner.display.say(expected.line(part.images))
    return rounds[-1]


def _remember(runner: Runner, expected: Expectation | None, store: Store | None) -> tuple[str, ...]:
    """Keep what was expected, to be held against the score later; says so where that fails."""
    if store is None or not store.writable or expected is None or expected.estimate is None:
        return ()
    made = as_prediction(expected.estimate, expected.target.phase)
    try:
        for owner in (s for s in store.submissions() if s.sha256 == runner.archive.sha256):
            store.record_prediction(owner, made)
    except StoreError as error:
        return (f"The expected score could not be kept: {error}",)
    return ()


def as_dataset(images: Any, labels: Any, challenge: Challenge, part: str | None) -> Dataset:
    """What a call in Python gives: arrays, a data set, or a file; None for `training_set.npz`."""
    if part is not None and images is not None and not isinstance(images, str | Path):
        raise EvaluationError(f"part={part!r} is for a file: leave it out, or give a file's name")
    if isinstance(images, Dataset):
        images.check_classes(challenge.classes, challenge.name)
        return images
    shape, classes = challenge.shape, challenge.label_names
    if images is None or isinstance(images, str | Path):
        file = images or "training_set.npz"
        return load(file, part=part, prefer=TO_REHEARSE, shape=shape, classes=classes)
    if labels is None:
        raise EvaluationError("labels are missing: local_eval(zip, images, labels), or give a file")
    return from_arrays(images, labels, shape=shape, classes=classes)
