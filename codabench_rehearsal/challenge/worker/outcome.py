"""What came of a submission: its jobs, its tasks, and what the site says of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import JobName, Step
from codabench_rehearsal.challenge.worker.metadata import Kind
from codabench_rehearsal.challenge.worker.scores_file import Score, ScoresFile, parent_scores

Status = Literal["Finished", "Failed"]


@dataclass(frozen=True)
class RanJob:
    """One job: its programs, and its wall time with all that the worker does around them."""

    name: JobName
    steps: tuple[Step, ...]
    seconds: float

    def step(self, kind: Kind) -> Step | None:
        """The program of this kind, None where the job has none."""
        return next((step for step in self.steps if step.kind == kind), None)


@dataclass(frozen=True)
class RanTask:
    """One task of a submission.

    message: the platform's own, word for word; "" for none. reason: the sentence in it. scores: of
    a failed one too, where the site had taken them. dropped: keys that are no column. remarks: what
    the platform passes over in silence. detailed_results: the page, None where there is none.
    refused: why the outcome says nothing of the platform; "" for nothing.
    """

    task: Task
    status: Status
    message: str
    reason: str
    jobs: tuple[RanJob, ...]
    scores: tuple[Score, ...] = ()
    dropped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    detailed_results: bytes | None = None
    refused: str = ""


@dataclass(frozen=True)
class Ran:
    """A submission to a phase.

    status, message: of the only task. Of several the site says Finished once all have ended,
    whatever became of them; the message is then the first one's that failed. scores: see
    `parent_scores`.
    """

    worker: Worker
    phase: Phase
    status: Status
    message: str
    tasks: tuple[RanTask, ...]
    scores: tuple[Score, ...]
    seconds: float


def together(
    bundle: Bundle,
    phase: Phase,
    worker: Worker,
    ran: Sequence[RanTask],
    files: Sequence[ScoresFile],
    seconds: float,
) -> Ran:
    """What the site says of all tasks. files: what each of them scored."""
    if len(ran) == 1:
        one = ran[0]
        return Ran(worker, phase, one.status, one.message, (one,), one.scores, seconds)
    message = next((one.message for one in ran if one.status == "Failed"), "")
    scores = parent_scores(files, bundle.columns)
    return Ran(worker, phase, "Finished", message, tuple(ran), scores, seconds)
