"""Which submission to upload next: by its chance of beating your best, or its expected score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import as_json, counted
from evaluator.estimate.estimate import Estimate
from evaluator.metrics import Score
from evaluator.report.terminal import chance
from evaluator.store.rows import LeaderboardScore

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
CLOSE = 0.05  # chances nearer than this are no reason to prefer one
_COLUMNS = ("expected\n(90 %)", "beats\nyour best", "benchmark\n(95 %)", "clean\n(95 %)", "score")


@dataclass(frozen=True)
class Entry:
    """A submission to rank. recorded: the score it has already got in this phase, as shown."""

    name: str
    sha256: str
    estimate: Estimate
    validation: Score
    benchmark: Score
    recorded: str | None = None


@dataclass(frozen=True)
class Uploads:
    """What may still be uploaded today.

    allowed: a day, None if nobody said. used: recorded today; undated: of these, without a date.
    """

    allowed: int | None
    used: int
    undated: int = 0

    @property
    def left(self) -> int | None:
        """At most so many; uploads that were not recorded are not known here."""
        return None if self.allowed is None else max(0, self.allowed - self.used)


@dataclass(frozen=True)
class Ranking:
    """The submissions, those to upload first in front; those already scored behind.

    next: the one to upload, None if all have scores. close: others that are as good a choice.
    why: a sentence.
    """

    phase: str
    entries: tuple[Entry, ...]
    next: Entry | None
    close: tuple[Entry, ...]
    why: str
    uploads: Uploads


def rank(entries: Iterable[Entry], phase: str, uploads: Uploads) -> Ranking:
    """Order the submissions. One with a score is listed, never suggested: it tells nothing new.

    Raises `EvaluationError` for no submission.
    """
    listed = tuple(entries)
    if not listed:
        raise EvaluationError("Nothing to rank: give at least one submission.")
    promising = sorted(listed, key=_promise, reverse=True)
    new = [one for one in promising if one.recorded is None]
    old = [one for one in promising if one.recorded is not None]
    if not new:
        why = f"All of them have a score in phase {phase!r}."
        return Ranking(phase, tuple(old), None, (), why, uploads)
    close = tuple(one for one in new[1:] if _lead(new[0], one) < CLOSE)
    why = _why(new[0], close, phase, uploads)
    return Ranking(phase, (*new, *old), new[0], close, why, uploads)


def used_today(
    scores: Sequence[LeaderboardScore], phase: str, today: date | None = None
) -> tuple[int, int]:
    """Scores of this phase of today (UTC): by their date, and those recorded today without one.

    The latter may be of other days, after an import; hence two numbers: all, and those in doubt.
    """
    day = (today or datetime.now(UTC).date()).isoformat()
    ours = [score for score in scores if score.phase == phase]
    undated = sum(not score.date and score.recorded[:10] == day for score in ours)
    return sum(score.date == day for score in ours) + undated, undated


def show(ranking: Ranking, console: Console) -> None:
    """Print the ranking."""
    for part in _parts(ranking):
        console.print(part)


def to_json(ranking: Ranking) -> str:
    """The ranking as JSON, as docs/comparing.md describes it."""
    uploads = ranking.uploads
    document = {
        "schema": SCHEMA,
        "phase": ranking.phase,
        "next": ranking.next.name if ranking.next else None,
        "close": [one.name for one in ranking.close],
        "why": ranking.why,
        "uploads": {"allowed": uploads.allowed, "used": uploads.used, "left": uploads.left},
        "submissions": [_document(one) for one in ranking.entries],
    }
    return as_json(document)


def uploads_text(uploads: Uploads, phase: str) -> str:
    """What may still be uploaded today, as far as is known."""
    used = f"{uploads.used} recorded today in phase {phase!r} (UTC)"
    if uploads.undated:
        used += f", {uploads.undated} of them without a date (of another day, perhaps)"
    if uploads.left is None:
        return f"Uploads: {used}; the daily limit is not known (--uploads-per-day N)."
    about = "about" if uploads.undated else "at most"
    return f"Uploads left today: {about} {uploads.left} of {uploads.allowed}; {used}."


def _promise(entry: Entry) -> tuple[float, float]:
    chance = entry.estimate.beats_best
    return (-1.0 if chance is None else chance, entry.estimate.median)


def _lead(first: Entry, other: Entry) -> float:
    """By how much the first one's chance is the better one; without past scores no telling."""
    if first.estimate.beats_best is None or other.estimate.beats_best is None:
        return 0.0 if other.estimate.median >= first.estimate.median else 1.0
    return first.estimate.beats_best - other.estimate.beats_best


def _why(first: Entry, close: Sequence[Entry], phase: str, uploads: Uploads) -> str:
    seen = first.estimate
    if seen.beats_best is None or seen.best is None:
        said = (
            f"No score of phase {phase!r} is recorded, so there is no best to beat: this one has "
            f"the highest expected score ({seen.median:.2f}, 90 % between {seen.low:.2f} and "
            f"{seen.high:.2f}, uncalibrated)."
        )
    else:
        said = (
            f"It has the highest chance of beating your best of {seen.best:.4g}: "
            f"{chance(seen.beats_best)}, from {counted(seen.past, 'past score')}."
        )
    if close:
        said += f" {', '.join(one.name for one in close)}: as good a choice."
    return said if uploads.left != 0 else f"{said} No uploads are left today."


def _parts(ranking: Ranking) -> Iterator[RenderableType]:
    from rich.text import Text

    if ranking.next is None:
        yield Text("Nothing new to submit.", "bold")
    else:
        yield Text(f"Submit this next: {ranking.next.name}", "bold green")
    yield Text(ranking.why)
    yield Text(uploads_text(ranking.uploads, ranking.phase) + "\n")
    yield _table(ranking)


def _table(ranking: Ranking) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in ranking.entries:
        seen, local, beats = one.estimate, (one.benchmark, one.validation), one.estimate.beats_best
        row = (
            one.name,
            _figure(seen.median, seen.low, seen.high),
            "-" if beats is None or one.recorded else chance(beats),
            *(_figure(score.value, score.low, score.high) for score in local),
            one.recorded or "-",
        )
        style = "bold" if one is ranking.next else "dim" if one.recorded else ""
        table.add_row(*map(Text, row), style=style)
    return table


def _figure(value: float, low: float, high: float) -> str:
    return f"{value:.3f}\n{low:.3f}-{high:.3f}"


def _document(one: Entry) -> dict[str, Any]:
    seen = one.estimate
    return {
        "name": one.name,
        "sha256": one.sha256,
        "score": one.recorded,
        "estimate": {
            "median": seen.median,
            "interval": [seen.low, seen.high],
            "regime": seen.regime,
            "past": seen.past,
            "beats_best": seen.beats_best,
            "best": seen.best,
        },
        "benchmark": _score(one.benchmark),
        "validation": _score(one.validation),
    }


def _score(score: Score) -> dict[str, Any]:
    return {"accuracy": score.value, "interval": [score.low, score.high]}
