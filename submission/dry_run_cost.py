"""What the whole hidden set would cost, from one call each of three sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.outcome import Call, Outcome
from submission.dry_run_questions import Interview

PLATFORMS_SECONDS = 600  # Codabench's default where the organisers set no limit
_SIZES = ("again", "middle", "large")  # questions, each of one call


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
