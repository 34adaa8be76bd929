"""What the whole hidden set would cost, from one call each of three sizes, and what that means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psutil

from codabench_rehearsal.console.words import human_bytes
from codabench_rehearsal.rehearsal.questions import Interview
from codabench_rehearsal.sandbox.job import CEILINGS, Limits
from codabench_rehearsal.sandbox.outcome import Call, Outcome
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


def guard(bounds: Bounds) -> Guard:
    """The platform's limits where they are known; else Codabench's time, and most of the free memory."""
    free = int(psutil.virtual_memory().available * MEMORY_SHARE)
    seconds, memory = bounds.seconds or PLATFORMS_SECONDS, min(bounds.memory_bytes or free, free)
    instead = {}
    if not bounds.seconds:
        instead["time"] = f"{PLATFORMS_SECONDS} s, Codabench's default, as no time limit is known"
    if not bounds.memory_bytes:
        instead["memory"] = f"{MEMORY_SHARE:.0%} of what was free here, as no memory limit is known"
    elif memory < bounds.memory_bytes:
        instead["memory"] = f"{MEMORY_SHARE:.0%} of what was free here, less than the limit given"
    return Guard(replace(CEILINGS, seconds=seconds, memory_bytes=memory), instead)


@dataclass(frozen=True)
class Range:
    """A forecast: what is likely, and between which values it lies as far as three calls tell."""

    likely: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """For one pass over `images` hidden images, on this machine.

    measured: the largest number really asked at once. seconds: from the start to the last answer.
    peak_bytes: resident memory of all its processes. start_seconds: the part of it before the first
    question.
    """

    images: int
    measured: int
    seconds: Range
    peak_bytes: Range
    start_seconds: float


def estimate(interview: Interview, outcome: Outcome, hidden: int) -> Cost | None:
    """Linear beyond the largest call; the first call's compile apart. None without two sizes.

    The growth for each further image is that between the two largest calls. A single allocation or a
    slow moment between two sizes looks like growth too: the range reaches from the smallest to the
    largest growth that any two of the calls show, and never below what was really measured.
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
    seconds = _forecast(counts, calls, lambda call: call.seconds, left)
    memory = _forecast(counts, calls, lambda call: float(call.peak_bytes), left)
    # What helper processes hold is not in the child's own peak; count it as it was.
    others = max(outcome.result.peak_memory_bytes - max(c.peak_bytes for c in outcome.calls), 0)
    start = outcome.start_seconds
    return Cost(
        hidden, counts[-1], _plus(seconds, start + compiled), _plus(memory, float(others)), start
    )


def _forecast(
    counts: Sequence[int], calls: Sequence[Call], what: Callable[[Call], float], left: int
) -> Range:
    values = [what(call) for call in calls]
    growths = [
        max(values[j] - values[i], 0.0) / (counts[j] - counts[i])
        for i in range(len(calls))
        for j in range(i + 1, len(calls))
        if counts[j] > counts[i]
    ]
    last = max(values[-1] - values[-2], 0.0) / max(counts[-1] - counts[-2], 1)
    top = values[-1]
    return Range(top + last * left, top + min(growths) * left, top + max(growths) * left)


def _plus(forecast: Range, more: float) -> Range:
    return Range(forecast.likely + more, forecast.low + more, forecast.high + more)


def judge_cost(cost: Cost, bounds: Bounds) -> Iterator[Finding]:
    """Whether the whole hidden set would stay within the limits that are known, or usual."""
    for_all = f"for {cost.images:,} images (asked at once here: {cost.measured:,})"
    limit = bounds.seconds or PLATFORMS_SECONDS
    if cost.seconds.low > limit:
        needs = _seconds(cost.seconds)
        if bounds.seconds is not None:
            yield found("S706", f"it would need {needs} {for_all}; the limit is {limit:g} s")
        else:
            message = f"it would need {needs} {for_all}; {limit} s is Codabench's default limit"
            yield found("S706", message, "warning", kind="unknown")
    if bounds.memory_bytes is not None and cost.peak_bytes.low > bounds.memory_bytes:
        needs, most = _bytes(cost.peak_bytes), human_bytes(bounds.memory_bytes)
        yield found("S707", f"it would need {needs} {for_all}; the limit is {most}")


def unchecked_cost(cost: Cost | None, bounds: Bounds) -> Iterator[str]:
    """The limits that nobody wrote down, or that a forecast may or may not reach."""
    if bounds.seconds is None:
        needs = f" (needs {_seconds(cost.seconds)} here for {cost.images:,} images" if cost else ""
        beyond = cost is not None and cost.seconds.high > PLATFORMS_SECONDS
        usual = f"; {PLATFORMS_SECONDS} s is Codabench's default" if beyond else ""
        yield f"time limit{needs}{usual}{')' if cost else ''}"
    elif cost and cost.seconds.low <= bounds.seconds < cost.seconds.high:
        yield f"whether it stays within {bounds.seconds:g} s ({_seconds(cost.seconds)} foretold)"
    if bounds.memory_bytes is None:
        needs = f" (needs {_bytes(cost.peak_bytes)} here)" if cost else ""
        yield f"memory limit{needs}"
    elif cost and cost.peak_bytes.low <= bounds.memory_bytes < cost.peak_bytes.high:
        limit = human_bytes(bounds.memory_bytes)
        yield f"whether it stays within {limit} ({_bytes(cost.peak_bytes)} foretold)"


def _seconds(needs: Range) -> str:
    """As "about 12 s", or "about 700 s, 640 to 980" where the calls do not agree."""
    likely = max(needs.likely, 1)
    spread = f", {needs.low:.0f} to {needs.high:.0f}" if _is_wide(needs) else ""
    return f"about {likely:.0f} s{spread}"


def _bytes(needs: Range) -> str:
    spread = f", {human_bytes(needs.low)} to {human_bytes(needs.high)}" if _is_wide(needs) else ""
    return f"about {human_bytes(needs.likely)}{spread}"


def _is_wide(needs: Range) -> bool:
    return needs.high > 1.1 * needs.low and needs.high > 1
