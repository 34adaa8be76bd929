"""What the whole hidden set would cost, from questions of two sizes."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.outcome import Outcome
from submission.dry_run_questions import Interview

PLATFORMS_SECONDS = 600  # Codabench's default where the organisers set no limit


@dataclass(frozen=True)
class Cost:
    """For `images` hidden images, on this machine. measured: the largest number really asked.

    seconds: from the start to the last answer. peak_bytes: resident memory of all its processes.
    start_seconds, predict_seconds: the parts of it.
    """

    images: int
    measured: int
    seconds: float
    peak_bytes: int
    start_seconds: float
    predict_seconds: float


def estimate(interview: Interview, outcome: Outcome, hidden: int) -> Cost | None:
    """Linear in the number of images, the first call's compile apart; None without two sizes."""
    calls = outcome.calls
    needed = [interview.answers.get(name) for name in ("first", "again", "large")]
    first, again, large = needed
    if first is None or again is None or large is None or len(calls) <= large.blocks[0]:
        return None
    compiled = calls[first.blocks[0]]
    small, big = calls[again.blocks[0]], calls[large.blocks[0]]
    more = len(large.rows) - len(again.rows)
    slope = max(big.seconds - small.seconds, 0.0) / more if more > 0 else 0.0
    growth = max(big.peak_bytes - small.peak_bytes, 0) / more if more > 0 else 0.0
    left = max(hidden - len(large.rows), 0)
    compile_seconds = max(compiled.seconds - small.seconds, 0.0)
    predict = compile_seconds + big.seconds + slope * left
    # What helper processes hold is not in the child's own peak; count it as it was.
    others = max(outcome.result.peak_memory_bytes - max(call.peak_bytes for call in calls), 0)
    return Cost(
        hidden,
        len(large.rows),
        outcome.start_seconds + predict,
        int(big.peak_bytes + growth * left + others),
        outcome.start_seconds,
        predict,
    )
