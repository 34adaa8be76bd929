"""Ask a submission for predictions: run the ingestion program as the platform would.

The images go in as `.npy` blocks, made while the child starts; labels come back as `.npy` and are
validated. The true labels are in no file, pipe or folder that the child is given.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.blocks import Feeder, Fill, write_json
from sandbox.job import Job, Limits, SandboxError
from sandbox.outcome import Outcome, Problem, read_note, read_outcome
from sandbox.run import POLL_SECONDS, python_environment, start

PROGRAMS = Path(__file__).parent / "programs"
STAGE_SECONDS = 0.2  # between looks at how far the child is


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
class Progress:
    """For a progress display: the child's stage, blocks made, blocks answered, blocks in all."""

    stage: str
    made: int
    answered: int
    blocks: int


class Session:
    """A child that loads the submission at once, and then answers questions.

    Use as a context manager. The child imports and loads while the caller prepares the images;
    `ask` hands them over. Leaving it ends the child and removes its folders. Raises `SandboxError`
    if the child cannot be started.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._place = tempfile.TemporaryDirectory(prefix="rehearsal-")
        folders = _lay_out(Path(self._place.name), request)
        self._input, self._output = Path(folders["input"]), Path(folders["output"])
        self._started = time.time()
        try:
            self._running = start(_job(request, folders))
        except SandboxError:
            self._place.cleanup()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.cancel()
        self._place.cleanup()

    def ask(
        self,
        shape: Sequence[int],
        sizes: Sequence[int],
        fill: Fill,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> Outcome:
        """Run the submission once over all blocks; `predict` is called once a block.

        shape: (h, w, channels) of an image. sizes: images in each block. fill(index, out): writes
        the images of a block into uint8 `(n, h, w, channels)`; called in order, in a thread beside
        the child. Raises whatever `fill` raises.
        """
        self._running.allow(self._running.seconds)  # until here the child had nothing to do
        write_json(self._input / "blocks.json", {"blocks": len(sizes)})
        feeder = Feeder(fill, shape, sizes, self._input, self._output)
        feeder.begin()
        try:
            self._watch(feeder, progress)
        finally:
            feeder.end()
        result = self._running.cancel()
        feeder.raise_error()
        return read_outcome(self._output, sizes, self.request.classes, result, self._started)

    def _watch(self, feeder: Feeder, progress: Callable[[Progress], None]) -> None:
        running, stage_seen, stage = self._running, -1.0, "start"
        while running.poll() is None and not feeder.failed:
            feeder.collect()
            if feeder.answered == feeder.made < feeder.count:
                running.allow(POLL_SECONDS)  # waiting for images is not the submission's time
            if running.seconds - stage_seen > STAGE_SECONDS:
                stage_seen = running.seconds
                stage = str(read_note(self._output / "status.json").get("stage", "start"))
            progress(Progress(stage, feeder.made, feeder.answered, feeder.count))
            time.sleep(POLL_SECONDS)


def _lay_out(place: Path, request: Request) -> dict[str, str]:
    folders = {name: place / name for name in ("input", "output", "program", "home")}
    for folder in folders.values():
        folder.mkdir()
    shutil.copy(PROGRAMS / "ingestion.py", folders["program"])
    names = {"module": request.module, "class": request.class_name, "method": request.method}
    write_json(folders["input"] / "manifest.json", names)
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


__all__ = ["Fill", "Outcome", "Problem", "Progress", "Request", "Session"]
