"""HTML and SVG as small typed trees, the parts of a page, and how figures are written in them.

Text is escaped in one place, so no drawing can forget to, and there a figure keeps its unit and an
option its dashes beside it. What comes out is well-formed XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codabench_rehearsal.console.words import cleaned
from evaluator.metrics import Score

Value = str | int | float
_VOID = ("br", "img", "meta", "link", "hr", "wbr")
_FINE = 0.02  # intervals narrower than this deserve a third decimal
_UNBROKEN = "\N{NO-BREAK SPACE}"
_FIGURE = re.compile(r"(?<=\d) (?=(?:%|[kKMGT]?i?B|ms|s|min|h|points?)(?!\w))")
_RANGE = re.compile(r"(?<=\d) (?=\([-\d.]+ to |to [-\d.\u2212])|(?<=\d to) (?=[-\d.\u2212])")
_ASIDE = re.compile(r"\(\d+ % [a-z]+\)")  # (90 % sure)
_OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*)")
_AS_IT_IS = ("title", "text", "code", "pre")  # drawn or copied: no line of it is broken by us


class Markup:
    """What `str` turns into markup."""


@dataclass(frozen=True)
class RawMarkup(Markup):
    """Our own text that is not escaped: a style sheet."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Tag(Markup):
    """An element with its attributes and children; `str` gives its markup."""

    name: str
    attributes: tuple[tuple[str, Value], ...]
    children: tuple[Node, ...]

    def __str__(self) -> str:
        said = "".join(f' {key}="{escaped(value)}"' for key, value in self.attributes)
        if self.name in _VOID:
            return f"<{self.name}{said}/>"
        written = escaped if self.name in _AS_IT_IS else _prose
        inner = "".join(written(n) if isinstance(n, str) else str(n) for n in self.children)
        return f"<{self.name}{said}>{inner}</{self.name}>"


Node = Markup | str


def tag(name: str, /, *children: Node, **attributes: Value) -> Tag:
    """An element; `class_="x"` is the attribute class, and `stroke_width=2` is stroke-width."""
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Tag(name, tuple(named), children)


def escaped(value: Value) -> str:
    """Foreign text, or a number to at most two decimals, as markup may hold it."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return html.escape(cleaned(value, keep="\n\t")) if isinstance(value, str) else str(value)


def _prose(said: str) -> str:
    """Text whose lines break neither in a figure with its range and unit nor in an option."""
    said = _RANGE.sub(_UNBROKEN, said)
    kept = _FIGURE.sub(_UNBROKEN, _ASIDE.sub(lambda one: one[0].replace(" ", _UNBROKEN), said))
    texts = enumerate(_OPTION.split(kept))
    return "".join(str(_whole(one)) if odd % 2 else escaped(one) for odd, one in texts)


def _whole(word: str) -> Tag:
    """A word that breaks only where a line has no room for all of it."""
    return Tag("span", (("class", "whole"),), (RawMarkup(escaped(word)),))


def command(said: str, name: str = "code") -> Tag:
    """A command whose lines break at its spaces alone, never within `--data`."""
    words = (_whole(one) if "-" in one else one for one in re.split(r"(\s+)", said))
    return tag(name, *words, **({"tabindex": 0} if name == "pre" else {}))


@dataclass(frozen=True)
class Part:
    """A section of a page, where links find it, and what the table of contents calls it."""

    place: str
    name: str
    section: Tag


def contents(parts: Sequence[Part]) -> Tag:
    """A page's table of contents."""
    links = (tag("li", tag("a", one.name, href=f"#{one.place}")) for one in parts)
    return tag("nav", tag("ul", *links), aria_label="Contents")


def placed(parts: Iterable[Part], twins: tuple[str, str] = ("", "")) -> Iterator[Tag]:
    """The sections under their places. twins: two places that stand side by side."""
    found = {one.place: anchored(one.place, one.section) for one in parts}
    beside = found.pop(twins[1], None)
    for place, part in found.items():
        is_twin = place == twins[0] and beside is not None
        yield tag("div", part, beside, class_="twin") if is_twin and beside else part


def facts(found: Mapping[str, Node], class_: str = "") -> Tag:
    """Names with what is to be said of each."""
    parts = (part for name, said in found.items() for part in (tag("dt", name), tag("dd", said)))
    return tag("dl", *parts, class_=f"stack {class_}".strip())


def large(name: str, figure: str, below: str, class_: str = "", *more: Node) -> Tag:
    """A figure in large type between its name and its interval."""
    big = paragraph(figure, f"big {class_}".strip())
    return tag("div", paragraph(name, "kicker"), big, paragraph(below, "range"), *more)


def section(title: str, *children: Node, lead: str = "") -> Tag:
    """A part of the page under its own heading, with a sentence on what to see in it."""
    first = (paragraph(lead, "lead"),) if lead else ()
    return tag("section", tag("h2", title), *first, *children)


def folded(title: str, *nodes: Node) -> Tag:
    """What is shown when one asks for it."""
    return tag("details", tag("summary", title), *nodes)


def folded_section(title: str, why: str, *children: Node) -> Tag:
    """A part of the page that is shown when one asks for it. why: a few words beside its name."""
    said = tag("summary", tag("h2", title), " ", tag("span", why, class_="soft"))
    return tag("section", tag("details", said, *children), class_="folded")


def anchored(name: str, part: Tag) -> Tag:
    """The same with a name that links on the page lead to."""
    return replace(part, attributes=(("id", name), *part.attributes))


def paragraph(said: str, class_: str = "") -> Tag:
    """A paragraph of plain text."""
    return tag("p", said, class_=class_) if class_ else tag("p", said)


def table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[Node]], class_: str = ""
) -> Tag:
    """A table that scrolls sideways inside the page where it is too wide."""
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = (
        tag("tr", tag("th", first, scope="row"), *(tag("td", value) for value in values))
        for first, *values in rows
    )
    inner = tag("table", tag("caption", title), tag("thead", head), tag("tbody", *body))
    class_ = f"scroll {class_}".strip()
    return tag("div", inner, class_=class_, tabindex=0, role="region", aria_label=title)


def with_range(score: Score) -> str:
    """0.871 (0.850 to 0.890)."""
    return f"{score.value:.3f} ({span(score.low, score.high)})"


def span(low: float, high: float, decimals: int = 3, word: str = "to") -> str:
    """0.850 to 0.890."""
    return f"{low:.{decimals}f} {word} {high:.{decimals}f}"


def broken(name: str) -> list[Node]:
    """A corruption's name, or a chain's, that may break into lines between its words."""
    first, *others = re.split(r"(?<=_)|(?=[+])", name)
    return [first, *(node for part in others for node in (tag("wbr"), part))]


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    rounded = round(100 * difference, 1) + 0.0  # no minus before nothing
    return f"{rounded:+.1f}".replace("-", "\u2212")


def lost_points(share: float) -> str:
    """A loss in percentage points, which has a sign only where it is a gain."""
    return f"{100 * share:.1f}".replace("-", "\u2212")


def points_with_range(score: Score) -> str:
    """2.3 points (1.1 to 3.4)."""
    low, lost, high = map(lost_points, (score.low, score.value, score.high))
    return f"{lost} points ({low} to {high})"


def decimals_for(low: float, high: float) -> int:
    """As many decimals as the interval supports."""
    return 2 if high - low >= _FINE else 3


def short_share(share: float, whole: float = 1.0) -> str:
    """For a small box: .87, and 1 from `whole` on."""
    return f"{share:.2f}".removeprefix("0") if share < whole else "1"
