"""Peak memory of one call beyond its input and output, in a process of its own. Linux only."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import goals
from bench.crew import ROOT, environment
from bench.goals import Verdict

COUNTS = (1_000, 4_000)
POLICIES = ("rand_augment", "aug_mix")
HUNGRY = ("elastic_transform", "fog", "glass_blur", "zoom_blur", "spatter", *POLICIES)


def measure(
    names: Sequence[str], progress: Callable[[str], None], counts: Sequence[int] = COUNTS
) -> dict[str, dict[int, float]]:
    """MB of each operator at each number of images."""
    found: dict[str, dict[int, float]] = {}
    for name in names:
        progress(f"memory: {name}")
        _in_child(name, 1)  # its compiled code is on disk from here on
        found[name] = {count: _in_child(name, count) for count in counts}
    return found


def _in_child(name: str, count: int) -> float:
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.memory", name, str(count)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=ROOT,
    )
    return float(json.loads(done.stdout)["mb"])


def verdicts(found: dict[str, dict[int, float]]) -> list[Verdict]:
    """The largest of each operator."""
    return [
        goals.at_most(
            f"{name}, MB beyond input and output", max(by_count.values()), goals.MEMORY_MB
        )
        for name, by_count in found.items()
    ]


def _status(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def main(argv: list[str]) -> int:
    """Import everything, forget the peak so far, run, and print what came on top.

    What an operator keeps (tables, frost's photographs, its compiled code) is on top, too.
    """
    import numpy as np

    from corruptions import corrupt

    name, count = argv[0], int(argv[1])
    images = np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), np.uint8)
    corrupt(images[:1], "contrast", 3)  # numba and OpenCV
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
    result = corrupt(images, name, 3)
    beyond = _status("VmHWM") - before - result.nbytes
    print(json.dumps({"mb": max(beyond, 0) / 1e6}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
