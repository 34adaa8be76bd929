"""The dry run: the submission answers in a child, here and under the server's own versions."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from sandbox.ingest import Outcome, Progress, Request, Session
from sandbox.isolation import other_paths
from sandbox.job import CEILINGS, Limits
from submission.archive import Archive
from submission.challenge import ASSUMED_HIDDEN_IMAGES, Challenge, Worker, WorkingFolder
from submission.codes import STEPS, Step, found
from submission.dry_run_cost import PLATFORMS_SECONDS, Cost, estimate
from submission.dry_run_images import Images
from submission.dry_run_judgement import (
    Bounds,
    judge_answers,
    judge_cost,
    judge_failure,
    judge_meaning,
    judge_traces,
    judge_worker,
    unchecked_cost,
)
from submission.dry_run_packages import unknown_package, with_packages
from submission.dry_run_places import HERE, Place
from submission.dry_run_progress import Shown, Tell, silent
from submission.dry_run_questions import Interview, Labels, Question, ask_everything
from submission.dry_run_scale import Difference, ask_readings
from submission.errors import SubmissionError
from submission.failures import plain
from submission.findings import Finding

MEMORY_SHARE = 0.8  # of what is free: beyond it a child is ended, whatever the platform's limit
MOST_MODULES = 100  # that are searched for a folder's name
FEW = 8  # images for a question whose answer does not count
SPARE_BYTES = 3_000_000_000  # free memory, beside the weights, for two children at a time


@dataclass(frozen=True)
class Settings:
    """bounds: the platform's limits, as far as known. hidden_images: how many it will ask."""

    bounds: Bounds = field(default_factory=Bounds)
    hidden_images: int = ASSUMED_HIDDEN_IMAGES
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """What one place showed.

    passed: the last step that it passed, None where not even the import. anywhere: whether it
    answered in both working folders. accuracy: of the first answer on the labelled images, right: on which of them; None without
    labels. labels: the first answer. limits: limit -> the mechanism that held it. seconds: wall time by phase. unchecked:
    what it could not tell; unknown_limits: those of the platform, with what would be needed.
    """

    place: Place
    findings: tuple[Finding, ...]
    cost: Cost | None
    accuracy: float | None
    right: NDArray[np.bool_] | None
    labels: Labels | None
    versions: Mapping[str, str]
    limits: Mapping[str, str]
    seconds: Mapping[str, float]
    unchecked: tuple[str, ...] = ()
    unknown_limits: tuple[str, ...] = ()
    scale: Mapping[str, Difference] = field(default_factory=dict)
    passed: Step | None = None
    anywhere: bool = False

    @property
    def answered(self) -> bool:
        """Whether there is anything to go by."""
        return self.labels is not None


def dry_run(
    archive: Archive,
    challenge: Challenge,
    images: Images,
    place: Place = HERE,
    settings: Settings | None = None,
    shown: Shown = silent,
) -> Run:
    """Load the submission in a child and ask it everything; its failures are findings.

    Raises `SandboxError` if no child can be started, `SubmissionError` if the zip cannot be unpacked.
    """
    return _DryRun(archive, challenge, images, place, settings or Settings(), shown).run()


def first_answer(
    archive: Archive, challenge: Challenge, images: Images, place: Place = HERE
) -> Labels | None:
    """What it says of the images, and nothing else; None if it fails."""
    return _DryRun(archive, challenge, images, place, Settings(), silent).first_answer()


class _DryRun:
    def __init__(
        self,
        archive: Archive,
        challenge: Challenge,
        images: Images,
        place: Place,
        settings: Settings,
        shown: Shown,
    ) -> None:
        self.archive, self.challenge, self.images = archive, challenge, images
        self.place, self.settings, self.shown = place, settings, shown
        self.seconds: dict[str, float] = {}

    def run(self) -> Run:
        with ExitStack() as stack:
            stood = stack.enter_context(self._unpacked())
            main = stack.enter_context(Session(self._request(stood, self.challenge.working_folder)))
            # The child for the other folder loads beside the first one; it is asked after it.
            other = stack.enter_context(self._other()) if self._has_room() else None
            interview, outcome, scale = self._interview(main)
            failures = judge_failure(interview, outcome, self.challenge, self._guards())
            findings = with_packages(failures, outcome.problem, self.place)
            moved = None
            if self._is_worth_moving(outcome):
                moved = self._move(other or stack.enter_context(self._other()))
                findings += self._moved(moved, outcome)
        cost = estimate(interview, outcome, self.settings.hidden_images)
        hidden = self.settings.hidden_images
        findings += judge_answers(interview, outcome, self.challenge, hidden)
        findings += judge_meaning(interview, scale, self.challenge)
        findings += judge_cost(cost, self.settings.bounds) if cost else []
        findings += judge_traces(outcome, str(stood))
        findings += judge_worker(outcome, self._under_newer_worker(outcome))
        run = self._result(interview, outcome, cost, scale, findings)
        anywhere = moved is not None and moved.problem is None and run.answered
        return replace(run, anywhere=anywhere)

    def first_answer(self) -> Labels | None:
        every = np.arange(len(self.images.values))
        with self._unpacked() as folder:
            request = self._request(folder, self.challenge.working_folder)
            with Session(request) as session:
                answer = Interview(session, self.images).ask(Question("first", [every]))
        return None if answer is None else answer.labels

    def _result(
        self,
        interview: Interview,
        outcome: Outcome,
        cost: Cost | None,
        scale: Mapping[str, Difference],
        findings: Sequence[Finding],
    ) -> Run:
        first = interview.answers.get("first")
        right, rows, truth = None, self.images.plain, self.images.labels
        if first is not None and truth is not None:
            right = first.labels[rows] == truth[rows]
        return Run(
            self.place,
            tuple(findings),
            cost,
            None if right is None else float(right.mean()),
            right,
            None if first is None else first.labels,
            outcome.versions,
            outcome.result.limits,
            {"start": outcome.start_seconds, "load": outcome.load_seconds, **self.seconds},
            tuple(filter(None, (*self._not_asked(interview), *self._not_seen(outcome)))),
            tuple(unchecked_cost(cost, self.settings.bounds)),
            scale,
            _passed(interview, outcome),
        )

    def _interview(self, session: Session) -> tuple[Interview, Outcome, dict[str, Difference]]:
        started = time.monotonic()
        with self.shown(self.place.name) as tell:
            interview = Interview(session, self.images, self._watched(session, tell))
            ask_everything(interview, self.settings.hidden_images, self.settings.seed)
            self.seconds["questions"] = time.monotonic() - started
            scale = ask_readings(interview, self.challenge.classes) if self.place == HERE else {}
            self.seconds["scale"] = time.monotonic() - started - self.seconds["questions"]
            return interview, session.finish(), scale

    def _watched(self, session: Session, tell: Tell) -> Tell:
        """The limit is for one pass over the set; what is asked after the first answer is extra."""
        allowed = False

        def watch(question: str, progress: Progress) -> None:
            nonlocal allowed
            if question != "first" and not allowed:
                session.allow(4 * self._guard_seconds)
                allowed = True
            tell(question, progress)

        return watch

    def _is_worth_moving(self, outcome: Outcome) -> bool:
        """Not where it failed for another reason than a file that was not found."""
        problem = outcome.problem
        if self.place != HERE:
            return False
        said = f"{problem.kind} {problem.message}" if problem else ""
        signs = ("FileNotFound", "not found", "No such file", "Unable to open")
        return problem is None or any(sign in said for sign in signs)

    def _move(self, other: Session) -> Outcome:
        """A few images from the working folder that the challenge does not name."""
        started = time.monotonic()
        rows = np.arange(min(len(self.images.values), FEW))
        Interview(other, self.images).ask(Question("first", [rows]))
        end = other.finish()
        self.seconds["other folder"] = time.monotonic() - started
        return end

    def _moved(self, end: Outcome, outcome: Outcome) -> Iterator[Finding]:
        there = "program" if self.challenge.working_folder == "submission" else "submission"
        names = {"program": "the platform's program folder", "submission": "the zip's own folder"}
        if outcome.problem is not None and end.problem is None:
            message = f"it runs in {names[there]} and fails in {names[self.challenge.working_folder]}, where this challenge's server stands"
            yield found("S705", message, "error", kind="fails")
        if outcome.problem is None and end.problem is not None:
            said = plain(f"{end.problem.kind}: {end.problem.message}", 200)
            message = f"it fails when the working folder is {names[there]} ({said})"
            yield found("S705", message, detail=end.problem.trace)

    def _under_newer_worker(self, outcome: Outcome) -> Outcome | None:
        """The same where the submission's folder is read only; only if that may matter."""
        wrote = bool(outcome.seen.changed or outcome.seen.added)
        if self.place != HERE or self.challenge.worker or outcome.problem:
            return None
        if not wrote and not self.reads_output:
            return None
        started = time.monotonic()
        with self._unpacked() as folder:
            request = self._request(folder, self.challenge.working_folder, "2026-10")
            with Session(request) as session:
                rows = np.arange(min(len(self.images.values), FEW))
                Interview(session, self.images).ask(Question("first", [rows]))
                end = session.finish()
        self.seconds["read only"] = time.monotonic() - started
        return end

    def _not_asked(self, interview: Interview) -> Iterator[str]:
        """What was left out because an earlier question was not answered."""
        if interview.failed and interview.answers:
            yield f"what follows the question {interview.failed!r}, which was not answered"
        if self.images.labels is None and self.place == HERE:
            yield "scale and preprocessing (labelled images would show them: --data FILE)"
        elif interview.failed.startswith("scale "):
            yield "scale and preprocessing in full: float images are not answered"

    def _not_seen(self, outcome: Outcome) -> Iterator[str]:
        """What this machine or environment does not show; empty lines count for nothing."""
        yield unknown_package(outcome.problem, self.place)
        yield other_paths(outcome.result.limits)

    def _guards(self) -> dict[str, str]:
        """What ends a child where the platform's own limit is not known."""
        bounds = self.settings.bounds
        time_guard = f"{PLATFORMS_SECONDS} s, Codabench's default, as no time limit is known"
        memory_guard = f"{MEMORY_SHARE:.0%} of what was free here, as no memory limit is known"
        guards = {} if bounds.seconds else {"time": time_guard}
        return guards | ({} if bounds.memory_bytes else {"memory": memory_guard})

    @property
    def _guard_seconds(self) -> float:
        return self.settings.bounds.seconds or PLATFORMS_SECONDS

    def _limits(self) -> Limits:
        free = int(psutil.virtual_memory().available * MEMORY_SHARE)
        return replace(
            CEILINGS,
            seconds=self._guard_seconds,
            memory_bytes=min(self.settings.bounds.memory_bytes or free, free),
        )

    @cached_property
    def reads_output(self) -> bool:
        """Whether its code names the folder that only one generation of the worker fills."""
        names = [name for name in self.archive.names if name.endswith(".py")][:MOST_MODULES]
        return any(b"/app/output" in self._text(name) for name in names)

    def _text(self, name: str) -> bytes:
        try:
            return self.archive.read(name)
        except SubmissionError:
            return b""

    def _request(
        self, folder: Path, working_folder: WorkingFolder, worker: Worker | None = None
    ) -> Request:
        return Request(
            submission=folder,
            **self.challenge.asked(worker),
            working_folder=working_folder,
            python=self.place.python,
            limits=self._limits(),
            image=self.place.image,
        )

    @contextmanager
    def _other(self) -> Iterator[Session]:
        there: WorkingFolder = (
            "program" if self.challenge.working_folder == "submission" else "submission"
        )
        with self._unpacked() as folder, Session(self._request(folder, there)) as session:
            yield session

    def _has_room(self) -> bool:
        """Whether a second child may load beside the first: not where time is measured to a limit."""
        room = psutil.virtual_memory().available > SPARE_BYTES + 4 * self.archive.unpacked_bytes
        spare = (os.cpu_count() or 1) > 1 and self.settings.bounds.seconds is None
        return self.place == HERE and room and spare

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        started = time.monotonic()
        place = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        try:
            self.archive.extract(place)
            self.seconds["unpack"] = time.monotonic() - started
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _passed(interview: Interview, outcome: Outcome) -> Step | None:
    """The last step that the platform's single question passed."""
    if "first" in interview.answers:
        return "answer"
    stage = outcome.problem.stage if outcome.problem else ""
    if stage not in STEPS:
        return None  # ended by a limit, or by itself: its own word of where is not believed
    before = STEPS.index(stage) - 1
    return STEPS[before] if before >= 0 else None
