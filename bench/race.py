"""Contenders that take turns: every run measures all of them, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.crew import SideError, Worker
from bench.timing import Spread, ratios


@dataclass
class Runner:
    """A contender of some worker, with what was measured: images per CPU second, a run each."""

    worker: Worker
    side: str
    key: str
    info: dict[str, Any]
    plan: dict[str, Any] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    failure: str = ""

    @property
    def task(self) -> str:
        """What it does: a corruption's name, for ours and the reference with `/severity`."""
        return str(self.info["task"])

    @property
    def label(self) -> str:
        """How it does it, for people."""
        return str(self.info["label"])

    @property
    def rate(self) -> Spread:
        """Images per CPU second."""
        return Spread.of(self.rates)

    def times(self, other: Runner) -> Spread:
        """How many times as fast as another one, run by run."""
        return ratios(self.rates, other.rates)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it, unless this contender failed before; a failure is kept as text."""
        if self.failure:
            return
        try:
            action()
        except SideError as error:
            self.failure = str(error)

    def prepare(self, seconds: float) -> None:
        """Warm up and find out how much work fills `seconds`."""
        self.attempt(
            lambda: self.plan.update(self.worker.ask("plan", key=self.key, seconds=seconds))
        )

    def run(self) -> None:
        """Measure once more."""

        def measure() -> None:
            answer = self.worker.ask("measure", key=self.key, **self.plan)
            self.rates.append(answer["images"] / max(answer["cpu"], 1e-9))

        self.attempt(measure)


def runners(worker: Worker, side: str, wanted: Callable[[str], bool]) -> list[Runner]:
    """Those of a worker's contenders whose task is wanted."""
    found = worker.ask("catalogue")["contenders"]
    return [Runner(worker, side, key, info) for key, info in found.items() if wanted(info["task"])]


def race(
    field_: Sequence[Runner], runs: int, seconds: float, progress: Callable[[str], None]
) -> None:
    """Prepare everyone, then `runs` times one measurement of each in turn, task by task."""
    ordered = sorted(field_, key=lambda runner: (runner.task.split("/")[0], runner.task))
    for runner in ordered:
        progress(f"warm-up: {runner.task} {runner.label}")
        runner.prepare(seconds)
    for turn in range(runs):
        for runner in ordered:
            progress(f"run {turn + 1} of {runs}: {runner.task} {runner.label}")
            runner.run()


def fastest(some: Iterable[Runner]) -> Runner | None:
    """By median; None if there is no one who finished."""
    finished = [runner for runner in some if runner.rates and not runner.failure]
    return max(finished, key=lambda runner: runner.rate.median, default=None)
