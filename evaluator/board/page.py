"""`board.html`: one self-contained file. Tables are plain HTML; a little script makes them sort.

Without the script, on paper, or in a reader that drops it, everything is there in the order of the
benchmark. All foreign text is escaped, and no link leads anywhere but to a file beside the page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import quote

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.board import charts
from evaluator.board.result import SEVERITIES, Board, RecordedScore, Row
from evaluator.board.tables import heat, matrix, whole_page
from evaluator.board.terminal import lead, leaders, unseen_note
from evaluator.metrics import Score
from evaluator.report import svg
from evaluator.report.evaluation import UNSEEN
from evaluator.report.history import NOT_MINE
from evaluator.report.markup import Node, Tag, command, facts, folded, paragraph, section, span, tag
from evaluator.report.tables import Cell, accuracy_key, sortable
from evaluator.store.measured import Measured
from evaluator.store.rows import Prediction

SHOWN_PAIRS, SHOWN_ROWS = 20, 40  # the rest is folded
_NONE = "\N{EN DASH}"
_MEASURED = ("size", "s / 1,000", "memory", "findings")


def to_page(board: Board, folder: Path | None = None) -> str:
    """The board as an HTML file's text. folder: where it will lie, for links; None: here."""
    body = [_header(board), *_standings(board, folder or Path())]
    if board.has_teams:
        body.append(_teams(board))
    body += [*_pairs(board), *_families(board), _figures(board), _progress(board), _made(board)]
    return whole_page("Board", body)


def _header(board: Board) -> Tag:
    source = board.source
    about = f"{counted(len(board.rows), 'submission')}, phase {source.phase}"
    where = f"Board on {PurePath(source.data).name}" if source.data else "Board"
    return tag(
        "header",
        paragraph("Dress rehearsal", "kicker"),
        tag("h1", where),
        paragraph(f"{about}, benchmark {source.preset}, seed {source.seed}", "soft"),
    )


def _standings(board: Board, folder: Path) -> Iterator[Node]:
    said = [*board.notes, *filter(None, [unseen_note(board)])]
    if said:
        yield tag("div", *(paragraph(note) for note in said), class_="split unknown")
    damaged = [s for row in board.ranked for s in (row.clean, row.benchmark) if s]
    ends = [v for one in damaged for v in (one.low, one.high)]
    scale = svg.around(ends, 8, 142)
    columns = ["submission", "rank", "benchmark (95 %)", "", "clean", "expected (90 %)", "score"]
    columns += _MEASURED
    if board.has_teams:
        columns.insert(1, "team")
    rows = [_row(board, row, folder, scale) for row in board.rows]
    yield section(
        leaders(board),
        svg.legend(((svg.square(9, 7), "benchmark, 95 %"), (svg.disc(9, 7), "clean"))),
        sortable("All submissions, the best benchmark first", columns, rows),
        lead=lead(board),
    )


def _row(board: Board, row: Row, folder: Path, scale: svg.Scale) -> list[Cell]:
    team: list[Cell] = [(row.team or _NONE, row.team.casefold())] if board.has_teams else []
    clean, damaged = row.clean, row.benchmark
    bar: Node = charts.interval_bar(clean, damaged, scale) if clean and damaged else ""
    return [
        (_name(row, folder), row.name.casefold()),
        *team,
        _rank(row),
        (_three(damaged) if damaged else tag("span", row.why, class_="soft why"), _value(damaged)),
        (bar, _value(damaged)),
        (f"{clean.value:.3f}" if clean else _NONE, _value(clean)),
        _expected(row.expected),
        _score(row.score),
        *_measured(row, row.measured),
    ]


def _rank(row: Row) -> Cell:
    return (tag("b", row.rank_text), row.rank[0]) if row.rank else (_NONE, "")


def _expected(one: Prediction | None) -> Cell:
    return (f"{one.value:.3f} ({span(one.low, one.high)})", one.value) if one else (_NONE, "")


def _score(one: RecordedScore | None) -> Cell:
    return (one.text, one.value) if one else (_NONE, "")


def _measured(row: Row, one: Measured | None) -> list[Cell]:
    if one is None:
        return [(_NONE, "")] * len(_MEASURED)
    thousand, peak = one.thousand_seconds, one.peak_bytes
    worst = sum(row.findings(kind) * 1000**n for n, kind in enumerate(reversed(SEVERITIES)))
    return [
        (human_bytes(one.bytes), one.bytes),
        (_NONE, "") if thousand is None else (f"{thousand:.2f}", thousand),
        (human_bytes(peak), peak) if peak else (_NONE, ""),
        (_findings(row, one), worst),
    ]


def _name(row: Row, folder: Path) -> Node:
    parts: list[Node] = [row.name]
    if row.report:
        place = quote(Path(os.path.relpath(row.report, folder)).as_posix())
        parts = [tag("a", row.name, href=place)]
    if row.benchmark and row.is_unseen:
        parts.append(f" {UNSEEN}")
    if row.score and not row.score.mine:
        parts.append(tag("span", f" {NOT_MINE}", class_="soft"))
    return tag("span", *parts)


def _findings(row: Row, one: Measured) -> Node:
    if not one.findings:
        return "none"
    counts = [(kind, row.findings(kind)) for kind in SEVERITIES]
    told = (f"{found.code} {found.message}".strip() for found in one.findings)
    badges = (tag("span", counted(n, kind), class_=f"badge {kind}") for kind, n in counts if n)
    return tag("span", *badges, title="\n".join(told), class_="badges")


def _three(score: Score) -> Node:
    return f"{score.value:.3f} ({span(score.low, score.high)})"


def _value(score: Score | None) -> float | str:
    return "" if score is None else score.value


def _teams(board: Board) -> Tag:
    rows: list[list[Cell]] = [
        [
            (row.team, row.team.casefold()),
            _rank(row),
            (row.name, row.name.casefold()),
            (_three(row.benchmark) if row.benchmark else _NONE, _value(row.benchmark)),
            _score(best),
            (str(count), count),
        ]
        for row, count, best in board.best_of_teams()
    ]
    columns = ("team", "rank of its best", "its best", "benchmark (95 %)", "best score", "zips")
    title = "Teams"
    return section(title, sortable("Each team by its best submission", columns, rows))


def _pairs(board: Board) -> Iterator[Node]:
    pairs = board.pairs
    if pairs is None:
        return
    names = [row.name for row in board.ranked[: len(pairs.ahead)]]
    first = names[:SHOWN_PAIRS]
    reading = (
        "In a row: the probability, in %, that this submission beats the column's on such images. "
        "Green: surely better; red: surely worse; grey: not resolved, a tie as far as is known. "
        "All calls together are right with 95 %."
    )
    whole = len(first) == len(board.ranked)
    title = "All ranked ones" if whole else f"The first {len(first)}, by benchmark"
    parts: list[Node] = [matrix(first, pairs, title)]
    if len(names) > len(first):
        title = f"The first {len(names)} against each other"
        parts.append(folded(title, matrix(names, pairs, title)))
    yield section("Who beats whom", *parts, lead=reading)


def _families(board: Board) -> Iterator[Node]:
    rows = [
        (row.name, (row.clean.value if row.clean else None, *row.families)) for row in board.ranked
    ]
    if not rows or not board.families:
        return
    columns, title = ("submission", "clean", *board.families), "Accuracy by family"
    parts: list[Node] = [accuracy_key(), heat(title, columns, rows[:SHOWN_ROWS])]
    if rest := rows[SHOWN_ROWS:]:
        more = counted(len(rest), "more submission")
        parts.append(folded(more, heat(f"{title}, {more}", columns, rest)))
    said = "Accuracy under each family of corruptions, weighted as in the benchmark."
    yield section("By family of corruptions", *parts, lead=said)


def _figures(board: Board) -> Tag:
    drawings = {
        "Clean against benchmark": charts.clean_against_benchmark(board.ranked),
        "Against the leaderboard": charts.against_leaderboard(board),
    }
    parts = (tag("div", tag("h3", title), *nodes) for title, nodes in drawings.items())
    return section("Validation, benchmark, leaderboard", tag("div", *parts, class_="pair"))


def _progress(board: Board) -> Tag:
    return section("Progress", *charts.progress(board))


def _made(board: Board) -> Tag:
    source = board.source
    rows: dict[str, Node] = {
        "Images": f"{source.data or 'not known'}; fingerprint {source.fingerprint or 'none'}",
        "Benchmark": f"{source.preset}, seed {source.seed}",
        "Ranks": "paired bootstrap over images, all pairs together at 95 %",
    }
    if source.command:
        rows = {"Command": command(source.command), **rows}
    return section("How this was made", facts(rows))
