"""What a participant knows of each model: packed, and rehearsed by local-eval's own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.images import Dataset
from evaluator.answers import Answers
from evaluator.estimate.inputs import Figures, LibraryCondition
from evaluator.evaluate import evaluate
from evaluator.options import Options
from evaluator.plan import described
from evaluator.report.report import Report
from submission.packager import pack
from submission.training_folder import read_training_folder


@dataclass(frozen=True)
class Local:
    """A model's local figures: on the library's conditions, clean, and on `heavy`."""

    name: str
    figures: Figures
    validation: float
    benchmark: float
    asked: int
    seconds: float


def rehearse(
    folders: Sequence[Path],
    data: Dataset,
    challenge: Challenge,
    out: Path,
    images: int | None,
    say: Callable[[str], None],
) -> tuple[tuple[LibraryCondition, ...], list[Local]]:
    """Pack and evaluate every training folder; the store under `out` spares what is done."""
    conditions: tuple[LibraryCondition, ...] = ()
    found = []
    for folder in folders:
        zip_path = zipped(folder, challenge, out)
        report = evaluated(zip_path, data, challenge, out, images)
        sheet = _library(report)
        conditions = described(sheet.benchmark.conditions)
        found.append(_local(folder.name, report, sheet))
        say(f"{folder.name}: {report.asked:,} asked in {report.timing.total_seconds:.0f} s")
    return conditions, found


def zipped(folder: Path, challenge: Challenge, out: Path) -> Path:
    """The model's zip, packed if it is not there."""
    zip_path = out / "zips" / f"{folder.name}.zip"
    if not zip_path.is_file():
        packed = pack(read_training_folder(folder), challenge, zip_path)
        if packed.zip_path is None:
            raise RuntimeError(f"{folder.name} could not be packed: {packed.findings}")
    return zip_path


def evaluated(
    zip_path: Path, data: Dataset, challenge: Challenge, out: Path, images: int | None
) -> Report:
    """What `local-eval` finds; the store has no scores, so nothing is expected from others."""
    options = Options(images=images, store=str(out / "store"), device="cpu")
    return evaluate(zip_path, data, challenge, options)


def _library(report: Report) -> Answers:
    if report.library is None:
        raise EvaluationError(f"{report.source.path} was not evaluated: {report.findings}")
    return report.library


def _local(name: str, report: Report, sheet: Answers) -> Local:
    assert report.scores is not None  # noqa: S101  there is a sheet
    figures = figures_of(sheet)
    scores = report.scores
    clean, heavy = scores.validation.accuracy.value, scores.benchmark.accuracy.value
    return Local(name, figures, clean, heavy, report.asked, report.timing.total_seconds)


def figures_of(sheet: Answers) -> Figures:
    """Accuracies by condition, and how many images are behind each."""
    count = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=count)
    right = np.bincount(sheet.questions.conditions, sheet.right, count)
    shares = right / np.maximum(asked, 1)
    return Figures(sheet.name, tuple(map(float, shares)), tuple(map(int, asked)))
