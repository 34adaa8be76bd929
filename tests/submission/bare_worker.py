"""Codabench's worker, bare: what it does to a zip, without Docker. It decides what is true of a row.

Extract-all, an ingestion program and a scoring program as an organiser writes them, each a process
of its own that sees `/app/...` (a mount and a process namespace where we are root, else plain
folders), and the two generations' rules (`../shared/facts/codabench.md`). Nothing of ours is used:
neither the checks nor the sandbox, whose verdicts are held against this.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.submission.container import (
    DOCKERS,
    MOST_MEMORY,
    NONE,
    Binds,
    Container,
    Mode,
    ended,
    sees_app,
)

Generation = Literal["2026-03", "2026-10"]
GENERATIONS: tuple[Generation, ...] = ("2026-03", "2026-10")
INGESTION = """
import os, sys, time
import numpy as np

SUBMISSION = "{app}/ingested_program"
sys.path.insert(0, SUBMISSION)


def main():
    images = np.load("{app}/input_data/images.npy")
    {chdir}
    from {module} import {class_name}
    started = time.time()
    labels = {class_name}().{method}(images)
    print(f"predicted {{len(images)}} images in {{time.time() - started:.1f}} s")
    np.save("{app}/output/predictions.npy", labels)


if __name__ == "__main__":
    main()
"""
SCORING = """
import json
import numpy as np

found = np.load("{app}/input/res/predictions.npy")
truth = np.load("{app}/input/ref/labels.npy")

from sklearn.metrics import accuracy_score

with open("{app}/output/scores.json", "w") as file:
    json.dump({{"accuracy": accuracy_score(truth, found)}}, file)
"""
CAPABILITIES: dict[Generation, str] = {"2026-03": DOCKERS, "2026-10": NONE}
COMMAND = re.compile(r"^command\s*:\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
NOT_ZERO = "Child task failed or non-zero return code"
NO_SCORES = "Could not find scores file, did the scoring program output it?"
HAS_METADATA = "Error, the output directory already contains a metadata file"


class _RunError(Exception):
    """The run fails, with the platform's sentence."""


@dataclass(frozen=True)
class Ending:
    """How a submission ended: what the platform shows.

    score: accuracy 0..1 where it finished, else None. logs: "ingestion" and "scoring" -> what they
    wrote (their ends). codes: their exit codes, None where one was stopped or never started.
    """

    status: Literal["Finished", "Failed"]
    score: float | None = None
    message: str = ""
    logs: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A worker with one challenge's hidden set.

    images, labels: uint8 (n, h, w, c) as .npy and int (n,) as .npy. working_folder: where the
    ingestion program goes before it imports: "program" (it stays) or "submission". seconds: limit of
    each step. memory: address space of each process in bytes. python: runs ingestion; scoring runs
    under our own, which has scikit-learn.
    """

    images: Path
    labels: Path
    generation: Generation
    working_folder: Literal["program", "submission"] = "program"
    module: str = "model"
    class_name: str = "Model"
    method: str = "predict"
    python: str = sys.executable
    seconds: float = 600.0
    memory: int = MOST_MEMORY

    def run(self, submission: Path) -> Ending:
        """Everything from the upload to the score."""
        with tempfile.TemporaryDirectory(
            prefix="bare-worker-", ignore_cleanup_errors=True
        ) as place:
            return _Job(self, Path(place)).run(submission)


def hidden_set(
    folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[Path, Path]:
    """Write a hidden set once, for many runs: the folders that hold its images and its labels."""
    for name, array in (("images", images), ("labels", labels)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        np.save(folder / name / f"{name}.npy", array)
    return folder / "images", folder / "labels"


def copied(source: Path, target: Path) -> None:
    """Copy a tree over another one; what cannot be copied fails the run."""
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise _RunError(f"{type(error).__name__}: {error}") from None


class _Job:
    """One submission on its way: its folders, its processes, their logs."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server, self.root, self.shown = server, root, sees_app()
        self.codes: dict[str, int | None] = {}
        for name in ("ingested_program", "ingestion", "scoring", "predicted", "res", "scored", "shared", "data"):  # fmt: skip
            (root / name).mkdir(exist_ok=True)

    def run(self, submission: Path) -> Ending:
        score, message = None, ""
        try:
            self.unpack(submission)
            self.predict()
            score = self.score()
        except _RunError as failure:
            message = str(failure)
        logs = {name: self.log(name) for name in ("ingestion", "scoring")}
        status: Literal["Finished", "Failed"] = "Failed" if score is None else "Finished"
        return Ending(status, score, message, logs, self.codes)

    def log(self, name: str) -> str:
        """The end of what a program wrote."""
        path = self.root / f"{name}.log"
        return path.read_bytes()[-4000:].decode("utf-8", "replace") if path.exists() else ""

    def unpack(self, submission: Path) -> None:
        try:
            with zipfile.ZipFile(submission) as file:
                file.extractall(self.root / "ingested_program")
        except zipfile.BadZipFile:
            raise _RunError("Bad or empty zip file") from None
        except Exception as error:  # noqa: BLE001  # the worker's task dies of whatever it is
            raise _RunError(f"{type(error).__name__}: {error}") from None

    def predict(self) -> None:
        """The first job; that ingestion fails is found out in the second."""
        self.write("ingestion", INGESTION)
        started = self.program_of_its_own() if self.server.generation == "2026-03" else None
        ours: Mode = "ro" if self.server.generation == "2026-10" else "rw"
        binds: Binds = {
            "/app/program": (self.root / "ingestion", "rw"),
            "/app/output": (self.root / "predicted", "rw"),
            "/app/input_data": (self.server.images, "ro"),
            "/app/ingested_program": (self.root / "ingested_program", ours),
            "/app/data": (self.root / "data", "ro"),
        }
        try:
            self.codes["ingestion"] = self.start("ingestion", binds)
        finally:
            if started is not None:
                ended(started)
        self.no_metadata("predicted")

    def program_of_its_own(self) -> subprocess.Popen[bytes] | None:
        """What the older worker does beside ingestion: copy the submission, or start its command."""
        program = self.root / "ingested_program"
        told = [
            program / name for name in ("metadata.yaml", "metadata") if (program / name).exists()
        ]
        if not told:
            copied(program, self.root / "predicted")
            return None
        found = COMMAND.search(told[0].read_text("utf-8", "replace")) if told[0].is_file() else None
        if not found or not found[1]:
            return None
        binds: Binds = {
            "/app/program": (program, "rw"),
            "/app/output": (self.root / "predicted", "rw"),
        }
        return self.begin("program", shlex.split(found[1]), binds)

    def score(self) -> float:
        """The second job. Raises `_RunError` with what the platform shows."""
        self.write("scoring", SCORING)
        copied(self.root / "predicted", self.root / "res")
        binds: dict[str, tuple[Path, Mode]] = {
            "/app/program": (self.root / "scoring", "rw"),
            "/app/output": (self.root / "scored", "rw"),
            "/app/input/ref": (self.server.labels, "ro"),
            "/app/input/res": (self.root / "res", "rw"),
            "/app/shared": (self.root / "shared", "rw"),
            "/app/data": (self.root / "data", "ro"),
        }
        if self.server.generation == "2026-10":
            program = self.root / "ingested_program"
            copied(program, self.root / "res")  # over the predictions
            binds["/app/ingested_program"] = (program, "ro")
        self.codes["scoring"] = code = self.start("scoring", binds)
        if code != 0:
            raise _RunError(NOT_ZERO)
        self.no_metadata("scored")
        scores = self.root / "scored" / "scores.json"
        if not scores.exists():
            raise _RunError(NO_SCORES)
        return float(json.loads(scores.read_text())["accuracy"])

    def no_metadata(self, folder: str) -> None:
        if (self.root / folder / "metadata").exists():
            raise _RunError(HAS_METADATA)

    def write(self, name: str, text: str) -> None:
        app = "/app" if self.shown else self.root / f"container-of-{name}" / "app"
        moves = self.server.working_folder == "submission"
        held = {name: getattr(self.server, name) for name in ("module", "class_name", "method")}
        text = text.format(app=app, chdir="os.chdir(SUBMISSION)" if moves else "", **held)
        (self.root / name / f"{name}.py").write_text(text)

    def start(self, name: str, binds: Binds) -> int:
        """Run a program to its end: its exit code. Raises `_RunError` past the limit."""
        limit = self.server.seconds
        python = self.server.python if name == "ingestion" else sys.executable
        child = self.begin(name, [python, f"{name}.py"], binds)
        try:
            return child.wait(limit)
        except subprocess.TimeoutExpired:
            raise _RunError(f"Execution Time Limit exceeded. Limit was {limit:g} seconds") from None
        finally:
            ended(child)

    def begin(self, name: str, command: Sequence[str], binds: Binds) -> subprocess.Popen[bytes]:
        """Start a program in a container of its own."""
        place = self.root / f"container-of-{name}"
        place.mkdir()
        return Container(
            place, binds, CAPABILITIES[self.server.generation], self.server.memory, shown=self.shown
        ).start(command, self.root / f"{name}.log")
