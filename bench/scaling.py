"""Two cores: what two copies of our work reach, against two copies of an arithmetic loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import goals
from bench.crew import Worker, cores
from bench.goals import Verdict
from bench.timing import Spread, ratios

WORKS = ("sweep", "loop")
SIZES = (1, 2, 4)  # times the smallest number of images


@dataclass(frozen=True)
class Scaling:
    """Speed-ups of two copies over one, a run each; cost an image at 1, 2 and 4 times N."""

    processes: dict[str, list[float]]
    threads: dict[str, list[float]]
    linear: dict[int, list[float]]

    def against_loop(self, kind: str) -> Spread:
        """Our speed-up over the loop's, run by run."""
        speedups: dict[str, list[float]] = getattr(self, kind)
        return ratios(speedups["sweep"], speedups["loop"])

    @property
    def linearity(self) -> Spread:
        """Cost an image of the largest number of images over that of the smallest."""
        return ratios(self.linear[max(SIZES)], self.linear[min(SIZES)])


def measure(path: str, count: int, runs: int, progress: Callable[[str], None]) -> Scaling:
    """`count` images a copy. Needs two cores; with fewer, both copies share one."""
    one, two = (cores() * 2)[-2:]
    with (
        Worker("bench.sides.load", [one]) as first,
        Worker("bench.sides.load", [two]) as second,
        Worker("bench.sides.load", sorted({one, two})) as both,
    ):
        for worker in (first, second, both):
            worker.ask("load", path=path)
        for work in WORKS:
            for worker in (first, second, both):
                _seconds(worker, work, 24)
        result = Scaling({w: [] for w in WORKS}, {w: [] for w in WORKS}, {s: [] for s in SIZES})
        for turn in range(runs):
            progress(f"scaling, run {turn + 1} of {runs}")
            for work in WORKS:
                alone = _seconds(first, work, count)
                result.processes[work].append(2 * alone / _together(first, second, work, count))
                alone = _seconds(both, work, count)
                threads = _seconds(both, f"{work} in 2 threads", count)
                result.threads[work].append(2 * alone / threads)
            for size in SIZES:
                answer = _measure(first, "sweep", count * size // max(SIZES))
                result.linear[size].append(answer["cpu"] / answer["images"])
    return result


def _measure(worker: Worker, work: str, count: int) -> dict[str, Any]:
    return worker.ask("measure", key=f"{work}|ours", count=count, repeats=1)


def _seconds(worker: Worker, work: str, count: int) -> float:
    return float(_measure(worker, work, count)["wall"])


def _together(first: Worker, second: Worker, work: str, count: int) -> float:
    for worker in (first, second):
        worker.send("measure", key=f"{work}|ours", count=count, repeats=1)
    return max(float(worker.receive()["wall"]) for worker in (first, second))


def verdicts(result: Scaling) -> list[Verdict]:
    """Against the goals."""
    return [
        *(
            goals.at_least(
                f"two {kind} against a loop's",
                result.against_loop(kind).median,
                goals.SCALING,
            )
            for kind in ("processes", "threads")
        ),
        goals.at_most("cost an image, 4N over N", result.linearity.median, goals.LINEAR),
    ]
