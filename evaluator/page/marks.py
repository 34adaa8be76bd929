"""The marks of the figures: a shape and a colour for each kind of value, everywhere the same.

A hollow blue disc is a clean figure, a filled orange square a corrupted one, a black diamond a
forecast, a black tick a score from the leaderboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evaluator.page.tags import Node, Tag, line, path, rectangle, tag

Mark = Callable[[float, float], Tag]


def disc(x: float, y: float, said: str = "") -> Tag:
    """A clean figure."""
    return tag("circle", *_title(said), cx=x, cy=y, r=4.5, class_="clean")


def square(x: float, y: float, said: str = "") -> Tag:
    """A figure on corrupted images."""
    return tag("rect", *_title(said), x=x - 4, y=y - 4, width=8, height=8, class_="hurt")


def diamond(x: float, y: float, said: str = "") -> Tag:
    """A forecast."""
    corners = path([(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)], "mark", closed=True)
    return tag("g", *_title(said), corners)


def tick(x: float, y: float, said: str = "") -> Tag:
    """A score from the leaderboard."""
    return tag("g", *_title(said), rectangle(x - 1.5, y - 8, 3, 16, "mark"))


def across(x1: float, x2: float, y: float, class_: str) -> Tag:
    """A horizontal interval."""
    return line(x1, y, x2, y, class_)


def upright(x: float, y1: float, y2: float, class_: str) -> Tag:
    """A vertical interval with ends."""
    ends = (line(x - 4, y, x + 4, y, class_) for y in (y1, y2))
    return tag("g", line(x, y1, x, y2, class_), *ends)


def legend(entries: Iterable[tuple[Node, str]]) -> Tag:
    """What the marks mean; each mark is drawn around (9, 7)."""
    items = (
        tag("li", tag("svg", mark, viewBox="0 0 18 14", aria_hidden="true"), name)
        for mark, name in entries
    )
    return tag("ul", *items, class_="legend")


def _title(said: str) -> tuple[Tag, ...]:
    return (tag("title", said),) if said else ()
