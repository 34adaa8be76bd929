"""Several zips on the same questions: asked where the store lacks answers, or from it alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import shown as shown_name
from codabench_rehearsal.images import Dataset
from corruptions.presets import resolve
from evaluator.answers import Answers
from evaluator.ask import Runner, environment, open_store, order_secret
from evaluator.choice import SplitKind, choose, find_split
from evaluator.evaluate import FATAL
from evaluator.options import Options
from evaluator.past import Untrained
from evaluator.plan import Plan, Questions, plan_on
from evaluator.progress import Shown, silent
from evaluator.report.remarks import ended_by, failure
from evaluator.store.store import Run
from evaluator.stored_answers import UNKNOWN, StoredAnswers
from submission.archive import Archive, sha256_of
from submission.checks.subject import examine
from submission.findings import Finding


def answered(
    zips: Sequence[Path],
    data: Dataset,
    challenge: Challenge,
    options: Options,
    shown: Shown = silent,
) -> list[Answers]:
    """The answers of several zips to the same questions: same images, conditions and seed.

    The images are those that none of them has been trained on, as far as splits beside the zips
    tell. Raises `EvaluationError` that names a zip which cannot be asked.
    """
    plan, found = common_plan(zips, data, options), []
    with ExitStack() as stack:
        display = stack.enter_context(shown())
        store = stack.enter_context(opened) if (opened := open_store(options)) else None
        options = replace(options, order_seed=order_secret(options, store, data))
        for path in zips:
            with Archive(path) as archive:
                _refuse(path, examine(archive, challenge, only=FATAL))
                with Runner(archive, challenge, options, data, store, display) as runner:
                    found.append(_asked(runner, plan))
    return found


def stored_answers(zips: Sequence[Path], data: Dataset, options: Options) -> list[Answers]:
    """The answers of several zips to the questions that all of them have answered before.

    Nothing is run. Raises `EvaluationError` when there is no such question.
    """
    store = open_store(options)
    if store is None:
        raise EvaluationError("expected a store with answers, received --store none")
    with store:
        plan = common_plan(zips, data, replace(options, images=None))
        where, whole = environment(options.device, options.python), data.fingerprint()
        runs = [Run(sha256_of(path), where, whole, options.seed) for path in zips]
        reader = StoredAnswers(plan, store)
        labels = [reader.labels(run)[0] for run in runs]
    known = np.ones((len(plan.data), len(plan.texts)), bool)
    for one in labels:
        known &= one != UNKNOWN
    places = plan.subsets["shown"].places
    known &= known[:, :1]  # an image without a clean answer compares nothing
    known &= known[:, places[1:]].any(axis=1, keepdims=True)
    if not known.any():
        raise EvaluationError(
            f"no image is answered by all {len(zips)} submissions, clean and under "
            f"{options.corrupt!r}. Run local-eval on each of them first, with the same --data, "
            "--corrupt and --seed."
        )
    images = np.flatnonzero(known.any(axis=1))
    rows, conditions = np.nonzero(known[np.ix_(images, places)])
    at = images[rows] * known.shape[1] + places[conditions]
    whole_preset, questions = plan.benchmark("shown"), Questions(rows, conditions)
    benchmark = replace(whole_preset, data=plan.data.view(images), dealt=whole_preset.dealt[images])
    return [
        Answers(shown_name(path.name), run.submission, benchmark, questions, one.take(at))
        for path, run, one in zip(zips, runs, labels, strict=True)
    ]


def common_plan(zips: Sequence[Path], data: Dataset, options: Options) -> Plan:
    """Questions on images that none of the zips has been trained on, as far as is known."""
    resolve(options.corrupt)
    splits = [find_split(path, options.split) for path in zips]
    new = np.ones(len(data), bool)
    if options.split != "none":
        untrained = Untrained(data, options.split)
        for path in zips:
            new &= untrained.of(path)
    if not new.any():
        raise EvaluationError(
            "each of the images was trained on by one of the submissions at least: give images "
            "that are new to all of them (--data)"
        )
    count = None if options.full else options.images
    choice = choose(data.view(new), None, count, options.seed)
    split: SplitKind = "unknown" if None in splits else "validation"
    if options.held_out:
        split = "held-out"
    return plan_on(replace(choice, split=split), replace(options, estimate=False, sweep=False))


def _asked(runner: Runner, plan: Plan) -> Answers:
    runner.follow(plan)
    part = plan.rounds(runner.options)[-1]
    if not runner.ask(part):
        outcome, python = runner.finish(), runner.options.python
        found = failure(outcome, runner.challenge, python, ended_by(runner))
        _refuse(runner.archive.path, found)
    return runner.answers("shown", part)


def _refuse(path: Path, findings: Sequence[Finding]) -> None:
    for finding in findings:
        raise EvaluationError(
            f"{path.name} cannot be compared: {finding.message}. {finding.advice}"
        )
