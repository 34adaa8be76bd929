"""Ask a submission for predictions: run the ingestion program as the platform would.

The images go in as `.npy` blocks, made while the child starts; labels come back as `.npy` and are
validated. The true labels are in no file, pipe or folder that the child is given.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sandbox.answers import Fault, read_answers
from sandbox.blocks import Feeder, answer_path
from sandbox.job import Job, JobResult, Limits, SandboxError
from sandbox.run import POLL_SECONDS, Running, python_environment, start

PROGRAMS = Path(__file__).parent / "programs"
LARGEST_NOTE_BYTES = 1_000_000


@dataclass(frozen=True)
class Request:
    """Which submission to ask, and how.

    submission: the unpacked zip. classes: labels are 0..classes-1. working_folder: where the
    platform stands when it imports the submission. python: the interpreter of the child.
    """

    submission: Path
    classes: int
    module: str = "model"
    class_name: str = "Model"
    method: str = "predict"
    working_folder: Literal["submission", "program"] = "submission"
    device: Literal["cpu", "gpu"] = "cpu"
    python: str = sys.executable
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Problem:
    """How a submission failed.

    stage: start, import, class, init, method, predict, answer, time, memory or exit. kind: the
    exception's type or the fault's kind. trace: the submission's own traceback, or the end of its output.
    """

    stage: str
    kind: str
    message: str
    trace: str = ""
    block: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it: the labels of every block answered, and the problem that stopped it, if any.

    start_seconds: wall time until the model stood ready; load_seconds: its constructor alone.
    """

    labels: tuple[NDArray[np.int64], ...]
    problem: Problem | None
    result: JobResult
    versions: Mapping[str, str]
    returned: Mapping[str, str]
    start_seconds: float
    load_seconds: float
    predict_seconds: float


@dataclass(frozen=True)
class Progress:
    """For a progress display: the child's stage, blocks made, blocks answered, blocks in all."""

    stage: str
    made: int
    answered: int
    blocks: int


def ask(
    request: Request,
    sizes: Sequence[int],
    blocks: Iterator[NDArray[np.uint8]],
    progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Run the submission once over all blocks; `predict` is called once a block.

    sizes: images in each block. blocks: makes the blocks, in order, in a thread beside the child.
    Raises `SandboxError` if the child cannot be started, and whatever `blocks` raises.
    """
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as place:
        folders = _lay_out(Path(place), request, len(sizes))
        job = _job(request, folders)
        feeder = Feeder(blocks, len(sizes), Path(folders["input"]), Path(folders["output"]))
        started = time.time()
        with start(job) as running:
            feeder.begin()
            try:
                _watch(running, feeder, Path(folders["output"]), progress)
            finally:
                feeder.end()
            result = running.cancel()
        feeder.raise_error()
        return _outcome(request, sizes, result, Path(folders["output"]), started)


def _lay_out(place: Path, request: Request, count: int) -> dict[str, str]:
    folders = {name: place / name for name in ("input", "output", "program", "home")}
    for folder in folders.values():
        folder.mkdir()
    shutil.copy(PROGRAMS / "ingestion.py", folders["program"])
    names = {"module": request.module, "class": request.class_name, "method": request.method}
    manifest = json.dumps({**names, "blocks": count})
    (folders["input"] / "manifest.json").write_text(manifest, encoding="utf-8")
    folders["submission_program"] = request.submission.resolve()
    return {name: str(folder) for name, folder in folders.items()}


def _job(request: Request, folders: Mapping[str, str]) -> Job:
    home = {"HOME": folders["home"], "TMPDIR": folders["home"]}
    return Job(
        command=(
            *(request.python, "-s", "$program/ingestion.py"),
            *("$input", "$output", "$submission_program"),
        ),
        folders=folders,
        working_folder="submission_program"
        if request.working_folder == "submission"
        else "program",
        environment={**python_environment(request.device), **home},
        limits=request.limits,
    )


def _watch(
    running: Running, feeder: Feeder, output: Path, progress: Callable[[Progress], None]
) -> None:
    stage_seen, stage = 0.0, "start"
    while running.poll() is None and not feeder.failed:
        feeder.collect()
        if feeder.answered == feeder.made < feeder.count:
            running.allow(POLL_SECONDS)  # waiting for images is not the submission's time
        if running.seconds - stage_seen > 0.2:
            stage_seen = running.seconds
            stage = str(_note(output / "status.json").get("stage", "start"))
        progress(Progress(stage, feeder.made, feeder.answered, feeder.count))
        time.sleep(POLL_SECONDS)


def _note(path: Path) -> dict[str, Any]:
    """A JSON object that the child left, or nothing: what it says is for show only."""
    try:
        if path.stat().st_size > LARGEST_NOTE_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _outcome(
    request: Request, sizes: Sequence[int], result: JobResult, output: Path, started: float
) -> Outcome:
    labels: list[NDArray[np.int64]] = []
    fault: Problem | None = None
    for index, size in enumerate(sizes):
        path = answer_path(output, index)
        if not path.is_file():
            break
        answer = read_answers(path, size, request.classes)
        if isinstance(answer, Fault):
            fault = Problem("answer", answer.kind, answer.message, block=index)
            break
        labels.append(answer)
    status = _note(output / "status.json")
    returned = _texts(status.get("returned"))
    fault = fault or _wrong_type(returned)
    problem = fault or _ending(result, output, complete=len(labels) == len(sizes))
    return Outcome(
        tuple(labels),
        problem,
        result,
        _texts(status.get("versions")),
        returned,
        max(0.0, _number(status.get("loaded_at")) - started),
        _number(status.get("load_seconds")),
        _number(status.get("predict_seconds")),
    )


def _ending(result: JobResult, output: Path, *, complete: bool) -> Problem | None:
    if result.ended in ("time", "memory"):
        return Problem(
            result.ended, result.ended, f"stopped after {result.seconds:.0f} s", result.log
        )
    error = _note(output / "error.json")
    if error:
        texts = {key: str(error.get(key, "")) for key in ("stage", "type", "message", "traceback")}
        return Problem(texts["stage"], texts["type"], texts["message"], texts["traceback"])
    if complete and result.exit_code == 0:
        return None
    stage = str(_note(output / "status.json").get("stage", "start"))
    return Problem(
        "exit", stage, f"the process ended with exit code {result.exit_code}", result.log
    )


def _wrong_type(returned: Mapping[str, str]) -> Problem | None:
    kind = returned.get("type", "numpy.ndarray")
    if kind == "numpy.ndarray":
        return None
    return Problem("answer", "type", f"expected a numpy array; received {kind}")


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


__all__ = ["Outcome", "Problem", "Progress", "Request", "SandboxError", "ask"]
