"""What a report says beside its figures: their source, why there are none, what flatters them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.words import human_bytes
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.failures import HERE, explain, with_packages
from codabench_rehearsal.rehearsal.judge import judge_labels
from codabench_rehearsal.rehearsal.scale import try_readings
from codabench_rehearsal.sandbox.ingest import Outcome
from evaluator.ask import Runner
from evaluator.options import Options
from evaluator.plan import Plan, Round
from evaluator.report.evaluation import Source, now
from evaluator.report.training import shared_training, warning
from submission.archive import Archive
from submission.checks.frameworks import frameworks
from submission.findings import STEPS, Finding, refuted

SUSPECT = 0.8  # clean accuracy below which other ways to feed the images are tried
FED = 200  # images of which they are tried


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
        preset=plan.subsets["shown"].preset.name,
        description=plan.subsets["shown"].preset.description,
        seed=options.seed,
        command=options.command,
        python=options.python or sys.executable,
        phase=options.phase,
        made=now(),
        frameworks=frameworks(archive, challenge),
    )


def failure(
    outcome: Outcome | None,
    challenge: Challenge,
    python: str | None = None,
    ended: Mapping[str, str] = MappingProxyType({}),
) -> list[Finding]:
    """Why the submission has no score; nothing where it has one.

    python: what ran it, None for ours. ended: limit -> which it is and how to raise it.
    """
    if outcome is None or outcome.problem is None:
        return []
    problem = outcome.problem
    said = explain(problem, challenge)
    if problem.stage in ended:
        said = replace(said, message=f"{said.message} ({ended[problem.stage]})")
    return with_packages([said], problem, replace(HERE, python=python or sys.executable))


def ended_by(runner: Runner) -> dict[str, str]:
    """For time and memory: which limit it is that ends the child, and how to raise it."""
    bounds, options, challenge = runner.bounds, runner.options, runner.challenge
    own = f"the limit of {challenge.name}"
    said = {
        "time": f"{bounds.seconds or 0:g} s for the whole hidden set, "
        + ("as given" if options.seconds else own),
        "memory": f"{human_bytes(bounds.memory_bytes or 0)}, "
        + ("as given" if options.memory_bytes else own),
    }
    said |= runner.guard.instead if runner.guard else {}
    kept = "; the answers so far are kept" if runner.asked and runner.is_stored else ""
    more = {"time": "--time-limit TIME", "memory": "--memory-limit SIZE"}
    return {limit: f"{said[limit]}; {more[limit]} sets another{kept}" for limit in said}


def refuted_by_answers(findings: Sequence[Finding], failed: Sequence[Finding]) -> list[Finding]:
    """The checks' findings once it has answered; as they are where it has not."""
    step = None if failed else STEPS[-1]
    return [refuted(finding, step, "here", is_server=False) for finding in findings]


def meaningless(runner: Runner, part: Round) -> list[Finding]:
    """A finding where the answers to the clean images are right under another reading, or guessed.

    The other ways to feed the images are asked only where few answers are right, of a hundred
    images or so; the store keeps what is answered.
    """
    given, challenge = runner.answers("shown", part), runner.challenge
    clean = np.flatnonzero(given.questions.conditions == 0)
    rows, labels = given.questions.rows[clean], given.labels[clean]
    truth = given.benchmark.data.labels[rows]
    if len(truth) == 0:
        return []
    some = np.arange(min(len(truth), FED))
    if (labels[some] == truth[some]).mean() >= SUSPECT:
        some = some[:0]
    ids = given.benchmark.data.ids[rows[some]]
    readings = try_readings(
        *(labels, truth, some, lambda reading: runner.fed_otherwise(reading.name, ids)),
        *(challenge.shape[2], challenge.classes),
    )
    return list(judge_labels(labels, truth, readings, challenge))


def contradicted(runner: Runner) -> tuple[str, ...]:
    """What to say where another run has stored other answers meanwhile."""
    count = runner.contradicted
    if not count:
        return ()
    said = (
        f"{count:,} answers differ from those that another run has kept meanwhile: are they "
        "random, or do they depend on the order or number of the images (S701 to S703)?"
    )
    return (said,)


def limits_untried(runner: Runner, part: Round) -> tuple[str, ...]:
    """What to say where a time limit was given, but most answers were there before."""
    seconds, asked = runner.options.seconds, runner.asked
    every = len(runner.plan.wanted(part))
    if seconds is None or asked >= every or not runner.is_complete(part):
        return ()
    said = (
        f"The time limit of {seconds:g} s was tested on {asked:,} of {every:,} answers only; the "
        "others were kept from earlier runs (--store none runs all of them)."
    )
    return (said,)


def flattered(archive: Archive, plan: Plan, options: Options) -> tuple[str, ...]:
    """What to say where the benchmark does what the training did."""
    preset = plan.subsets["shown"].preset
    names = shared_training(archive.path, preset, options.trained_on)
    return (warning(archive.path.name, names, preset),) if names else ()
