"""What explains the loss: each family's part of the gap, and what to train on against it."""

from __future__ import annotations

from codabench_rehearsal.console.words import listed
from evaluator.advice import AFTERWARDS, advise
from evaluator.page.axes import Scale
from evaluator.page.lettering import Names, fitted
from evaluator.page.tags import (
    Node,
    Tag,
    line,
    paragraph,
    rectangle,
    section,
    svg,
    tag,
    text,
)
from evaluator.page.words import mark, points_with_range, span
from evaluator.result import Report
from evaluator.tallies import FamilyLoss, family_losses

_WIDTH, _RIGHT, _ROW = 430, 298, 26
_NAMES, _NAME_LINES = 150, 3  # the most room that the families' names take


def losses(report: Report) -> Tag:
    """The section on the gap."""
    title = f"What explains the loss{mark(report)}"
    if report.sheet is None or report.scores is None:
        return section(title, paragraph("No answers to explain."))
    gap = report.scores.gap
    if gap.low <= 0:
        return section(
            title,
            paragraph(
                "Nothing to explain: benchmark accuracy is within the interval of the clean one "
                f"(gap {points_with_range(gap)})."
            ),
        )
    found = family_losses(report.sheet)
    lead = f"Of a gap of {points_with_range(gap)}, most goes to {_most(found)}."
    return section(title, _drawing(found), lead=lead)


def training(report: Report) -> Tag:
    """The section on what to do about it."""
    title = "What to train on"
    if report.sheet is None:
        return section(title, paragraph("No answers, so nothing to advise from."))
    found = advise(family_losses(report.sheet), report.sheet.benchmark.cells)
    if not found:
        return section(
            title,
            paragraph("No family costs a point of accuracy beyond chance: nothing to advise."),
        )
    items = (tag("li", tag("b", one.family), ": ", *_with_code(one.sentence)) for one in found)
    return section(title, tag("ul", *items), paragraph(AFTERWARDS, "soft"))


def _with_code(said: str) -> list[Node]:
    """A sentence whose backticks become code."""
    parts = said.split("`")
    return [tag("code", part) if place % 2 else part for place, part in enumerate(parts)]


def _most(found: tuple[FamilyLoss, ...]) -> str:
    costly = [loss for loss in found if loss.points.value > 0][:3]
    return listed([f"{loss.family} ({100 * loss.share:.0f} %)" for loss in costly])


def _drawing(found: tuple[FamilyLoss, ...]) -> Tag:
    highest = max(loss.points.high for loss in found)
    lowest = min(0.0, *(loss.points.low for loss in found))
    names = fitted((loss.family for loss in found), _NAMES, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    scale = Scale(lowest, highest, names.room + 12, _RIGHT)
    height = 20 + row * len(found)
    drawn: list[Node] = [
        text(_RIGHT + 54, 11, "points", "tick", "end"),
        text(_RIGHT + 70, 11, "accuracy", "tick"),
        line(scale(0), 16, scale(0), height, "axis"),
    ]
    for place, loss in enumerate(found):
        drawn.append(_bar(loss, names, scale, 18 + row * (place + 0.5)))
    said = "Points of accuracy lost by family: " + ", ".join(
        f"{loss.family} {points_with_range(loss.points)}" for loss in found
    )
    return svg(_WIDTH, height, said, *drawn)


def _bar(loss: FamilyLoss, names: Names, scale: Scale, middle: float) -> Tag:
    zero, end = scale(0), scale(loss.points.value)
    accuracy = f"accuracy {loss.accuracy.value:.3f} ({span(loss.accuracy.low, loss.accuracy.high)})"
    return tag(
        "g",
        tag("title", f"{loss.family}: {points_with_range(loss.points)} lost, {accuracy}"),
        names.draw(loss.family, 0, middle, "label"),
        rectangle(min(zero, end), middle - _ROW / 2 + 5, abs(end - zero), _ROW - 10, "bar"),
        line(scale(loss.points.low), middle, scale(loss.points.high), middle, "forecast"),
        text(_RIGHT + 54, middle + 4, f"{100 * loss.points.value:.1f}".replace("-", "\u2212"), "cell",
             "end"),
        text(_RIGHT + 70, middle + 4, f"{loss.accuracy.value:.2f}", "cell"),
    )  # fmt: skip
