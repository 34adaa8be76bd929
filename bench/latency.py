"""The first call in a fresh process: what one waits for, with compiled loops on disk or not."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import goals
from bench.crew import ROOT, environment
from bench.goals import Verdict
from bench.timing import Spread


@dataclass(frozen=True)
class FirstCall:
    """One operator: wall seconds of import and first call, CPU seconds, and what it used."""

    wall: Spread
    cpu: Spread
    compiled: bool  # it ran compiled loops
    numba: bool  # numba was imported, needed or not


@dataclass(frozen=True)
class Latency:
    """First calls by operator, and wall and CPU seconds of all operators without any cache."""

    first: dict[str, FirstCall]
    cold: float
    cold_cpu: float


def measure(names: Sequence[str], runs: int, progress: Callable[[str], None]) -> Latency:
    """Each operator `runs` times in fresh processes, after one that fills the cache."""
    progress("first calls, filling the cache")
    for name in names:
        _child([name])
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(runs):
        progress(f"first calls, run {turn + 1} of {runs}")
        for name in names:
            seen[name].append(_child([name]))
    progress("all operators with an empty cache")
    with tempfile.TemporaryDirectory() as empty:
        cold = _child(["--all"], NUMBA_CACHE_DIR=empty)
    first = {name: _summary(answers) for name, answers in seen.items()}
    return Latency(first, cold["wall"], cold["cpu"])


def _summary(answers: Sequence[dict[str, Any]]) -> FirstCall:
    wall, cpu = (Spread.of([answer[key] for answer in answers]) for key in ("wall", "cpu"))
    return FirstCall(wall, cpu, answers[0]["compiled"], answers[0]["numba"])


def _child(arguments: list[str], **variables: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.latency", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(**variables),
        cwd=ROOT,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def verdicts(result: Latency) -> list[Verdict]:
    """The slowest operator of each kind, by median, and the cold start."""
    found = [goals.at_most("all operators, empty cache, s", result.cold, goals.COLD_COMPILE)]
    kinds = (
        (False, "without compiled loops", goals.FIRST_CALL_PLAIN),
        (True, "with compiled loops", goals.FIRST_CALL_COMPILED),
    )
    for compiled, what, goal in kinds:
        some = {n: f.wall.median for n, f in result.first.items() if f.compiled is compiled}
        if some:
            slowest = max(some, key=lambda name: some[name])
            found.append(goals.at_most(f"first call {what}, s: {slowest}", some[slowest], goal))
    return found


def _ran_compiled() -> bool:
    """Whether any compiled loop of ours has been given a type, that is, called."""
    if "numba" not in sys.modules:
        return False
    from numba.core.dispatcher import Dispatcher

    ours = (d for d in gc.get_objects() if isinstance(d, Dispatcher))
    return any(d.overloads and d.py_func.__module__.startswith("corruptions") for d in ours)


def main(argv: list[str]) -> int:
    """Time the import and first call of one operator, or run all of them."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    images = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
    wall, cpu = time.perf_counter(), time.process_time()
    from corruptions import corrupt

    if argv == ["--all"]:
        from corruptions.registry import all_operators

        for operator in all_operators():
            for severity in range(1, 6):
                corrupt(images, operator.name, severity, table=operator.table)
    else:
        corrupt(images, argv[0], 3)
    answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps(answer | {"compiled": _ran_compiled(), "numba": "numba" in sys.modules}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
