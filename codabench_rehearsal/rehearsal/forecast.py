"""What the whole hidden set would cost, from one call each of three sizes; what ends a child."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import psutil

from codabench_rehearsal.console.words import human_bytes
from codabench_rehearsal.rehearsal.questions import Interview
from codabench_rehearsal.sandbox.job import CEILINGS, Limits
from codabench_rehearsal.sandbox.outcome import Outcome
from submission.findings import Finding, found

PLATFORMS_SECONDS = 600  # Codabench's default where the organisers set no limit
MEMORY_SHARE = 0.8  # of what is free: beyond it a child is ended, whatever the platform's limit
_SIZES = ("again", "middle", "large")  # questions, each of one call


@dataclass(frozen=True)
class Bounds:
    """The platform's limits; None where unknown."""

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Guard:
    """What ends a child, in every command that starts one. limits: its own.

    instead: "time", "memory" -> in words, what holds in the place of a limit of the platform's that
    is not known, or that this machine cannot give.
    """

    limits: Limits
    instead: Mapping[str, str]


def guard(bounds: Bounds, children: int = 1) -> Guard:
    """The limits where they are known; else Codabench's time, and most of the free memory.

    children: that share this memory, one guard for each.
    """
    free = int(psutil.virtual_memory().available * MEMORY_SHARE / children)
    seconds, memory = bounds.seconds or PLATFORMS_SECONDS, min(bounds.memory_bytes or free, free)
    instead, free_here = {}, f"{MEMORY_SHARE:.0%} of what was free here"
    if children > 1:
        free_here += f", shared by {children}"
    if not bounds.seconds:
        instead["time"] = f"{PLATFORMS_SECONDS} s, Codabench's default, as no time limit is known"
    if not bounds.memory_bytes:
        instead["memory"] = f"{free_here}, as no memory limit is known"
    elif memory < bounds.memory_bytes:
        instead["memory"] = f"{free_here}, less than the limit given"
    return Guard(replace(CEILINGS, seconds=seconds, memory_bytes=memory), instead)


@dataclass(frozen=True)
class Range:
    """What is likely, and between which values it lies as far as three calls tell."""

    likely: float
    low: float
    high: float

    def plus(self, more: float) -> Range:
        """The same, so much higher."""
        return Range(self.likely + more, self.low + more, self.high + more)


@dataclass(frozen=True)
class Forecast:
    """For one pass over `images` hidden images, on this machine.

    measured: the largest number really asked at once. seconds: from the start to the last answer.
    peak_bytes: resident memory of all its processes.
    """

    images: int
    measured: int
    seconds: Range
    peak_bytes: Range


def forecast(interview: Interview, outcome: Outcome, hidden: int) -> Forecast | None:
    """Linear beyond the largest call; the first call's compile apart. None without two sizes.

    The growth for each further image is that between the two largest calls. A single allocation or
    a slow moment between two sizes looks like growth too: the range reaches from the smallest to
    the largest growth that any two of the calls show, never below what was really measured.
    """
    first = interview.answers.get("first")
    asked = [interview.answers[name] for name in _SIZES if name in interview.answers]
    if first is None or len(asked) < 2 or len(outcome.calls) <= asked[-1].blocks[0]:
        return None
    counts = [len(answer.rows) for answer in asked]
    calls = [outcome.calls[answer.blocks[0]] for answer in asked]
    if counts[-1] <= counts[0]:
        return None
    left = max(hidden - counts[-1], 0)
    compiled = max(outcome.calls[first.blocks[0]].seconds - calls[0].seconds, 0.0)
    seconds = _grown(counts, [call.seconds for call in calls], left)
    memory = _grown(counts, [float(call.peak_bytes) for call in calls], left)
    # What helper processes hold is not in the child's own peak; count it as it was.
    others = max(outcome.result.peak_memory_bytes - max(c.peak_bytes for c in outcome.calls), 0)
    start = outcome.start_seconds
    return Forecast(hidden, counts[-1], seconds.plus(start + compiled), memory.plus(float(others)))


def judge_forecast(cost: Forecast, bounds: Bounds) -> Iterator[Finding]:
    """Whether the whole hidden set would stay within the limits that are known, or usual."""
    for_all = f"for {cost.images:,} images (measured on {cost.measured:,})"
    limit = bounds.seconds or PLATFORMS_SECONDS
    needs = f"it would need {_seconds(cost.seconds)} {for_all}"
    if cost.seconds.low > limit and bounds.seconds is not None:
        yield found("S706", f"{needs}; the limit is {limit:g} s")
    elif cost.seconds.low > limit:
        message = f"{needs}; {limit} s is Codabench's default limit"
        yield found("S706", message, "warning", kind="unknown")
    if bounds.memory_bytes is not None and cost.peak_bytes.low > bounds.memory_bytes:
        needs, most = _bytes(cost.peak_bytes), human_bytes(bounds.memory_bytes)
        yield found("S707", f"it would need {needs} {for_all}; the limit is {most}")


def unknown_limits(cost: Forecast | None, bounds: Bounds) -> Iterator[str]:
    """The limits that nobody wrote down, or that a forecast may or may not reach."""
    if bounds.seconds is None:
        needs = f" (needs {_seconds(cost.seconds)} here for {cost.images:,} images" if cost else ""
        beyond = cost is not None and cost.seconds.high > PLATFORMS_SECONDS
        usual = f"; {PLATFORMS_SECONDS} s is Codabench's default" if beyond else ""
        yield f"time limit{needs}{usual}{')' if cost else ''}"
    elif cost and cost.seconds.low <= bounds.seconds < cost.seconds.high:
        yield f"whether it stays within {bounds.seconds:g} s ({_seconds(cost.seconds)} forecast)"
    if bounds.memory_bytes is None:
        needs = f" (needs {_bytes(cost.peak_bytes)} here)" if cost else ""
        yield f"memory limit{needs}"
    elif cost and cost.peak_bytes.low <= bounds.memory_bytes < cost.peak_bytes.high:
        limit = human_bytes(bounds.memory_bytes)
        yield f"whether it stays within {limit} ({_bytes(cost.peak_bytes)} forecast)"


def _grown(counts: Sequence[int], values: Sequence[float], left: int) -> Range:
    growths = [
        max(later - earlier, 0.0) / (more - fewer)
        for (fewer, earlier), (more, later) in combinations(zip(counts, values, strict=True), 2)
        if more > fewer
    ]
    last = max(values[-1] - values[-2], 0.0) / max(counts[-1] - counts[-2], 1)
    top = values[-1]
    return Range(top + last * left, top + min(growths) * left, top + max(growths) * left)


def _seconds(needs: Range) -> str:
    """As "about 12 s", or "about 700 s, 640 to 980" where the calls do not agree."""
    spread = f", {needs.low:.0f} to {needs.high:.0f}" if _is_wide(needs) else ""
    return f"about {max(needs.likely, 1):.0f} s{spread}"


def _bytes(needs: Range) -> str:
    spread = f", {human_bytes(needs.low)} to {human_bytes(needs.high)}" if _is_wide(needs) else ""
    return f"about {human_bytes(needs.likely)}{spread}"


def _is_wide(needs: Range) -> bool:
    return needs.high > 1.1 * needs.low and needs.high > 1
