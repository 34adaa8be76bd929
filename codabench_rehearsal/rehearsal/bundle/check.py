"""Rehearse a zip in a challenge's bundle: both jobs of every task, and what the site would show.

For the command and notebooks. Each generation of the worker that is asked runs it; the first
one's word is the verdict, and where another one ends otherwise that is a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from codabench_rehearsal.challenge.explain import Cause, cause_of
from codabench_rehearsal.challenge.profile import WORKERS, Worker
from codabench_rehearsal.challenge.setting import NEWEST, Setting, opened_setting
from codabench_rehearsal.challenge.worker.environment import Wanted as Environment
from codabench_rehearsal.challenge.worker.environment import machine_for
from codabench_rehearsal.challenge.worker.job import Machine, Now
from codabench_rehearsal.challenge.worker.outcome import Ran, RanTask
from codabench_rehearsal.challenge.worker.scores_file import NO_SCORE
from codabench_rehearsal.challenge.worker.submission import run_submission
from codabench_rehearsal.console.bar import progress, said_when_slow
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.files import ONE_CASE, tells_case
from codabench_rehearsal.console.words import few, shown
from codabench_rehearsal.rehearsal.bundle.advice import advice, told_once
from codabench_rehearsal.rehearsal.bundle.look import look
from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked, ended, failed, first_cause
from codabench_rehearsal.rehearsal.check import ignored_codes
from codabench_rehearsal.rehearsal.failures import missing_package
from codabench_rehearsal.rehearsal.predictions.packed import of_predictions, opened_submission
from codabench_rehearsal.sandbox.outcome import Problem
from submission.archive import Archive
from submission.findings import Finding, Step, found, refuted, stops, without

QUICK = 60.0  # seconds of a run that is worth a second one, by the other generation
_NOT_KNOWN = "Whether it fails on the platform cannot be told from here."
Told = Callable[[Now], None]


@dataclass(frozen=True)
class BundleOptions:
    """How to rehearse.

    workers: the generations to ask; () for the setting's, and the other one too where that run was
    quick. keep: a folder for outputs and logs. ignored: codes to leave out. runs_with: the machine
    in words. notes: what is to be said of it.
    """

    machine: Machine = field(default_factory=Machine)
    runs_with: str = ""
    workers: tuple[Worker, ...] = ()
    run: bool = True
    keep: Path | None = None
    ignored: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def check_in_bundle(
    zip_path: str | Path,
    bundle: str | Path,
    phase: str | None = None,
    *,
    input_data: str | Path | None = None,
    reference_data: str | Path | None = None,
    worker: Worker | None = None,
    python: str | None = None,
    run: bool = True,
    logs: str | Path | None = None,
    ignore: Iterable[str] = (),
) -> BundleChecked:
    """Rehearse a zip in a bundle: `check_in_bundle("submission.zip", "bundle.zip")`.

    phase: its number or name; the one open today where left out. input_data, reference_data: a
    folder or zip for what the bundle lacks. worker: a generation of Codabench's. run: False only
    looks. logs: a folder for outputs and logs. Raises `SubmissionError` for what cannot be used.
    """
    opened = opened_setting(
        Path(bundle),
        phase,
        input_data=[str(input_data)] if input_data else [],
        reference_data=[str(reference_data)] if reference_data else [],
        worker=worker or NEWEST,
    )
    with opened as setting, opened_submission(Path(zip_path), setting) as archive:
        how = Environment(python=python, submission=Path(zip_path))
        machine, notes = machine_for(setting.bundle, setting.phase, how, _say)
        wanted = BundleOptions(
            machine=machine,
            workers=(worker,) if worker else (),
            run=run,
            keep=Path(logs) if logs else None,
            ignored=ignored_codes(ignore),
            notes=notes,
        )
        return check_open_in_bundle(archive, setting, wanted)


def check_open_in_bundle(
    archive: Archive,
    setting: Setting,
    wanted: BundleOptions | None = None,
) -> BundleChecked:
    """Look into an open zip, and run it through the setting's tasks unless it cannot be unpacked.

    Raises as `run_submission` does; whatever is wrong with the submission is a finding.
    """
    wanted, started = wanted or BundleOptions(), time.monotonic()
    with said_when_slow("looking into the zip"):
        worker = wanted.workers[0] if len(wanted.workers) == 1 else None
        read = look(archive, setting.bundle, setting.phase, worker)
        read += of_predictions(archive.path, setting)
    ran = () if not wanted.run or _stops(read) else _runs(archive.path, setting, wanted)
    causes = [cause for each in ran[:1] for task in each.tasks if (cause := _blamed(task))]
    findings = told_once(_weighed(read, ran), causes)
    findings += [one for each in ran[:1] for one in _found(each, wanted, read)]
    findings += _differences(ran)
    kept, left_out = without(findings, wanted.ignored)
    return BundleChecked(
        str(archive.path),
        archive.sha256,
        {member.name: member.size for member in archive.members},
        archive.size,
        setting,
        tuple(kept),
        ran,
        left_out,
        tuple(_not_run(setting, wanted, ran)),
        time.monotonic() - started,
        wanted.runs_with if ran else "",
        wanted.notes,
    )


@contextmanager
def on_terminal() -> Iterator[Told]:
    """Which job of which task runs, on standard error of a terminal."""
    with progress("starting") as bar:

        def told(now: Now) -> None:
            limit = f" of at most {now.limit:,.0f} s" if now.limit else ""
            bar.update(f"task {shown(now.task)}: {now.job}, {now.seconds:.0f} s{limit}")

        yield told


def _runs(path: Path, setting: Setting, wanted: BundleOptions) -> tuple[Ran, ...]:
    """The run that decides, and the other generation's where it was not named and costs little."""
    asked = wanted.workers or (setting.worker,)
    ran = [_run(path, setting, wanted, worker) for worker in asked]
    if not wanted.workers and ran[0].seconds <= QUICK and not _refused(ran[0]):
        others = (worker for worker in WORKERS if worker not in asked)
        ran += [_run(path, setting, wanted, worker) for worker in others]
    return tuple(ran)


def _stops(read: Sequence[Finding]) -> bool:
    """Whether it cannot be unpacked; without its module it runs, and the platform's end is told."""
    return stops(one for one in read if one.code != "S102")


def _run(path: Path, setting: Setting, wanted: BundleOptions, worker: Worker) -> Ran:
    keep = wanted.keep and wanted.keep / f"worker-{worker}"
    bundle, phase = setting.bundle, setting.phase
    with on_terminal() as told:
        return run_submission(bundle, path, phase, worker, wanted.machine, told, keep)


def _refused(ran: Ran) -> str:
    """What of this machine explains how it ended; "" for nothing."""
    return next((task.refused for task in ran.tasks if task.refused), "")


def _found(ran: Ran, wanted: BundleOptions, read: Sequence[Finding]) -> Iterator[Finding]:
    """What the run that decides shows, task by task."""
    for task in ran.tasks:
        where = f"task {shown(task.task.name)}: " if len(ran.tasks) > 1 else ""
        yield from _of_end(task, where, wanted, read)
        for remark in task.remarks:
            yield _of_remark(where, remark)
    for keys, tasks in _dropped(ran).items():
        where = f"{few(tasks)}: " if 0 < len(tasks) < len(ran.tasks) else ""
        said = f"{where}scores that are no column of the leaderboard: {few(list(keys))}"
        yield found("S624", said, severity=None if ran.scores else "warning")


def _of_end(
    task: RanTask, where: str, wanted: BundleOptions, read: Sequence[Finding]
) -> Iterator[Finding]:
    """How a task ended, where it did not end well."""
    cause = cause_of(task)
    trace, way_out = _trace(cause), advice(task, cause, wanted.machine, read)
    if task.refused:
        yield found("S623", f"{where}{task.refused}", advice=_NOT_KNOWN, detail=trace)
    elif task.status == "Finished":
        if cause:
            said = f"{where}it is Finished, and {cause}"
            yield found("S622", said, advice=way_out, detail=trace)
    elif package := _lacking_here(cause, wanted):
        needs = f"the challenge's own program needs {package}, this Python lacks it"
        yield found("S623", f"{where}{cause}: {needs}", advice=way_out, detail=trace)
    elif not any(step.by_this_machine for job in task.jobs for step in job.steps):
        said, printed = where + failed(task.message, cause), trace or _printed(task)
        yield found("S620", said, advice=way_out, detail=printed)


def _blamed(task: RanTask) -> Cause | None:
    """What failed a task by the platform's rules; None for what this machine alone refuses."""
    return cause_of(task) if task.status == "Failed" and not task.refused else None


def _of_remark(where: str, remark: str) -> Finding:
    """What the platform passes over, or this machine does not."""
    if "this machine" in remark:
        return found("S623", where + remark)
    if remark.startswith(NO_SCORE):
        empty = "Its columns stay empty, the submission is Finished, and nobody is told."
        return found("S624", where + remark, "warning", empty)
    return found("S624", where + remark)


def _dropped(ran: Ran) -> dict[tuple[str, ...], list[str]]:
    """Keys that are no column -> the tasks that wrote them."""
    told: dict[tuple[str, ...], list[str]] = {}
    for task in ran.tasks:
        if task.dropped:
            told.setdefault(task.dropped, []).append(f"task {shown(task.task.name)}")
    return told


def _printed(task: RanTask) -> str:
    """What the last program printed, which ended well."""
    steps = [step for job in task.jobs for step in job.steps]
    return steps[-1].log if steps else ""


def _lacking_here(cause: Cause | None, wanted: BundleOptions) -> str:
    """The package whose absence here failed a program of the bundle's own; "" for another cause."""
    if cause is None or cause.in_submission or wanted.machine.image:
        return ""
    return missing_package(Problem("import", cause.kind, cause.message)) or ""


def _say(line: str) -> None:
    tell("check", line)


def _differences(ran: Sequence[Ran]) -> Iterator[Finding]:
    """Where another generation ends otherwise."""
    for other in ran[1:]:
        there, first = _ended(other), _ended(ran[0])
        if there != first:
            said = f"the worker of {other.worker}: {there}; the one of {ran[0].worker}: {first}"
            cause = first_cause(other if "Failed" in there else ran[0])
            told = cause is None or cause == first_cause(ran[0])  # S620 shows it
            yield found("S621", said, detail="" if told else _trace(cause))


def _ended(ran: Ran) -> str:
    """Status and scores, task by task."""
    return "; ".join(ended(task) for task in ran.tasks)


def _weighed(read: Sequence[Finding], ran: Sequence[Ran]) -> Iterator[Finding]:
    """What was read, in the light of a run in which every program ended well."""
    well = bool(ran) and not any(cause_of(task) for task in ran[0].tasks)
    for finding in read:
        if well and finding.severity == "error" and finding.code.startswith("S8"):
            said = f"{finding.message}: read so, and it was scored all the same"
            yield replace(finding, severity="warning", message=said, kind="rules")
        else:
            passed: Step | None = "answer" if well else None
            yield refuted(finding, passed, "here", is_server=False, tells_case=tells_case())


def _trace(cause: Cause | None) -> str:
    return cause.trace if cause else ""


def _not_run(setting: Setting, wanted: BundleOptions, ran: Sequence[Ran]) -> Iterator[str]:
    """How far the verdict does not reach."""
    if not ran:
        yield "whether it runs" + (" (fix the errors first)" if wanted.run else " (--no-run)")
        return
    if wanted.machine.image is None:
        image = shown(setting.bundle.image)
        yield f"the challenge's image {image} (--docker), which may have other versions"
    asked = {one.worker for one in ran}
    if left := [worker for worker in WORKERS if worker not in asked]:
        yield f"the worker of {', '.join(left)} (--worker {left[0]})"
    if not tells_case():
        yield ONE_CASE
