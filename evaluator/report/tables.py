"""Tables that a press on a column's name sorts, and the keys of the colour scales.

They are plain HTML, in order without the script; a page that has them puts `sorting_script` at its
end. A notebook's output has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

from evaluator.report.markup import Node, Tag, tag
from evaluator.report.svg import SCALES, SHARES, STEPS

Cell = tuple[Node, float | str]  # what is shown, and what it is sorted by; "" comes last


def sorting_script() -> str:
    """What sorts and filters; it asks the network for nothing."""
    return (files("evaluator.report") / "sorting.js").read_text(encoding="utf-8")


def sortable(
    title: str, columns: Sequence[Tag | str], rows: Iterable[Sequence[Cell]], class_: str = "wide"
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
    return scrolled(title, columns, body, class_, sorts=True)


def scrolled(
    title: str,
    columns: Iterable[Tag | str],
    body: Iterable[Tag],
    class_: str,
    *,
    sorts: bool = False,
) -> Tag:
    """A table of rows that scrolls inside the page. sorts: whether the script may sort it."""
    head = (one if isinstance(one, Tag) else tag("th", one, scope="col") for one in columns)
    parts = (tag("caption", title), tag("thead", tag("tr", *head)), tag("tbody", *body))
    inner = tag("table", *parts, class_="sortable") if sorts else tag("table", *parts)
    return tag("div", inner, class_=f"scroll {class_}", tabindex=0, role="region", aria_label=title)


def sort_key(value: float | str) -> str:
    """What the script sorts by."""
    return value if isinstance(value, str) else f"{value:.6g}"


def accuracy_key() -> Tag:
    """What the colours of the heat maps mean."""
    return _key("heat", STEPS, "Colours of the accuracies")


def share_key() -> Tag:
    """What the colours of the confusion matrices mean."""
    return _key("share", SHARES, "Colours of the shares")


def _key(scale: str, steps: Sequence[float], said: str) -> Tag:
    edges = ("0", *(f"{edge:.2f}".rstrip("0") for edge in steps), "1")
    items = (
        tag(
            "li",
            f"{low}\N{EN DASH}{high}",
            style=f"color:var(--{SCALES[scale]}{step})",
            class_=f"{scale}{step}",
        )
        for step, (low, high) in enumerate(pairwise(edges))
    )
    return tag("ul", *items, class_="steps", aria_label=said)
