"""What is measured of a model: its zip, local figures by `local-eval`'s code, and true scores."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.crew import ROOT
from bench.demonstration_figures import Rehearsed
from bench.demonstration_hidden import SETS, child_environment, hidden_set
from bench.demonstration_models import Model
from bench.demonstration_sides import Sides
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.images import Dataset, save
from evaluator.answers import Answers
from evaluator.estimate.inputs import Figures, LibraryCondition
from evaluator.evaluate import evaluate
from evaluator.options import Options
from evaluator.plan import described
from evaluator.report.report import Report
from submission.packager import pack
from submission.training_folder import read_training_folder


@dataclass(frozen=True)
class Place:
    """Where it happens. data: all images, of which `sides` are made; images: asked at most."""

    data: Path
    sides: Sides
    out: Path
    images: int | None

    def measured(self, model: Model, epochs: tuple[int, ...]) -> Rehearsed:
        """Train, pack, rehearse and score; what is done is not done again."""
        path = self._zipped(self._trained(model, epochs))
        report = self._asked(path, self.sides.validation, estimate=True)
        assert report.scores is not None  # noqa: S101  it answered
        scores = {name: self._score(path, name) for name in SETS}
        clean, heavy = report.scores.validation, report.scores.benchmark
        local = clean.accuracy.value, heavy.accuracy.value
        return Rehearsed(
            model.name, model.variant.name, figures_of(library_of(report)), *local, scores
        )

    def conditions(self, model: Model) -> tuple[LibraryCondition, ...]:
        """The library's, as the model was asked them."""
        report = self._asked(
            self.out / "zips" / f"{model.name}.zip", self.sides.validation, estimate=True
        )
        return described(library_of(report).benchmark.conditions)

    def _trained(self, model: Model, epochs: tuple[int, ...]) -> Path:
        folder = self.out / "models" / model.name
        if model.variant.network == "recipe":
            if not (folder / "trained.json").is_file():
                self._run("codabench_rehearsal.commands.train_recipe", *self._recipe(model, folder))
        elif not (folder / "recipe.json").is_file():
            words = ["--data", str(self.data), "--out", str(self.out / "models")]
            words += ["--name", model.variant.name, "--epochs", *map(str, epochs)]
            self._run("bench.demonstration_training", *words)
        return folder

    def _recipe(self, model: Model, folder: Path) -> list[str]:
        own = self.out / "train.npz"
        if not own.is_file():
            save(self.sides.train, own)
        given = ["--data", str(own), "--out", str(folder), "--resume"]
        return [model.variant.name, "--evening", *given]

    def _run(self, module: str, *words: str) -> None:
        environment = child_environment()
        command = [sys.executable, "-m", module, *words]
        subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  our own program

    def _zipped(self, folder: Path) -> Path:
        path = self.out / "zips" / f"{folder.name}.zip"
        if not path.is_file():
            packed = pack(read_training_folder(folder), load_challenge(), path)
            if packed.zip_path is None:
                raise RuntimeError(f"{folder.name} could not be packed: {packed.findings}")
        return path

    def _score(self, path: Path, name: str) -> float:
        """On all images of a hidden set, as they are."""
        report = self._asked(path, hidden_set(name, self.sides, self.out), estimate=False)
        assert report.scores is not None  # noqa: S101  it has answered before
        return report.scores.validation.accuracy.value

    def _asked(self, path: Path, data: Dataset, *, estimate: bool) -> Report:
        """No image was trained on: sides share none."""
        options = Options(
            corrupt="heavy" if estimate else "clean",
            images=self.images if estimate else None,
            store=str(self.out / "store"),
            device="cpu",
            estimate=estimate,
            split="none",
            held_out=True,
        )
        return evaluate(path, data, load_challenge(), options)


def library_of(report: Report) -> Answers:
    """The answers to the library's conditions. Raises `EvaluationError` where there are none."""
    if report.library is None:
        raise EvaluationError(f"{report.source.path} was not evaluated: {report.findings}")
    return report.library


def figures_of(sheet: Answers) -> Figures:
    """Accuracies by condition, and how many images are behind each."""
    count = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=count)
    right = np.bincount(sheet.questions.conditions, sheet.right, count)
    shares = right / np.maximum(asked, 1)
    return Figures(sheet.name, tuple(map(float, shares)), tuple(map(int, asked)))
