"""Several submissions on the same questions: asked where the store lacks answers, or from the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import shown as shown_name
from codabench_rehearsal.images import Dataset
from corruptions.presets import resolve
from evaluator.ask import UNKNOWN, Asker, Labels, Sheet, environment
from evaluator.choice import SplitKind, choose, find_split
from evaluator.evaluate import FATAL, begun, open_store, order_secret
from evaluator.options import Options
from evaluator.past import Alike, Untrained
from evaluator.plan import Plan, Questions, plan_on
from evaluator.progress import Display, Shown, silent
from evaluator.report.remarks import ended_by, failure
from evaluator.store.store import Run, Store
from submission.archive import Archive, sha256_of
from submission.checks.subject import examine
from submission.findings import Finding


def answered(
    zips: Sequence[Path],
    data: Dataset,
    challenge: Challenge,
    options: Options,
    shown: Shown = silent,
) -> list[Sheet]:
    """The answers of several zips to the same questions: same images, conditions and seed.

    The images are those that none of them has been trained on, as far as splits beside the zips
    tell. Raises `EvaluationError` that names a zip which cannot be asked.
    """
    plan = common_plan(zips, data, options)
    with ExitStack() as stack:
        display = stack.enter_context(shown())
        store = stack.enter_context(opened) if (opened := open_store(options)) else None
        options = replace(options, order_seed=order_secret(options, store, data))
        return [_sheet(path, plan, data, challenge, options, store, display) for path in zips]


def stored_sheets(zips: Sequence[Path], data: Dataset, options: Options) -> list[Sheet]:
    """The answers of several zips to the questions that all of them have answered before.

    Nothing is run. Raises `EvaluationError` when there is no such question.
    """
    store = open_store(options)
    if store is None:
        raise EvaluationError("expected a store with answers, received --store none")
    with store:
        plan = common_plan(zips, data, replace(options, images=None))
        runs, alike = _runs(zips, data, options), Alike(plan, store)
        found = [(run.submission, alike.labels(run)) for run in runs]
    known = np.ones((len(plan.data), len(plan.texts)), bool)
    for _, labels in found:
        known &= labels != UNKNOWN
    known &= known[:, :1]  # an image without a clean answer compares nothing
    known &= known[:, plan.places["shown"][1:]].any(axis=1, keepdims=True)
    if not known.any():
        raise EvaluationError(
            f"no image is answered by all {len(zips)} submissions, clean and under "
            f"{options.corrupt!r}. Run local-eval on each of them first, with the same --data, "
            "--corrupt and --seed."
        )
    return _sheets(zips, found, plan, known)


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


def _sheet(
    path: Path,
    plan: Plan,
    data: Dataset,
    challenge: Challenge,
    options: Options,
    store: Store | None,
    display: Display,
) -> Sheet:
    with Archive(path) as archive:
        _refuse(path, examine(archive, challenge, only=FATAL))
        with Asker(archive, challenge, options) as asker:
            rehearsal = begun(asker, plan, data, store, display)
            part = plan.rounds(options)[-1]
            if not rehearsal.ask(part):
                ended = ended_by(rehearsal)
                _refuse(path, failure(asker.finish(), challenge, options.python, ended))
            return rehearsal.sheet("shown", part)


def _refuse(path: Path, findings: Sequence[Finding]) -> None:
    for finding in findings:
        raise EvaluationError(
            f"{path.name} cannot be compared: {finding.message}. {finding.advice}"
        )


def _runs(zips: Sequence[Path], data: Dataset, options: Options) -> list[Run]:
    where, whole = environment(options.device, options.python), data.fingerprint()
    return [Run(sha256_of(path), where, whole, options.seed) for path in zips]


def _sheets(
    zips: Sequence[Path],
    found: Sequence[tuple[str, Labels]],
    plan: Plan,
    known: NDArray[np.bool_],
) -> list[Sheet]:
    """The sheets of what is known, on the images concerned, which all of them share."""
    images, places = np.flatnonzero(known.any(axis=1)), plan.places["shown"]
    rows, conditions = np.nonzero(known[np.ix_(images, places)])
    questions, at = Questions(rows, conditions), images[rows] * known.shape[1] + places[conditions]
    benchmark = replace(plan.shown, data=plan.data.view(images), dealt=plan.shown.dealt[images])
    return [
        Sheet(shown_name(path.name), sha256, benchmark, questions, labels.take(at))
        for path, (sha256, labels) in zip(zips, found, strict=True)
    ]
