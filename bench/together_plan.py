"""`python -m bench.together_plan`: what a large challenge would cost on a cluster, from unit costs.

Unit costs are measured here, as CPU seconds, so that a busy machine hardly matters: loading a small
Keras network, predicting and damaging an image, the command's own work for an answer, bytes of
zip, question and answer. Then the arithmetic for --submissions, --conditions and --images, line by
line. GPUs, slow disks and networks are not in it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.crew import ROOT
from bench.demonstration_report import table
from bench.report import console, machine, write_json
from bench.timing import processor_seconds
from bench.together import made_zips
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.sandbox.executor import Work
from corruptions.presets import LIBRARY, resolve
from evaluator.ask import MOST_QUESTIONS, make_images
from evaluator.evaluate import local_eval
from evaluator.plan import CLEAN
from evaluator.store.rows import condition_text

IMAGE_BYTES = 96 * 96 * 3
FEW, MANY = 500, 5000  # images of two runs: what more images cost, and what a start costs
OWN_IMAGES, OWN_CONDITIONS = 5000, 80  # of the command's own work


@dataclass(frozen=True)
class Unit:
    """Measured costs. Seconds are of CPU, all threads and processes together.

    load: of a child, TensorFlow and the model. predict, damage, own: of one answer; own: in the
    command itself. question, answer, stored: bytes of one. zip_bytes: of a zip. memory: bytes an
    answer of a submission that is asked now, in the command.
    """

    load: float
    predict: float
    damage: float
    own: float
    question: float
    answer: float
    stored: float
    zip_bytes: float
    memory: float


@dataclass(frozen=True)
class Size:
    """What is asked."""

    submissions: int
    conditions: int
    images: int

    @property
    def answers(self) -> int:
        """Of all submissions."""
        return self.submissions * self.conditions * self.images


def main(argv: list[str] | None = None) -> int:
    """Measure, and print the plan; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.together_plan", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--conditions", type=int, default=100)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--units", type=Path, metavar="FILE", help="measured before (--json)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    size = Size(options.submissions, options.conditions, options.images)
    if options.units:
        unit = Unit(**json.loads(options.units.read_text(encoding="utf-8"))["unit"])
    else:
        unit = measured()
    rows = [(name, f"{value:.4g}") for name, value in asdict(unit).items()]
    console().print(table(("unit cost", "s or bytes"), rows), markup=False)
    console().print(table(("what", "how", "is"), plan(unit, size, options.workers)), markup=False)
    if options.json:
        write_json(options.json, {"machine": machine(), "unit": asdict(unit)})
    return 0


def plan(unit: Unit, size: Size, workers: int) -> Iterator[tuple[str, str, str]]:
    """The arithmetic: what, how it is reckoned, and the result."""
    every, hour = size.answers, 3600
    each = unit.predict + unit.damage
    blocks = -(-every // MOST_QUESTIONS)
    data, zips = size.images * IMAGE_BYTES, size.submissions * unit.zip_bytes
    asked = size.conditions * size.images
    yield (
        "answers",
        f"{size.submissions} submissions x {size.conditions} conditions x {size.images:,} images",
        f"{every:.3g}",
    )
    yield "tasks", f"answers / {MOST_QUESTIONS:,} a block", f"{blocks:,}"
    yield (
        "CPU a task",
        f"{MOST_QUESTIONS:,} x {1e3 * each:.2f} ms",
        f"{MOST_QUESTIONS * each:.0f} s",
    )
    work, load = every * each / hour, size.submissions * unit.load / hour
    yield (
        "core hours, predicting",
        f"answers x {1e3 * unit.predict:.2f} ms",
        _hours(every * unit.predict),
    )
    yield (
        "core hours, damaging",
        f"answers x {1e3 * unit.damage:.2f} ms",
        _hours(every * unit.damage),
    )
    yield "core hours, loading", f"{size.submissions} x {unit.load:.1f} s", f"{load:.1f}"
    own = every * unit.own
    yield "core hours, the command", f"answers x {1e6 * unit.own:.2f} us", _hours(own)
    yield (
        f"days on {workers} workers of one core",
        "the first three / workers / 24",
        f"{(work + load) / workers / 24:.1f}",
    )
    yield (
        "workers that the command keeps busy",
        "predicting and damaging / the command",
        f"{every * each / own:.0f}",
    )
    yield (
        "traffic, images",
        f"{workers} workers x {data / 1e9:.2f} GB",
        f"{workers * data / 1e9:.0f} GB",
    )
    yield (
        "traffic, zips",
        f"{size.submissions} x {unit.zip_bytes / 1e6:.2f} MB",
        f"{zips / 1e9:.2f} GB",
    )
    yield (
        "traffic, questions",
        f"answers x {unit.question:.1f} bytes",
        f"{every * unit.question / 1e9:.0f} GB",
    )
    yield (
        "traffic, labels",
        f"answers x {unit.answer:.1f} bytes",
        f"{every * unit.answer / 1e9:.0f} GB",
    )
    yield "store", f"answers x {unit.stored:.2f} bytes", f"{every * unit.stored / 1e9:.1f} GB"
    held = asked * unit.memory
    yield (
        "memory of the command, a submission",
        f"{asked:.3g} answers x {unit.memory:.0f} bytes",
        f"{held / 1e9:.1f} GB",
    )
    yield (
        "memory of a worker, images",
        f"{size.images:,} x {IMAGE_BYTES:,} bytes",
        f"{data / 1e9:.1f} GB",
    )


def measured() -> Unit:
    """All unit costs, on this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (path,) = made_zips(folder, zips=1, images=MANY)
        (few, fewer), (many, more) = (_children(path, folder, count) for count in (FEW, MANY))
        predict = (many - few) / (more - fewer)
        work = _work(MOST_QUESTIONS)
        labels = np.zeros(len(work), np.int64)
        own = _own()
        answers = OWN_IMAGES * (OWN_CONDITIONS + 1)
        return Unit(
            load=few - fewer * predict,
            predict=predict,
            damage=_damage(work),
            own=own["CPU s"] / answers,
            question=len(pickle.dumps(work.to_json())) / len(work),
            answer=len(pickle.dumps(labels)) / len(work),
            stored=own["store MB"] * 1e6 / answers,
            zip_bytes=path.stat().st_size,
            memory=own["evaluated MB"] * 1e6 / answers,
        )


def _children(path: Path, folder: Path, count: int) -> tuple[float, int]:
    """CPU seconds of a child that is asked about so many clean images, and its answers.

    They are more: a network of drawn weights is also asked with the images fed in other ways.
    """
    before = processor_seconds(resource.RUSAGE_CHILDREN)
    given: dict[str, Any] = {"corrupt": "clean", "store": "none", "held_out": True}
    report = local_eval(path, folder / "training_set.npz", estimate=False, count=count, **given)
    if report.scores is None:
        raise SystemExit(f"{path.name} failed: {report.findings}")
    return processor_seconds(resource.RUSAGE_CHILDREN) - before, report.timing.answers


def _work(count: int) -> Work:
    """A block of questions on all conditions of the estimate's library."""
    texts = tuple(condition_text(one) for one in (CLEAN, *resolve(LIBRARY).conditions))
    chosen = (np.arange(count) % len(texts)).astype(np.int32)
    ids = np.random.default_rng(0).integers(0, 512, count)
    return Work("0" * 64, "0" * 32, texts, ids, chosen, 0, (96, 96, 3))


def _damage(work: Work) -> float:
    """CPU seconds an image, once everything is compiled."""
    data = synthetic(512, seed=1)
    out = np.empty((len(work), *work.shape), np.uint8)
    make_images(work, out, data, {})  # compiles
    before = processor_seconds(resource.RUSAGE_SELF)
    make_images(work, out, data, {})
    return (processor_seconds(resource.RUSAGE_SELF) - before) / len(work)


def _own() -> dict[str, float]:
    """What the command itself takes, in a process of its own: see `bench.full_memory`."""
    words = [sys.executable, "-m", "bench.full_memory", "--child"]
    words += ["--images", str(OWN_IMAGES), "--conditions", str(OWN_CONDITIONS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f}"


if __name__ == "__main__":
    sys.exit(main())
