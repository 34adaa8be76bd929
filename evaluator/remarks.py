"""What a report says beside its figures: where they come from, why there are none, what flatters them."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from cells import Dataset
from evaluator.options import Options
from evaluator.plan import Plan, Round
from evaluator.rehearsal import Rehearsal
from evaluator.result import Scores, Source
from evaluator.trained_on import shared_training, warning
from sandbox.ingest import Outcome
from submission.archive import Archive
from submission.challenge import Challenge
from submission.dry_run_packages import with_packages
from submission.dry_run_places import HERE
from submission.failures import Failure, explain
from submission.findings import Finding

CONSTANT_SHARE = 0.95


def source_of(
    archive: Archive,
    challenge: Challenge,
    data: Dataset,
    plan: Plan,
    options: Options,
    notes: tuple[str, ...] = (),
) -> Source:
    """The zip, the images, the benchmark."""
    return Source(
        path=str(archive.path),
        sha256=archive.sha256,
        bytes=archive.size,
        challenge=challenge.name,
        metric=challenge.metric,
        label_names=challenge.label_names,
        data=data.source,
        fingerprint=plan.data.fingerprint(),
        split=plan.choice.split,
        notes=(*data.notes, *plan.choice.notes, *notes),
        preset=plan.shown.preset.name,
        description=plan.shown.preset.description,
        seed=options.seed,
        command=options.command,
        python=options.python or sys.executable,
    )


def failure(
    outcome: Outcome | None, challenge: Challenge, python: str | None = None
) -> list[Finding]:
    """Why the submission has no score; nothing where it has one. python: what ran it, None for ours."""
    if outcome is None or outcome.problem is None:
        return []
    problem = outcome.problem
    failure = Failure(problem.stage, problem.kind, problem.message, problem.trace)
    said = explain(failure, challenge.module, challenge.class_name, challenge.method)
    return with_packages([said], problem, replace(HERE, python=python or sys.executable))


def constant_answers(scores: Scores | None, challenge: Challenge) -> list[Finding]:
    """A finding where nearly all clean images get the same label."""
    if scores is None:
        return []
    answered, recall = scores.validation.answered, scores.validation.recall
    most = int(np.argmax(answered))
    if answered[most] < CONSTANT_SHARE or len(answered) - np.isnan(recall).sum() < 2:
        return []
    share, name = answered[most], challenge.label_names[most]
    message = f"the answer is {name!r} for {share:.0%} of the clean images"
    advice = (
        "Most often a scale mismatch: trained on 0..1 but fed 0..255, or another preprocess_input."
    )
    return [Finding("S610", "error", message, advice)]


def contradicted(rehearsal: Rehearsal) -> tuple[str, ...]:
    """What to say where another run has stored other answers meanwhile."""
    count = rehearsal.book.contradicted
    said = (
        f"{count:,} answers differ from those that another run has stored meanwhile: is it random?"
    )
    return (said,) if count else ()


def limits_untried(rehearsal: Rehearsal, part: Round) -> tuple[str, ...]:
    """What to say where a time limit was given, but most answers were there before."""
    seconds, asked = rehearsal.asker.options.seconds, rehearsal.asker.asked
    every = len(rehearsal.plan.wanted(part))
    if seconds is None or asked >= every:
        return ()
    said = (
        f"The time limit of {seconds:g} s was tried on {asked:,} of {every:,} answers; the others "
        "are kept from earlier runs (--store none asks them all)."
    )
    return (said,)


def flattered(archive: Archive, plan: Plan, options: Options) -> tuple[str, ...]:
    """What to say where the benchmark does what the training did."""
    preset = plan.shown.preset
    names = shared_training(archive.path, preset, options.trained_on)
    return (warning(archive.path.name, names, preset),) if names else ()
