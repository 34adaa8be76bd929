"""Trainings of recipes by `train-recipe` itself, their zips by `make-submission`, their answers."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.crew import ROOT
from bench.report import console, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset
from evaluator.comparison.compare import answered, compare
from evaluator.comparison.standings import Comparison
from evaluator.metrics import Score
from evaluator.options import Options

HIDDEN = "an2dl-2024"  # our reading of the hidden images
CONTROL = "madapenguins"  # the negative one


@dataclass(frozen=True)
class Training:
    """What a training took.

    epochs, seconds: of them, without folds; waited: the share of these seconds that the network
    waited for images; whole: seconds of the whole command, of its last run if it was cut off.
    """

    name: str
    epochs: int
    seconds: float
    waited: float
    whole: float


@dataclass(frozen=True)
class Bench:
    """Where it all happens. data: the images with labels; out: folders, zips and the store."""

    data: Path
    out: Path

    def train(self, name: str, *words: str) -> Training:
        """The training of `out/name` by `train-recipe WORDS`; what is done is not done again."""
        folder = self.out / name
        if not self.is_trained(name):
            began = time.monotonic()
            given = ("--data", str(self.data), "--out", str(folder), "--resume")
            _run("codabench_rehearsal.commands.train_recipe", *words, *given)
            seconds = time.monotonic() - began
            write_json(self._took(name), {"seconds": seconds})
            console().print(f"{name}: trained in {seconds:.0f} s")
        rows = self.history(name)
        spent = sum(float(row["seconds"]) for row in rows)
        waited = sum(float(row["waited_share"]) * float(row["seconds"]) for row in rows)
        whole = float(json.loads(self._took(name).read_text(encoding="utf-8"))["seconds"])
        return Training(name, len(rows), spent, waited / spent, whole)

    def is_trained(self, name: str) -> bool:
        """Whether it came to its end."""
        return (self.out / name / "trained.json").is_file()  # the last thing that it writes

    def history(self, name: str) -> list[dict[str, str]]:
        """What a training noted of each epoch."""
        with (self.out / name / "history.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def _took(self, name: str) -> Path:
        return self.out / f"{name}.seconds.json"

    def pack(self, name: str, *words: str, folder: str = "") -> Path:
        """The zip of a training folder (default: of that name), checked and run once."""
        path = self.out / f"{name}.zip"
        if not path.is_file():
            source = str(self.out / (folder or name))
            given = ("--out", str(path), "--data", str(self.data), *words)
            _run("codabench_rehearsal.commands.make_submission", source, *given)
        return path

    def member(self, name: str, number: int) -> str:
        """A training folder with one network of another one's several; its name."""
        source, alone = self.out / name, f"{name}-{number}"
        target = self.out / alone
        target.mkdir(exist_ok=True)
        weights = f"weights_{number}.keras"
        for one in (weights, "split.json"):
            if not (target / one).exists():
                os.link(source / one, target / one)
        recipe = json.loads((source / "recipe.json").read_text(encoding="utf-8"))
        (target / "recipe.json").write_text(json.dumps({**recipe, "weights": [weights]}))
        return alone

    def compare(self, zips: Sequence[Path], data: Dataset, preset: str) -> Comparison:
        """All of them on the images that none was trained on; each held against the first."""
        store = str(self.out / "store")
        options = Options(corrupt=preset, images=None, store=store, device="cpu", estimate=False)
        return compare(answered(zips, data, load_challenge(), options))


def interval(score: Score) -> str:
    """A figure with its 95 % interval."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def points(change: Score) -> str:
    """A difference with its 95 % interval, in points."""
    low, high = 100 * change.low, 100 * change.high
    return f"{100 * change.value:+.1f} ({low:+.1f} to {high:+.1f})"


def _run(module: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", module, *words], check=True, cwd=ROOT)  # noqa: S603  our own program
