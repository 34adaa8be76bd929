"""The dry run: the submission answers in a child, here and under the server's own versions."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import (
    ASSUMED_HIDDEN_IMAGES,
    Challenge,
    Worker,
    WorkingFolder,
)
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.cost import (
    Bounds,
    Cost,
    estimate,
    guard,
    judge_cost,
    unchecked_cost,
)
from codabench_rehearsal.rehearsal.dry_run_progress import Shown, silent
from codabench_rehearsal.rehearsal.environments import HERE, Place, unknown_package, with_packages
from codabench_rehearsal.rehearsal.failures import plain
from codabench_rehearsal.rehearsal.judge import (
    judge_answers,
    judge_failure,
    judge_meaning,
    judge_traces,
    judge_worker,
)
from codabench_rehearsal.rehearsal.questions import (
    LARGE_BYTES,
    Images,
    Interview,
    Labels,
    Question,
    ask_everything,
)
from codabench_rehearsal.rehearsal.scale import Difference, ask_readings
from codabench_rehearsal.sandbox.ingest import Outcome, Request, Session
from codabench_rehearsal.sandbox.isolation import other_paths
from submission.archive import Archive
from submission.findings import STEPS, Finding, Step, found


@dataclass(frozen=True)
class Run:
    """What one place showed.

    passed: the last step that it passed, None where not even the import. anywhere: whether it
    answered in both working folders. accuracy: of the first answer on the labelled images, right: on
    which of them; None without labels. labels: the first answer. limits: limit -> the mechanism that
    held it. seconds: wall time by phase. unchecked: what it could not tell; unknown_limits: those of
    the platform, with what would be needed.
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
        self.challenge, self.images, self.place = challenge, images, place
        self.settings, self.shown = settings, shown
        self.children = Children(archive, challenge, images, place, settings)
        self.seconds = self.children.seconds

    def run(self) -> Run:
        children = self.children
        with ExitStack() as stack:
            main = stack.enter_context(children.main())
            # The child for the other folder loads beside the first one; it is asked after it.
            other = stack.enter_context(children.elsewhere()) if children.has_room() else None
            interview, outcome, scale = self._interview(main)
            moved, newer = None, None
            if self._is_worth_moving(outcome):
                session = other or stack.enter_context(children.elsewhere())
                moved = children.answer_few(session, "other folder")
        if moved and not outcome.problem:
            moved, newer = children.by_difference(moved, outcome)
        whole = children.whole_set(interview, outcome)
        failures = judge_failure(interview, outcome, self.challenge, children.guards(), whole)
        cost = estimate(interview, outcome, self.settings.hidden_images)
        findings = [
            *with_packages(failures, outcome.problem, self.place),
            *(self._moved(moved, outcome) if moved else ()),
            *judge_answers(interview, outcome, self.challenge, self.settings.hidden_images),
            *judge_meaning(interview, scale, self.challenge),
            *(judge_cost(cost, self.settings.bounds) if cost else ()),
            *judge_traces(outcome, str(main.request.submission)),
            *judge_worker(outcome, newer),
        ]
        run = self._result(interview, outcome, cost, scale, findings)
        return replace(run, anywhere=bool(moved and not moved.problem and run.answered))

    def first_answer(self) -> Labels | None:
        every = np.arange(len(self.images.values))
        with self.children.main() as session:
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
            interview = Interview(session, self.images, tell)
            ask_everything(interview, self.settings.hidden_images, self.settings.seed)
            self.seconds["questions"] = time.monotonic() - started
            scale = ask_readings(interview, self.challenge.classes) if self.place == HERE else {}
            self.seconds["scale"] = time.monotonic() - started - self.seconds["questions"]
            return interview, session.finish(), scale

    def _is_worth_moving(self, outcome: Outcome) -> bool:
        """Not where it failed for another reason than a file that was not found."""
        problem = outcome.problem
        if self.place != HERE:
            return False
        said = f"{problem.kind} {problem.message}" if problem else ""
        signs = ("FileNotFound", "not found", "No such file", "Unable to open")
        return problem is None or any(sign in said for sign in signs)

    def _moved(self, end: Outcome, outcome: Outcome) -> Iterator[Finding]:
        there, known = self.children.other_folder, self.challenge.working_folder
        names = {"program": "the platform's program folder", "submission": "the zip's own folder"}
        if outcome.problem is not None and end.problem is None:
            message = f"it runs in {names[there]} and fails in {names[known]}, where this challenge's server stands"
            yield found("S705", message, "error", kind="fails")
        if outcome.problem is None and end.problem is not None:
            said = plain(f"{end.problem.kind}: {end.problem.message}", 200)
            message = f"it fails when the working folder is {names[there]} ({said})"
            yield found("S705", message, detail=end.problem.trace)

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


def _passed(interview: Interview, outcome: Outcome) -> Step | None:
    """The last step that the platform's single question passed."""
    if "first" in interview.answers:
        return "answer"
    stage = outcome.problem.stage if outcome.problem else ""
    if stage not in STEPS:
        return None  # ended by a limit, or by itself: its own word of where is not believed
    before = STEPS.index(stage) - 1
    return STEPS[before] if before >= 0 else None


# The children of a dry run: which folders, limits and rules each is started with.


FEW = 8  # images for a question whose answer does not count
SPARE_BYTES = 3_000_000_000  # free memory, beside the weights, for two children at a time


@dataclass(frozen=True)
class Settings:
    """bounds: the platform's limits, as far as known. hidden_images: how many it will ask."""

    bounds: Bounds = field(default_factory=Bounds)
    hidden_images: int = ASSUMED_HIDDEN_IMAGES
    seed: int = 0


@dataclass(eq=False)
class Children:
    """Starts them; each has the zip unpacked anew. seconds: what that took, by phase."""

    archive: Archive
    challenge: Challenge
    images: Images
    place: Place
    settings: Settings
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def main(self) -> Iterator[Session]:
        """As the challenge's platform does it."""
        with self._started(self.challenge.working_folder) as session:
            yield session

    @contextmanager
    def elsewhere(self) -> Iterator[Session]:
        """From the working folder that the challenge does not name, by the newest worker's rules."""
        with self._started(self.other_folder, self.challenge.workers[-1]) as session:
            yield session

    @property
    def other_folder(self) -> WorkingFolder:
        """The working folder that the challenge does not name."""
        return "program" if self.challenge.working_folder == "submission" else "submission"

    def answer_few(self, session: Session, name: str) -> Outcome:
        """Ask about a few images, and nothing more; name: of the phase."""
        started = time.monotonic()
        rows = np.arange(min(len(self.images.values), FEW))
        Interview(session, self.images).ask(Question("first", [rows]))
        end = session.finish()
        self.seconds[name] = time.monotonic() - started
        return end

    def whole_set(self, interview: Interview, outcome: Outcome) -> Outcome | None:
        """What comes of as many images as the hidden set has, where the first few were not answered.

        None where that says nothing more: it failed before it was asked, or ran into a limit.
        """
        problem = outcome.problem
        asked = problem is not None and problem.stage in ("predict", "answer")
        if interview.failed != "first" or not asked or self.place != HERE:
            return None
        rows = np.arange(self.settings.hidden_images) % len(self.images.values)
        if len(rows) * self.images.values[0].nbytes > LARGE_BYTES:
            return None
        with self.main() as session:
            Interview(session, self.images).ask(Question("first", [rows]))
            return session.finish()

    def by_difference(self, moved: Outcome, first: Outcome) -> tuple[Outcome, Outcome | None]:
        """What made the child elsewhere fail: the folder, or the newer worker's rules.

        first: what came of it as the challenge's platform does it. Returns what came of it in the
        other folder alone, and under the newer rules alone (None where the challenge's worker is
        known: then no other rules were tried).
        """
        if len(self.challenge.workers) == 1:
            return moved, None
        if not (moved.problem or first.seen.changed or first.seen.added):
            return moved, moved  # what is written by the working folder shows in its own alone
        with self._started(self.challenge.working_folder, self.challenge.workers[-1]) as session:
            newer = self.answer_few(session, "newer worker")
        if newer.problem is None or moved.problem is None:
            return moved, newer
        with self._started(self.other_folder) as session:
            return self.answer_few(session, "other folder"), newer

    def guards(self) -> Mapping[str, str]:
        """What ends a child where the platform's own limit is not known."""
        return guard(self.settings.bounds).instead

    def has_room(self) -> bool:
        """Whether a second child may load beside the first: not where time is measured to a limit."""
        room = psutil.virtual_memory().available > SPARE_BYTES + 4 * self.archive.unpacked_bytes
        spare = (os.cpu_count() or 1) > 1 and self.settings.bounds.seconds is None
        return self.place == HERE and room and spare

    @contextmanager
    def _started(
        self, working_folder: WorkingFolder, worker: Worker | None = None
    ) -> Iterator[Session]:
        with self._unpacked() as folder:
            request = Request(
                submission=folder,
                **self.challenge.asked(worker),
                working_folder=working_folder,
                python=self.place.python,
                limits=guard(self.settings.bounds).limits,
                image=self.place.image,
            )
            with Session(request) as session:
                yield session

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        started = time.monotonic()
        with TemporaryFolder("zip-") as place:
            folder = place / "zip"
            self.archive.extract(folder)
            self.seconds["unpack"] = time.monotonic() - started
            yield folder
