"""Accuracy by corruption and severity: a heat map, and a curve with its band for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from codabench_rehearsal.console.words import counted, listed
from evaluator.answers import Row, curves, grid
from evaluator.metrics import Score
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import Names, fitted
from evaluator.report.markup import (
    Node,
    Tag,
    folded,
    paragraph,
    section,
    short_share,
    span,
    tag,
    with_range,
)
from evaluator.report.svg import heat_step
from evaluator.report.tables import accuracy_key

_NAMES, _NAME_LINES = 150, 3  # the most room that the corruptions' names take
_CURVES = 6  # that are shown; the others are folded away
_SIDE, _WIDE, _ROW = 37, 78, 24  # of a field, of one with its spread, of a row
_CURVE_WIDTH, _CURVE_HEIGHT = 160, 102  # below the name
_LEFT, _RIGHT = 30, _CURVE_WIDTH - 8


def heat_map(report: Evaluation) -> Tag:
    """The section: one small map a family."""
    rows = grid((report.library, report.sheet, report.sweep))
    title = f"Accuracy by corruption and severity{report.mark}"
    if not rows:
        return section(title, paragraph("No corruption was run alone here, so there is no map."))
    worst = sorted(rows, key=_lowest_value)[:3]
    maps = (tag("div", tag("h3", family), drawing) for family, drawing in heat_maps(rows).items())
    lead = (
        f"The worst first. Lowest: {listed([_lowest(row) for row in worst])}. "
        "In the page's own file (--html) a field says its 95 % interval when you point at it."
    )
    return section(title, accuracy_key(), tag("div", *maps, class_="many"), lead=lead)


def curve_section(report: Evaluation) -> Tag:
    """The section: one small curve a corruption, the worst first."""
    rows = curves(grid((report.library, report.sheet, report.sweep)))
    title = f"How accuracy falls with severity{report.mark}"
    if not rows:
        return section(
            title,
            paragraph(
                report.say(
                    "No corruption was run at three severities or more; --sweep runs 19 of them at "
                    "all five."
                )
            ),
        )
    points = max(len(row.by_severity) for row in rows)
    lead = (
        f"At most {points} severities each. Band: 95 % interval; dashed: clean accuracy. "
        + ("" if report.sweep else report.say("--sweep runs all five. "))
        + f"Lowest at the end: {listed([_fall(row) for row in rows[:3]])}."
    )
    charts = curve_charts(report, rows)
    parts: list[Node] = [tag("div", *charts[:_CURVES], class_="small")]
    if more := charts[_CURVES:]:
        inside = tag("div", *more, class_="small")
        parts.append(
            folded(f"{counted(len(more), 'more curve')}, whose accuracy stays higher", inside)
        )
    return section(title, *parts, lead=lead)


def heat_maps(rows: Sequence[Row], *, spreads: bool = False) -> dict[str, svg.Drawing]:
    """A map for each family of rows, the worst first. spreads: half of each interval is written."""
    names = fitted((row.name for row in rows), _NAMES, _NAME_LINES)
    levels = sorted({level for row in rows for level in row.by_severity})
    families = [
        sorted(own, key=_lowest_value) for _, own in groupby(rows, key=lambda row: row.family)
    ]
    return {
        own[0].family: _map(own, names, levels, spreads=spreads)
        for own in sorted(families, key=lambda own: _lowest_value(own[0]))
    }


def curve_charts(report: Evaluation, rows: Sequence[Row]) -> list[svg.Drawing]:
    """A curve for each row, on one scale."""
    clean = report.scores.validation.accuracy if report.scores else None
    lowest = min(score.low for row in rows for score in row.by_severity.values())
    names = fitted((row.name for row in rows), _CURVE_WIDTH - 2, _NAME_LINES, bold=True)
    bottom, top = names.height + _CURVE_HEIGHT - 20, names.height + 14
    scale = svg.Scale(math.floor(lowest * 10) / 10, 1.0, bottom, top)
    return [_curve(row, names, scale, clean) for row in rows]


def _lowest_value(row: Row) -> float:
    return row.lowest[1].value


def _lowest(row: Row) -> str:
    severity, score = row.lowest
    return f"{row.name}:{severity:g} ({score.value:.2f}, {span(score.low, score.high, 2)})"


def _map(rows: list[Row], names: Names, levels: list[float], *, spreads: bool) -> svg.Drawing:
    severity, score = rows[0].lowest
    said = (
        f"{rows[0].family}: lowest {score.value:.2f} under {rows[0].name} at severity {severity:g}"
    )
    left, high, wide = names.room + 10, max(_ROW, names.height + 4), _WIDE if spreads else _SIDE
    drawn: list[Node] = [
        svg.text(left + wide * (i + 0.5), 11, f"{level:g}", "tick", "middle")
        for i, level in enumerate(levels)
    ]
    for place, row in enumerate(rows):
        y = 18 + place * high
        drawn.append(svg.titled(row.name, names.draw(row.name, 0, y + high / 2, "label")))
        drawn += [
            _field(row, level, (left + wide * column, y, wide, high), spreads=spreads)
            for column, level in enumerate(levels)
            if level in row.by_severity
        ]
    return svg.Drawing(left + wide * len(levels), 18 + high * len(rows), said, tuple(drawn))


def _field(
    row: Row, severity: float, box: tuple[float, float, float, float], *, spreads: bool
) -> Tag:
    """One severity's accuracy in a box (x, y, width, height)."""
    x, y, wide, high = box
    score = row.by_severity[severity]
    step, figure = heat_step(score.value), short_share(score.value)
    if spreads:
        figure = f"{score.value:.2f} \u00b1{(score.high - score.low) / 2:.2f}"
    return svg.titled(
        f"{row.name}, severity {severity:g}: {with_range(score)}, {score.n:,} images",
        svg.rectangle(x + 1, y + 1, wide - 2, high - 2, f"heat{step}"),
        svg.text(x + wide / 2, y + high / 2 + 4, figure, f"cell on{step}", "middle"),
    )


def _curve(row: Row, names: Names, scale: svg.Scale, clean: Score | None) -> svg.Drawing:
    across, found = svg.Scale(1, 5, _LEFT, _RIGHT), row.by_severity
    upper = [(across(level), scale(score.high)) for level, score in found.items()]
    lower = [(across(level), scale(score.low)) for level, score in found.items()]
    middle = [(across(level), scale(score.value)) for level, score in found.items()]
    severities = (
        svg.text(across(n), scale.start + 16, str(n), "tick", "middle") for n in (1, 3, 5)
    )
    drawn: list[Node] = [
        tag("g", *svg.ticks_beside(scale, _LEFT, _RIGHT, 4), *severities),
        svg.path([*upper, *lower[::-1]], "band", closed=True),
    ]
    if clean:
        drawn.append(svg.line(_LEFT, scale(clean.value), _RIGHT, scale(clean.value), "cleanline"))
    drawn.append(svg.path(middle, "curve"))
    for (level, score), (x, y) in zip(found.items(), middle, strict=True):
        said = f"severity {level:g}: {score.value:.3f} ({span(score.low, score.high)})"
        drawn.append(tag("circle", tag("title", said), cx=x, cy=y, r=3, class_="hurt"))
    drawn.append(svg.titled(row.name, names.draw(row.name, 0, names.height / 2, "strong")))
    height = names.height + _CURVE_HEIGHT
    return svg.Drawing(_CURVE_WIDTH, height, f"{row.name}: {_fall(row)}", tuple(drawn))


def _fall(row: Row) -> str:
    """For example: fog from 0.91 to 0.40."""
    levels = list(row.by_severity)
    first, last = (row.by_severity[level].value for level in (levels[0], levels[-1]))
    return f"{row.name} from {first:.2f} to {last:.2f}"
