"""The board's tables: plain HTML that the page's script can sort, and the page around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

from evaluator.board.result import Pairs
from evaluator.report.markup import Node, Tag, short_share, tag
from evaluator.report.notebook import page_form
from evaluator.report.svg import STEPS, heat_step

Cell = tuple[Node, float | str]  # what is shown, and what it is sorted by; "" comes last
_WORDS = {1: "better", -1: "worse", 0: "open"}  # classes of a verdict


def whole_page(title: str, body: Sequence[Node]) -> str:
    """An HTML file's text with the report's look, and the script that sorts tables."""
    own = files("evaluator.board")
    style, script = ((own / name).read_text(encoding="utf-8") for name in ("board.css", "board.js"))
    return page_form(title, *body, style=style, script=script, kind="board")


def sortable(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], class_: str = "wide"
) -> Tag:
    """A table whose columns the script can sort; the first column names the row."""
    body = (
        tag(
            "tr",
            tag("th", first[0], scope="row", data_value=sort_key(first[1])),
            *(tag("td", shown, data_value=sort_key(key)) for shown, key in cells),
        )
        for first, *cells in rows
    )
    return _scrolled(title, columns, body, class_, sorts=True)


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
        body.append(tag("tr", tag("th", f"{i + 1} {name}", scope="row"), *cells))
    return _scrolled(title, (tag("th", "", scope="col"), *head), body, "matrix")


def heat(
    title: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[float | None]]]
) -> Tag:
    """Accuracies in the colours of the heat maps; None: not known."""
    body = (
        tag("tr", tag("th", name, scope="row", data_value=name.casefold()), *map(_warm, values))
        for name, values in rows
    )
    return _scrolled(title, columns, body, "heats", sorts=True)


def heat_key() -> Tag:
    """What the colours mean."""
    edges = ("0", *(f"{edge:.2f}".rstrip("0") for edge in STEPS), "1")
    items = (
        tag("li", f"{low}\N{EN DASH}{high}", style=f"color:var(--on{n})", class_=f"heat{n}")
        for n, (low, high) in enumerate(pairwise(edges))
    )
    return tag("ul", *items, class_="steps", aria_label="Colours of the accuracies")


def folded(title: str, *nodes: Node) -> Tag:
    """What is shown when one asks for it."""
    return tag("details", tag("summary", title), *nodes)


def sort_key(value: float | str) -> str:
    """What the script sorts by."""
    return value if isinstance(value, str) else f"{value:.6g}"


def _percent(share: float) -> str:
    """In %; a resample in two thousand is no certainty."""
    return "<1" if share < 0.01 else ">99" if share > 0.99 else f"{100 * share:.0f}"


def _scrolled(
    title: str,
    columns: Iterable[Tag | str],
    body: Iterable[Tag],
    class_: str,
    *,
    sorts: bool = False,
) -> Tag:
    head = (one if isinstance(one, Tag) else tag("th", one, scope="col") for one in columns)
    parts = (tag("caption", title), tag("thead", tag("tr", *head)), tag("tbody", *body))
    inner = tag("table", *parts, class_="sortable") if sorts else tag("table", *parts)
    return tag("div", inner, class_=f"scroll {class_}", tabindex=0, role="region", aria_label=title)


def _warm(value: float | None) -> Tag:
    if value is None:
        return tag("td", "", data_value="")
    n = heat_step(value)
    style, key = f"color:var(--on{n})", sort_key(value)
    return tag("td", short_share(value), class_=f"heat{n}", style=style, data_value=key)
