"""What the drawings are made of: scales, marks, and names that have room.

A hollow blue disc is a clean figure, a filled orange square a corrupted one, a black diamond a
forecast, a black tick a score from the leaderboard, everywhere.

A page cannot measure text: which sans-serif draws it is known only where it is read. So widths are
estimated from above, letter by letter, by the widest of the common fonts (DejaVu Sans, Verdana,
Noto Sans, Arial and Liberation Sans; full-width scripts are one em wide in all of them). A drawing
gives its names the room that they need, breaks long ones into lines, and shortens only those that
would leave no room for the figure. Units are those of the drawing, sizes those of the style sheet.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from evaluator.report.markup import Node, Tag, line, path, rectangle, tag, text, titled

EDGE = 0.004  # shares are drawn no nearer to 0 and 1 than this: their logit has no end
_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
_EVEN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_APART = 28  # units between two written ticks: "0.85" in a wide font, and a gap
LABEL, QUIET = 12.0, 11.0  # font sizes of page.css
LEADING = 1.2  # from one baseline to the next, in font sizes
_BOLD = 1.22
_EMS: Mapping[str, float] = {
    letter: ems
    for ems, letters in (
        (0.29, "'ijl"),
        (0.37, " ,.f"),
        (0.43, "!Irt"),
        (0.46, '"()-/:;[\\]'),
        (0.56, "*?JL_`csz|"),
        (0.64, "$0123456789FTabdeghknopquvxy{}"),
        (0.7, "ABEKPSVXYZ"),
        (0.8, "&CDGHNOQRU"),
        (0.84, "#+<=>^w~\u00b1\u2212"),
        (1.0, "MWm\u2026"),
        (1.08, "%@"),
    )
    for letter in letters
}
_PICTURE = 1.4  # emoji and other symbols
_PIECES = re.compile(r"[^\s_\-/+:.,]*[_\-/+:.,]+|[^\s_\-/+:.,]+|\s+")


def log_odds(share: float) -> float:
    """The logit of a share, kept away from 0 and 1."""
    inside = min(max(share, EDGE), 1 - EDGE)
    return math.log(inside / (1 - inside))


@dataclass(frozen=True)
class Scale:
    """Values low..high at start..end of the drawing, evenly, or evenly in log odds."""

    low: float
    high: float
    start: float
    end: float
    odds: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies in the drawing."""
        low, high, here = (log_odds(v) if self.odds else v for v in (self.low, self.high, value))
        share = (min(max(here, low), high) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values, far enough from each other to be written."""
        if not self.odds:
            return self._even()
        kept: list[float] = []
        inside = [value for value in _TICKS if self.low <= value <= self.high]
        for value in sorted(inside, key=lambda tick: (_roughness(tick), -tick)):
            if all(abs(self(value) - self(other)) >= _APART for other in kept):
                kept.append(value)
        return sorted(kept)

    def _even(self) -> list[float]:
        per_unit = abs(self.end - self.start) / (self.high - self.low)
        step = next((s for s in _EVEN if s * per_unit >= _APART), 1.0)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(place * step, 6) for place in range(first, last + 1)]


def around(values: Iterable[float], start: float, end: float, *, odds: bool = False) -> Scale:
    """A scale that holds the values with some room, within 0..1."""
    found = [min(max(value, EDGE), 1 - EDGE) for value in values if not math.isnan(value)]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    if odds:
        room = 0.15 + 0.06 * (log_odds(high) - log_odds(low))
        low, high = (1 / (1 + math.exp(-o)) for o in (log_odds(low) - room, log_odds(high) + room))
        return Scale(low, high, start, end, odds)
    low, high = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
    return Scale(low, max(high, low + 0.1), start, end)


def share_text(value: float) -> str:
    """A tick's value with as many decimals as it needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value not in (0.0, 1.0) else f"{value:.0f}"


def ticks_across(
    scale: Scale,
    top: float,
    bottom: float,
    baseline: float,
    said: Callable[[float], str] = share_text,
) -> list[Node]:
    """The ticks of a horizontal scale: lines from bottom to top, values at the baseline."""
    drawn: list[Node] = []
    for value in scale.ticks():
        x = scale(value)
        drawn.append(line(x, bottom, x, top, "grid"))
        drawn.append(text(x, baseline, said(value), "tick", "middle"))
    return drawn


def ticks_beside(scale: Scale, left: float, right: float, room: float = 5) -> list[Node]:
    """The ticks of a vertical scale: lines from left to right, values before them."""
    drawn: list[Node] = []
    for value in scale.ticks():
        y = scale(value)
        drawn.append(line(left, y, right, y, "grid"))
        drawn.append(text(left - room, y + 4, share_text(value), "tick", "end"))
    return drawn


Mark = Callable[[float, float], Tag]


def disc(x: float, y: float, said: str = "") -> Tag:
    """A clean figure."""
    return tag("circle", *_title(said), cx=x, cy=y, r=4.5, class_="clean")


def square(x: float, y: float, said: str = "") -> Tag:
    """A figure on corrupted images."""
    return tag("rect", *_title(said), x=x - 4, y=y - 4, width=8, height=8, class_="hurt")


def diamond(x: float, y: float, said: str = "") -> Tag:
    """A forecast."""
    corners = [(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)]
    return titled(said, path(corners, "mark", closed=True))


def tick(x: float, y: float) -> Tag:
    """A score from the leaderboard."""
    return titled("", rectangle(x - 1.5, y - 8, 3, 16, "mark"))


def across(x1: float, x2: float, y: float, class_: str) -> Tag:
    """A horizontal interval."""
    return line(x1, y, x2, y, class_)


def upright(x: float, y1: float, y2: float, class_: str) -> Tag:
    """A vertical interval with ends."""
    ends = (line(x - 4, y, x + 4, y, class_) for y in (y1, y2))
    return tag("g", line(x, y1, x, y2, class_), *ends)


Legend = tuple[tuple[Node, str], ...]  # marks drawn around (9, 7), and what they mean


def legend(entries: Legend) -> Tag:
    """What the marks mean, on the page."""
    items = (
        tag("li", tag("svg", mark, viewBox="0 0 18 14", aria_hidden="true"), name)
        for mark, name in entries
    )
    return tag("ul", *items, class_="legend")


@dataclass(frozen=True)
class Names:
    """Names that stand below or beside each other in a drawing, all broken for the same room.

    room: width of the widest line; height: of the name with most lines; both in units.
    """

    lines: Mapping[str, tuple[str, ...]]
    room: float
    size: float

    @property
    def height(self) -> float:
        """Room from the first line's top to the last one's bottom."""
        most = max((len(lines) for lines in self.lines.values()), default=1)
        return most * self.size * LEADING

    def draw(
        self, name: str, x: float, y: float, class_: str, anchor: str = "start", **more: str
    ) -> Tag:
        """A name whose lines lie around y, from, around or up to x."""
        lines, leading = self.lines[name], self.size * LEADING
        first = y + 0.35 * self.size - leading * (len(lines) - 1) / 2
        if len(lines) == 1 and not more:
            return text(x, first, lines[0], class_, anchor)
        space = " " if anchor == "start" else ""  # for those who copy; counts as width elsewhere
        ends = [space] * (len(lines) - 1) + [""]
        spans = (
            tag("tspan", said + end, x=x, y=first + leading * place)
            for place, (said, end) in enumerate(zip(lines, ends, strict=True))
        )
        return tag("text", *spans, class_=class_, text_anchor=anchor, **more)


def fitted(
    names: Iterable[str], most: float, lines: int, size: float = LABEL, *, bold: bool = False
) -> Names:
    """Names broken into as few lines as `most` units of width allow, at most `lines`.

    Names that need no more than `most` keep to one line. With more lines the room is the smallest
    that holds them and every word; what still does not fit is shortened.
    """
    every = tuple(dict.fromkeys(names))

    def whole(room: float, count: int) -> bool:
        return all(len(wrapped(name, room, count + 1, size, bold=bold)) <= count for name in every)

    count = next((n for n in range(1, lines + 1) if whole(most, n)), lines)
    words = [width_of(word, size, bold=bold) for name in every for word in _words(name)]
    room = min(most, max(words, default=0.0))
    while room < most and not whole(room, count):
        room = min(most, room + size / 4)
    chosen = {name: wrapped(name, room, count, size, bold=bold) for name in every}
    widths = (width_of(part, size, bold=bold) for found in chosen.values() for part in found)
    return Names(chosen, max(widths, default=0), size)


def wrapped(
    said: str, room: float, lines: int, size: float = LABEL, *, bold: bool = False
) -> tuple[str, ...]:
    """The text in lines no wider than `room`: broken at spaces and signs, else inside words.

    What `lines` lines do not hold ends in an ellipsis. A space at a break is left out, and several
    are one, as in HTML.
    """
    said = " ".join(said.split())
    found = [""]
    for piece in _pieces(said, room, size, bold=bold):
        if found[-1] and width_of((found[-1] + piece).rstrip(), size, bold=bold) > room:
            found.append("")
        found[-1] += piece if found[-1] else piece.lstrip()
    if len(found) <= lines:
        return tuple(part.rstrip() for part in found)
    rest = "".join(found[lines - 1 :])
    while rest and width_of(rest + "\u2026", size, bold=bold) > room:
        rest = rest[:-1]
    return (*(part.rstrip() for part in found[: lines - 1]), rest.rstrip() + "\u2026")


def in_lines(said: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """A sentence in as many lines as it needs, broken at spaces."""
    found = [""]
    for word in said.split():
        longer = f"{found[-1]} {word}".lstrip()
        if width_of(longer, size, bold=bold) > room and found[-1]:
            found.append(word)
        else:
            found[-1] = longer
    return found


def width_of(said: str, size: float = LABEL, *, bold: bool = False) -> float:
    """At most so wide is this text in a common sans-serif font of that size."""
    return sum(_ems(letter) for letter in said) * size * (_BOLD if bold else 1.0)


def _ems(letter: str) -> float:
    """An upper bound of one letter's advance, in font sizes."""
    known = _EMS.get(letter)
    if known is not None:
        return known
    category = unicodedata.category(letter)
    if unicodedata.combining(letter) or category in ("Mn", "Me", "Cf"):
        return 0.0
    if category in ("So", "Sk") or ord(letter) > 0x1F000:
        return _PICTURE if ord(letter) < 0x20000 else 1.0
    return _EMS.get(unicodedata.normalize("NFD", letter)[0], 1.0)


def _words(name: str) -> list[str]:
    """What is not broken where there is room."""
    return [word for piece in _PIECES.findall(name) for word in _wide_apart(piece) if word.strip()]


def _pieces(said: str, room: float, size: float, *, bold: bool) -> Iterable[str]:
    """The parts between which a line may end, none wider than the room."""
    for word in (word for piece in _PIECES.findall(said) for word in _wide_apart(piece)):
        now = ""
        for letter in word:
            joins = not _ems(letter) or now.endswith("\u200d")
            if now and not joins and width_of(now + letter, size, bold=bold) > room:
                yield now
                now = ""
            now += letter
        yield now


def _wide_apart(piece: str) -> list[str]:
    """Chinese and Japanese break between any two characters, other scripts not."""
    found = [""]
    for letter in piece:
        wide = unicodedata.east_asian_width(letter) in "WF"
        if found[-1] and (wide or unicodedata.east_asian_width(found[-1][-1]) in "WF"):
            found.append("")
        found[-1] += letter
    return found


def _roughness(value: float) -> int:
    """Halves first, then tenths, then finer values."""
    if round(value * 2, 6).is_integer():
        return 0
    return 1 if round(value * 10, 6).is_integer() else 2


def _title(said: str) -> tuple[Tag, ...]:
    return (tag("title", said),) if said else ()
