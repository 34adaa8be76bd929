"""Hold submissions against the first one, and each one's benchmark against its clean images.

All of them answered the same questions. Every other submission is held against the first, the one
that the user would replace: a row each, where all pairs would be many more claims, each of which
might be false, and nobody asks which of two losers is the worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import shown as shown_name
from codabench_rehearsal.images import Dataset
from corruptions.named import named
from evaluator.answers import UNKNOWN, Answers, asked_the_same
from evaluator.ask import Runner, open_store, order_secret
from evaluator.comparison.paired import Contrast, Side, judged_together, measure, side_scores
from evaluator.comparison.standings import Comparison, Pair, Standing
from evaluator.elsewhere import environment_of
from evaluator.estimate.gaussians import Floats, one_thread
from evaluator.evaluate import FATAL
from evaluator.metrics import answer_weights, resamples
from evaluator.options import Options, SplitKind, Untrained, choose, find_split
from evaluator.plan import Plan, Questions, plan_on
from evaluator.progress import Display, Shown, silent
from evaluator.remarks import ended_by, failure
from evaluator.store.store import Run, Store
from evaluator.stored_answers import StoredAnswers
from submission.archive import Archive, sha256_of
from submission.checks.subject import examine
from submission.findings import Finding

_SHA_SHOWN = 8


@one_thread()
def compare(sheets: Sequence[Answers], notes: Sequence[str] = ()) -> Comparison:
    """Hold every other sheet against the first; one alone: its benchmark against its clean images.

    notes: passed on. Raises `EvaluationError` unless all sheets answer the same questions, some on
    clean images and some on damaged ones.
    """
    first = check_same(sheets)
    benchmark = first.benchmark
    rows, place = np.unique(first.questions.rows, return_inverse=True)
    truth = np.asarray(benchmark.data.labels[rows])
    counted = [_by_image(sheet, place, len(rows)) for sheet in sheets]
    names = titles(sheets)
    clean, damaged = (
        side_scores(sides, resamples(truth, benchmark.seed))
        for sides in ([one.clean for one in counted], [one.benchmark for one in counted])
    )
    contrasts = [Contrast("gap", one.clean, one.benchmark) for one in counted]
    gaps = measure(contrasts, truth, benchmark.seed)
    hashes = [sheet.sha256 for sheet in sheets]
    return Comparison(
        benchmark.preset.name,
        benchmark.data.source,
        benchmark.seed,
        len(rows),
        len(first.questions),
        tuple(map(Standing, names, hashes, clean, damaged, gaps)),
        _pairs(names, counted, truth, benchmark.seed),
        tuple(notes),
    )


def check_same(sheets: Sequence[Answers]) -> Answers:
    """The first sheet. Raises `EvaluationError` where the others answer other questions."""
    if not sheets:
        raise EvaluationError("Nothing to compare: give at least one submission.")
    first = sheets[0]
    for sheet in sheets[1:]:
        if not asked_the_same(first, sheet):
            raise EvaluationError(
                f"{sheet.name} has not answered all that {first.name} has: compare them on the "
                "same images, preset and seed."
            )
    clean = first.questions.conditions == 0
    for there, what in ((clean, "clean"), (~clean, "corrupted")):
        if not there.any():
            raise EvaluationError(
                f"{first.name} has no answers to {what} images: nothing to compare."
            )
    return first


def titles(sheets: Sequence[Answers]) -> list[str]:
    """The submissions' names; with the start of the zip's SHA-256 where several have the same."""
    count = Counter(sheet.name for sheet in sheets)
    return [
        f"{sheet.name} ({sheet.sha256[:_SHA_SHOWN]})" if count[sheet.name] > 1 else sheet.name
        for sheet in sheets
    ]


@dataclass(frozen=True, eq=False)
class _ByImage:
    """A sheet's answers by base image: all of the benchmark, the clean ones, each family."""

    benchmark: Side
    clean: Side
    families: Mapping[str, Side]


def _by_image(sheet: Answers, place: NDArray[np.intp], images: int) -> _ByImage:
    """place: of each question's base image, among so many."""
    benchmark, conditions = sheet.benchmark, sheet.questions.conditions
    weights = answer_weights(benchmark, sheet.questions)

    def side(chosen: Floats) -> Side:
        right, asked = (
            np.bincount(place, counted, images) for counted in (chosen * sheet.right, chosen)
        )
        return Side(right.astype(np.float64), asked.astype(np.float64))

    family_of = np.array(["", *(condition.family for condition in benchmark.conditions[1:])])
    families = {
        str(family): side(weights * (family_of == family)[conditions])
        for family in dict.fromkeys(family_of[1:])
    }
    return _ByImage(
        side(weights),
        side(np.where(conditions == 0, 1.0, 0.0)),
        {name: side for name, side in families.items() if side.asked.any()},
    )


def _pairs(
    names: Sequence[str], counted: Sequence[_ByImage], truth: NDArray[np.int64], seed: int
) -> tuple[Pair, ...]:
    """Holm's correction goes over all pairs: the overall changes, the clean ones, the families."""
    base, others = counted[0], counted[1:]
    overall = [Contrast("benchmark", base.benchmark, one.benchmark) for one in others]
    clean = [Contrast("clean", base.clean, one.clean) for one in others]
    families = [
        Contrast(name, side, one.families[name])
        for one in others
        for name, side in base.families.items()
    ]
    found = measure([*overall, *clean, *families], truth, seed)
    n, width = len(others), len(base.families)
    by_kind = [judged_together(part) for part in (found[:n], found[n : 2 * n], found[2 * n :])]
    each = (by_kind[2][i * width : (i + 1) * width] for i in range(n))
    return tuple(
        Pair(names[0], name, whole, own, own_families)
        for name, whole, own, own_families in zip(names[1:], *by_kind[:2], each, strict=True)
    )


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
    plan = common_plan(zips, data, options)
    with ExitStack() as stack:
        display = stack.enter_context(shown())
        store = stack.enter_context(opened) if (opened := open_store(options)) else None
        options = replace(options, order_seed=order_secret(options, store, data))
        given = plan, data, challenge, options, store, display
        return [answers_of(path, *given) for path in zips]


def answers_of(
    path: Path,
    plan: Plan,
    data: Dataset,
    challenge: Challenge,
    options: Options,
    store: Store | None,
    display: Display,
) -> Answers:
    """One zip's answers to a plan's questions on some of `data`.

    options: with the secret of the order. Raises `EvaluationError` where it cannot be asked.
    """
    with Archive(path) as archive:
        _refuse(path, examine(archive, challenge, only=FATAL))
        with Runner(archive, challenge, options, data, store, display) as runner:
            return _asked(runner, plan)


def stored_answers(zips: Sequence[Path], data: Dataset, options: Options) -> list[Answers]:
    """The answers of several zips to the questions that all of them have answered before.

    Nothing is run. Raises `EvaluationError` when there is no such question.
    """
    store = open_store(options)
    if store is None:
        raise EvaluationError("expected a store with answers, received --store none")
    with store:
        plan = common_plan(zips, data, replace(options, images=None))
        where, whole = environment_of(options), data.fingerprint()
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
    named(options.corrupt)
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
