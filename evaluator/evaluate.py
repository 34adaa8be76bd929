"""Run a submission on a benchmark: plan the questions, ask the sandbox, score the answers."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from cells import Dataset, from_arrays, load
from corruptions.chain import validate
from corruptions.presets import Preset, resolve
from evaluator.benchmark import Benchmark, Questions, draw_benchmark, fill_block
from evaluator.choice import Choice, choose, find_split
from evaluator.errors import EvaluationError
from evaluator.progress import Shown, silent
from evaluator.result import Report, Scores, Source, Timing
from evaluator.scores import score
from sandbox.ingest import Outcome, Request, Session
from sandbox.job import CEILINGS
from submission.archive import Archive
from submission.challenge import DEFAULT, Challenge, load_challenge
from submission.checks.registry import examine
from submission.failures import Failure, explain
from submission.findings import Finding

DEFAULT_IMAGES = 1000
MEMORY_SHARE = 0.25  # of what is free: a whole set in one predict call may use this much
BYTES_A_VALUE = 13  # one as uint8, three float32 copies on the way through a model
CONSTANT_SHARE = 0.95
FATAL = ("S101", "S104", "S105", "S106", "S107", "S115")  # nothing that could be unpacked and run
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Options:
    """How to evaluate; the command's flags and `local_eval`'s arguments.

    corrupt: a preset, a chain such as "fog:3", or a TOML file. images: at most so many base
    images, None for all. block: images in one predict call, None for as many as memory allows.
    device: None for the GPU where there is one, except in a notebook. seconds, memory_bytes:
    limits of the child, None for the challenge's own.
    """

    corrupt: str = "heavy"
    images: int | None = DEFAULT_IMAGES
    seed: int = 0
    split: str | None = None
    challenge: str = DEFAULT
    device: Device | None = None
    block: int | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    command: str = ""


def local_eval(
    submission: str | Path = "submission.zip",
    images: NDArray[Any] | Dataset | str | Path | None = None,
    labels: NDArray[Any] | None = None,
    **options: Any,
) -> Report:
    """Rehearse a submission: `local_eval("submission.zip", images, labels, corrupt="heavy")`.

    images: uint8 `(n, h, w, c)` with labels `(n,)`, a `cells.Dataset`, or a file to load. Further
    options are the fields of `Options`; `count` is another name for `images=N` there. Raises
    `EvaluationError`, `DataError`, `CorruptionError` or `SubmissionError` for what cannot be used;
    a submission's own failure is no exception but a finding in the report.
    """
    if "count" in options:
        options["images"] = options.pop("count")
    try:
        chosen = Options(**options)
    except TypeError as error:
        raise EvaluationError(f"unknown option: {error}") from None
    challenge = load_challenge(chosen.challenge)
    data = _as_dataset(images, labels, challenge)
    return evaluate(Path(submission), data, challenge, chosen)


def evaluate(
    zip_path: Path, data: Dataset, challenge: Challenge, options: Options, shown: Shown = silent
) -> Report:
    """Evaluate one zip on one data set; see `local_eval`. `shown` is told of the progress."""
    started = time.monotonic()
    preset = resolve(options.corrupt)
    with Archive(zip_path) as archive:
        findings = examine(archive, challenge, only=FATAL)
        if findings:
            findings += examine(archive, challenge, ignored=FATAL)
            plan = _plan(zip_path, data, preset, challenge, options)
            source = _source(archive, challenge, data, plan, options)
            return _not_run(source, findings, time.monotonic() - started)
        with tempfile.TemporaryDirectory(prefix="submission-") as place:
            archive.extract(Path(place))
            with Session(_request(Path(place), challenge, options)) as session:
                # The child imports and loads while the zip is looked at and the images are made.
                findings = examine(archive, challenge, ignored=FATAL)
                plan = _plan(zip_path, data, preset, challenge, options)
                outcome = _ask(session, plan, shown)
        source = _source(archive, challenge, data, plan, options)
    answers = np.concatenate([np.zeros(0, np.int64), *outcome.labels])
    scores, more = _judge(outcome, plan, answers, challenge)
    timing = Timing(
        outcome.start_seconds,
        outcome.load_seconds,
        outcome.predict_seconds,
        time.monotonic() - started,
        len(answers),
    )
    return Report(
        source,
        scores,
        (*findings, *more),
        timing,
        outcome.result.peak_memory_bytes,
        len(plan.blocks),
        outcome.versions,
        outcome.result.limits,
    )


@dataclass(frozen=True)
class _Plan:
    """Which images, damaged how, asked in which order and blocks."""

    choice: Choice
    benchmark: Benchmark
    questions: Questions
    blocks: list[Questions]


def _plan(
    zip_path: Path, data: Dataset, preset: Preset, challenge: Challenge, options: Options
) -> _Plan:
    validate(preset)
    split = find_split(zip_path, options.split)
    choice = choose(data, split, options.images, options.seed)
    benchmark = draw_benchmark(choice.data, preset, options.seed)
    questions = benchmark.questions()
    blocks = questions.blocks(options.block or _block_size(challenge))
    return _Plan(choice, benchmark, questions, blocks)


def _as_dataset(images: Any, labels: Any, challenge: Challenge) -> Dataset:
    if isinstance(images, Dataset):
        return images
    shape, classes = challenge.shape, challenge.classes
    if images is None or isinstance(images, str | Path):
        return load(images or "training_set.npz", shape=shape, classes=classes)
    if labels is None:
        raise EvaluationError("labels are missing: local_eval(zip, images, labels), or give a file")
    return from_arrays(images, labels, shape=shape, classes=classes)


def _source(
    archive: Archive, challenge: Challenge, data: Dataset, plan: _Plan, options: Options
) -> Source:
    return Source(
        path=str(archive.path),
        sha256=archive.sha256,
        bytes=archive.size,
        challenge=challenge.name,
        metric=challenge.metric,
        label_names=challenge.label_names,
        data=data.source,
        fingerprint=plan.choice.data.fingerprint(),
        split=plan.choice.split,
        notes=(*data.notes, *plan.choice.notes),
        preset=plan.benchmark.preset.name,
        description=plan.benchmark.preset.description,
        seed=options.seed,
        command=options.command,
    )


def _block_size(challenge: Challenge) -> int:
    """As many images as fit: the platform calls predict once on the whole set."""
    free = psutil.virtual_memory().available * MEMORY_SHARE
    return max(256, int(free / (BYTES_A_VALUE * np.prod(challenge.shape))))


def _request(folder: Path, challenge: Challenge, options: Options) -> Request:
    return Request(
        submission=folder,
        classes=challenge.classes,
        module=challenge.module,
        class_name=challenge.class_name,
        method=challenge.method,
        working_folder=challenge.working_folder,
        device=options.device or ("cpu" if "ipykernel" in sys.modules else "gpu"),
        limits=replace(
            CEILINGS,
            seconds=options.seconds or challenge.seconds,
            memory_bytes=options.memory_bytes or challenge.memory_bytes,
        ),
    )


def _ask(session: Session, plan: _Plan, shown: Shown) -> Outcome:
    sizes = [len(block) for block in plan.blocks]
    workers = min(os.cpu_count() or 1, 8)

    def fill(index: int, out: NDArray[np.uint8]) -> None:
        fill_block(plan.benchmark, plan.blocks[index], out, workers)

    with shown(sizes) as tell:
        return session.ask(plan.choice.data.images.shape[1:], sizes, fill, tell)


def _judge(
    outcome: Outcome, plan: _Plan, answers: NDArray[np.int64], challenge: Challenge
) -> tuple[Scores | None, list[Finding]]:
    if outcome.problem is not None:
        problem = outcome.problem
        failure = Failure(problem.stage, problem.kind, problem.message, problem.trace)
        names = (challenge.module, challenge.class_name, challenge.method)
        return None, [explain(failure, *names)]
    scores = score(plan.benchmark, plan.questions, answers, challenge.classes, challenge.metric)
    return scores, _constant_answers(scores, challenge)


def _constant_answers(scores: Scores, challenge: Challenge) -> list[Finding]:
    most = int(np.argmax(scores.validation.answered))
    share = scores.validation.answered[most]
    if (
        share < CONSTANT_SHARE
        or len(scores.validation.answered) - np.isnan(scores.validation.recall).sum() < 2
    ):
        return []
    message = f"the answer is {challenge.label_names[most]!r} for {share:.0%} of the clean images"
    advice = (
        "Most often a scale mismatch: trained on 0..1 but fed 0..255, or another preprocess_input."
    )
    return [Finding("S610", "error", message, advice)]


def _not_run(source: Source, findings: list[Finding], seconds: float) -> Report:
    return Report(source, None, tuple(findings), Timing(0.0, 0.0, 0.0, seconds, 0), 0, 0, {}, {})
