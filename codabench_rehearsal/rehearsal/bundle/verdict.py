"""What came of rehearsing a zip in a challenge's bundle: the verdict, as lines and as JSON."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codabench_rehearsal.challenge.explain import Cause, cause_of
from codabench_rehearsal.challenge.setting import Setting
from codabench_rehearsal.challenge.worker.outcome import Ran, RanTask
from codabench_rehearsal.console.words import (
    as_json,
    counted,
    human_bytes,
    marked,
    one_line,
    several_lines,
    shown,
)
from codabench_rehearsal.rehearsal.check import LARGEST, TRACE
from submission.findings import Finding, has_errors

SCHEMA = 1


@dataclass(frozen=True)
class BundleChecked:
    """What came of rehearsing a zip in a bundle.

    ran: by generation, the first decides; () where nothing was run. files: name -> bytes.
    unchecked: what is not known from here. runs_with: what ran it, in words. notes: what was said
    of that before it ran.
    """

    zip_name: str
    sha256: str
    files: dict[str, int]
    size: int
    setting: Setting
    findings: tuple[Finding, ...]
    ran: tuple[Ran, ...] = ()
    ignored: dict[str, int] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    seconds: float = 0.0
    runs_with: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The site's status, its message, and why: one line."""
        if not self.ran:
            return "has errors" if has_errors(self.findings) else "looks right"
        ran = self.ran[0]
        if ran.status == "Failed":
            return failed(ran.message, first_cause(ran))
        scores = ", ".join(map(str, ran.scores))
        if bad := next((task for task in ran.tasks if task.status == "Failed"), None):
            why = failed(bad.message, cause_of(bad))
            return f"Finished, {scores or 'no score'}; task {shown(bad.task.name)} {why}"
        return f"Finished, {scores}" if scores else "Finished, without a score"

    @property
    def ready(self) -> bool:
        """Whether every task of it is Finished, and nothing is wrong."""
        finished = all(task.status == "Finished" for ran in self.ran[:1] for task in ran.tasks)
        return bool(self.ran) and finished and not has_errors(self.findings)

    @property
    def is_fine(self) -> bool:
        """Whether nothing speaks against the upload, as far as was looked."""
        return self.ready or not (self.ran or has_errors(self.findings))

    def document(self) -> dict[str, Any]:
        """Everything, for machines."""
        setting = self.setting
        return {
            "schema": SCHEMA,
            "zip": self.zip_name,
            "sha256": self.sha256,
            "bytes": self.size,
            "files": dict(self.files),
            "challenge": {
                "title": setting.bundle.title,
                "bundle": setting.bundle.source,
                "phase": {"index": setting.phase.index, "name": setting.phase.name},
                "image": setting.bundle.image,
            },
            "runs_with": self.runs_with,
            "verdict": self.verdict,
            "ready": self.ready,
            "runs": [_document(ran) for ran in self.ran],
            "findings": [asdict(finding) for finding in self.findings],
            "ignored": dict(self.ignored),
            "not_checked": list(self.unchecked),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

    def to_json(self) -> str:
        """`document()` as JSON text."""
        return as_json(self.document())

    def lines(self) -> Iterator[str]:
        """The challenge, the zip, each run, what was found, the verdict."""
        if self.runs_with:
            yield f"runs with {self.runs_with}"
        yield from _head(self.setting)
        yield f"zip {human_bytes(self.size)}, {counted(len(self.files), 'file')}; the largest:"
        for name, size in sorted(self.files.items(), key=lambda item: -item[1])[:LARGEST]:
            yield f"  {human_bytes(size):>10}  {shown(name)}"
        for place, ran in enumerate(self.ran):
            yield from _lines_of_run(ran, self.ran[:place])
        for finding in self.findings:
            yield from _lines_of(finding)
        if self.unchecked:
            yield f"Not checked: {'; '.join(self.unchecked)}."
        yield f"{shown(self.zip_name)}: {self.verdict} (sha256 {self.sha256[:12]})."

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def _repr_html_(self) -> str:
        """One `<pre>`; all foreign text is escaped."""
        return f"<pre>{html.escape(several_lines(str(self)))}</pre>"


def first_cause(ran: Ran) -> Cause | None:
    """Why it failed: of the first task that did."""
    return next((cause for task in ran.tasks if (cause := cause_of(task))), None)


def failed(message: str, cause: Cause | None) -> str:
    """The platform's own words, and why."""
    because = f"; because {cause}" if cause else ""
    return f'Failed: "{one_line(" ".join(message.split()), 400)}"{because}'


def _head(setting: Setting) -> Iterator[str]:
    bundle, phase = setting.bundle, setting.phase
    tasks = counted(len(setting.tasks), "task")
    yield (
        f"challenge {one_line(bundle.title, 120)} ({shown(bundle.source)}), phase {phase.index} "
        f"{shown(phase.name)} ({setting.chosen}), {tasks}"
    )


def ended(task: RanTask) -> str:
    """A task's status and scores."""
    scores = ", ".join(map(str, task.scores))
    return f"{task.status}, {scores}" if scores else task.status


def _lines_of_run(ran: Ran, earlier: Sequence[Ran] = ()) -> Iterator[str]:
    """A line a task. earlier: runs whose lines stand above: what ended as there is not repeated."""
    above = {(task.task.index, ended(task)) for one in earlier for task in one.tasks}
    for task in ran.tasks:
        name = f", task {shown(task.task.name)}" if len(ran.tasks) > 1 else ""
        jobs = ", ".join(f"{job.name} {job.seconds:.1f} s" for job in task.jobs)
        said = (
            "the same" if task.scores and (task.task.index, ended(task)) in above else ended(task)
        )
        yield f"worker of {ran.worker}{name}: {said} ({jobs})"


def _lines_of(finding: Finding) -> Iterator[str]:
    mark = "unknown" if finding.is_unknown else finding.severity
    yield f"{mark:7} {finding.code}: {finding.message}"
    if finding.advice:
        yield f"         {finding.advice}"
    if finding.detail:
        yield from marked(finding.detail, TRACE)


def _document(ran: Ran) -> dict[str, Any]:
    return {
        "worker": ran.worker,
        "status": ran.status,
        "message": ran.message,
        "scores": {one.key: one.value for one in ran.scores},
        "seconds": round(ran.seconds, 3),
        "tasks": [_document_of_task(task) for task in ran.tasks],
    }


def _document_of_task(task: RanTask) -> dict[str, Any]:
    cause = cause_of(task)
    return {
        "index": task.task.index,
        "name": task.task.name,
        "status": task.status,
        "message": task.message,
        "cause": None if cause is None else {**asdict(cause), "trace": cause.trace},
        "scores": {one.key: one.value for one in task.scores},
        "shown": {one.key: one.shown for one in task.scores},
        "dropped": list(task.dropped),
        "remarks": list(task.remarks),
        "refused": task.refused,
        "jobs": [
            {
                "name": job.name,
                "seconds": round(job.seconds, 3),
                "programs": [
                    {
                        "kind": step.kind,
                        "command": step.command,
                        "exit_code": step.exit_code,
                        "seconds": step.seconds,
                        "fault": step.fault,
                        "log": step.log,
                    }
                    for step in job.steps
                ],
            }
            for job in task.jobs
        ],
    }
