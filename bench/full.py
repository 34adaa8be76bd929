"""The whole data set through all conditions on two cores: two processes, and two threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import goals
from bench.crew import Worker, cores
from bench.goals import Verdict

MODULE = "bench.sides.load"
CONDITIONS = 95


@dataclass(frozen=True)
class Full:
    """Wall seconds for `images` images in all conditions; results are dropped."""

    images: int
    processes: float
    threads: float


def measure(path: str, chunk: int, images: int, progress: Callable[[str], None]) -> Full:
    """`images` in all, `chunk` at a time: the same pictures again: time does not depend on them."""
    repeats = max(1, images // (2 * chunk))
    one, two = (cores() * 2)[-2:]
    ask = {"count": chunk, "repeats": repeats}
    with Worker(MODULE, [one]) as first, Worker(MODULE, [two]) as second:
        for worker in (first, second):
            worker.ask("load", path=path)
            worker.ask("measure", key="all conditions|ours", count=24, repeats=1)
        progress(f"{2 * chunk * repeats} images in all conditions, two processes")
        for worker in (first, second):
            worker.send("measure", key="all conditions|ours", **ask)
        processes = max(worker.receive()["wall"] for worker in (first, second))
    with Worker(MODULE, sorted({one, two})) as both:
        both.ask("load", path=path)
        both.ask("measure", key="all conditions|ours", count=24, repeats=1)
        progress(f"{2 * chunk * repeats} images in all conditions, two threads")
        threads = both.ask("measure", key="all conditions in 2 threads|ours", **ask)["wall"]
    return Full(2 * chunk * repeats, processes, threads)


def verdicts(result: Full) -> list[Verdict]:
    """Against the goal, for as many images as were measured."""
    goal = goals.FULL_SECONDS * result.images / goals.FULL_IMAGES
    return [
        goals.at_most(f"{result.images} x {CONDITIONS}, two {kind}, s", seconds, goal)
        for kind, seconds in (("processes", result.processes), ("threads", result.threads))
    ]
