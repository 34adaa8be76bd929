"""Small bundles made by hand for the tests of the worker, and what they are run with."""

from __future__ import annotations

import sys
import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import Bundle, Column, Phase, Task
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.challenge.worker.outcome import Ran
from codabench_rehearsal.challenge.worker.submission import run_submission
from tests.challenge.bundles import Draft

BOTH: tuple[Worker, ...] = ("2026-03", "2026-10")
Files = Mapping[str, str]  # name -> text
PREDICT = """
import sys
sys.path.insert(0, "/app/ingested_program")
from model import predict
text = predict(open("/app/input_data/x").read())
open("/app/output/predictions", "w").write(text)
"""
SCORE = """
import json
found, truth = open("/app/input/res/predictions").read(), open("/app/input/ref/y").read()
right = sum(a == b for a, b in zip(found, truth)) / len(truth)
json.dump({"accuracy": right}, open("/app/output/scores.json", "w"))
"""
UPPER = "def predict(text):\n    return text.upper()\n"  # two of four letters right
ACCURACY = (Column(0, "accuracy", "Accuracy"),)
FAILED, FINISHED = "Failed", "Finished"


def of_letters() -> Draft:
    """The whole bundle of `bundles.py` about letters, which a submission turns into capitals."""
    draft = Draft()
    for name in [n for n in draft.files if n.endswith(".npy")]:
        del draft.files[name]
    draft.add("input_data/x", "abCD")
    draft.add("reference_data/dev/y", "ABcd")
    draft.add("reference_data/final/y", "ABCD")
    draft.add("ingestion_program/ingestion.py", PREDICT)
    draft.add("scoring_program/scoring.py", SCORE)
    return draft


def program(code: str, command: str = "python main.py", name: str = "metadata.yaml") -> Files:
    """A program's folder; no metadata where the command is empty."""
    described = {name: f"command: {command}\n"} if command else {}
    return {"main.py": textwrap.dedent(code), **described}


def written(folder: Path, files: Files) -> Path:
    """A folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def zipped(place: Path, files: Files) -> Path:
    """A submission."""
    path = place / "submission.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return path


def bundle(
    place: Path,
    ingestion: Files | None = None,
    scoring: Files | None = None,
    *,
    data: Files | None = None,
    reference: Files | None = None,
    columns: tuple[Column, ...] = ACCURACY,
    seconds: int = 60,
    copies: int = 1,
    **more: Any,
) -> Bundle:
    """A bundle whose tasks are all alike. more: of `Bundle` and `Task`."""
    of_bundle = {"detailed_results": more.pop("detailed_results", False)}
    folders = {
        "scoring": written(place / "scoring_program", scoring or program(SCORE)),
        "ingestion": written(place / "ingestion_program", ingestion) if ingestion else None,
        "input_data": written(place / "input_data", {"x": "abCD"} if data is None else data),
        "reference_data": written(place / "ref", {"y": "ABcd"} if reference is None else reference),
        **more,
    }
    tasks = tuple(Task(index, f"task {index}", **folders) for index in range(copies))
    phase = Phase(0, "development", tuple(range(copies)), seconds=seconds)
    return Bundle("hand-made", place, "", "", (phase,), tasks, columns, **of_bundle)


def ran(
    made: Bundle,
    place: Path,
    worker: Worker,
    submission: Files | Path | None = None,
    **options: Any,
) -> Ran:
    """Run a submission through the only phase."""
    given = {"model.py": UPPER} if submission is None else submission
    archive = given if isinstance(given, Path) else zipped(place, given)
    machine = options.pop("machine", Machine(sys.executable))
    return run_submission(made, archive, made.phases[0], worker, machine, **options)


def reason(result: Ran) -> str:
    """The platform's sentence of the only task, without what the newer worker puts around it."""
    return result.tasks[0].reason


def log(result: Ran, job: str, kind: str) -> str:
    """What a program printed."""
    found = next(one for one in result.tasks[0].jobs if one.name == job)
    return next(step.log for step in found.steps if step.kind == kind)


def figures(result: Ran) -> dict[str, float]:
    """The scores by their keys."""
    return {score.key: score.value for score in result.scores}
