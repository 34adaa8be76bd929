"""Rehearse a submission: plan the questions, ask what the store lacks, score, expect."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.console.errors import DataError, EvaluationError, SubmissionError
from codabench_rehearsal.images import Dataset, from_arrays, load
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.sandbox.ingest import Outcome
from codabench_rehearsal.sandbox.job import SandboxError
from corruptions.presets import resolve
from evaluator.ask import Asker, Book, Rehearsal, environment
from evaluator.forecast import as_prediction, figures_of
from evaluator.options import NO_STORE, Options, chosen
from evaluator.plan import Plan, Round, make_plan
from evaluator.progress import Display, Shown, silent, waits
from evaluator.report.remarks import (
    contradicted,
    ended_by,
    failure,
    flattered,
    limits_untried,
    meaningless,
    refuted_by_answers,
    source_of,
)
from evaluator.report.report import Report
from evaluator.report.result import Timing
from evaluator.series import Expectation, Series
from evaluator.store import answers as store_answers
from evaluator.store.schema import StoreError
from evaluator.store.store import Run, Store, find_store
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

    images: uint8 `(n, h, w, c)` with labels `(n,)`, a `codabench_rehearsal.images.Dataset`, or a file to load. Further
    options are the fields of `Options`; `count` is another name for `images=N` there. Raises
    `EvaluationError`, `DataError`, `CorruptionError` or `SubmissionError` for what cannot be used;
    a submission's own failure is no exception but a finding in the report.
    """
    named = chosen(**options)
    challenge = load_challenge(named.challenge)
    data = as_dataset(images, labels, challenge, named.part)
    return evaluate(Path(submission), data, challenge, named, waits)


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
    resolve(options.corrupt)  # a wrong name is told before anything is started
    with Archive(zip_path) as archive:
        if examine(archive, challenge, only=FATAL):
            return _not_run(archive, challenge, data, options, started)
        with ExitStack() as stack:
            display = stack.enter_context(shown())
            if series is None:
                store = stack.enter_context(opened) if (opened := open_store(options)) else None
                series = Series(store, data, options)
            asker = stack.enter_context(Asker(archive, challenge, options))
            return _evaluated(asker, data, series, display, started)


def open_store(options: Options) -> Store | None:
    """The store that the options name; None for "none"."""
    return None if options.store == NO_STORE else Store.open(find_store(options.store))


def order_secret(options: Options, store: Store | None, data: Dataset) -> int:
    """The secret of the order: the one given, the store's, or one for this evaluation alone."""
    if options.order_seed is not None:
        return options.order_seed
    return store.order(data.fingerprint(), options.seed) if store else store_answers.drawn_order()


def _evaluated(
    asker: Asker, data: Dataset, series: Series, display: Display, started: float
) -> Report:
    archive, challenge, options = asker.archive, asker.challenge, asker.options
    store = series.store
    if store is None or not (store.runs(archive.sha256) or store.scores(options.phase)):
        asker.begin()  # there is something to ask for certain: it loads while the rest is prepared
    findings = examine(archive, challenge, ignored=FATAL)
    plan = series.plan(archive.path)
    flattering = flattered(archive, plan, options)  # a misspelt name is told before it runs
    rehearsal = begun(asker, plan, data, store, display)
    expected = _expectation(rehearsal, data, series)
    part = _ask(rehearsal, expected)
    complete = rehearsal.is_complete(part)
    meaning = meaningless(rehearsal, part, store) if complete and not series.several else []
    outcome = asker.finish()
    failed = [] if complete else failure(outcome, challenge, options.python, ended_by(rehearsal))
    scores = None if failed else rehearsal.scores(part)
    findings = [*refuted_by_answers(findings, failed), *failed, *meaning]
    notes = (
        *contradicted(rehearsal),
        *limits_untried(rehearsal, part),
        *flattering,
        *(store.notes if store else ()),
        *(expected.past.notes if expected else ()),
        *(() if failed else _remember(rehearsal, expected, store)),
    )
    report = Report(
        replace(
            source_of(archive, challenge, data, plan, options, notes),
            order_seed=rehearsal.secret,
        ),
        scores,
        tuple(findings),
        _timing(outcome, time.monotonic() - started, asker.asked + asker.fed),
        outcome.result.peak_memory_bytes if outcome else 0,
        asker.calls,
        outcome.versions if outcome else {},
        outcome.result.limits if outcome else {},
        asker.asked,
        options.full,
    )
    if failed:
        return report
    if series.several:
        return replace(report, estimate=expected.estimate if expected else None)
    return _with_answers(report, rehearsal, part, expected, store)


def begun(
    asker: Asker, plan: Plan, data: Dataset, store: Store | None, display: Display
) -> Rehearsal:
    """A rehearsal, its submission known to the store."""
    archive, options = asker.archive, asker.options
    kept = store if store is not None and store.writable else None
    if kept is not None:
        kept.add_submission(archive.sha256, archive.path.name, archive.path.absolute())
    run = Run(
        archive.sha256,
        environment(options.device, options.python),
        data.fingerprint(),
        options.seed,
    )
    book = Book(plan, run, store)
    name, secret = archive.path.name, order_secret(options, store, data)
    return Rehearsal(name, archive.sha256, plan, book, asker, asker.challenge, display, secret)


def _expectation(rehearsal: Rehearsal, data: Dataset, series: Series) -> Expectation | None:
    asker = rehearsal.asker
    if not asker.options.estimate:
        return None
    top_up = partial(_top_up, data=data, rehearsal=rehearsal, store=series.store)
    hidden = rehearsal.challenge.hidden_images
    return series.expectation(rehearsal.book.run, hidden, top_up)


def _top_up(path: Path, *, data: Dataset, rehearsal: Rehearsal, store: Store | None) -> str:
    """Ask a past submission what the estimate needs of it; returns what went wrong, or ""."""
    options = replace(rehearsal.asker.options, corrupt="clean", split=None, sweep=False, full=False)
    rehearsal.display.say(f"{path.name}, a past submission, is asked first")
    try:
        return _topped_up(path, options, data, rehearsal, store)
    except (SubmissionError, EvaluationError, DataError, SandboxError) as error:
        return str(error)


def _topped_up(
    path: Path, options: Options, data: Dataset, rehearsal: Rehearsal, store: Store | None
) -> str:
    with Archive(path) as archive:
        if examine(archive, rehearsal.challenge, only=FATAL):
            return "its zip is damaged"
        with Asker(archive, rehearsal.challenge, options) as asker:
            asker.begin()
            plan = make_plan(path, data, options)
            past = begun(asker, plan, data, store, rehearsal.display)
            wanted = min(TOPPED_UP, len(plan.data))
            for part in plan.rounds(options):
                if part.images < wanted:
                    continue
                if not past.ask(part):
                    return "it fails when it is run here (local-eval on it says why)"
                if figures_of(plan, past.book, path.name, part) is not None:
                    break
            return ""


def _ask(rehearsal: Rehearsal, expected: Expectation | None) -> Round:
    """Round after round until the estimate is settled and the benchmark precise; the last one asked."""
    rounds = rehearsal.plan.rounds(rehearsal.asker.options)
    for part in rounds:
        if not rehearsal.ask(part) or expected is None:
            return part
        expected.renew(rehearsal, part)
        precise = part.images == rounds[-1].images or rehearsal.half_width(part) <= PRECISION
        if expected.is_settled and precise:
            return part
        if part != rounds[-1]:
            rehearsal.display.say(expected.line(part.images))
    return rounds[-1]


def _remember(
    rehearsal: Rehearsal, expected: Expectation | None, store: Store | None
) -> tuple[str, ...]:
    """Keep what was expected, to be held against the score later; says so where that fails."""
    if store is None or not store.writable or expected is None or expected.estimate is None:
        return ()
    made = as_prediction(expected.estimate, expected.target.phase)
    try:
        for owner in (s for s in store.submissions() if s.sha256 == rehearsal.sha256):
            store.record_prediction(owner, made)
    except StoreError as error:
        return (f"What was expected is not kept: {error}",)
    return ()


def _with_answers(
    report: Report,
    rehearsal: Rehearsal,
    part: Round,
    expected: Expectation | None,
    store: Store | None,
) -> Report:
    plan = rehearsal.plan
    return replace(
        report,
        sheet=rehearsal.sheet("shown", part),
        library=rehearsal.sheet("library", part) if plan.library else None,
        sweep=rehearsal.sheet("sweep", part) if plan.sweep else None,
        estimate=expected.estimate if expected else None,
        past=expected.past.lines if expected else (),
        history=store.history() if store else (),
    )


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


def _timing(outcome: Outcome | None, seconds: float, asked: int) -> Timing:
    if outcome is None:
        return Timing(0.0, 0.0, 0.0, seconds, 0)
    parts = (outcome.start_seconds, outcome.load_seconds, outcome.predict_seconds)
    return Timing(*parts, seconds, asked)


def _not_run(
    archive: Archive, challenge: Challenge, data: Dataset, options: Options, started: float
) -> Report:
    plan = make_plan(archive.path, data, options)
    source = source_of(archive, challenge, data, plan, options)
    findings = tuple(examine(archive, challenge))
    timing = Timing(0.0, 0.0, 0.0, time.monotonic() - started, 0)
    return Report(source, None, findings, timing, 0, 0, {}, {})
