"""Why a submission failed: the first program that did, and what its log says of it.

The platform's message is about scoring, most often because it found nothing to score: the cause is
the first program that ended badly. Of a log the last traceback counts, as Python prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codabench_rehearsal.challenge.tracebacks import plain_lines, raised_in
from codabench_rehearsal.challenge.worker.job import JobName, Step
from codabench_rehearsal.challenge.worker.metadata import Kind
from codabench_rehearsal.challenge.worker.outcome import RanTask
from codabench_rehearsal.console.words import one_line

_KILLED = 137
_CRASHES = {132: "an illegal instruction", 134: "it aborted", 136: "a division in native code"}
_CRASHES |= {135: "a bus error", 139: "a segmentation fault"}
_LONGEST, _MOST_LINES = 300, 60


@dataclass(frozen=True)
class Cause:
    """Why a program ended badly.

    kind: the exception's type, "" where none was raised. message: in its own words. file, line:
    where; the innermost place in the submission, else in the program. in_submission: whether that
    is the submission's own code. trace: the end of the log. ended: False for a program that printed
    it and went on to exit code 0.
    """

    job: JobName
    program: Kind
    kind: str
    message: str
    file: str = ""
    line: int = 0
    in_submission: bool = False
    trace: str = ""
    ended: bool = True

    @property
    def said(self) -> str:
        """The exception as Python's last line has it."""
        return (
            f"{self.kind}: {self.message}"
            if self.kind and self.message
            else self.kind or self.message
        )

    def __str__(self) -> str:
        where = f" ({self.file}, line {self.line})" if self.file else ""
        how = "ended with" if self.ended else "printed"
        return f"{self.program} {how} {one_line(self.said, _LONGEST)}{where}"


def cause_of(ran: RanTask) -> Cause | None:
    """Why a task failed, or ran without what it needed; None where every program ended well."""
    return next(_causes(ran), None)


def _causes(ran: RanTask) -> Iterator[Cause]:
    for job in ran.jobs:
        for step in job.steps:
            if step.fault:
                yield Cause(job.name, step.kind, "", f"an error before it started: {step.fault}")
            elif step.exit_code or step.ended == "time":
                yield _of_step(job.name, step)
            elif ran.status == "Failed" and step.exit_code == 0:
                # What catches an error and prints it leaves nothing to score.
                printed = _of_step(job.name, step)
                yield from [replace(printed, ended=False)] if printed.kind else []


def _of_step(job: JobName, step: Step) -> Cause:
    lines = plain_lines(step.log)
    trace = "\n".join(lines[-_MOST_LINES:])
    if step.ended == "time":
        return Cause(job, step.kind, "", "the time limit", trace=trace)
    if step.by_this_machine:
        said = f"a limit of this machine's ({step.ended})"
        return Cause(job, step.kind, "", said, trace=trace)
    found = raised_in(lines)
    if found:
        one = found[-1]
        place = one.file, one.line, one.in_submission
        return Cause(job, step.kind, one.kind, one.message, *place, one.text)
    last = next((line for line in reversed(lines) if line.strip()), "")
    said = f"exit code {step.exit_code}" + (f" ({one_line(last, _LONGEST)})" if last else "")
    if step.exit_code == _KILLED:
        said = "exit code 137: it was killed, most often for memory"
    elif crash := _CRASHES.get(step.exit_code or 0):
        said = f"exit code {step.exit_code}: native code crashed ({crash})"
    return Cause(job, step.kind, "", said, trace=trace)
