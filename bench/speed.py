"""The 19 corruptions and the two policies: ours, the reference and peers take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import goals
from bench.contender import Images
from bench.crew import SideError, Worker
from bench.goals import Verdict
from bench.likeness import Likeness, compare
from bench.race import Runner, fastest, race, runners
from bench.timing import Spread

POLICIES = ("rand_augment", "aug_mix")
SEVERITIES = range(1, 6)
CHECKED = 128  # images that likeness is measured on


@dataclass(frozen=True)
class Row:
    """One corruption: ours and the reference at five severities, peers at severity 3."""

    name: str
    ours: tuple[Runner, ...]
    reference: tuple[Runner, ...]
    peers: tuple[Runner, ...]

    @property
    def at_three(self) -> Spread:
        """Ours over the reference at severity 3."""
        return self.ours[2].times(self.reference[2])

    @property
    def over_five(self) -> Spread:
        """The same for one image at all five severities."""
        return cost_ratio(self.reference, self.ours)

    @property
    def goal(self) -> float:
        """What the ratio should reach."""
        return goals.ROW_ELSE.get(self.name, goals.ROW)


@dataclass
class Speed:
    """All that was measured, and why some peers were not."""

    rows: list[Row] = field(default_factory=list)
    policies: dict[str, list[Runner]] = field(default_factory=dict)
    likeness: dict[tuple[str, str], Likeness] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def sweep(self) -> Spread:
        """Ours over the reference for one image in all 95 conditions."""
        return cost_ratio(
            [r for row in self.rows for r in row.reference],
            [r for row in self.rows for r in row.ours],
        )

    def same(self, row: Row) -> list[Runner]:
        """Peers with the same operator, as measured."""
        return [p for p in row.peers if self._is_same(p)]

    def _is_same(self, peer: Runner) -> bool:
        found = self.likeness.get((peer.side, peer.key))
        return found is not None and found.same


def cost_ratio(above: Sequence[Runner], below: Sequence[Runner]) -> Spread:
    """CPU seconds of all of `above` over those of all of `below`, run by run."""

    def cost(some: Sequence[Runner], run: int) -> float:
        return sum(1 / runner.rates[run] for runner in some)

    runs = range(len(above[0].rates))
    return Spread.of([cost(above, run) / cost(below, run) for run in runs])


def measure(
    sides: dict[str, Worker],
    clean: Images,
    folder: Path,
    runs: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Speed:
    """Race all sides; `sides` holds "ours", "reference" and any peers."""
    entries = {side: runners(worker, side, _is_wanted) for side, worker in sides.items()}
    race([r for some in entries.values() for r in some], runs, seconds, progress)
    result = _sorted(entries)
    for row in result.rows:
        _look(result, row, clean[:CHECKED], folder)
    return result


def _is_wanted(task: str) -> bool:
    """Not the single operations of the policies, which are for `bench.kerascv`."""
    return " " not in task


def _sorted(entries: dict[str, list[Runner]]) -> Speed:
    ours = {runner.task: runner for runner in entries.pop("ours")}
    reference = {runner.task: runner for runner in entries.pop("reference")}
    peers = [runner for some in entries.values() for runner in some]
    result = Speed()
    for name in dict.fromkeys(task.split("/")[0] for task in reference):
        conditions = [f"{name}/{severity}" for severity in SEVERITIES]
        result.rows.append(
            Row(
                name,
                tuple(ours[condition] for condition in conditions),
                tuple(reference[condition] for condition in conditions),
                tuple(peer for peer in peers if peer.task == name),
            )
        )
    for policy in POLICIES:
        result.policies[policy] = [ours[policy], *(p for p in peers if p.task == policy)]
    return result


def _look(result: Speed, row: Row, clean: Images, folder: Path) -> None:
    for peer in row.peers:
        if peer.info["same"] and not peer.failure:
            try:
                found = compare(peer, row.ours[2], clean, folder)
            except SideError as error:
                found = Likeness(same=False, text=str(error))
            result.likeness[peer.side, peer.key] = found


def verdicts(result: Speed) -> list[Verdict]:
    """Every speed against its goal."""
    found = [goals.at_least("95 conditions, times reference", result.sweep.median, goals.SWEEP)]
    for row in result.rows:
        found.append(
            goals.at_least(f"{row.name} s3, times reference", row.at_three.median, row.goal)
        )
        found.append(
            goals.at_least(f"{row.name} s1-5, times reference", row.over_five.median, row.goal)
        )
        best = fastest(result.same(row))
        if best:
            ratio = row.ours[2].times(best).median
            found.append(goals.at_least(f"{row.name}, times {best.label}", ratio, goals.PEER))
    return found + _policy_verdicts(result)


def _policy_verdicts(result: Speed) -> list[Verdict]:
    rand, mix = (result.policies[name] for name in POLICIES)
    found = [
        goals.at_least(
            "rand_augment, images per CPU s", rand[0].rate.median, goals.RAND_AUGMENT_RATE
        )
    ]
    for (ours, *peers), goal in ((rand, goals.RAND_AUGMENT), (mix, goals.AUG_MIX)):
        best = fastest(peer for peer in peers if peer.side == "torchvision")
        if best:
            found.append(
                goals.at_least(f"{ours.task}, times {best.label}", ours.times(best).median, goal)
            )
    return found
