"""Drawings: colours and styles, scales, lines and marks, the same on page and figure.

A hollow blue disc is a clean figure, a filled orange square a corrupted one, a black diamond a
forecast, a black tick a score from the leaderboard, everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from codabench_rehearsal.console.reading import parse_toml
from evaluator.report.markup import Markup, Node, RawMarkup, Tag, escaped, tag

Mark = Callable[[float, float], Tag]
Legend = tuple[tuple[Node, str], ...]  # marks drawn around (9, 7), and what they mean
_COLORS: Mapping[str, Any] = parse_toml(
    (files("evaluator.report") / "colors.toml").read_text(encoding="utf-8")
)
LIGHT: Mapping[str, str] = _COLORS["light"]["palette"]
DARK: Mapping[str, str] = _COLORS["dark"]["palette"]
# Accuracies at which the heat maps take the next colour; finer where good models differ.
STEPS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # at which a matrix takes the next colour
SCALES = {"heat": "on", "share": "in"}  # classes of fills, and of the texts on them
DRAWN = (".rehearsal svg ", *(f".rehearsal .{name}" for pair in SCALES.items() for name in pair))
EDGE = 0.004  # shares are drawn no nearer to 0 and 1 than this: their logit has no end
_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
_EVEN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_APART = 28  # units between two written ticks: "0.85" in a wide font, and a gap


def heat_step(accuracy: float) -> int:
    """The heat maps' step of an accuracy, 0 the worst."""
    return sum(accuracy >= edge for edge in STEPS)


def share_step(share: float) -> int:
    """The confusion matrices' step of a share, 0 the smallest; the same for right and wrong."""
    return sum(share >= edge for edge in SHARES)


def page_style() -> Tag:
    """For a page of its own: the reader's system chooses the scheme; paper is light."""
    light, dark = (
        f".rehearsal{{{';'.join(map(':'.join, variables(scheme).items()))}}}"
        for scheme in ("light", "dark")
    )
    dark = f"@media screen and (prefers-color-scheme: dark){{{dark}}}"
    own = ":root{color-scheme:light dark}body{margin:0}.rehearsal{min-height:100vh}"
    return _style(own, light, dark, rules())


def figure_style() -> Tag:
    """For drawings inside `.rehearsal-figure`: the page's rules for them, in the light colours."""
    colours = variables("light")
    drawn = (
        rule.replace(".rehearsal ", ".rehearsal-figure ")
        for rule in rules().splitlines()
        if rule.startswith(DRAWN)
    )
    return _style(
        *(re.sub(r"var\(([\w-]+)\)", lambda var: colours[var[1]], rule) for rule in drawn)
    )


def _style(*rules: str) -> Tag:
    return tag("style", RawMarkup("\n".join(rules)))


def variables(scheme: str) -> dict[str, str]:
    """The style sheet's colours, `--name` to a colour. scheme: "light" or "dark"."""
    colors = _COLORS[scheme]
    named = {f"--{name}": value for name, value in colors["palette"].items()}
    for scale, on in SCALES.items():
        for step, (fill, ink) in enumerate(colors[scale]):
            named |= {f"--{scale}{step}": fill, f"--{on}{step}": ink}
    return named


def rules() -> str:
    """The style sheet, and the steps of the scales."""
    steps = (
        f".rehearsal .{scale}{step}"
        f"{{fill:var(--{scale}{step});background:var(--{scale}{step});color:var(--{on}{step})}}"
        f"\n.rehearsal .{on}{step}{{fill:var(--{on}{step})}}"
        for scale, on in SCALES.items()
        for step in range(len(STEPS) + 1)
    )
    return (files("evaluator.report") / "page.css").read_text(encoding="utf-8") + "\n".join(steps)


@dataclass(frozen=True)
class Drawing(Markup):
    """An SVG drawing of that size, which scales. said: what it shows, for who does not see it."""

    width: float
    height: float
    said: str
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        width, height = escaped(float(self.width)), escaped(float(self.height))
        return str(
            tag(
                "svg",
                tag("title", self.said),
                *self.nodes,
                viewBox=f"0 0 {width} {height}",
                role="img",
                aria_label=self.said,
                class_="figure",
                style=f"--natural:{width}px",
            )
        )

    def at(self, x: float, y: float) -> Tag:
        """The same as a part of a larger drawing, its upper left corner at (x, y)."""
        return tag("g", *self.nodes, transform=f"translate({escaped(x)} {escaped(y)})")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Tag:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, said: str, class_: str = "label", anchor: str = "start") -> Tag:
    """Text whose baseline begins, centres ("middle") or ends ("end") at (x, y)."""
    return tag("text", said, x=x, y=y, class_=class_, text_anchor=anchor)


def rectangle(x: float, y: float, width: float, height: float, class_: str) -> Tag:
    """A filled box."""
    return tag("rect", x=x, y=y, width=width, height=height, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str, *, closed: bool = False) -> Tag:
    """A line through points."""
    steps = " L".join(f"{escaped(float(x))},{escaped(float(y))}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", class_=class_)


def titled(said: str, *nodes: Node) -> Tag:
    """Parts of a drawing with what is said where one points at them."""
    return tag("g", *((tag("title", said),) if said else ()), *nodes)


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


def legend(entries: Legend) -> Tag:
    """What the marks mean, on the page."""
    items = (
        tag("li", tag("svg", mark, viewBox="0 0 18 14", aria_hidden="true"), name)
        for mark, name in entries
    )
    return tag("ul", *items, class_="legend")


def _roughness(value: float) -> int:
    """Halves first, then tenths, then finer values."""
    if round(value * 2, 6).is_integer():
        return 0
    return 1 if round(value * 10, 6).is_integer() else 2


def _title(said: str) -> tuple[Tag, ...]:
    return (tag("title", said),) if said else ()
