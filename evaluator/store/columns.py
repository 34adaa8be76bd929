"""What a leaderboard showed beside a score, kept in the store: other columns, recall by class."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from evaluator.store.rows import ClassScores

COLUMN, RECALL = "column: ", "recall: "  # before a name in a spreadsheet's header
Columns = tuple[tuple[str, str], ...]  # names and figures, as shown


def keep(db: sqlite3.Connection, score: int, columns: Columns, classes: ClassScores | None) -> None:
    """Keep what a leaderboard showed beside a score; it takes the place of what was known."""
    insert = "INSERT OR REPLACE INTO score_columns (score, name, shown) VALUES (?, ?, ?)"
    db.executemany(insert, [(score, name, figure) for name, figure in columns])
    if classes is None:
        return
    db.execute("DELETE FROM class_scores WHERE score = ?", (score,))
    insert = "INSERT INTO class_scores (score, name, value, decimals) VALUES (?, ?, ?, ?)"
    each = zip(classes.names, classes.values, strict=True)
    db.executemany(insert, [(score, *one, classes.decimals) for one in each])


def read_columns(db: sqlite3.Connection) -> Mapping[int, Columns]:
    """Other columns by the score's number, in the order in which they were recorded."""
    found: dict[int, Columns] = defaultdict(tuple)
    for score, *one in db.execute("SELECT score, name, shown FROM score_columns ORDER BY id"):
        found[score] += (tuple(one),)
    return found


def read_classes(db: sqlite3.Connection) -> Mapping[int, ClassScores]:
    """Recall by class by the score's number."""
    found: dict[int, list[tuple[str, float, int]]] = defaultdict(list)
    for score, *one in db.execute(
        "SELECT score, name, value, decimals FROM class_scores ORDER BY id"
    ):
        found[score].append(tuple(one))
    return {
        score: ClassScores(
            tuple(name for name, _, _ in rows),
            tuple(value for _, value, _ in rows),
            max(decimals for _, _, decimals in rows),
        )
        for score, rows in found.items()
    }
