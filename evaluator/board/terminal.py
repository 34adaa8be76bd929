"""The board for a terminal, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from codabench_rehearsal.console.words import counted, human_bytes, listed
from evaluator.board.result import SEVERITIES, Board, Row
from evaluator.metrics import Score
from evaluator.report.evaluation import UNSEEN
from evaluator.report.terminal import text_table
from evaluator.store.rows import Prediction

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 60  # that a terminal shows
_TIES = "Ranks that overlap are ties as far as is known; --html shows who beats whom."
_LEFT = ("submission", "team", "findings", "why not ranked")


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
        f"({source.answers:,} answers each); "
        f"{counted(single, 'rank')} resolved. All rank ranges hold at once with 95 %."
    )


def unseen_note(made: Board) -> str:
    """A warning where some figures may flatter; "" where none does."""
    marked = sum(row.is_unseen for row in made.ranked)
    if not marked:
        return ""
    return (
        f"{UNSEEN} {counted(marked, 'submission')}: trained on these images perhaps (no split is "
        "known), so figures may flatter (local-eval --split FILE, or --held-out)."
    )


def _table(rows: Sequence[Row]) -> RenderableType:
    columns = {name: texts for name, texts in _columns(rows).items() if any(texts)}
    cells = list(zip(*columns.values(), strict=True))
    return text_table("", tuple(columns), cells, left=_LEFT, overflow="fold")


def _columns(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Texts by column; a column without any is left out."""
    measured = [row.measured for row in rows]
    return {
        "submission": [row.name + f" {UNSEEN}" * bool(row.rank and row.is_unseen) for row in rows],
        "team": [row.team for row in rows],
        "rank": [row.rank_text for row in rows],
        "benchmark": [_three(row.benchmark) for row in rows],
        "clean": [f"{row.clean.value:.3f}" if row.clean else "" for row in rows],
        "expected": [_expected(row.expected) for row in rows],
        "score": [row.score.text if row.score else "" for row in rows],
        "size": [human_bytes(one.bytes) if one else "" for one in measured],
        "s/1,000": [_seconds(one.thousand_seconds if one else None) for one in measured],
        "findings": [_findings(row) for row in rows],
        "why not ranked": [row.why for row in rows],
    }


def _three(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f}\n{score.low:.3f}-{score.high:.3f}"


def _expected(one: Prediction | None) -> str:
    return f"{one.value:.2f}\n{one.low:.2f}-{one.high:.2f}" if one else ""


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _findings(row: Row) -> str:
    """The worst kind, and how many."""
    return next((counted(n, kind) for kind in SEVERITIES if (n := row.findings(kind))), "")
