"""The demonstration's hidden sets: pictures that only the organiser has."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bench.crew import QUIET, ROOT
from bench.demonstration_sides import Sides
from codabench_rehearsal.images import Dataset, load, save
from corruptions.presets import NAMES, Preset, resolve
from corruptions.registry import all_operators
from evaluator.plan import Questions, draw_benchmark, fill_block

SEED = 97  # of the damage; local-eval's is another
HERE = Path(__file__).parent
WORKERS = 2


SETS = {  # a word about each
    "A": "AN2DL-like chains",
    "B": "unknown operators",
    "A2": "AN2DL-like chains, drawn after the estimate was fixed",
    "B2": "unknown operators, drawn after the estimate was fixed",
}


def presets() -> dict[str, Preset]:
    """Of the sets, by name."""
    return {name: resolve(str(HERE / f"demonstration_hidden_{name.lower()}.toml")) for name in SETS}


def unused_operators() -> tuple[str, ...]:
    """Names of all operators that no preset uses, estimate-v1 included."""
    used = {
        step.corruption
        for name in NAMES
        for condition in resolve(name).conditions
        for step in condition.steps
    }
    return tuple(sorted({operator.name for operator in all_operators()} - used))


def hidden_set(name: str, sides: Sides, out: Path) -> Dataset:
    """Damage a hidden side, one condition an image; kept as a file."""
    path = out / f"hidden_{name.lower()}.npz"
    if not path.is_file():
        save(_damaged(_side(name, sides), presets()[name]), path)
    return load(path)


def sizes(sides: Sides) -> dict[str, int]:
    """Images of each set."""
    return {name: len(_side(name, sides)) for name in SETS}


def _side(name: str, sides: Sides) -> Dataset:
    return sides.hidden_a if name.startswith("A") else sides.hidden_b


def _damaged(side: Dataset, preset: Preset) -> Dataset:
    benchmark = draw_benchmark(side, preset, SEED)
    images = np.empty_like(side.images)
    fill_block(benchmark, Questions(np.arange(len(side)), benchmark.dealt[:, 0]), images, WORKERS)
    return Dataset(images, side.labels, side.ids)


def child_environment() -> dict[str, str]:
    """For children that run Keras: our sources on the path, no GPU, no chatter."""
    return {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}
