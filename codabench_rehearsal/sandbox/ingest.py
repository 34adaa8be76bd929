"""Ask a submission for predictions: run the ingestion program as the platform would.

The images go in as `.npy` blocks, made while the child starts; labels come back as `.npy` and are
validated. The true labels are in no file, pipe or folder that the child is given.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from codabench_rehearsal.console.room import NoRoomError, full_temporary, no_room, room_for
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.sandbox.feeding import (
    LOOK_SECONDS,
    SPARE_BYTES,
    Block,
    Clock,
    Feeder,
    Fill,
    write_json,
)
from codabench_rehearsal.sandbox.job import Job, Limits
from codabench_rehearsal.sandbox.outcome import (
    Labels,
    Outcome,
    Problem,
    read_labels,
    read_note,
    read_outcome,
    refused_here,
)
from codabench_rehearsal.sandbox.run import POLL_SECONDS, python_environment, start
from codabench_rehearsal.sandbox.validate import Rule

PROGRAMS = Path(__file__).parent / "programs"
STAGE_SECONDS = 0.2  # between looks at how far the child is
QUICK_SECONDS = 0.5  # small questions are looked at more often
LEAVING_SECONDS = 20.0  # for a child that was told that no question follows
METADATA = ("metadata.yaml", "metadata")
Worker = Literal["2026-03", "2026-10"]
# Where Codabench's worker mounts the folders of an ingestion program.
PLACES = {
    "program": "/app/program",
    "input": "/app/input_data",
    "output": "/app/output",
    "submission_program": "/app/ingested_program",
}


@dataclass(frozen=True)
class Request:
    """Which submission to ask, and how.

    submission: the unpacked zip. classes: labels are 0..classes-1. answers: what is taken for them.
    working_folder: where the platform stands when it imports the submission. python: the
    interpreter of the child. image: a docker image to run it in, with its own. worker: the
    generation of Codabench's worker; the older one lets a submission write beside its module, and
    copies one without a `metadata` file into /app/output before it starts; the newer one does
    neither. arguments: of the constructor, "path" for the submission's folder as a str.
    one_at_a_time: the method is called with one image `(h, w, c)` after the other, and its answers
    are stacked.

    limits: each call of the method may print and write so much; each block may take so long, the
    first one with what is left of the loading. images: what that time is for, the platform's single
    pass; a block of more may take longer in proportion. None for any number. paced: the blocks of
    one question together may take no longer than that either; else the time only ends what hangs.
    """

    submission: Path
    classes: int
    module: str = "model"
    class_name: str = "Model"
    method: str = "predict"
    answers: Rule = "labels"
    working_folder: Literal["submission", "program"] = "submission"
    device: Literal["cpu", "gpu"] = "cpu"
    python: str = sys.executable
    limits: Limits = field(default_factory=Limits)
    image: str | None = None
    worker: Worker = "2026-03"
    arguments: tuple[Literal["path"], ...] = ()
    one_at_a_time: bool = False
    images: int | None = None
    paced: bool = True


@dataclass(frozen=True)
class PredictProgress:
    """For a progress display: the child's stage, blocks made, blocks answered, blocks in all.

    waited: the child's seconds since the last answer. due: after how many it is ended; None for
    never.
    """

    stage: str
    made: int
    answered: int
    blocks: int
    waited: float = 0.0
    due: float | None = None


class Session:
    """A child that loads the submission at once, and then answers questions.

    Use as a context manager. The child imports and loads while the caller prepares the images.
    `pose` question after question, then `finish`. Leaving it ends the child and removes its
    folders. Raises `SandboxError` if the child cannot be started.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._place = TemporaryFolder()
        try:
            with room_for(self._place.path):
                self._begin(request)
        except BaseException:
            self._place.close()
            raise

    def _begin(self, request: Request) -> None:
        folders = _lay_out(self._place.path, request)
        self._input, self._output = Path(folders["input"]), Path(folders["answers"])
        self._drafts = self._place.path / "drafts"
        self._sizes: list[int] = []  # of all blocks given so far
        self._fault: Problem | None = None  # the first seen; later answers do not undo it
        self._running = start(_job(request, folders))
        limit, usual = request.limits.seconds, request.images
        self._clock = Clock(self._running, limit, usual, paced=request.paced)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.cancel()
        self._place.close()

    def pose(
        self,
        blocks: Sequence[Block],
        fill: Fill,
        progress: Callable[[PredictProgress], None] = lambda _: None,
        answered: Callable[[int, Labels], None] = lambda *_: None,
    ) -> tuple[Labels, ...] | None:
        """Ask for some blocks, and keep the child for more; `predict` is called once a block.

        fill(index, out): writes the images of a block into `out`, of its shape and dtype; called in
        order, in a thread beside the child. Raises whatever `fill` raises. answered(index, labels):
        told of each block's validated labels as soon as they are there, in order. Returns the
        labels, int64 `(n,)` a block, or None when something went wrong: `finish` tells.
        """
        first, labels, sound = len(self._sizes), list[Labels](), True

        def read(count: int) -> bool:
            nonlocal sound
            sizes = [block.count for block in blocks[len(labels) : count]]
            if not sound or not sizes:
                return sound
            wanted, at = self.request, first + len(labels)
            found, fault = read_labels(self._output, sizes, wanted.classes, at, wanted.answers)
            if fault and fault.kind == "type":
                found = []  # right numbers that the platform would not take: they must not count
            for one in found:
                labels.append(one)
                answered(len(labels) - 1, one)
            sound, self._fault = fault is None, self._fault or fault
            if found:
                self._running.renew()  # what a call may print and write
                self._clock.answered(len(labels))
            return sound

        counts = [block.count for block in blocks]
        self._sizes += counts
        self._clock.begin(counts)
        with Feeder(fill, blocks, first, self._input, self._drafts, self._output) as feeder:
            self._watch(feeder, progress, read)
        return tuple(labels) if read(len(blocks)) and len(labels) == len(blocks) else None

    def finish(self) -> Outcome:
        """Say that no question follows, and read what came of all of them."""
        write_json(self._input / "blocks.json", {"blocks": len(self._sizes)})
        self._running.grant(2 * LEAVING_SECONDS)  # the loop below is the judge of it
        deadline = time.monotonic() + LEAVING_SECONDS
        while self._running.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        result = self._running.cancel()
        found = read_outcome(
            self._output,
            self._sizes,
            self.request.classes,
            result,
            self._clock,
            self.request.answers,
            in_container=self.request.image is not None,
        )
        problem = found.problem or self._fault
        return replace(found, problem=problem and self._told(found, problem))

    def _told(self, found: Outcome, problem: Problem) -> Problem:
        """With the submission's own files by their names in the zip, and the walls that explain it.

        Raises `NoRoomError` where a full disk of ours does: the child says so, or not even that.
        """
        place = self._place.path
        mute = problem.stage in ("start", "exit") and not problem.trace
        said = mute or "No space left" in problem.message + problem.trace
        if said and full_temporary(str(place), SPARE_BYTES // 4):
            raise NoRoomError(f"{no_room(place)}. The submission ran out of room there")
        trace, own = problem.trace, (str(place), str(self.request.submission.resolve()))
        for folder in (PLACES["submission_program"], own[1]):
            trace = trace.replace(f'File "{folder}/', 'File "')
        return replace(problem, trace=trace, refused=refused_here(found, problem, own))

    def _watch(
        self,
        feeder: Feeder,
        progress: Callable[[PredictProgress], None],
        read: Callable[[int], bool],
    ) -> None:
        """Until all is answered or something is wrong. read(count): reads so many answers."""
        running, clock, stage_seen, stage = self._running, self._clock, -1.0, "start"
        began = running.seconds
        idle = False
        while feeder.error is None and feeder.answered < feeder.count:
            now = running.seconds
            clock.look(idle=idle)  # waiting for images is not the submission's time
            if running.poll() is not None:
                break
            feeder.collect()
            if not read(feeder.answered):
                break
            idle = feeder.answered == feeder.made < feeder.count
            pause = LOOK_SECONDS if now - began < QUICK_SECONDS else POLL_SECONDS
            if running.seconds - stage_seen > STAGE_SECONDS:
                stage_seen = running.seconds
                stage = str(read_note(self._output / "status.json").get("stage", "start"))
            how_far = (feeder.made, feeder.answered, feeder.count)
            progress(PredictProgress(stage, *how_far, clock.waited, clock.due))
            time.sleep(pause)


def _lay_out(place: Path, request: Request) -> dict[str, str]:
    submission = request.submission.resolve()
    made = {name: place / name for name in ("input", "answers", "program", "home", "output")}
    for folder in (*made.values(), place / "drafts"):  # drafts: not for the child
        folder.mkdir()
    for name in ("ingestion.py", "ingestion_watch.py"):
        shutil.copy(PROGRAMS / name, made["program"])
    names = {"module": request.module, "class": request.class_name, "method": request.method}
    how = {"arguments": list(request.arguments), "one_at_a_time": request.one_at_a_time}
    write_json(made["answers"] / "manifest.json", names | how)
    if request.worker == "2026-03" and not any((submission / name).exists() for name in METADATA):
        made["output"] = submission  # left out where no mounts can be made: it would not be found
    folders = {"submission_program": submission, **made}
    return {name: str(folder) for name, folder in folders.items()}


def _job(request: Request, folders: Mapping[str, str]) -> Job:
    may_write = request.worker == "2026-03"
    filled = folders["output"] == folders["submission_program"]
    copied = {"program": True, "submission_program": may_write, "output": filled}
    # By the environment: its words would be in sys.argv, which the submission may read.
    told = {
        "INGESTION_INPUT": "$input",
        "INGESTION_ANSWERS": "$answers",
        "INGESTION_SUBMISSION": "$submission_program",
        "HOME": "$home",
        "TMPDIR": "$home",
    }
    return Job(
        command=(request.python, "-s", "$program/ingestion.py"),
        folders=folders,
        working_folder="program" if request.working_folder == "program" else "submission_program",
        environment={**python_environment(request.device), **told},
        limits=request.limits,
        writable=tuple(name for name in ("answers", "home", "output") if not copied.get(name)),
        copied=tuple(name for name, is_copied in copied.items() if is_copied),
        image=request.image,
        places=PLACES,
    )


__all__ = ["Block", "Fill", "Outcome", "PredictProgress", "Problem", "Request", "Session"]
