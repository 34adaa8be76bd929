"""`local-eval board` on stores of many submissions: seconds, and the memory of the one process.

python -m bench.board [SUBMISSIONS ...]; nothing is run, the stores are synthetic.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.crew import ROOT, environment
from corruptions.presets import resolve
from evaluator.board.gather import BoardOptions, board
from evaluator.board.page import to_page
from evaluator.dealing import deal
from evaluator.plan import CLEAN
from evaluator.store.rows import Run, condition_text
from evaluator.store.store import Store

COUNTS = (10, 100, 1000)
IMAGES, CLASSES, DATA = 1000, 8, "f" * 32
PRESET = "heavy"


def fill(path: Path, submissions: int) -> int:
    """A store of that many, each with answers to every question; how many answers each has."""
    conditions = resolve(PRESET).conditions
    texts = [condition_text(one) for one in (CLEAN, *conditions)]
    weights = np.array([one.weight for one in conditions])
    draws = min(resolve(PRESET).draws, len(conditions))
    dealt = 1 + deal(IMAGES, weights, draws, 0)
    truth = np.random.default_rng(0).integers(CLASSES, size=IMAGES)
    ids = np.arange(IMAGES)
    asked = [ids, *((dealt == place).any(axis=1).nonzero()[0] for place in range(1, len(texts)))]
    with Store.open(path) as store:
        store.put_truth(DATA, "synthetic", ids, truth)
        for number in range(submissions):
            rng, sha256 = np.random.default_rng(number), f"{number:064x}"
            store.add_submission(sha256, f"s{number:04d}.zip")
            skill = 0.55 + 0.4 * rng.random()
            block = [
                (text, rows, np.where(rng.random(len(rows)) < skill, truth[rows], 0))
                for text, rows in zip(texts, asked, strict=True)
            ]
            store.put_block(Run(sha256, "python", DATA, 0), block)
    return sum(map(len, asked))


def measured(path: Path) -> dict[str, float]:
    """Seconds and peak MB of gathering and drawing, in this process."""
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with Store.open(path) as store:
        made = board(store, BoardOptions(preset=PRESET))
    gathered = time.monotonic()
    page = to_page(made)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": gathered - begun,
        "page_seconds": time.monotonic() - gathered,
        "page_mb": len(page) / 1e6,
        "idle_mb": idle / 1e3,
        "peak_mb": peak / 1e3,
    }


def main(counts: list[int]) -> None:
    """Print a line a count; each is measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.sqlite"
            answers = fill(path, count)
            done = subprocess.run(  # noqa: S603  our own program
                [sys.executable, "-m", "bench.board", "--one", str(path)],
                capture_output=True,
                text=True,
                check=True,
                env=environment(),
                cwd=ROOT,
            )
            found = json.loads(done.stdout)
            figures = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
            print(f"{count} submissions, {answers:,} answers each: {figures}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(Path(sys.argv[2]))))
    else:
        main([int(word) for word in sys.argv[1:]] or list(COUNTS))
