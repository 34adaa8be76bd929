"""A challenge's board as a page, and for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from codabench_rehearsal.console.words import counted, listed
from evaluator.board.challenge_result import ChallengeBoard, DamageOfRanks, Entrant, Place
from evaluator.board.page import SHOWN_PAIRS
from evaluator.board.ranks import rank_text
from evaluator.board.tables import matrix, whole_page
from evaluator.report.markup import Node, Tag, command, facts, folded, paragraph, section, span, tag
from evaluator.report.tables import Cell, sortable
from evaluator.report.terminal import text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

_NONE = "\N{EN DASH}"
_MOST_ROWS, _MOST_CONDITIONS = 60, 4  # that a terminal shows


def to_page(board: ChallengeBoard) -> str:
    """The board as an HTML file's text."""
    body: list[Node] = [_header(board), _standings(board)]
    if len(board.conditions) > 1:
        body.append(_moves(board))
    body += [*_pairs(board), _made(board)]
    return whole_page("Board", body)


def challenge_parts(board: ChallengeBoard) -> Iterator[RenderableType]:
    """What a terminal shows of it, in order."""
    from rich.text import Text

    yield Text(headline(board), "bold")
    for line in lines(board):
        yield Text(line)
    ranked = _ranked(board)
    for one in board.conditions[1:_MOST_CONDITIONS] if ranked else ():
        yield Text(damage_line(one, ranked))
    yield _table(board)
    for entrant in [one for one in board.entrants if one.message][:_MOST_ROWS]:
        yield Text(f"{entrant.name}: {entrant.message}", "red")
    if (more := len(board.entrants) - _MOST_ROWS) > 0:
        yield Text(f"and {counted(more, 'more zip')}: --html board.html, or --json -")


def headline(board: ChallengeBoard) -> str:
    """Who may be the best, clean."""
    known = [one for one in board.entrants if one.clean.value is not None]
    first = [one.name for one in known if one.clean.rank and one.clean.rank[0] == 1]
    if not known:
        return "No zip has a clean score."
    if not first:
        best = [one.name for one in known if one.clean.at == 1]
        return f"Highest by its figure alone: {listed(best, 8)}."
    if len(first) == 1:
        return f"{first[0]} is the best of them, clean."
    return f"{counted(len(first), 'zip')} may be the best, clean: {listed(first, 8)}."


def lines(board: ChallengeBoard) -> list[str]:
    """What qualifies the ranks, and how many are resolved, in sentences."""
    clean, ranked = board.conditions[0], _ranked(board)
    said = [*board.notes]
    if ranked:
        said.append(
            f"Clean: {counted(clean.resolved, 'rank')} of {ranked} certain. All ranges of a "
            "condition together are right with 95 % probability."
        )
    return [*said, clean.said] if clean.said else said


def damage_line(one: DamageOfRanks, ranked: int) -> str:
    """What a condition does to the ranks."""
    swapped = counted(one.swapped, "pair surely changes places", "pairs surely change places")
    ranks = counted(one.resolved, "rank")
    return f"{_as_whole(one)}: {ranks} of {ranked} certain, {swapped}."


def _ranked(board: ChallengeBoard) -> int:
    return sum(one.clean.rank is not None for one in board.entrants)


def _as_whole(one: DamageOfRanks) -> str:
    return f"{one.name} as a whole" if one.family == "mixed" else one.name


def _header(board: ChallengeBoard) -> Tag:
    about = f"{counted(len(board.entrants), 'zip')}, phase {board.phase}, benchmark {board.preset}"
    return tag(
        "header",
        paragraph("Dress rehearsal of a challenge", "kicker"),
        tag("h1", board.title),
        paragraph(about, "soft"),
    )


def _standings(board: ChallengeBoard) -> Tag:
    better = "less" if board.sorting == "asc" else "more"
    columns = [
        "zip",
        "rank",
        f"{board.column}, clean (95 %)",
        *(["team"] if board.has_teams else []),
    ]
    whole = board.conditions[1] if len(board.conditions) > 1 else None
    if whole:
        columns += [f"rank under {whole.name}", f"{board.column} there"]
    rows = [_row(board, one, has_whole=whole is not None) for one in board.entrants]
    said = tag("ul", *(tag("li", line) for line in lines(board)))
    title = f"Everybody, the best clean {board.column} first ({better} is better)"
    return section(headline(board), said, sortable(title, [*columns, "outcome"], rows))


def _row(board: ChallengeBoard, one: Entrant, *, has_whole: bool) -> list[Cell]:
    team: list[Cell] = [(one.team or _NONE, one.team.casefold())] if board.has_teams else []
    ended = one.message or one.status
    kind = "soft why" if one.status == "Finished" else "error why"
    return [
        (one.name, one.name.casefold()),
        *_rank_and_value(one.clean),
        *team,
        *(_rank_and_value(one.places[1]) if has_whole else []),
        (tag("span", ended, class_=kind), ended),
    ]


def _rank_and_value(place: Place) -> list[Cell]:
    rank: Cell = (tag("b", _rank(place)), place.at or "")
    if place.value is None:
        return [rank, (_NONE, "")]
    ends = f" ({span(*place.interval)})" if place.interval else ""
    return [rank, (f"{place.value:.4f}{ends}", place.value)]


def _rank(place: Place) -> str:
    """The range; without intervals the rank by the figure alone, marked."""
    if place.rank is not None:
        return rank_text(*place.rank)
    return _NONE if place.at is None else f"{place.at}?"


def _moves(board: ChallengeBoard) -> Tag:
    """Ranks by condition; green: surely better than clean, red: surely worse."""
    columns = ["zip", *(_as_whole(one) for one in board.conditions)]
    rows = (
        tag("tr", tag("th", one.name, scope="row"), *(_move(at, one.clean) for at in one.places))
        for one in board.entrants
        if one.clean.value is not None
    )
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    title = "Ranks by condition"
    inner = tag("table", tag("caption", title), tag("thead", head), tag("tbody", *rows))
    said = (
        "Each field: the possible ranks under that condition. Green with an arrow: surely a better "
        "rank than clean; red: surely a worse one; plain: not surely another."
    )
    moved = tag("div", inner, class_="scroll moves", tabindex=0, role="region", aria_label=title)
    return section("How corruption moves the ranks", moved, _conditions(board), lead=said)


def _conditions(board: ChallengeBoard) -> Tag:
    rows: list[list[Cell]] = [
        [
            (_as_whole(one), one.name.casefold()),
            (one.family, one.family),
            (str(one.resolved), one.resolved),
            (str(one.swapped), one.swapped),
        ]
        for one in board.conditions
    ]
    columns = ("condition", "family", "ranks resolved", "pairs that surely change places")
    title = f"What each condition does to the ranks of {_ranked(board)} zips"
    return sortable(title, columns, rows, "moves")


def _move(here: Place, clean: Place) -> Tag:
    if here.rank is None or clean.rank is None or here is clean:
        return tag("td", _rank(here))
    if here.rank[1] < clean.rank[0]:
        return tag("td", f"\N{UPWARDS ARROW} {_rank(here)}", class_="up")
    if here.rank[0] > clean.rank[1]:
        return tag("td", f"\N{DOWNWARDS ARROW} {_rank(here)}", class_="down")
    return tag("td", _rank(here))


def _pairs(board: ChallengeBoard) -> Iterator[Node]:
    pairs = board.pairs
    if pairs is None:
        return
    ranked = [one.name for one in board.entrants if one.clean.rank is not None]
    names = ranked[: len(pairs.ahead)]
    first = names[:SHOWN_PAIRS]
    said = "In a row: the probability, in %, that this zip beats the column's on such rows, clean."
    parts: list[Node] = [matrix(first, pairs, f"The first {len(first)}")]
    if len(names) > len(first):
        title = f"The first {len(names)} against each other"
        parts.append(folded(title, matrix(names, pairs, title)))
    yield section("Who beats whom", *parts, lead=said)


def _made(board: ChallengeBoard) -> Tag:
    rows: dict[str, Node] = {
        "Benchmark": f"{board.preset}, seed {board.seed}",
        "Worker": board.worker,
        "Ranks": "paired bootstrap over the reference's rows, all pairs together at 95 %",
    }
    if board.command:
        rows = {"Command": command(board.command), **rows}
    return section("How this was made", facts(rows))


def _table(board: ChallengeBoard) -> RenderableType:
    shown = board.conditions[:_MOST_CONDITIONS]
    columns = ["zip", "team", "rank", board.column, *(one.name for one in shown[1:]), "outcome"]
    rows = [_texts(one, len(shown)) for one in board.entrants[:_MOST_ROWS]]
    if not board.has_teams:
        columns.remove("team")
        rows = [[name, *rest] for name, _, *rest in rows]
    left = ("zip", "team", "outcome")
    return text_table("", columns, rows, left=left)


def _texts(one: Entrant, conditions: int) -> Sequence[str]:
    value = "" if one.clean.value is None else f"{one.clean.value:.4f}"
    ranks = [_rank(place) for place in one.places[1:conditions]]
    return [one.name, one.team, _rank(one.clean), value, *ranks, one.status]
