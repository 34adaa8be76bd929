"""The demonstration's hidden sets: pictures that only the organiser has, and the true scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.crew import QUIET, ROOT
from bench.demonstration_sides import Sides
from codabench_rehearsal.images import Dataset, save
from corruptions.presets import NAMES, Preset, resolve
from corruptions.registry import all_operators
from evaluator.plan import Questions, draw_benchmark, fill_block

SEED = 97  # of the damage; local-eval's is another
HERE = Path(__file__).parent
WORKERS = 2


@dataclass(frozen=True)
class Hidden:
    """A hidden set: its name, one word about it, and the file with its damaged images."""

    name: str
    about: str
    path: Path
    images: int


def presets() -> dict[str, Preset]:
    """Of the two sets, by name."""
    return {
        letter.upper(): resolve(str(HERE / f"demonstration_hidden_{letter}.toml"))
        for letter in "ab"
    }


def unused_operators() -> tuple[str, ...]:
    """Names of all operators that no preset uses, estimate-v1 included."""
    used = {
        step.corruption
        for name in NAMES
        for condition in resolve(name).conditions
        for step in condition.steps
    }
    return tuple(sorted({operator.name for operator in all_operators()} - used))


def write_hidden(sides: Sides, out: Path) -> list[Hidden]:
    """Damage each hidden side, one condition an image, and keep it as a file."""
    found = []
    for (name, preset), side in zip(
        presets().items(), (sides.hidden_a, sides.hidden_b), strict=True
    ):
        path = out / f"hidden_{name.lower()}.npz"
        if not path.is_file():
            save(_damaged(side, preset), path)
        about = "AN2DL-like chains" if name == "A" else "unknown operators"
        found.append(Hidden(name, about, path, len(side)))
    return found


def _damaged(side: Dataset, preset: Preset) -> Dataset:
    benchmark = draw_benchmark(side, preset, SEED)
    images = np.empty_like(side.images)
    fill_block(benchmark, Questions(np.arange(len(side)), benchmark.dealt[:, 0]), images, WORKERS)
    return Dataset(images, side.labels, side.ids)


def true_scores(folders: Sequence[Path], hidden: Sequence[Hidden]) -> dict[str, dict[str, float]]:
    """Model -> set -> accuracy, by direct prediction in a child; each is asked once."""
    missing = [folder for folder in folders if not _scores_file(folder).is_file()]
    if missing:
        words = [str(folder) for folder in missing]
        sets = [f"{one.name}={one.path}" for one in hidden]
        subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-m", "bench.demonstration_scoring", "--sets", *sets, "--", *words],
            check=True,
            cwd=ROOT,
            env=child_environment(),
        )
    return {
        folder.name: json.loads(_scores_file(folder).read_text(encoding="utf-8"))
        for folder in folders
    }


def _scores_file(folder: Path) -> Path:
    return folder / "scores.json"


def child_environment() -> dict[str, str]:
    """For children that run Keras: our sources on the path, no GPU, no chatter."""
    return {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
