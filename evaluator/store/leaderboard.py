"""What a leaderboard shows beside the score, out of words and files: columns, recall by class."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.reading import parse_json, read_limited
from codabench_rehearsal.console.words import cleaned, few, from_cell, shown
from evaluator.store.columns import Columns
from evaluator.store.rows import ClassScores
from evaluator.store.schema import StoreError, said
from evaluator.store.scores import read_score

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.profile import Challenge

LARGEST = 4 << 20  # bytes of a file of class scores
MOST_COLUMNS = 50
LONGEST = 60  # letters of a column's name
_FIGURE = re.compile(r"[+-]?(?=\.?\d)\d*(?:\.\d*)?(?:e[+-]?\d+)?\s*%?", re.IGNORECASE)
_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "accuracy": ("acc",),
        "balanced accuracy": ("balancedacc",),
        "macro-F1": ("f1", "f1macro", "f1score", "macrof1score"),
    }
)  # what else leaderboards call a metric
Texts = Sequence[tuple[str, str]]


def named_scores(texts: Sequence[str], challenge: Challenge) -> tuple[str, Columns]:
    """Of FIGURE and NAME=FIGURE, the text of the challenge's own score, and the other columns.

    A figure without a name is the challenge's own, and so is one that has its metric's name. Raises
    `StoreError`.
    """
    metric, main, others = challenge.metric, [], {}
    for text in texts:
        name, _, figure = text.rpartition("=")
        name = cleaned(" ".join(name.split()))
        if _key(name) in ("", "score", _key(metric), *_ALSO[metric]):
            main.append(figure.strip())
        elif name in others:
            raise StoreError(f"expected each column once, received {shown(name)} twice")
        else:
            others[name] = _column(name, figure)
    if len(main) != 1:
        received = f"{len(main)} of it" if main else f"none ({few(list(others)) or 'nothing'})"
        raise StoreError(
            f"expected one score that {shown(challenge.name)} ranks by ({metric}), received "
            f"{received}: --score {metric.replace(' ', '-')}=0.89, or --score 0.89"
        )
    return main[0], checked_columns(others)


def checked_columns(columns: Mapping[str, str]) -> Columns:
    """Columns to be kept. Raises `StoreError` for more than there can be, or for no figure."""
    if len(columns) > MOST_COLUMNS:
        raise StoreError(f"expected at most {MOST_COLUMNS} columns, received {len(columns)}")
    return tuple((name, _column(name, figure)) for name, figure in columns.items())


def read_class_scores(
    given: str | Path | Mapping[str, Any], challenge: Challenge
) -> ClassScores | None:
    """Recall by class on the hidden set, for every class of a challenge, in its order.

    given: figures by class, or a file with them: JSON, or CSV of two columns. Raises `StoreError`.
    """
    where = "class scores" if isinstance(given, Mapping) else shown(given)
    figures = list(given.items()) if isinstance(given, Mapping) else _figures(Path(given))
    keys = [_key(name) for name in challenge.label_names]
    classes = {key: n for key, n in zip(keys, challenge.label_names, strict=True) if key}
    spelt = len(set(keys)) == len(keys)  # else only a class's exact name is surely meant
    found: dict[str, str] = {}
    for said_name, figure in figures:
        exact = said_name in challenge.label_names
        name = said_name if exact else classes.get(_key(str(said_name)), "") if spelt else ""
        if not name:
            known = f"the classes of {shown(challenge.name)}: {few(challenge.label_names)}"
            raise StoreError(f"{where}: expected {known}; received {shown(said_name)!r}")
        if name in found:
            raise StoreError(f"{where}: expected each class once, received {shown(name)} twice")
        found[name] = _text(figure)
    missing = [name for name in challenge.label_names if name not in found]
    if missing:
        raise StoreError(
            f"{where}: expected a recall for each of the {challenge.classes} classes of "
            f"{shown(challenge.name)}, received none for {few(missing)}"
        )
    return class_scores([(name, found[name]) for name in challenge.label_names], where)


def class_scores(texts: Texts, where: str) -> ClassScores | None:
    """Names and recalls as shown; all have the decimals of the longest. None for none.

    Raises `StoreError`.
    """
    if not texts:
        return None
    read = [_recall(name, text, where) for name, text in texts]
    decimals = max(shown_with for _, shown_with in read)
    return ClassScores(tuple(n for n, _ in texts), tuple(value for value, _ in read), decimals)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _column(name: str, figure: str) -> str:
    text = figure.strip().replace(",", ".")
    if len(name) > LONGEST or len(text) > LONGEST:
        raise StoreError(f"expected a column's name and figure, received {shown(name)!r}: shorten")
    if not _FIGURE.fullmatch(text):
        raise StoreError(f"{shown(name)}: expected a figure such as 0.89, received {shown(text)!r}")
    return text


def _recall(name: str, text: str, where: str) -> tuple[float, int]:
    wrong = StoreError(
        f"{where}: class {shown(name)}: expected a recall from 0 to 1, or such as 89 %, received "
        f"{shown(text)!r}"
    )
    try:
        value, decimals = read_score(text)
    except StoreError:
        raise wrong from None
    if "%" not in text and float(text.replace(",", ".")) > 1:  # 89 would pass for 89 %
        raise wrong
    return value, decimals


def _text(figure: Any) -> str:
    """A figure as it is written: JSON's and Python's without an exponent."""
    if isinstance(figure, float | int) and not isinstance(figure, bool):
        try:
            return f"{Decimal(repr(float(figure))):f}"
        except (OverflowError, ValueError):
            return str(figure)
    return str(figure).strip()


def _figures(path: Path) -> list[tuple[str, Any]]:
    """Names and figures as a file holds them, one beside the other."""
    with said(path):
        content = read_limited(path, LARGEST, StoreError)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StoreError(f"{path}: expected text in UTF-8, received something else") from None
    if not text.lstrip().startswith(("{", "[")):
        return list(_table(text, path))
    try:
        held = parse_json(text)
    except ValueError as error:
        raise StoreError(f"{path}: expected JSON, received something else ({error})") from None
    if not isinstance(held, dict):
        raise StoreError(f'{path}: expected {{"class": 0.89, ...}}, received a list')
    return list(held.items())


def _table(text: str, path: Path) -> Iterator[tuple[str, str]]:
    """The rows of a CSV of two columns, whatever stands between them; without its header."""
    try:
        tables = [list(csv.reader(io.StringIO(text), delimiter=mark)) for mark in ";\t,"]
    except csv.Error as error:
        raise StoreError(f"{path}: expected CSV, received something else ({error})") from None
    tables = [[row for row in rows if any(map(str.strip, row))] for rows in tables]
    rows = next((rows for rows in tables if rows and all(len(row) == 2 for row in rows)), None)
    if rows is None:
        raise StoreError(f"{path}: expected two columns, a class and its recall, in each row")
    for number, (name, figure) in enumerate(rows):
        if number or any(sign.isdigit() for sign in figure):
            yield from_cell(name.strip()), figure.strip()
