"""The dry run: the submission answers in a child, here and under the server's own versions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.rehearsal.asked_images import Images
from codabench_rehearsal.rehearsal.children import Children, Settings
from codabench_rehearsal.rehearsal.cost import Cost, estimate, judge_cost, unchecked_cost
from codabench_rehearsal.rehearsal.dry_run_places import HERE, Place
from codabench_rehearsal.rehearsal.dry_run_progress import Shown, silent
from codabench_rehearsal.rehearsal.failures import plain
from codabench_rehearsal.rehearsal.judge import (
    judge_answers,
    judge_failure,
    judge_meaning,
    judge_traces,
    judge_worker,
)
from codabench_rehearsal.rehearsal.questions import Interview, Labels, Question, ask_everything
from codabench_rehearsal.rehearsal.scale import Difference, ask_readings
from codabench_rehearsal.rehearsal.server_packages import unknown_package, with_packages
from codabench_rehearsal.sandbox.ingest import Outcome, Session
from codabench_rehearsal.sandbox.isolation import other_paths
from submission.archive import Archive
from submission.codes import STEPS, Step, found
from submission.findings import Finding


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
