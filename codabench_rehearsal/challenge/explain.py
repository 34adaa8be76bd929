"""Why a submission failed: the first program that did, and what its log says of it.

The platform's message is about scoring, most often because it found nothing to score: the cause is
the first program that ended badly. Of a log the last traceback counts, as Python prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from codabench_rehearsal.challenge.worker_job import JobName, Step
from codabench_rehearsal.challenge.worker_metadata import Kind
from codabench_rehearsal.challenge.worker_outcome import RanTask
from codabench_rehearsal.console.words import cleaned, one_line, uncoloured

_FRAME = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in .+)?$')
_RAISED = re.compile(
    r"^(?P<kind>(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (?P<message>.*))?$",
)
_BEGIN = "Traceback (most recent call last):"
_SUBMISSION = (
    "/app/ingested_program/",
    "/submission/",
    "/input/res/",
)  # the last two without mounts
_KILLED = 137
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
    lines = [cleaned(line, "\t").rstrip() for line in uncoloured(step.log).splitlines()]
    trace = "\n".join(lines[-_MOST_LINES:])
    if step.ended == "time":
        return Cause(job, step.kind, "", "the time limit", trace=trace)
    kind, message, start = _raised(lines)
    if not kind:
        last = next((line for line in reversed(lines) if line.strip()), "")
        said = f"exit code {step.exit_code}" + (f" ({one_line(last, _LONGEST)})" if last else "")
        if step.exit_code == _KILLED:
            said = "exit code 137: it was killed, most often for memory"
        return Cause(job, step.kind, "", said, trace=trace)
    file, line, own = _place(lines[start:])
    shown = "\n".join(lines[max(start, len(lines) - _MOST_LINES) :])
    return Cause(job, step.kind, kind, message, file, line, own, shown)


def _raised(lines: list[str]) -> tuple[str, str, int]:
    """Type and message of the last exception, and where its traceback begins; "" for none."""
    begins = [at for at, line in enumerate(lines) if line.strip() == _BEGIN]
    frames = [at for at, line in enumerate(lines) if _FRAME.match(line)]
    start = begins[-1] if begins else (frames[-1] if frames else None)
    if start is None:
        return "", "", 0
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if line[:1] in ("", " ", "\t") or not (found := _RAISED.match(line)):
            continue
        more = [part.strip() for part in lines[at + 1 : at + 3] if part.strip()]
        message = found["message"] or ""
        return (
            found["kind"].rpartition(".")[2],
            message or " ".join(more if ":" in line else []),
            start,
        )
    return "", "", 0


def _place(lines: list[str]) -> tuple[str, int, bool]:
    """The innermost place in the submission, else the innermost in no library."""
    found = [(match["file"], int(match["line"])) for line in lines if (match := _FRAME.match(line))]
    own = [one for one in found if any(part in one[0] for part in _SUBMISSION)]
    others = [one for one in found if "site-packages" not in one[0] and not _is_pythons(one[0])]
    for places, is_own in ((own, True), (others, False)):
        if places:
            file, line = places[-1]
            return PurePosixPath(file).name, line, is_own
    return "", 0, False


def _is_pythons(file: str) -> bool:
    return file.startswith("<") or bool(re.search(r"/lib/python\d", file))
