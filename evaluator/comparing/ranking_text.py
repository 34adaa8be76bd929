"""Render a ranking: for a terminal, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.words import as_json
from evaluator.card import chance
from evaluator.comparing.ranking import Entry, Ranking, Uploads

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
_COLUMNS = (
    "",
    "expected\n(90 %)",
    "beats\nyour best",
    "benchmark\n(95 %)",
    "clean\n(95 %)",
    "score",
)


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
    table.add_column(_COLUMNS[0], overflow="fold")
    for name in _COLUMNS[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for one in ranking.entries:
        style = "bold" if one is ranking.next else "dim" if one.recorded else ""
        table.add_row(*(Text(value) for value in _row(one)), style=style)
    return table


def _row(one: Entry) -> list[str]:
    seen, beats = one.estimate, one.estimate.beats_best
    return [
        one.name,
        _figure(seen.median, seen.low, seen.high),
        "-" if beats is None or one.recorded else chance(beats),
        _figure(one.benchmark.value, one.benchmark.low, one.benchmark.high),
        _figure(one.validation.value, one.validation.low, one.validation.high),
        one.recorded or "-",
    ]


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
        "benchmark": {
            "accuracy": one.benchmark.value,
            "interval": [one.benchmark.low, one.benchmark.high],
        },
        "validation": {
            "accuracy": one.validation.value,
            "interval": [one.validation.low, one.validation.high],
        },
    }
