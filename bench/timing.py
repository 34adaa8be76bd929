"""Medians and spreads of measurements that took turns."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of several runs."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self, digits: int = 1, unit: str = "") -> str:
        """`median (low..high)`, with thousands separated."""
        low, mid, high = (f"{v:,.{digits}f}" for v in (self.low, self.median, self.high))
        return f"{mid}{unit} ({low}..{high})"


def processor_seconds(who: int) -> float:
    """User and system, of `resource.RUSAGE_SELF` or of all children that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Run by run: what was measured in one run is divided by what was in the same one."""
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])
