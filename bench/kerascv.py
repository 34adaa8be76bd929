"""`python -m bench.kerascv`: our RandAugment and AugMix against KerasCV 0.9.0 itself.

The same operations, and for each of them, and for the whole policies, the same distribution of the
mean absolute change an image, by a two-sample Kolmogorov-Smirnov test.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peers_env
from bench.contender import Images
from bench.crew import SideError, Worker, cores
from bench.report import console, machine, write_json

LEVEL = 0.01  # of all tests together (Bonferroni)
Change = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One operation: mean absolute change an image (grey levels) on both sides, and the test."""

    name: str
    theirs: float
    ours: float
    statistic: float
    p: float


def change(results: Images, images: Images) -> Change:
    """Mean absolute change of each image, grey levels; shape `(n,)`."""
    apart = np.abs(results.astype(np.int16) - images)
    means: Change = apart.reshape(len(images), -1).mean(axis=1)
    return means


def ours(images: Images) -> dict[str, Callable[[], Images]]:
    """Our policies, and each of their operations with values drawn as the policies draw them."""
    from corruptions import aug_mix, rand_augment
    from corruptions.moves import AUG_MIX_MOVES, RAND_AUGMENT_MOVES

    found: dict[str, Callable[[], Images]] = {
        "rand_augment": lambda: rand_augment(images),
        "aug_mix": lambda: aug_mix(images),
    }
    for name, move in RAND_AUGMENT_MOVES.items():
        found[f"ra {name}"] = functools.partial(_alone, images, name, move, 0.5, 0.15)
    for name, move in AUG_MIX_MOVES.items():
        found[f"am {name}"] = functools.partial(_alone, images, name, move, 0.3, 0.0)
    return found


def _alone(images: Images, name: str, move: Any, strength: float, spread: float) -> Images:
    from corruptions.moves import Numbers, sample
    from corruptions.streams import streams

    random = streams(0, f"bench {name}", np.arange(len(images), dtype=np.int64))
    chosen = np.zeros((len(images), 1), np.int64)
    values = sample((move,), chosen, Numbers.draw(random, 1), strength, spread)
    results: Images = move.run(images, values[:, 0])
    return results


def compare(images: Images, python: str, folder: Path) -> tuple[list[Comparison], list[str]]:
    """All operations of both sides, and the names that only one side has."""
    from scipy.stats import ks_2samp

    own = ours(images)
    found = []
    np.save(folder / "images.npy", images)
    with Worker("bench.sides.kerascv", cores()[-1:], python) as worker:
        worker.ask("load", path=str(folder / "images.npy"))
        keys = {info["task"]: key for key, info in worker.ask("catalogue")["contenders"].items()}
        for name in sorted(own.keys() & keys.keys()):
            path = folder / "theirs.npy"
            worker.ask("save", key=keys[name], count=len(images), path=str(path))
            theirs = change(np.load(path, allow_pickle=False), images)
            mine = change(own[name](), images)
            test = ks_2samp(theirs, mine)
            means = float(theirs.mean()), float(mine.mean())
            found.append(Comparison(name, *means, float(test.statistic), float(test.pvalue)))
    return found, sorted(own.keys() ^ keys.keys())


def _show(found: list[Comparison], unmatched: list[str], count: int) -> None:
    from rich.table import Table

    table = Table(title=f"Mean absolute change an image, {count} images, grey levels")
    for heading in ("operation", "KerasCV 0.9.0", "ours", "KS statistic", "p", ""):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    for row in found:
        verdict = "same" if row.p >= LEVEL / len(found) else "[red]differs"
        figures = (f"{row.theirs:.2f}", f"{row.ours:.2f}", f"{row.statistic:.3f}", f"{row.p:.3g}")
        table.add_row(row.name, *figures, verdict)
    console().print(table)
    console().print(f"Only on one side: {', '.join(unmatched) or 'none'}")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kerascv", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--python", default=peers_env.python_of("kerascv"), help="has KerasCV")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """0 if nothing differs, 1 if something does, 2 if KerasCV is not to be had."""
    options = _arguments(argv)
    if options.python is None:
        print("No environment with KerasCV: python -m bench.peers_env kerascv", file=sys.stderr)
        return 2
    from codabench_rehearsal.images import synthetic

    images = synthetic(options.images, seed=1).images
    try:
        with tempfile.TemporaryDirectory() as folder:
            found, unmatched = compare(images, options.python, Path(folder))
    except SideError as error:
        print(f"KerasCV did not run under {options.python}: {error}", file=sys.stderr)
        return 2
    _show(found, unmatched, len(images))
    if options.json:
        rows = [asdict(row) for row in found]
        result = {"images": len(images), "operations": rows, "one_side_only": unmatched}
        write_json(options.json, {"machine": machine()} | result)
    differs = unmatched or any(row.p < LEVEL / len(found) for row in found)
    return 1 if differs else 0


if __name__ == "__main__":
    raise SystemExit(main())
