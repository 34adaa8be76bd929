"""Which submission to upload next: by its chance of beating your best, or its expected score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import as_json, counted
from evaluator.estimate.inputs import Figures
from evaluator.estimate.result import Estimate
from evaluator.metrics import Score
from evaluator.report.expected import chance, condition, is_open, likeliest, sure
from evaluator.report.terminal import to_text
from evaluator.store.rows import LeaderboardScore

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
CLOSE = 0.05  # chances nearer than this are no reason to prefer one
Ahead = Callable[[Figures, Figures], float | None]


@dataclass(frozen=True)
class Entry:
    """A submission to rank.

    recorded: the score it has already got in this phase, as shown. figures: on the library's
    conditions. ahead: the probability that it scores above the one to upload next on the hidden
    set, None for itself and those that have a score.
    """

    name: str
    sha256: str
    estimate: Estimate
    validation: Score
    benchmark: Score
    recorded: str | None = None
    figures: Figures | None = None
    ahead: float | None = None


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

    def __str__(self) -> str:
        return to_text(_parts(self))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def to_json(self) -> str:
        """The ranking as JSON (docs/comparing.md)."""
        uploads = self.uploads
        document = {
            "schema": SCHEMA,
            "phase": self.phase,
            "next": self.next.name if self.next else None,
            "close": [one.name for one in self.close],
            "why": self.why,
            "uploads": {"allowed": uploads.allowed, "used": uploads.used, "left": uploads.left},
            "submissions": [_document(one) for one in self.entries],
        }
        return as_json(document)


def rank(
    entries: Iterable[Entry], phase: str, uploads: Uploads, ahead: Ahead | None = None
) -> Ranking:
    """Order the submissions. One with a score is listed, never suggested: it tells nothing new.

    ahead: the probability that one scores above another on the hidden set, by their figures.
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
    if ahead is not None:
        new[1:] = [replace(one, ahead=_ahead(one, new[0], ahead)) for one in new[1:]]
    close = tuple(one for one in new[1:] if _lead(new[0], one) < CLOSE)
    why = _why(new[0], close, phase, uploads)
    return Ranking(phase, (*new, *old), new[0], close, why, uploads)


def used_today(
    scores: Sequence[LeaderboardScore], phase: str, today: date | None = None
) -> tuple[int, int]:
    """The user's scores of this phase of today (UTC): by date, and those recorded without one.

    The latter may be of other days, after an import; hence two numbers: all, and those in doubt.
    """
    day = (today or datetime.now(UTC).date()).isoformat()
    ours = [score for score in scores if score.phase == phase and score.mine]
    undated = sum(not score.date and score.recorded[:10] == day for score in ours)
    return sum(score.date == day for score in ours) + undated, undated


def show(ranking: Ranking, console: Console) -> None:
    """Print the ranking."""
    for part in _parts(ranking):
        console.print(part)


def uploads_text(uploads: Uploads, phase: str) -> str:
    """What may still be uploaded today, as far as is known."""
    used = f"{uploads.used} recorded today in phase {phase!r} (UTC)"
    if uploads.undated:
        used += f", {uploads.undated} of them without a date (of another day, perhaps)"
    if uploads.left is None:
        how = "--uploads-per-day N, in Python uploads_per_day=N"
        return f"Uploads: {used}; the daily limit is not known ({how})."
    about = "about" if uploads.undated else "at most"
    return f"Uploads left today: {about} {uploads.left} of {uploads.allowed}; {used}."


def _promise(entry: Entry) -> tuple[float, float]:
    chance = entry.estimate.beats_best
    return (-1.0 if chance is None else chance, entry.estimate.median)


def _ahead(one: Entry, first: Entry, ahead: Ahead) -> float | None:
    if one.figures is None or first.figures is None:
        return None
    return ahead(one.figures, first.figures)


def _lead(first: Entry, other: Entry) -> float:
    """By how much the first one's chance is the better one: of beating your best, or the other."""
    if first.estimate.beats_best is None or other.estimate.beats_best is None:
        if other.ahead is not None:
            return 0.5 - other.ahead
        return 0.0 if other.estimate.median >= first.estimate.median else 1.0
    return first.estimate.beats_best - other.estimate.beats_best


def _why(first: Entry, close: Sequence[Entry], phase: str, uploads: Uploads) -> str:
    seen = first.estimate
    if seen.beats_best is None or seen.best is None:
        known = "" if seen.past == 0 else " of your own"
        said = (
            f"No score{known} of phase {phase!r} is recorded, so there is no best to beat. This "
            f"one has the highest expected score: {seen.median:.2f}, {sure(seen)}, {_basis(seen)}."
        )
    else:
        said = (
            f"It has the highest chance of beating your best of {seen.best:.4g}: "
            f"{chance(seen.beats_best)}, from {counted(seen.past, 'past score')}."
        )
    if close:
        said += f" As good a choice: {', '.join(one.name for one in close)}."
    return said if uploads.left != 0 else f"{said} No uploads are left today."


def _basis(seen: Estimate) -> str:
    if seen.past:
        return f"from {counted(seen.past, 'past score')}"
    return "nothing known of the hidden set" if is_open(seen) else condition(likeliest(seen))


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
    """Columns that say nothing of anybody are left out: a terminal is 80 characters wide."""
    from rich.table import Table
    from rich.text import Text

    columns = {name: cells for name, cells in _columns(ranking).items() if set(cells) != {"-"}}
    table = Table()
    table.add_column("", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for one, *cells in zip(ranking.entries, *columns.values(), strict=True):
        style = "bold" if one is ranking.next else "dim" if one.recorded else ""
        table.add_row(*map(Text, (one.name, *cells)), style=style)
    return table


def _columns(ranking: Ranking) -> dict[str, list[str]]:
    entries = ranking.entries
    spans = [one.estimate for one in entries]
    chances = [None if one.recorded else one.estimate.beats_best for one in entries]
    return {
        "expected\n(90 %)": [_figure(one.median, one.low, one.high) for one in spans],
        "beats\nyour best": ["-" if one is None else chance(one) for one in chances],
        "above\nthe first": ["-" if e.ahead is None else chance(e.ahead) for e in entries],
        "benchmark\n(95 %)": [
            _figure(one.value, one.low, one.high) for one in (e.benchmark for e in entries)
        ],
        "clean": [f"{one.validation.value:.3f}" for one in entries],
        "score": [one.recorded or "-" for one in entries],
    }


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
        "above_first": one.ahead,
        "benchmark": _score(one.benchmark),
        "validation": _score(one.validation),
    }


def _score(score: Score) -> dict[str, Any]:
    return {"accuracy": score.value, "interval": [score.low, score.high]}
