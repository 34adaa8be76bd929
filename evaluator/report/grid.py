"""Accuracy by corruption and severity: a heat map, and a curve with its band for each corruption."""

from __future__ import annotations

import math
from itertools import groupby

from codabench_rehearsal.console.words import listed
from evaluator.answers import SEVERITIES, Row, curves, grid
from evaluator.metrics import Score
from evaluator.report.axes import Scale, share_text
from evaluator.report.card import mark, span
from evaluator.report.colors import STEPS, heat_step
from evaluator.report.lettering import Names, fitted
from evaluator.report.result import Report
from evaluator.report.tags import (
    Node,
    Tag,
    line,
    paragraph,
    path,
    rectangle,
    section,
    svg,
    tag,
    text,
)

_NAMES, _NAME_LINES = 150, 3  # the most room that the corruptions' names take
_CELL, _ROW = 37, 24
_CURVE_WIDTH, _CURVE_HEIGHT = 160, 102  # below the name


def heat_map(report: Report) -> Tag:
    """The section: one small map a family."""
    rows = grid((report.library, report.sheet, report.sweep))
    title = f"Accuracy by corruption and severity{mark(report)}"
    if not rows:
        return section(
            title, paragraph("No corruption was asked alone in this run, so there is no map.")
        )
    worst = sorted(rows, key=lambda row: row.lowest[1].value)[:3]
    said = listed([_lowest(row) for row in worst])
    families = [list(own) for _, own in groupby(rows, key=lambda row: row.family)]
    names = fitted((row.name for row in rows), _NAMES, _NAME_LINES)
    maps = tag("div", *(_family(own, names) for own in families), class_="many")
    lead = f"Lowest: {said}. Point at a cell for its 95 % interval; empty cells were not asked."
    return section(title, _steps(), maps, lead=lead)


def curve_section(report: Report) -> Tag:
    """The section: one small curve a corruption, the worst first."""
    rows = curves(grid((report.library, report.sheet, report.sweep)))
    title = f"How accuracy falls with severity{mark(report)}"
    if not rows:
        return section(
            title,
            paragraph(
                "No corruption was asked at three severities or more; --sweep asks all 19 at all five."
            ),
        )
    clean = report.scores.validation.accuracy if report.scores else None
    floor = min(score.low for row in rows for score in row.by_severity.values())
    names = fitted((row.name for row in rows), _CURVE_WIDTH - 2, _NAME_LINES, bold=True)
    scale = Scale(
        math.floor(floor * 10) / 10, 1.0, names.height + _CURVE_HEIGHT - 20, names.height + 14
    )
    charts = tag("div", *(_curve(row, names, scale, clean) for row in rows), class_="small")
    points = max(len(row.by_severity) for row in rows)
    lead = (
        f"{points} severities each, band: 95 %; dashed: clean accuracy. "
        + ("" if report.sweep else "--sweep asks all five. ")
        + f"Lowest end: {listed([_fall(row) for row in rows[:3]])}."
    )
    return section(title, charts, lead=lead)


def _lowest(row: Row) -> str:
    severity, score = row.lowest
    return f"{row.name}:{severity} ({score.value:.2f}, {span(score.low, score.high, 2)})"


def _steps() -> Tag:
    """The key of the colours."""
    edges = ("0", *(f"{edge:.2f}".rstrip("0") for edge in STEPS), "1")
    items = (
        tag("li", f"{edges[step]}\u2013{edges[step + 1]}", style=f"color:var(--on{step})",
            class_=f"heat{step}")
        for step in range(len(STEPS) + 1)
    )  # fmt: skip
    return tag("ul", *items, class_="steps", aria_label="Colours of the accuracies")


def _family(rows: list[Row], names: Names) -> Tag:
    worst = min(rows, key=lambda row: row.lowest[1].value)
    severity, score = worst.lowest
    said = f"{rows[0].family}: lowest {score.value:.2f} under {worst.name} at severity {severity}"
    left, high = names.room + 10, max(_ROW, names.height + 4)
    drawn: list[Node] = [
        text(left + _CELL * (i + 0.5), 11, str(level), "tick", "middle")
        for i, level in enumerate(SEVERITIES)
    ]
    for place, row in enumerate(rows):
        drawn += _cells(row, names, left, 18 + place * high, high)
    height = 18 + high * len(rows)
    picture = svg(left + _CELL * len(SEVERITIES), height, said, *drawn)
    return tag("div", tag("h3", rows[0].family), picture)


def _cells(row: Row, names: Names, left: float, y: float, high: float) -> list[Node]:
    drawn: list[Node] = [
        tag("g", tag("title", row.name), names.draw(row.name, 0, y + high / 2, "label"))
    ]
    for place, level in enumerate(SEVERITIES):
        x = left + _CELL * place
        score = row.by_severity.get(level)
        if score is None:
            drawn.append(rectangle(x + 1, y + 1, _CELL - 2, high - 2, "box"))
        else:
            drawn.append(_cell(f"{row.name}, severity {level}", score, x, y, high))
    return drawn


def _cell(name: str, score: Score, x: float, y: float, high: float) -> Tag:
    step = heat_step(score.value)
    said = f"{name}: {score.value:.3f} ({span(score.low, score.high)}), {score.n:,} images"
    figure = f"{score.value:.2f}".removeprefix("0") if score.value < 1 else "1"
    return tag(
        "g",
        tag("title", said),
        rectangle(x + 1, y + 1, _CELL - 2, high - 2, f"heat{step}"),
        text(x + _CELL / 2, y + high / 2 + 4, figure, f"cell on{step}", "middle"),
    )


def _curve(row: Row, names: Names, scale: Scale, clean: Score | None) -> Tag:
    across = Scale(1, 5, 30, _CURVE_WIDTH - 8)
    found = row.by_severity
    upper = [(across(level), scale(score.high)) for level, score in found.items()]
    lower = [(across(level), scale(score.low)) for level, score in found.items()]
    middle = [(across(level), scale(score.value)) for level, score in found.items()]
    drawn: list[Node] = [_frame(scale, across), path([*upper, *lower[::-1]], "band", closed=True)]
    if clean:
        drawn.append(
            line(30, scale(clean.value), _CURVE_WIDTH - 8, scale(clean.value), "cleanline")
        )
    drawn.append(path(middle, "curve"))
    for (level, score), (x, y) in zip(found.items(), middle, strict=True):
        said = f"severity {level}: {score.value:.3f} ({span(score.low, score.high)})"
        drawn.append(tag("circle", tag("title", said), cx=x, cy=y, r=3, class_="hurt"))
    named = names.draw(row.name, 0, names.height / 2, "strong")
    drawn.append(tag("g", tag("title", row.name), named))
    return svg(_CURVE_WIDTH, names.height + _CURVE_HEIGHT, f"{row.name}: {_fall(row)}", *drawn)


def _frame(scale: Scale, across: Scale) -> Tag:
    parts: list[Node] = []
    for value in scale.ticks():
        parts.append(line(30, scale(value), _CURVE_WIDTH - 8, scale(value), "grid"))
        parts.append(text(26, scale(value) + 4, share_text(value), "tick", "end"))
    low = scale.start + 16
    parts += [text(across(level), low, str(level), "tick", "middle") for level in (1, 3, 5)]
    return tag("g", *parts)


def _fall(row: Row) -> str:
    """For example: fog from 0.91 to 0.40."""
    levels = list(row.by_severity)
    first, last = (row.by_severity[level].value for level in (levels[0], levels[-1]))
    return f"{row.name} from {first:.2f} to {last:.2f}"
