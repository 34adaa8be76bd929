"""The page's sections on severities, slices and a reference: `robustness`, with a drawing."""

from __future__ import annotations

from codabench_rehearsal.console.words import listed
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import Names, fitted
from evaluator.report.markup import Node, Tag, paragraph, section, table, tag
from evaluator.report.robustness import Listing, listings, of_search, severity_text
from evaluator.severity import Search, Threshold

_WIDTH, _LEFT_MOST, _RIGHT, _ROW = 420, 150, 354, 22
_NAME_LINES = 3


def robustness(report: Evaluation) -> list[Tag]:
    """The sections, as far as there is something to show."""
    found = [] if report.search is None else [_search_section(report.search, report.mark)]
    skipped = 0 if report.search is None else 1
    return [*found, *(_listed(one) for one in list(listings(report))[skipped:])]


def _listed(one: Listing) -> Tag:
    if not one.rows:
        return section(one.title, paragraph(one.note))
    return section(one.title, table(one.title, one.columns, one.rows, "wide"), lead=one.note)


def _search_section(found: Search, mark: str) -> Tag:
    said = of_search(found, mark)
    if not found.found:
        return section(said.title, paragraph(said.note))
    soon = listed([f"{one.name} ({severity_text(one)})" for one in found.found[:3]])
    notes = [tag("li", f"{one.name}: {one.note}") for one in found.found if one.note]
    more: list[Node] = [tag("ul", *notes, class_="soft")] if notes else []
    lead = f"Soonest: {soon}. {said.note} The line is the 95 % interval."
    return section(said.title, bars(found), *more, lead=lead)


def bars(found: Search) -> svg.Drawing:
    """A bar a corruption, from severity 1 to where accuracy falls below the figure."""
    names = fitted((one.name for one in found.found), _LEFT_MOST, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    scale = svg.Scale(1, 5, names.room + 12, _RIGHT)
    height = 22 + row * len(found.found)
    drawn: list[Node] = []
    for level in range(1, 6):
        drawn.append(svg.line(scale(level), 16, scale(level), height, "grid"))
        drawn.append(svg.text(scale(level), 11, str(level), "tick", "middle"))
    for place, one in enumerate(found.found):
        drawn.append(_bar(one, names, scale, 20 + row * (place + 0.5)))
    each = (f"{one.name} {severity_text(one)}" for one in found.found)
    said = f"Severity at which accuracy falls below {found.accuracy:g}: {', '.join(each)}"
    return svg.Drawing(_WIDTH, height, said, tuple(drawn))


def _bar(one: Threshold, names: Names, scale: svg.Scale, y: float) -> Tag:
    start, end = scale(1), scale(one.severity)
    asked = ", ".join(f"{at:g}: {score.value:.3f}" for at, score in one.points.items())
    return svg.titled(
        f"{one.name}: {severity_text(one)}; accuracy by severity {asked}",
        names.draw(one.name, 0, y, "label"),
        svg.rectangle(start, y - _ROW / 2 + 4, end - start, _ROW - 8, "bar"),
        svg.across(scale(one.low), scale(one.high), y, "forecast"),
        svg.text(_RIGHT + 14, y + 4, severity_text(one), "cell"),
    )
