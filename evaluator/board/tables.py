"""The board's tables: plain HTML that the page's script can sort, and the page around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files

from evaluator.board.result import Pairs
from evaluator.report.markup import Node, Tag, short_share, tag
from evaluator.report.notebook import page_form
from evaluator.report.svg import heat_step
from evaluator.report.tables import scrolled, sort_key, sorting_script

_WORDS = {1: "better", -1: "worse", 0: "open"}  # classes of a verdict


def whole_page(title: str, body: Sequence[Node]) -> str:
    """An HTML file's text with the report's look, and the script that sorts tables."""
    style = (files("evaluator.board") / "board.css").read_text(encoding="utf-8")
    return page_form(title, *body, style=style, script=sorting_script(), kind="board")


def matrix(names: Sequence[str], pairs: Pairs, title: str) -> Tag:
    """The probabilities, in %, that a row beats a column; as many as there are names."""
    count = len(names)
    head = [tag("th", str(at), scope="col", title=name) for at, name in enumerate(names, 1)]
    body = []
    for i, name in enumerate(names):
        cells = (
            tag("td", _percent(pairs.ahead[i, j]), class_=_WORDS[int(pairs.verdicts[i, j])])
            if i != j
            else tag("td", "", class_="self")
            for j in range(count)
        )
        body.append(tag("tr", _named(f"{i + 1} {name}"), *cells))
    return scrolled(title, (tag("th", "", scope="col"), *head), body, "matrix")


def heat(
    title: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[float | None]]]
) -> Tag:
    """Accuracies in the colours of the heat maps; None: not known."""
    body = (
        tag("tr", _named(name, data_value=name.casefold()), *map(_warm, values))
        for name, values in rows
    )
    return scrolled(title, columns, body, "heats", sorts=True)


def _named(name: str, **more: str) -> Tag:
    """What a row is of: in an element of its own, which gives a long name its room."""
    return tag("th", tag("span", name), scope="row", **more)


def _percent(share: float) -> str:
    """In %; a resample in two thousand is no certainty."""
    return "<1" if share < 0.01 else ">99" if share > 0.99 else f"{100 * share:.0f}"


def _warm(value: float | None) -> Tag:
    if value is None:
        return tag("td", "", data_value="")
    n = heat_step(value)
    style, key = f"color:var(--on{n})", sort_key(value)
    return tag("td", short_share(value), class_=f"heat{n}", style=style, data_value=key)
