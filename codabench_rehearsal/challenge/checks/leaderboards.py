"""Checks of the leaderboard: its columns, and how they are computed."""

from __future__ import annotations

from collections.abc import Iterator

from codabench_rehearsal.challenge.bundle import tables, whole
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.console.words import few, shown


@check("B180", "error")
def no_columns(subject: Subject) -> Iterator[str]:
    """Give one leaderboard with at least one column: title, key and index."""
    if subject.top.get("leaderboards") == []:
        yield "there are no leaderboards"
    for place, board in subject.tables("leaderboards"):
        if board.get("columns") == []:
            yield f"{place} has no columns"


@check("B181", "error")
def columns_alike(subject: Subject) -> Iterator[str]:
    """Give every column an index and a key of its own."""
    for place, board in subject.tables("leaderboards"):
        for key in ("index", "key"):
            seen: list[str] = []
            for at, column in enumerate(tables(board.get("columns"))):
                if key in column and str(column[key]) in seen:
                    value = shown(column[key])
                    yield f"{place}.columns[{at}] has the {key} {value} of another column"
                seen.append(str(column.get(key)))


@check("B182", "error")
def computations(subject: Subject) -> Iterator[str]:
    """Give computation (avg, sum, min or max) and computation_indexes, a list of other columns'
    indexes, both or none.
    """
    known = {whole(column.get("index"), -1) for _, column in subject.columns}
    for place, column in subject.columns:
        if "computation" in column and "computation_indexes" not in column:
            yield f"{place} has a computation and no computation_indexes"
        given = column.get("computation_indexes")
        if given is None:
            continue
        given = list(given) if isinstance(given, str) else given  # as the site goes through it
        if not isinstance(given, list):
            yield f"{place}.computation_indexes: expected a list, received {shown(repr(given))}"
            continue
        if given and "computation" not in column:
            yield f"{place} has computation_indexes and no computation"
        where = f"{place}.computation_indexes"
        if strange := [one for one in given if whole(one, -1) not in known]:
            yield f"{where}: there is no column {few([repr(one) for one in strange])}"
        if str(column.get("index")) in map(str, given):
            yield f"{where} names the column itself"


@check("B183", "warning")
def leaderboards_that_are_not_shown(subject: Subject) -> Iterator[str]:
    """Put all columns into one: phases take the first leaderboard, and scores of others are
    dropped.
    """
    if len(subject.tables("leaderboards")) > 1:
        several = len(subject.tables("leaderboards"))
        yield f"there are {several} leaderboards, and only the first is used"


@check("B184", "warning")
def primary_column(subject: Subject) -> Iterator[str]:
    """Give the index of a column: the leaderboard is sorted by it."""
    known = [whole(column.get("index"), -1) for _, column in subject.columns]
    for place, board in subject.tables("leaderboards")[:1]:
        index = whole(board.get("primary_index"), 0)
        if known and index not in known:
            yield f"{place}: it is sorted by column {index}, and there is none"


@check("B185", "note")
def columns_without_an_order(subject: Subject) -> Iterator[str]:
    """Say sorting: asc where a smaller score is better (an error, a time)."""
    costs = ("error", "loss", "rmse", "mae", "mse", "time", "duration")
    for place, column in subject.columns:
        key = str(column.get("key")).lower()
        words = key.replace("-", "_").split("_")
        if column.get("sorting", "desc") == "desc" and any(word in costs for word in words):
            yield f"{place} ({shown(column.get('key'))}): the largest value comes first"


@check("B186", "note")
def computed_of_nothing(subject: Subject) -> Iterator[Said]:
    """Name the columns in computation_indexes."""
    for place, column in subject.columns:
        if column.get("computation") and column.get("computation_indexes") in (None, []):
            yield Said(f"{place} is computed of no column", "warning")
