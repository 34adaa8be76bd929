"""The board for a terminal, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from codabench_rehearsal.console.words import counted, few, listed
from evaluator.board.result import SEVERITIES, Board, Row
from evaluator.report.evaluation import UNSEEN

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 60  # that a terminal shows
_TIES = "Ranks that overlap are ties, as far as these images tell; --html shows who beats whom."
_LEFT = ("submission", "team")  # these may be broken into lines


def board_parts(board: Board) -> Iterator[RenderableType]:
    """What a terminal shows of it, in order."""
    from rich.text import Text

    yield Text(leaders(board), "bold")
    if said := lead(board):
        yield Text(said)
    for note in (*board.notes, *filter(None, [unseen_note(board)])):
        yield Text(note, "yellow")
    yield _table(board.rows[:MOST_ROWS])
    if (more := len(board.rows) - MOST_ROWS) > 0:
        yield Text(f"and {counted(more, 'more submission')}: --html board.html, or --json -")
    yield from (Text(line, "dim") for line in _not_ranked(board))
    if board.pairs is not None:
        yield Text(_TIES, "dim")


def leaders(board: Board) -> str:
    """Who may be the best, in a sentence."""
    first = [row.name for row in board.ranked if row.rank and row.rank[0] == 1]
    if not first:
        return "No submission is ranked."
    if len(first) == 1:
        return f"{first[0]} is the best of them."
    return f"{counted(len(first), 'submission')} may be the best: {listed(first, 8)}."


def lead(board: Board) -> str:
    """What the ranks rest on."""
    source, ranked = board.source, board.ranked
    if not ranked:
        return ""
    single = sum(row.rank is not None and row.rank[0] == row.rank[1] for row in ranked)
    return (
        f"{len(ranked):,} of {counted(len(board.rows), 'submission')} ranked by benchmark "
        f"{source.preset!r} on the same {counted(source.images, 'image')} "
        f"({source.answers:,} answers each); {counted(single, 'rank')} certain. All ranges of "
        "ranks together are right with 95 % probability."
    )


def unseen_note(made: Board) -> str:
    """A warning where some figures may be too high; "" where none does."""
    marked = sum(row.is_unseen for row in made.ranked)
    if not marked:
        return ""
    return (
        f"{UNSEEN} {counted(marked, 'submission')} may have been trained on these images (no split "
        "is known), so figures may be too high (local-eval --split FILE, or --held-out)."
    )


def _not_ranked(board: Board) -> list[str]:
    """Each reason with the names that it holds for."""
    names: dict[str, list[str]] = {}
    for row in board.rows:
        if row.why:
            names.setdefault(row.why, []).append(row.name)
    return [f"Not ranked, {why}: {few(own)}." for why, own in names.items()]


def _table(rows: Sequence[Row]) -> RenderableType:
    """Narrow enough for 80 columns; the page has the rest. Empty columns are left out."""
    from rich.table import Table
    from rich.text import Text

    columns = {name: texts for name, texts in _columns(rows).items() if any(texts)}
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        side: Literal["left", "right"] = "left" if name in _LEFT else "right"
        table.add_column(name, justify=side, overflow="fold", no_wrap=name not in _LEFT)
    for texts in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, texts))
    return table


def _columns(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Texts by column."""
    spans = [row.benchmark for row in rows]
    expected = [row.expected for row in rows]
    return {
        "submission": [row.name + f" {UNSEEN}" * bool(row.rank and row.is_unseen) for row in rows],
        "team": [row.team for row in rows],
        "rank": [row.rank_text for row in rows],
        "benchmark": [f"{one.value:.3f}" if one else "" for one in spans],
        "95 %": [f"{one.low:.3f}-{one.high:.3f}" if one else "" for one in spans],
        "clean": [f"{row.clean.value:.3f}" if row.clean else "" for row in rows],
        "expected": [f"{one.low:.2f}-{one.high:.2f}" if one else "" for one in expected],
        "score": [row.score.text if row.score else "" for row in rows],
        "findings": [_findings(row) for row in rows],
    }


def _findings(row: Row) -> str:
    """The worst kind, and how many."""
    return next((counted(n, kind) for kind in SEVERITIES if (n := row.findings(kind))), "")
