"""A submission's runs in a bundle: each is made once, and kept in the store.

A run is both programs of every task. What is kept of it: how it ended, every column's figure, how
long it took, and the small files that ingestion left, from which intervals are made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task
from codabench_rehearsal.challenge.explain import cause_of
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import Machine, Now
from codabench_rehearsal.challenge.worker.outcome import Ran, RanTask
from codabench_rehearsal.challenge.worker.submission import run_submission
from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.sandbox.job import SandboxError
from corruptions.presets import CLEAN
from evaluator.bundles.image_sets import ImageSet
from evaluator.bundles.rows import left_files
from evaluator.elsewhere import environment
from evaluator.store.bundle_runs import BundleKey, BundleRun
from evaluator.store.store import Store

LARGEST_LEFT = 8 << 20  # bytes of the files of one run that are kept
_PIECE = 1 << 20
_DATA = ("scoring", "ingestion", "input_data", "reference_data")  # of a task
_OWN_ENDS = ("exit", "time", "cancelled", None)  # of a program; others are limits of this machine's
Figures = Mapping[str, float]  # a column's key -> its figure


@dataclass(frozen=True)
class Run:
    """What came of one run.

    status, message: the platform's, "Failed" where any task failed. cause: of the failure, in our
    words. scores: of the submission; tasks: of each task. files: of each task, what ingestion left.
    seconds: wall time. known: it came out of the store.
    """

    status: str
    message: str
    cause: str
    scores: Figures
    tasks: tuple[Figures, ...]
    files: tuple[Mapping[str, bytes], ...]
    seconds: float
    known: bool = False

    @property
    def finished(self) -> bool:
        """Whether every task ended well."""
        return self.status == "Finished"


@dataclass(frozen=True)
class Runner:
    """Runs one zip in one phase of a bundle.

    store: None for none. fingerprint: of all that the bundle is and what of it is damaged.
    score_phase: under which leaderboard scores are recorded in the store. logs: a folder that gets
    what the programs of the first clean run printed and left, None for none. given: the user's own
    file, where the zip was packed of it.
    """

    zip_path: Path
    sha256: str
    bundle: Bundle
    phase: Phase
    worker: Worker
    machine: Machine
    seed: int
    store: Store | None
    fingerprint: str
    place: Path
    environment: str = ""
    score_phase: str = PHASE
    logs: Path | None = None
    given: Path | None = None

    @property
    def named(self) -> Path:
        """The file that the user knows."""
        return self.given or self.zip_path

    def known(self, condition: str, repeat: int = 0) -> Run | None:
        """A run that is kept already; None for one whose logs are wanted."""
        if self.store is None or self._is_logged(condition, repeat):
            return None
        kept = self.store.bundle_run(self._key(condition, repeat))
        with suppress(ValueError, KeyError, TypeError, zlib.error):  # damaged: it runs again
            return None if kept is None else _read(kept)
        return None

    def run(
        self,
        condition: str,
        inputs: Mapping[Path, Path],
        repeat: int = 0,
        told: Callable[[Now], None] = lambda _: None,
        begun: float | None = None,
    ) -> Run:
        """Run it, and keep what came of it.

        inputs: folders of input data -> those that stand for them. begun: when the work for it
        began, on the monotonic clock. Raises as `run_submission`.
        """
        begun = time.monotonic() if begun is None else begun
        tasks = tuple(_with_input(task, inputs) for task in self.bundle.tasks)
        bundle = replace(self.bundle, tasks=tasks)
        with TemporaryFolder("left-", within=self.place) as keep:
            ran = run_submission(
                bundle, self.zip_path, self.phase, self.worker, self.machine, told, keep
            )
            made = as_run(ran, keep, time.monotonic() - begun)
            if self.logs and self._is_logged(condition, repeat):
                place = self.logs / f"worker-{self.worker}"
                shutil.copytree(keep, place, symlinks=True, dirs_exist_ok=True)
        if self.store is not None and self.store.writable and _is_to_keep(ran):
            self.store.add_submission(self.sha256, self.named.name, self.named.absolute())
            run = BundleRun(_text(made), made.seconds)
            self.store.put_bundle_run(self._key(condition, repeat), run)
        return made

    def _is_logged(self, condition: str, repeat: int) -> bool:
        return self.logs is not None and condition == CLEAN and repeat == 0

    def _key(self, condition: str, repeat: int) -> BundleKey:
        return BundleKey(
            self.sha256, self.environment, self.fingerprint, self.seed, condition, repeat
        )


def environment_of(machine: Machine, worker: Worker) -> str:
    """What a run depends on beside bundle and zip: versions, packages, worker, image."""
    try:
        text = environment(machine.device, machine.python)
    except SandboxError:  # a Python without numpy will do for a bundle that needs none
        text = f"python {machine.python}"
    more = [f"image {machine.image}"] if machine.image else []
    more += ["network"] if machine.limits.network else []
    return ", ".join([text, f"packages {_packages(machine.python)}", f"worker {worker}", *more])


def fingerprint_of(
    bundle: Bundle, phase: Phase, chosen: Mapping[Path, tuple[ImageSet, ...]]
) -> str:
    """Of the programs and data of a phase, its limit, the columns, and the images to be damaged."""
    whole = hashlib.sha256(repr((phase.seconds, phase.tasks, bundle.columns)).encode())
    for task in bundle.tasks_of(phase):
        whole.update(repr((task.index, task.only_during_scoring)).encode())
        for name in _DATA:
            _add_folder(whole, getattr(task, name))
        sets = chosen.get(task.input_data, ()) if task.input_data else ()
        whole.update(repr([(one.name, one.files, one.member) for one in sets]).encode())
    return whole.hexdigest()


def as_run(ran: Ran, keep: Path, seconds: float) -> Run:
    """What is kept of a submission's way through the worker. keep: with the outputs of its jobs."""
    failed = [task for task in ran.tasks if task.status == "Failed"]
    files = tuple(_left(keep / f"task-{place}", task.task) for place, task in enumerate(ran.tasks))
    return Run(
        "Failed" if failed else "Finished",
        failed[0].message if failed else "",
        _cause(failed[0]) if failed else "",
        {score.key: score.value for score in ran.scores},
        tuple({score.key: score.value for score in task.scores} for task in ran.tasks),
        files,
        seconds,
    )


def _cause(task: RanTask) -> str:
    """Why a task failed: this machine's refusal, else the first program that ended badly."""
    return task.refused or str(cause_of(task) or "")


def _with_input(task: Task, inputs: Mapping[Path, Path]) -> Task:
    if task.input_data is None or task.input_data not in inputs:
        return task
    return replace(task, input_data=inputs[task.input_data])


def _left(keep: Path, task: Task) -> dict[str, bytes]:
    """What ingestion left, as far as it is small."""
    job = "scoring" if task.only_during_scoring else "prediction"
    found = left_files(keep / job / "output")
    return found if sum(map(len, found.values())) <= LARGEST_LEFT else {}


def _is_to_keep(ran: Ran) -> bool:
    """Whether it would end so again: not where this machine's own limits ended it."""
    steps = [step for task in ran.tasks for job in task.jobs for step in job.steps]
    return all(step.ended in _OWN_ENDS and not step.refused for step in steps) and not any(
        step.ended == "time" for step in steps
    )


def _text(run: Run) -> str:
    files = [
        {name: base64.b64encode(zlib.compress(content)).decode() for name, content in one.items()}
        for one in run.files
    ]
    fields: dict[str, Any] = {**vars(run), "scores": dict(run.scores), "files": files}
    fields["tasks"] = [dict(one) for one in run.tasks]
    del fields["known"], fields["seconds"]
    return json.dumps(fields)


def _read(kept: BundleRun) -> Run:
    fields: Any = parse_json(kept.outcome)
    files = tuple(
        {name: zlib.decompress(base64.b64decode(text)) for name, text in one.items()}
        for one in fields.pop("files")
    )
    tasks = tuple(fields.pop("tasks"))
    return Run(**fields, tasks=tasks, files=files, seconds=kept.seconds, known=True)


def _add_folder(whole: hashlib._Hash, folder: Path | None) -> None:
    """Names and contents of all files of a folder."""
    if folder is None:
        return
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                whole.update(piece)


def _packages(python: str) -> str:
    """A mark of what is installed beside a Python: it changes with every installation."""
    folders = sorted(Path(python).parent.parent.glob("lib/python3*/site-packages"))
    marks = [f"{folder} {folder.stat().st_mtime_ns}" for folder in folders]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:12]
