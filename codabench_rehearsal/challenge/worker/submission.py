"""Run a submission to a bundle as Codabench's worker does: two jobs a task, and what the site says.

`run_submission` is the door. Both generations of the worker are known ("2026-03", "2026-10"); where
they differ, the code here asks which. Foreign code runs in children alone (`worker_job.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.fallback import check_paths, why_no_places
from codabench_rehearsal.challenge.worker.files import carry, exit_notes, unpack
from codabench_rehearsal.challenge.worker.folders import JobFolders
from codabench_rehearsal.challenge.worker.job import (
    JobName,
    Machine,
    Now,
    Planned,
    Step,
    run_job,
    write_python,
)
from codabench_rehearsal.challenge.worker.metadata import Kind, Program, read_program
from codabench_rehearsal.challenge.worker.outcome import Ran, RanJob, RanTask, Status, together
from codabench_rehearsal.challenge.worker.scores_file import (
    ScoresFile,
    child_scores,
    read_scores,
    site_scores,
)
from codabench_rehearsal.console.errors import SubmissionError, room_for
from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.sandbox.validate import read_left

NOT_ZERO = "Child task failed or non-zero return code"
TOO_LONG = "Execution Time Limit exceeded. Limit was {} seconds"
NO_OUTPUT = "Metadata file not found"
HAS_METADATA = (
    "Error, the output directory already contains a metadata file. This file is used "
    "to store exitCode and other data, do not write to this file manually."
)
WRAPPED = "Submission failed: {}. See logs for more details."  # the newer worker's
LARGEST_PAGE = 64 << 20  # bytes of detailed results


@dataclass
class _Noted:
    """What is known of a task so far."""

    jobs: list[RanJob] = field(default_factory=list)
    file: ScoresFile = field(default_factory=ScoresFile)
    remarks: list[str] = field(default_factory=list)
    page: bytes | None = None


class _FailedError(Exception):
    """The worker gives up, with this sentence."""


def run_submission(
    bundle: Bundle,
    submission: Path,
    phase: Phase,
    worker: Worker,
    machine: Machine | None = None,
    told: Callable[[Now], None] = lambda _: None,
    keep: Path | None = None,
) -> Ran:
    """Run a zip through every task of a phase.

    told: often, what runs just now. keep: a folder that gets the outputs and logs of each job.
    Raises `SubmissionError` for a zip or files of the bundle that are not there, `SandboxError`
    where a program cannot run on this machine at all, `NoRoomError` for a full disk.
    """
    begun = time.monotonic()
    machine = machine or Machine()
    tasks = bundle.tasks_of(phase)
    if not tasks:
        raise SubmissionError(
            f"{shown(bundle.source)}: expected a task of phase {shown(phase.name)}, received none; "
            "a phase names its tasks by their index."
        )
    for task in tasks:
        _check(bundle, task)
        if machine.image is None:
            _check_paths(task, worker)
    ran, files = list[RanTask](), list[ScoresFile]()
    with TemporaryFolder("worker-") as place, room_for(place):
        write_python(place / "python", machine.python)
        for number, task in enumerate(tasks):
            kept = keep and keep / f"task-{number}"
            way = _Way(bundle, task, phase, worker, machine, place, submission, told, kept)
            one, file = way.run(is_child=len(tasks) > 1)
            ran.append(one)
            files.append(file)
    return together(bundle, phase, worker, ran, files, time.monotonic() - begun)


def _check(bundle: Bundle, task: Task) -> None:
    """Refuse what cannot be rehearsed before anything runs."""
    for key, named in task.missing.items():
        option = f"--{key.replace('_', '-')}"
        way_out = f"give it by {option}" if key.endswith("_data") else "take the whole bundle"
        raise SubmissionError(
            f"{shown(bundle.source)}: expected the {key} of task {shown(task.name)} at "
            f"{shown(named)}, and it is not there; {way_out}."
        )
    if task.scoring is None:
        raise SubmissionError(
            f"{shown(bundle.source)}: expected a scoring_program for task {shown(task.name)}, "
            "received none; without one the platform takes no bundle."
        )


def _check_paths(task: Task, worker: Worker) -> None:
    """Refuse programs that need folders at `/app` where none can be shown there."""
    programs: tuple[tuple[Kind, Path | None], ...] = (
        ("ingestion", task.ingestion),
        ("scoring", task.scoring),
    )
    for kind, folder in programs:
        if folder is not None:
            check_paths(folder, kind, read_program(folder, kind, worker))


@dataclass(frozen=True)
class _Way:
    """One task's way through both jobs."""

    bundle: Bundle
    task: Task
    phase: Phase
    worker: Worker
    machine: Machine
    place: Path
    submission: Path
    told: Callable[[Now], None]
    keep: Path | None

    def run(self, *, is_child: bool) -> tuple[RanTask, ScoresFile]:
        """Both jobs, and the verdict. is_child: of a submission with several tasks."""
        noted, reason = _Noted(), ""
        status: Status = "Finished"
        with TemporaryFolder("task-", within=self.place) as place:
            try:
                self._both(place, noted)
            except _FailedError as failure:
                reason, status = str(failure), "Failed"
        steps = [step for job in noted.jobs for step in job.steps]
        columns = child_scores if is_child else site_scores
        ran = RanTask(
            self.task,
            status,
            WRAPPED.format(reason) if reason and self.worker == "2026-10" else reason,
            reason,
            tuple(noted.jobs),
            columns(noted.file, self.bundle.columns),
            noted.file.dropped,
            tuple(filter(None, [*noted.remarks, noted.file.remark])),
            noted.page,
            next((step.refused for step in steps if step.refused), ""),
        )
        return ran, noted.file

    def _both(self, place: Path, noted: _Noted) -> None:
        first = self._folders(place / "prediction", is_scoring=False)
        second = self._folders(place / "scoring", is_scoring=True)
        self._predict(first, noted)
        self._score(first, second, noted)

    def _folders(self, place: Path, *, is_scoring: bool) -> JobFolders:
        place.mkdir()
        tools, mounts = self.place / "python", bool(self.machine.image) or not why_no_places()
        return JobFolders(place, tools, self.task, self.worker, is_scoring, mounts)

    def _predict(self, folders: JobFolders, noted: _Noted) -> None:
        begun = time.monotonic()
        if wrong := unpack(self.submission, folders.submission):
            raise _FailedError(wrong)
        planned = self._own_program(folders) if self.worker == "2026-03" else []
        makes_output = self.worker == "2026-10" or folders.output.is_dir()
        folders.lay_out()
        if self.task.ingestion and not self.task.only_during_scoring:
            planned.append(self._planned(folders, "ingestion", self.task.ingestion))
        self._ran(folders, planned, noted, begun)
        if not makes_output and not any(one.program.command for one in planned):
            raise _FailedError(NO_OUTPUT)
        self._leave(folders, noted)

    def _own_program(self, folders: JobFolders) -> list[Planned]:
        """What the older worker does with the submission itself: copies it, or starts it."""
        if not folders.submission.is_dir():
            return []
        program = read_program(folders.submission, "submission", self.worker)
        if not program.described:
            carry(folders.submission, folders.output)
        return [Planned("submission", program)] if program.command or program.fault else []

    def _score(self, first: JobFolders, folders: JobFolders, noted: _Noted) -> None:
        begun = time.monotonic()
        folders.lay_out()
        carry(first.output, folders.results)
        if self.worker == "2026-10" and first.submission.is_dir():
            carry(first.submission, folders.submission)
            for failed in carry(first.submission, folders.results):  # over the predictions
                noted.remarks.append(f"the worker could not copy {failed}")
        planned = [self._planned(folders, "scoring", self.task.scoring)]
        if self.task.ingestion and self.task.only_during_scoring:
            planned.append(self._planned(folders, "ingestion", self.task.ingestion))
        self._ran(folders, planned, noted, begun)
        step = noted.jobs[-1].step("scoring")
        if step is None or not _is_well(step, planned[0].program, self.worker):
            raise _FailedError(NOT_ZERO)
        noted.file = read_scores(folders.output, self.bundle.columns)
        if noted.file.message:
            raise _FailedError(noted.file.message)
        self._leave(folders, noted)

    def _planned(self, folders: JobFolders, kind: Kind, source: Path | None) -> Planned:
        """A program of the bundle's, unpacked for the job."""
        place = folders.program(kind)
        place.mkdir(parents=True)
        if source is not None:
            carry(source, place)
        program = read_program(place, kind, self.worker)
        if kind == "scoring" and self.worker == "2026-03" and not program.described:
            carry(place, folders.output)  # it takes it for a submission of results
        return Planned(kind, program)

    def _ran(
        self, folders: JobFolders, planned: list[Planned], noted: _Noted, begun: float
    ) -> None:
        limit = self.phase.seconds
        steps = run_job(folders, planned, self.machine, limit, self.told)
        name: JobName = "scoring" if folders.is_scoring else "prediction"
        noted.jobs.append(RanJob(name, steps, time.monotonic() - begun))
        noted.remarks += _remarks(planned, steps)
        if folders.is_scoring and self.bundle.detailed_results:
            noted.page = _page(folders.output)
        if self.keep is not None:
            _keep(self.keep / name, folders.output, steps)
        if any(step.ended == "time" for step in steps):
            raise _FailedError(TOO_LONG.format(limit))

    def _leave(self, folders: JobFolders, noted: _Noted) -> None:
        """The worker's own file in the output; a program must not have written one."""
        file = folders.output / "metadata"
        if file.exists() or file.is_symlink():
            raise _FailedError(HAS_METADATA)
        own: Kind = "scoring" if folders.is_scoring else "submission"
        steps = {"program": noted.jobs[-1].step(own), "ingestion": noted.jobs[-1].step("ingestion")}
        codes = {name: step.exit_code if step else None for name, step in steps.items()}
        seconds = {name: step.seconds if step else None for name, step in steps.items()}
        file.write_text(exit_notes(codes, seconds), encoding="utf-8")


def _remarks(planned: Sequence[Planned], steps: Sequence[Step]) -> Iterator[str]:
    """What the platform passes over, and what it would not have done."""
    for one in planned:
        if one.program.remark:
            yield f"{one.kind}: {one.program.remark}"
    for step in steps:
        if step.by_this_machine:
            limit = f"a limit of this machine's ({step.ended})"
            yield f"{step.kind} was ended by {limit}, which the platform has not"


def _keep(place: Path, output: Path, steps: Sequence[Step]) -> None:
    """What a job left, and what its programs printed."""
    for failed in carry(output, place / "output"):
        raise SubmissionError(f"{shown(str(place))}: {failed}; choose another place to keep it.")
    for step in steps:
        write_text(place / f"{step.kind}.log", step.log)


def _is_well(step: Step, program: Program, worker: Worker) -> bool:
    """Whether scoring counts as done: the older worker misses no program that was not started."""
    if program.fault:
        return False
    return step.exit_code == 0 or (worker == "2026-03" and not program.command)


def _page(output: Path) -> bytes | None:
    """The page of detailed results: by its name, else the first one."""
    pages = [output / "detailed_results.html", *sorted(output.glob("*.html"))]
    found = next((page for page in pages if page.exists()), None)
    return read_left(found, LARGEST_PAGE) if found else None
