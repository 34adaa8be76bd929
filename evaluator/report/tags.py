"""HTML and SVG as small typed trees: text is escaped in one place, so no figure can forget to.

What comes out is well-formed XML as well as HTML, which tests can check.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

from codabench_rehearsal.console.words import cleaned

Value = str | int | float
_VOID = ("br", "img", "meta", "link", "hr", "wbr")


@dataclass(frozen=True)
class Raw:
    """Our own text that is not escaped: a style sheet."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Tag:
    """An element with its attributes and children; `str` gives its markup."""

    name: str
    attributes: tuple[tuple[str, Value], ...]
    children: tuple[Node, ...]

    def __str__(self) -> str:
        said = "".join(f' {key}="{escaped(value)}"' for key, value in self.attributes)
        if self.name in _VOID:
            return f"<{self.name}{said}/>"
        return f"<{self.name}{said}>{markup(self.children)}</{self.name}>"


Node = Tag | Raw | str


def tag(name: str, /, *children: Node, **attributes: Value) -> Tag:
    """An element; `class_="x"` is the attribute class, and `stroke_width=2` is stroke-width."""
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Tag(name, tuple(named), children)


def markup(nodes: Iterable[Node]) -> str:
    """The text of several nodes; plain text is escaped."""
    return "".join(escaped(node) if isinstance(node, str) else str(node) for node in nodes)


def escaped(value: Value) -> str:
    """Foreign text, or a number to at most two decimals, as markup may hold it."""
    if not isinstance(value, str):
        return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return html.escape(cleaned(value, keep="\n\t"))


def svg(width: float, height: float, said: str, *children: Node, class_: str = "figure") -> Tag:
    """A drawing of that size, which scales. said: what it shows, for those who do not see it."""
    return tag(
        "svg",
        tag("title", said),
        *children,
        viewBox=f"0 0 {escaped(float(width))} {escaped(float(height))}",
        role="img",
        aria_label=said,
        class_=class_,
        style=f"--natural:{escaped(float(width))}px",
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Tag:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, said: str, class_: str = "", anchor: str = "start") -> Tag:
    """Text whose baseline begins, centres ("middle") or ends ("end") at (x, y)."""
    return tag("text", said, x=x, y=y, class_=class_ or "label", text_anchor=anchor)


def rectangle(x: float, y: float, width: float, height: float, class_: str) -> Tag:
    """A filled box."""
    return tag("rect", x=x, y=y, width=width, height=height, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str, *, closed: bool = False) -> Tag:
    """A line through points."""
    steps = " L".join(f"{escaped(float(x))},{escaped(float(y))}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def section(title: str, *children: Node, lead: str = "") -> Tag:
    """A part of the page under its own heading, with a sentence on what to see in it."""
    first = (tag("p", lead, class_="lead"),) if lead else ()
    return tag("section", tag("h2", title), *first, *children)


def paragraph(said: str, class_: str = "") -> Tag:
    """A paragraph of plain text."""
    return tag("p", said, class_=class_) if class_ else tag("p", said)


def table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[Node]], class_: str = ""
) -> Tag:
    """A table that scrolls sideways inside the page where it is too wide."""
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = (tag("tr", *_conditions(row)) for row in rows)
    inner = tag("table", tag("caption", title), tag("thead", head), tag("tbody", *body))
    return tag("div", inner, class_=f"scroll {class_}".strip(), tabindex=0, role="region",
               aria_label=title)  # fmt: skip


def _conditions(row: Iterable[Node]) -> Iterable[Tag]:
    for place, value in enumerate(row):
        yield tag("td", value) if place else tag("th", value, scope="row")
