"""`make demo`: the whole story on drawn cells, with the commands that a participant would type.

Finished steps are kept; `rm -rf demo` starts anew.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path("demo")
CELLS = 2400
BIN = Path(sys.executable).parent
STEPS = (
    ("Draw cells to train on", "training/weights.keras", None),
    (
        "Train a small CNN on them",
        "training/weights.keras",
        "train-recipe baseline --data demo/cells.npz --out demo/training --epochs 9",
    ),
    (
        "Build the zip that the platform wants",
        "",
        "make-submission demo/training --out demo/submission.zip",
    ),
    (
        "See what heavy corruption looks like",
        "heavy.png",
        "local-eval show --corrupt heavy --data demo/cells.npz --out demo/heavy.png",
    ),
    (
        "Rehearse: validation against corrupted images",
        "",
        (
            "local-eval demo/submission.zip --data demo/cells.npz --corrupt heavy --store demo/ "
            "--json demo/report.json --html demo/report.html"
        ),
    ),
)


def main() -> int:
    """Run the steps; stops at the first that fails."""
    DEMO.mkdir(exist_ok=True)
    started = time.monotonic()
    for number, (title, kept, command) in enumerate(STEPS, start=1):
        print(f"\n[{number}/{len(STEPS)}] {title}", flush=True)
        if kept and (DEMO / kept).exists():
            print(f"      kept from last time: demo/{kept}", flush=True)
            continue
        begun = time.monotonic()
        code = draw() if command is None else run(command)
        if code:
            return code
        print(f"      {time.monotonic() - begun:.0f} s", flush=True)
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. "
        "Look at demo/report.html and demo/heavy.png."
    )
    print("Your own model: make-submission WEIGHTS, then local-eval (see README.md).")
    return 0


def draw() -> int:
    """Draw the embedded default: synthetic cells of eight kinds."""
    from codabench_rehearsal.images import save, synthetic

    save(synthetic(CELLS, seed=0), DEMO / "cells.npz")
    return 0


def run(command: str) -> int:
    """Run one of our commands as a user would; returns its exit code."""
    print(f"$ {command}", flush=True)
    name, *arguments = shlex.split(command)
    return subprocess.run([BIN / name, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
