"""Scales of a figure: where a value lies in the drawing, and which values to write beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evaluator.report.tags import Node, Tag, line, path, rectangle, tag, text

EDGE = 0.004  # shares are drawn no nearer to 0 and 1 than this: their logit has no end
_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
_EVEN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_APART = 28  # units between two written ticks: "0.85" in a wide font, and a gap


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
        return Scale(_share(log_odds(low) - room), _share(log_odds(high) + room), start, end, odds)
    low, high = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
    return Scale(low, max(high, low + 0.1), start, end)


def below(scale: Scale, y: float, top: float) -> list[Node]:
    """The ticks of a horizontal scale, with lines up to `top`."""
    drawn: list[Node] = []
    for value in scale.ticks():
        x = scale(value)
        drawn += [line(x, y, x, top, "grid"), text(x, y + 14, share_text(value), "tick", "middle")]
    return drawn


def beside(scale: Scale, x: float, right: float) -> list[Node]:
    """The ticks of a vertical scale, with lines on to `right`."""
    drawn: list[Node] = []
    for value in scale.ticks():
        y = scale(value)
        drawn += [
            line(x, y, right, y, "grid"),
            text(x - 5, y + 4, share_text(value), "tick", "end"),
        ]
    return drawn


def share_text(value: float) -> str:
    """A tick's value with as many decimals as it needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value not in (0.0, 1.0) else f"{value:.0f}"


def _roughness(value: float) -> int:
    """Halves first, then tenths, then finer values."""
    if round(value * 2, 6).is_integer():
        return 0
    return 1 if round(value * 10, 6).is_integer() else 2


def _share(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


# The marks of the figures: a shape and a colour for each kind of value, everywhere the same.
#
# A hollow blue disc is a clean figure, a filled orange square a corrupted one, a black diamond a
# forecast, a black tick a score from the leaderboard.


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
