"""What a report says beside its figures: their source, why there are none, what flatters them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.words import human_bytes
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.environments import HERE, with_packages
from codabench_rehearsal.rehearsal.failures import explain
from codabench_rehearsal.rehearsal.judge import judge_labels
from codabench_rehearsal.rehearsal.scale import Reading, try_readings
from codabench_rehearsal.sandbox.ingest import Block, Outcome
from evaluator.ask import Rehearsal
from evaluator.options import Options
from evaluator.plan import Plan, Round, secret_order
from evaluator.report.evaluation import Source
from evaluator.report.training import shared_training, warning
from evaluator.store.store import AnswerKey, Store
from submission.archive import Archive
from submission.findings import STEPS, Finding, refuted

SUSPECT = 0.8  # clean accuracy below which other ways to feed the images are tried
FEEDS = "1"  # revision of the ways to feed: stored answers are of these
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
        preset=plan.shown.preset.name,
        description=plan.shown.preset.description,
        seed=options.seed,
        command=options.command,
        python=options.python or sys.executable,
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


def ended_by(rehearsal: Rehearsal) -> dict[str, str]:
    """For time and memory: which limit it is that ends the child, and how to raise it."""
    asker, challenge = rehearsal.asker, rehearsal.challenge
    bounds, options = asker.bounds, asker.options
    own = f"the limit of {challenge.name}"
    said = {
        "time": f"{bounds.seconds or 0:g} s for one pass over the hidden set, "
        + ("as given" if options.seconds else own),
        "memory": f"{human_bytes(bounds.memory_bytes or 0)}, "
        + ("as given" if options.memory_bytes else own),
    }
    said |= asker.guard.instead if asker.guard else {}
    kept = "; the answers so far are kept" if asker.asked and rehearsal.book.is_stored else ""
    more = {"time": "--time-limit S", "memory": "--memory-limit SIZE"}
    return {limit: f"{said[limit]}; {more[limit]} sets another{kept}" for limit in said}


def refuted_by_answers(findings: Sequence[Finding], failed: Sequence[Finding]) -> list[Finding]:
    """The checks' findings once it has answered; as they are where it has not."""
    step = None if failed else STEPS[-1]
    return [refuted(finding, step, "here", is_server=False) for finding in findings]


def meaningless(rehearsal: Rehearsal, part: Round, store: Store | None) -> list[Finding]:
    """A finding where the answers to the clean images are right under another reading, or guessed.

    The other ways to feed the images are asked only where few answers are right, of a hundred
    images or so; the store keeps what is answered.
    """
    sheet = rehearsal.sheet("shown", part)
    clean = np.flatnonzero(sheet.questions.conditions == 0)
    rows, labels = sheet.questions.rows[clean], sheet.labels[clean]
    truth, challenge = sheet.benchmark.data.labels[rows], rehearsal.challenge
    if len(truth) == 0:
        return []
    some = np.arange(min(len(truth), FED))
    if (labels[some] == truth[some]).mean() >= SUSPECT:
        some = some[:0]
    fed = Fed(rehearsal, sheet.benchmark.data.subset(rows[some]), store)
    readings = try_readings(labels, truth, some, fed.labels, challenge.shape[2], challenge.classes)
    return list(judge_labels(labels, truth, readings, challenge))


@dataclass(frozen=True)
class Fed:
    """Asks the same clean images fed in other ways, at most once each."""

    rehearsal: Rehearsal
    data: Dataset
    store: Store | None

    def labels(self, reading: Reading) -> NDArray[np.int64] | None:
        """What is answered when they are fed so; None where it fails."""
        key = AnswerKey(self.rehearsal.book.run, f"clean, fed {reading.name}, {FEEDS}")
        known = self.store.answers(key, self.data.ids) if self.store else None
        if known is not None:
            return known
        shape = self.data.image_shape
        order = secret_order(len(self.data), self.rehearsal.secret, reading.name.encode())

        def fill(_: int, out: NDArray[np.generic]) -> None:
            out[:] = reading.fed(self.data.images[order])

        block = Block((len(self.data), *shape), "float32")
        asker = self.rehearsal.asker
        display = self.rehearsal.display
        answered = asker.begin().pose([block], fill, display.wait)
        asker.calls += 1
        if answered is None:
            return None
        asker.fed += len(self.data)
        labels = np.empty_like(answered[0])
        labels[order] = answered[0]
        if self.store is not None and self.store.writable:
            self.store.put_block([(key, self.data.ids, labels)])
        return labels


def contradicted(rehearsal: Rehearsal) -> tuple[str, ...]:
    """What to say where another run has stored other answers meanwhile."""
    count = rehearsal.book.contradicted
    if not count:
        return ()
    said = (
        f"{count:,} answers differ from those that another run has stored meanwhile: are they "
        "random, or do they depend on the order or the block (S701 to S703)?"
    )
    return (said,)


def limits_untried(rehearsal: Rehearsal, part: Round) -> tuple[str, ...]:
    """What to say where a time limit was given, but most answers were there before."""
    seconds, asked = rehearsal.asker.options.seconds, rehearsal.asker.asked
    every = len(rehearsal.plan.wanted(part))
    if seconds is None or asked >= every or not rehearsal.is_complete(part):
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
