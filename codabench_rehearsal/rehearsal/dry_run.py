"""One dry run: the submission answers everything in a child; its failures are findings."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import ASSUMED_HIDDEN_IMAGES, Challenge
from codabench_rehearsal.console.files import ONE_CASE, tells_case
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.failures import HERE, Environment, unknown_package, with_packages
from codabench_rehearsal.rehearsal.forecast import (
    Bounds,
    Forecast,
    forecast,
    guard,
    judge_forecast,
    unknown_limits,
)
from codabench_rehearsal.rehearsal.judge import (
    judge_answers,
    judge_failure,
    judge_folder,
    judge_meaning,
    judge_traces,
    judge_worker,
    other_folder,
)
from codabench_rehearsal.rehearsal.questions import (
    LARGE_BYTES,
    Images,
    Interview,
    Labels,
    Question,
    Shown,
    ask_everything,
    silent,
)
from codabench_rehearsal.rehearsal.scale import ReadingDifference, ask_readings
from codabench_rehearsal.sandbox.ingest import Outcome, Request, Session
from codabench_rehearsal.sandbox.isolation import other_paths
from submission.archive import Archive
from submission.findings import STEPS, Finding, Step

FEW = 8  # images for a question whose answer does not count
SPARE_BYTES = 3_000_000_000  # free memory, beside the weights, for two children at a time
_Heard = tuple[Interview, Outcome, dict[str, ReadingDifference]]
_LOST = ("FileNotFound", "not found", "No such file", "Unable to open")  # signs of a lost file


@dataclass(frozen=True)
class Setup:
    """What all dry runs of one zip share. hidden_images: how many the platform will ask about."""

    archive: Archive
    challenge: Challenge
    images: Images
    bounds: Bounds = field(default_factory=Bounds)
    hidden_images: int = ASSUMED_HIDDEN_IMAGES
    seed: int = 0
    shown: Shown = silent


@dataclass(frozen=True)
class DryRun:
    """What one environment showed.

    right: which of the labelled images the first answer has right, None without labels. labels: the
    first answer. limits: limit -> the mechanism that held it. seconds: wall time by phase.
    unchecked: what it could not tell; unknown_limits: those of the platform, with what would be
    needed. readings: by name, those that were tried. passed: the last step that it passed, None
    where not even the import. anywhere: whether it answered in both working folders. tells_case:
    whether upper and lower case in file names make a difference where it ran.
    """

    environment: Environment
    findings: tuple[Finding, ...] = ()
    forecast: Forecast | None = None
    labels: Labels | None = None
    right: NDArray[np.bool_] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    unknown_limits: tuple[str, ...] = ()
    readings: Mapping[str, ReadingDifference] = field(default_factory=dict)
    passed: Step | None = None
    anywhere: bool = False
    tells_case: bool = True

    @property
    def answered(self) -> bool:
        """Whether there is anything to go by."""
        return self.labels is not None

    @property
    def accuracy(self) -> float | None:
        """Of the first answer on the labelled images; None without labels."""
        return None if self.right is None else float(self.right.mean())

    def is_servers(self, challenge: Challenge) -> bool:
        """Whether the versions that it loaded are those that the challenge names."""
        named = {"tensorflow": challenge.tensorflow, "keras": challenge.keras}
        pins = {name: pin for name, pin in named.items() if pin}
        loaded = {**(pins if self.environment.is_server else {}), **self.versions}
        return bool(pins) and all(loaded.get(name) == pin for name, pin in pins.items())

    def document(self) -> dict[str, Any]:
        """Everything, for machines."""
        cost = self.forecast
        return {
            "place": self.environment.name,
            "python": self.environment.python,
            "answered": self.answered,
            "accuracy": self.accuracy,
            "versions": dict(self.versions),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "hidden_images": cost
            and {
                "images": cost.images,
                "asked": cost.measured,
                "seconds": round(cost.seconds.likely, 3),
                "seconds_range": [round(cost.seconds.low, 3), round(cost.seconds.high, 3)],
                "peak_bytes": int(cost.peak_bytes.likely),
                "peak_bytes_range": [int(cost.peak_bytes.low), int(cost.peak_bytes.high)],
            },
            "limits": dict(self.limits),
            "scale": {
                name: {"accuracy": d.changed, "gain": [d.low, d.high], "images": d.images}
                for name, d in self.readings.items()
            },
        }


def dry_run(setup: Setup, environment: Environment) -> DryRun:
    """Load the submission in a child and ask it everything.

    Raises `SandboxError` if no child can be started, `SubmissionError` if the zip cannot be
    unpacked.
    """
    children, challenge = _Children(setup, environment), setup.challenge
    (interview, outcome, readings), moved = children.ask()
    newer = None
    if moved and not outcome.problem:
        moved, newer = children.by_difference(moved, outcome)
    whole = children.whole_set(interview, outcome)
    cost = forecast(interview, outcome, setup.hidden_images)
    guards = guard(setup.bounds).instead
    failures = judge_failure(interview, outcome, challenge, guards, whole)
    findings = [
        *with_packages(failures, outcome.problem, environment),
        *(judge_folder(moved, outcome, challenge) if moved else ()),
        *judge_answers(interview, outcome, challenge, setup.hidden_images),
        *judge_meaning(interview, readings, challenge),
        *(judge_forecast(cost, setup.bounds) if cost else ()),
        *judge_traces(outcome, str(interview.session.request.submission)),
        *judge_worker(outcome, newer),
    ]
    first, rows, truth = interview.answers.get("first"), setup.images.plain, setup.images.labels
    return DryRun(
        environment,
        tuple(findings),
        cost,
        labels=None if first is None else first.labels,
        right=None if first is None or truth is None else first.labels[rows] == truth[rows],
        versions=outcome.versions,
        limits=outcome.result.limits,
        seconds={"start": outcome.start_seconds, "load": outcome.load_seconds} | children.seconds,
        unchecked=tuple(filter(None, _unchecked(interview, outcome, environment))),
        unknown_limits=tuple(unknown_limits(cost, setup.bounds)),
        readings=readings,
        passed=_passed(interview, outcome),
        anywhere=bool(moved and not moved.problem and first),
        tells_case=tells_case(),
    )


def first_answer(setup: Setup, environment: Environment) -> Labels | None:
    """What it says of the images, and nothing else; None if it fails."""
    with _Children(setup, environment).start() as session:
        every = np.arange(len(setup.images.values))
        answer = Interview(session, setup.images).ask(Question("first", [every]))
    return None if answer is None else answer.labels


class _Children:
    """Starts them, each with the zip unpacked anew. seconds: what that took, by phase."""

    def __init__(self, setup: Setup, environment: Environment) -> None:
        self.setup, self.environment = setup, environment
        self.seconds: dict[str, float] = {}

    def ask(self) -> tuple[_Heard, Outcome | None]:
        """Ask one everything; and one elsewhere about a few images, where that says more."""
        with ExitStack() as stack:
            main = stack.enter_context(self.start())
            # The child for the other folder loads beside the first one; it is asked after it.
            other = stack.enter_context(self.elsewhere()) if self.has_room() else None
            heard = self.interview(main)
            if not _is_worth_moving(heard[1], self.environment):
                return heard, None
            other = other or stack.enter_context(self.elsewhere())
            return heard, self.answer_few(other, "other folder")

    @contextmanager
    def start(self, *, moved: bool = False, newest: bool = False) -> Iterator[Session]:
        """As the challenge's platform does it.

        moved: in the working folder that the challenge does not name. newest: by the rules of the
        newest worker that may run it.
        """
        challenge, started = self.setup.challenge, time.monotonic()
        with TemporaryFolder("zip-") as place:
            self.setup.archive.extract(place / "zip")
            self.seconds["unpack"] = time.monotonic() - started
            request = Request(
                submission=place / "zip",
                **challenge.asked(challenge.workers[-1] if newest else None),
                working_folder=other_folder(challenge) if moved else challenge.working_folder,
                python=self.environment.python,
                limits=guard(self.setup.bounds).limits,
                image=self.environment.image,
            )
            with Session(request) as session:
                yield session

    def elsewhere(self) -> AbstractContextManager[Session]:
        return self.start(moved=True, newest=True)

    def has_room(self) -> bool:
        """Whether two may load side by side: not where time is measured to a limit."""
        needed = SPARE_BYTES + 4 * self.setup.archive.unpacked_bytes
        spare = (os.cpu_count() or 1) > 1 and self.setup.bounds.seconds is None
        room = psutil.virtual_memory().available > needed
        return self.environment == HERE and room and spare

    def interview(self, session: Session) -> _Heard:
        setup, started = self.setup, time.monotonic()
        with setup.shown(self.environment.name) as tell:
            interview = Interview(session, setup.images, tell)
            ask_everything(interview, setup.hidden_images, setup.seed)
            asked, here = time.monotonic(), self.environment == HERE
            readings = ask_readings(interview, setup.challenge.classes) if here else {}
            self.seconds |= {"questions": asked - started, "scale": time.monotonic() - asked}
            return interview, session.finish(), readings

    def answer_few(self, session: Session, phase: str) -> Outcome:
        started = time.monotonic()
        rows = np.arange(min(len(self.setup.images.values), FEW))
        Interview(session, self.setup.images).ask(Question("first", [rows]))
        end = session.finish()
        self.seconds[phase] = time.monotonic() - started
        return end

    def whole_set(self, interview: Interview, outcome: Outcome) -> Outcome | None:
        """What comes of as many images as the hidden set has, where a few were not answered.

        None where that says nothing more: it failed before it was asked, or ran into a limit.
        """
        problem, images = outcome.problem, self.setup.images
        asked = problem is not None and problem.stage in ("predict", "answer")
        if interview.failed != "first" or not asked or self.environment != HERE:
            return None
        rows = np.arange(self.setup.hidden_images) % len(images.values)
        if len(rows) * images.values[0].nbytes > LARGE_BYTES:
            return None
        with self.start() as session:
            Interview(session, images).ask(Question("first", [rows]))
            return session.finish()

    def by_difference(self, moved: Outcome, first: Outcome) -> tuple[Outcome, Outcome | None]:
        """What made the child elsewhere fail: the folder, or the newer worker's rules.

        first: what came of it as the challenge's platform does it. Returns what came of it in the
        other folder alone, and under the newer rules alone (None where the challenge's worker is
        known: then no other rules were tried).
        """
        if len(self.setup.challenge.workers) == 1:
            return moved, None
        if not (moved.problem or first.seen.changed or first.seen.added):
            return moved, moved  # what is written by the working folder shows in its own alone
        with self.start(newest=True) as session:
            newer = self.answer_few(session, "newer worker")
        if newer.problem is None or moved.problem is None:
            return moved, newer
        with self.start(moved=True) as session:
            return self.answer_few(session, "other folder"), newer


def _is_worth_moving(outcome: Outcome, environment: Environment) -> bool:
    """Not where it failed for another reason than a file that was not found."""
    problem = outcome.problem
    said = f"{problem.kind} {problem.message}" if problem else ""
    return environment == HERE and (problem is None or any(sign in said for sign in _LOST))


def _unchecked(interview: Interview, outcome: Outcome, environment: Environment) -> Iterator[str]:
    """What was left out, and what this machine or environment does not show; "" for nothing."""
    if interview.failed and interview.answers:
        yield f"the tests after {interview.failed!r}, which got no answer"
    if interview.images.labels is None and environment == HERE:
        yield "scale and preprocessing (labelled images would show them: --data FILE)"
    elif interview.failed.startswith("scale "):
        yield "scale and preprocessing in full: float images are not answered"
    yield unknown_package(outcome.problem, environment)
    yield other_paths(outcome.result.limits)
    yield "" if tells_case() else ONE_CASE


def _passed(interview: Interview, outcome: Outcome) -> Step | None:
    """The last step that the platform's single question passed."""
    if "first" in interview.answers:
        return "answer"
    stage = outcome.problem.stage if outcome.problem else ""
    if stage not in STEPS:
        return None  # ended by a limit, or by itself: its own word of where is not believed
    before = STEPS.index(stage) - 1
    return STEPS[before] if before >= 0 else None
