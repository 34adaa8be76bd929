"""`python -m bench.corruptions`: speed, memory, scaling and latency of the corruptions.

Every side runs on the same images, in turns within one run, one core each; see bench/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench import full, latency, memory, peers_env, report, scaling, speed
from bench.contender import Images
from bench.crew import SideError, Worker, cores
from bench.goals import Verdict

PARTS = ("speed", "memory", "scaling", "latency")
HERE = ("opencv", "tensorflow_image")  # peers in our own environment
ELSEWHERE = {
    "albumentations": "peers",
    "imaug": "peers",
    "torchvision": "peers",
    "kornia": "peers",
    "kerascv": "kerascv",
}
Progress = Callable[[str], None]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.corruptions", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="turns of every side")
    parser.add_argument("--images", type=int, default=1000, help="images of 96x96")
    parser.add_argument("--seconds", type=float, default=0.2, help="CPU time of one measurement")
    parser.add_argument("--quick", action="store_true", help="2 runs, 200 images: a first look")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--full", action="store_true", help="also 12,000 images in all conditions")
    parser.add_argument("--full-images", type=int, default=12_000, metavar="N")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    if options.quick:
        options.runs, options.images, options.seconds = 2, 200, 0.05
    return options


@contextlib.contextmanager
def _progress() -> Any:
    with report.console().status("") as status:
        yield status.update


def _speed(
    options: argparse.Namespace, images: Images, folder: Path, progress: Progress
) -> speed.Speed:
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, python in _sides(options, absent).items():
            try:
                worker = Worker(f"bench.sides.{name}", cores()[-1:], python)
            except SideError as error:
                if name in ("ours", "reference"):
                    raise
                absent[name] = str(error)
                continue
            sides[name] = stack.enter_context(worker)
            worker.ask("load", path=str(folder / "images.npy"))
        result = speed.measure(sides, images, folder, options.runs, options.seconds, progress)
    result.absent = absent
    return result


def _sides(options: argparse.Namespace, absent: dict[str, str]) -> dict[str, str]:
    """Sides to start, each with its Python."""
    found = {"reference": sys.executable, "ours": sys.executable}
    if not options.peers:
        return found
    found |= dict.fromkeys(HERE, sys.executable)
    for name, environment in ELSEWHERE.items():
        python = peers_env.python_of(environment)
        if python:
            found[name] = python
        else:
            absent[name] = f"python -m bench.peers_env {environment} makes its environment"
    return found


def _nineteen() -> list[str]:
    from corruptions.registry import all_operators

    return [op.name for op in all_operators() if op.table == "imagecorruptions"]


def _run(options: argparse.Namespace, folder: Path, progress: Progress) -> dict[str, Any]:
    """Measure the wanted parts; what each found."""
    from codabench_rehearsal.images import synthetic

    progress("drawing images")
    images = synthetic(options.images).images
    path = str(folder / "images.npy")
    np.save(path, images)
    found: dict[str, Any] = {}
    names = [*_nineteen(), *speed.POLICIES]
    if "speed" in options.only:
        found["speed"] = _speed(options, images, folder, progress)
    if "memory" in options.only:
        found["memory"] = memory.measure(memory.HUNGRY if options.quick else names, progress)
    if "scaling" in options.only:
        found["scaling"] = scaling.measure(path, len(images), options.runs, progress)
    if "latency" in options.only:
        found["latency"] = latency.measure(names, min(options.runs, 3), progress)
    if options.full:
        found["full"] = full.measure(path, len(images), options.full_images, progress)
    return found


def _show(found: dict[str, Any]) -> list[Verdict]:
    """Tables in order; returns every figure that has a goal."""
    shows: dict[str, tuple[Callable[[Any], None], Callable[[Any], list[Verdict]]]] = {
        "speed": (report.show_speed, speed.verdicts),
        "memory": (report.show_memory, memory.verdicts),
        "scaling": (report.show_scaling, scaling.verdicts),
        "latency": (report.show_latency, latency.verdicts),
        "full": (report.show_full, full.verdicts),
    }
    verdicts: list[Verdict] = []
    for name, result in found.items():
        show, judge = shows[name]
        show(result)
        verdicts += judge(result)
    report.show_verdicts(verdicts)
    return verdicts


def _plain(name: str, result: Any) -> Any:
    match name:
        case "speed":
            return report.speed_plain(result)
        case "memory":
            return result
        case _:
            return asdict(result)


def main(argv: list[str] | None = None) -> int:
    """0 if all goals are met, 1 if some are missed."""
    options = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder, _progress() as progress:
        found = _run(options, Path(folder), progress)
    verdicts = _show(found)
    if options.json:
        asked = {name: str(value) for name, value in vars(options).items()}
        content = {"machine": report.machine(), "options": asked}
        content |= {name: _plain(name, result) for name, result in found.items()}
        report.write_json(options.json, content | {"goals": [v.plain() for v in verdicts]})
    return 0 if all(verdict.met for verdict in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
