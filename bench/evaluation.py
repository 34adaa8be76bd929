"""What a rehearsal costs beside the bare prediction: `python -m bench.evaluation`.

For a small CNN (the hard case) and MobileNetV3Small, in one run: `local-eval` on N drawn cells
under the 19 corruptions, `heavy` and `an2dl-2024`, against the bare `model.predict` of the same
network on as many prepared images, in a fresh process (its fastest of three batch sizes). Child
start-up is left out on both sides. Goals: for the 19, (total - start-up) at most 1.10 x the bare
prediction; for the two presets, at most 1.05 x max(predict wall, (predict CPU + corrupt CPU) /
cores).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.images import Dataset, synthetic
from corruptions.chain import table_names
from corruptions.presets import resolve
from evaluator.evaluate import evaluate
from evaluator.options import NO_STORE, Options
from evaluator.plan import Questions, draw_benchmark, fill_block
from submission.packager import pack
from submission.training_folder import Packing

MAKE = """
import sys, keras
from codabench_rehearsal.recipes.models import small_cnn
keras.utils.set_random_seed(0)
small_cnn((96, 96, 3), 8).save(sys.argv[1] + "/small_cnn.keras")
keras.applications.MobileNetV3Small(
    input_shape=(96, 96, 3), weights=None, classes=8
).save(sys.argv[1] + "/mobilenetv3small.keras")
"""
BARE = """
import json, sys, time, numpy as np, keras
network = keras.models.load_model(sys.argv[1], compile=False)
images = np.load(sys.argv[2])
wall, cpu = time.perf_counter(), time.process_time()
network.predict(images, batch_size=int(sys.argv[3]), verbose=0)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""
BATCHES = (32, 64, 128)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
GOALS = {"all 19": 1.10, "heavy": 1.05, "an2dl-2024": 1.05}


@dataclass(frozen=True)
class Row:
    """One run. ratio: (total - start-up) / allowed, where allowed is the goal's right side."""

    network: str
    preset: str
    images: int
    bare_wall: float
    bare_cpu: float
    corrupt_cpu: float
    evaluated: float
    start_up: float
    ratio: float


def main() -> int:
    """Run the study, print the table, write JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    challenge = load_challenge()
    data = synthetic(options.images, seed=9)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _child(MAKE, str(folder))
        presets = {"all 19": _nineteen(folder), "heavy": "heavy", "an2dl-2024": "an2dl-2024"}
        rows = [
            _measure(folder, network, name, spec, data, challenge)
            for _ in range(options.runs)
            for network in ("small_cnn", "mobilenetv3small")
            for name, spec in presets.items()
        ]
    _print(rows)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def _nineteen(folder: Path) -> str:
    """A preset of all 95 conditions, 19 of them for every image."""
    conditions = [f'"{name}:{severity}"' for name in table_names() for severity in range(1, 6)]
    head = 'draws = 19\ntable = "imagecorruptions"\n[[family]]\nname = "all"\n'
    path = folder / "all.toml"
    path.write_text(f"{head}conditions = [{', '.join(conditions)}]\n", encoding="utf-8")
    return str(path)


def _measure(
    folder: Path, network: str, name: str, spec: str, data: Dataset, challenge: Challenge
) -> Row:
    weights, zip_path = folder / f"{network}.keras", folder / f"{network}.zip"
    if not zip_path.exists():
        pack(Packing((weights,)), challenge, zip_path)
    benchmark = draw_benchmark(data, resolve(spec))
    count, draws = benchmark.dealt.shape
    conditions = np.concatenate([np.zeros((count, 1), np.int64), benchmark.dealt], axis=1).ravel()
    questions = Questions(np.repeat(np.arange(count), draws + 1), conditions)
    images = np.empty((len(questions), *data.images.shape[1:]), np.uint8)
    fill_block(
        benchmark, questions.blocks(len(questions) // 8)[0], images[: len(questions) // 8], 1
    )
    cpu = time.process_time()
    fill_block(benchmark, questions, images, workers=1)
    corrupt_cpu = time.process_time() - cpu
    np.save(folder / "images.npy", images)
    prepared = str(folder / "images.npy")
    bare = [json.loads(_child(BARE, str(weights), prepared, str(size))) for size in BATCHES]
    bare_wall, bare_cpu = min(bare)
    alone = Options(corrupt=spec, images=None, device="cpu", store=NO_STORE, estimate=False)
    report = evaluate(zip_path, data, challenge, alone)
    if report.scores is None or report.scores.answers != len(images):
        raise RuntimeError(f"the evaluation did not finish: {report.findings}")
    evaluated = report.timing.total_seconds - report.timing.start_seconds
    cores = os.cpu_count() or 1
    bound = bare_wall if name == "all 19" else max(bare_wall, (bare_cpu + corrupt_cpu) / cores)
    numbers = (bare_wall, bare_cpu, corrupt_cpu, evaluated, report.timing.start_seconds)
    return Row(network, name, len(images), *numbers, evaluated / bound)


def _child(code: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **QUIET},
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _print(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = ("network", "preset", "images", "bare s", "corrupt CPU s", "evaluated s", "start s")
    table = Table(*columns, "ratio", "goal", title="medians of all runs; ratio with its range")
    for network, preset in dict.fromkeys((row.network, row.preset) for row in rows):
        same: Any = [row for row in rows if (row.network, row.preset) == (network, preset)]
        middle = [
            statistics.median(getattr(row, field) for row in same)
            for field in ("bare_wall", "corrupt_cpu", "evaluated", "start_up", "ratio")
        ]
        ratios = sorted(row.ratio for row in same)
        shown = f"{middle[4]:.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f})"
        figures = [f"{value:.1f}" for value in middle[:4]]
        goal = f"{GOALS[preset]:.2f}"
        table.add_row(network, preset, f"{same[0].images:,}", *figures, shown, goal)
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
