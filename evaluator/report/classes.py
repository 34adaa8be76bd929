"""What the damage does: to families, to each class's recall, and what is taken for what."""

from __future__ import annotations

import math

from codabench_rehearsal.console.words import listed
from evaluator.answers import (
    Confusion,
    Drop,
    FamilyLoss,
    MixUp,
    clean_weights,
    confusion,
    drops,
    family_losses,
    mix_ups,
)
from evaluator.metrics import answer_weights
from evaluator.report.axes import Scale, across, disc, legend, share_text, square
from evaluator.report.card import mark, points, points_with_range, span, with_range
from evaluator.report.colors import error_step, heat_step
from evaluator.report.lettering import LEADING, QUIET, Names, fitted
from evaluator.report.result import Report
from evaluator.report.tags import Node, Tag, line, paragraph, rectangle, section, svg, tag, text
from evaluator.report.training import AFTERWARDS, advise

MOST_DRAWN = 40  # classes in a matrix; more would be dots
MOST_NUMBERED = 12
_WIDTH, _RIGHT, _ROW = 400, 338, 26
_NAMES, _NAME_LINES = 160, 3  # the most room that names take
_MATRIX, _TURN = 288, 50  # a matrix's smallest side; degrees by which the columns' names lean
_MANY_NAMES = 300  # room for names of classes so many that each has one line


def classes(report: Report) -> list[Tag]:
    """Recall beside what explains the loss, then the confusions."""
    if report.sheet is None:
        return [losses(report), section("Recall by class", paragraph("No answers to compare."))]
    names, sheet = report.source.label_names, report.sheet
    clean = confusion(sheet, clean_weights(sheet), len(names))
    hurt = confusion(sheet, answer_weights(sheet.benchmark, sheet.questions), len(names))
    return [
        tag("div", losses(report), _recall(report, drops(clean, hurt, names)), class_="twin"),
        _matrices(report, clean, hurt),
    ]


def _recall(report: Report, found: tuple[Drop, ...]) -> Tag:
    title = f"Recall by class{mark(report)}"
    if not found:
        return section(title, paragraph("No class has both clean and corrupted images."))
    worst = listed([f"{drop.name} ({points(-drop.lost)})" for drop in found[:2]])
    lead = f"Clean to corrupted, the largest drop first: {worst} points. Lines are 95 % intervals."
    key = legend([(disc(9, 7), "clean"), (square(9, 7), "corrupted")])
    return section(title, key, _dumbbells(found), lead=lead)


def _dumbbells(found: tuple[Drop, ...]) -> Tag:
    lowest = min(min(drop.clean.low, drop.corrupted.low) for drop in found)
    names = fitted((drop.name for drop in found), _NAMES, _NAME_LINES)
    row = max(_ROW, names.height + 6)
    scale = Scale(max(0.0, lowest - 0.02), 1.0, names.room + 14, _RIGHT)
    height = 18 + row * len(found)
    drawn: list[Node] = []
    for value in scale.ticks():
        drawn.append(line(scale(value), 14, scale(value), height, "grid"))
        drawn.append(text(scale(value), 10, share_text(value), "tick", "middle"))
    for place, drop in enumerate(found):
        drawn.append(_dumbbell(drop, names, scale, 18 + row * (place + 0.5)))
    said = "Recall clean and corrupted: " + ", ".join(
        f"{drop.name} {drop.clean.value:.2f} to {drop.corrupted.value:.2f}" for drop in found
    )
    return svg(_WIDTH, height, said, *drawn)


def _dumbbell(drop: Drop, names: Names, scale: Scale, y: float) -> Tag:
    said = f"{drop.name}: clean {with_range(drop.clean)}, corrupted {with_range(drop.corrupted)}"
    return tag(
        "g",
        tag("title", said),
        names.draw(drop.name, 0, y, "label"),
        across(scale(drop.clean.low), scale(drop.clean.high), y - 3, "cleanbar"),
        across(scale(drop.corrupted.low), scale(drop.corrupted.high), y + 3, "hurtbar"),
        disc(scale(drop.clean.value), y - 3),
        square(scale(drop.corrupted.value), y + 3),
        text(_WIDTH, y + 4, points(-drop.lost), "cell", "end"),
    )


def _matrices(report: Report, clean: Confusion, hurt: Confusion) -> Tag:
    names = report.source.label_names
    title = f"What is taken for what{mark(report)}"
    found = mix_ups(clean, hurt, names)
    if not found:
        return section(title, paragraph("Every corrupted image was answered rightly."))
    lead = (
        f"Grown most under corruption: {_commonest(found)}. Rows are true classes and add up to 1."
    )
    if len(names) > MOST_DRAWN:
        return section(title, paragraph(f"{len(names)} classes are too many to draw."), lead=lead)
    pair = tag(
        "div",
        tag("div", tag("h3", "Clean"), _matrix(clean, names, "clean")),
        tag("div", tag("h3", "Corrupted"), _matrix(hurt, names, "corrupted")),
        class_="pair",
    )
    return section(title, pair, lead=lead)


def _commonest(found: tuple[MixUp, ...]) -> str:
    return listed([f"{one.true} for {one.given} ({_shares(one)})" for one in found[:3]])


def _shares(one: MixUp) -> str:
    low, value, high = (
        f"{100 * v:.0f}" for v in (one.corrupted.low, one.corrupted.value, one.corrupted.high)
    )
    return f"{value} %, {low} to {high}, clean {100 * one.clean:.0f} %"


def _matrix(found: Confusion, names: tuple[str, ...], kind: str) -> Tag:
    """Columns are named as rows are: their names lean over the rows' and need no room of their own."""
    few = len(names) <= MOST_NUMBERED
    lettered = fitted(names, _NAMES if few else _MANY_NAMES, _NAME_LINES if few else 1, QUIET)
    lean = math.radians(_TURN)
    thick = (lettered.height + 1) / math.sin(lean)  # of a leaning name, across the columns
    size = max(_MATRIX / len(names), thick)
    left = lettered.room + 8
    top = lettered.room * math.sin(lean) + lettered.height * math.cos(lean) + 6
    drawn: list[Node] = []
    for i, name in enumerate(names):
        drawn.append(_column(lettered, name, left + size * (i + 0.5), top - 8))
        drawn.append(lettered.draw(name, left - 6, top + size * (i + 0.5), "quiet", "end"))
        drawn += [
            _cell(found, names, (i, j), left + size * j, top + size * i, size)
            for j in range(len(names))
            if found.images[i]
        ]
    side = size * len(names)
    said = f"Confusion, {kind}: {_spoken(found, names)}"
    return svg(left + side + 4, top + side + 2, said, *drawn)


def _column(lettered: Names, name: str, x: float, y: float) -> Tag:
    """A name that ends above its column, read downwards."""
    y -= lettered.size * LEADING * (len(lettered.lines[name]) - 1) / 2
    turn = f"rotate({_TURN} {x:.1f} {y:.1f})"
    return lettered.draw(name, x, y, "quiet", "end", transform=turn)


def _cell(
    found: Confusion, names: tuple[str, ...], at: tuple[int, int], x: float, y: float, size: float
) -> Tag:
    i, j = at
    score = found.scores[i][j]
    step = heat_step(score.value) if i == j else error_step(score.value)
    said = (
        f"{names[i]} answered as {names[j]}: {score.value:.3f} ({span(score.low, score.high)}), "
        f"{score.n:,} images"
    )
    parts: list[Node] = [rectangle(x + 0.5, y + 0.5, size - 1, size - 1, f"heat{step}")]
    if i == j:
        parts.append(rectangle(x + 0.5, y + 0.5, size - 1, size - 1, "own"))
    if len(names) <= MOST_NUMBERED and (i == j or score.value >= 0.005):
        figure = f"{score.value:.2f}".removeprefix("0") if score.value < 0.995 else "1"
        parts.append(text(x + size / 2, y + size / 2 + 4, figure, f"condition on{step}", "middle"))
    return tag("g", tag("title", said), *parts)


def _spoken(found: Confusion, names: tuple[str, ...]) -> str:
    """The diagonal, for those who do not see it."""
    return ", ".join(
        f"{name} {found.shares[i, i]:.2f} right" for i, name in enumerate(names) if found.images[i]
    )


# What explains the loss: each family's part of the gap, and what to train on against it.


_LOSS_WIDTH, _LOSS_RIGHT = 430, 298
_FAMILIES = 150  # the most room that the families' names take


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
    found = advise(family_losses(report.sheet), report.sheet.benchmark.conditions)
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
    names = fitted((loss.family for loss in found), _FAMILIES, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    scale = Scale(lowest, highest, names.room + 12, _LOSS_RIGHT)
    height = 20 + row * len(found)
    drawn: list[Node] = [
        text(_LOSS_RIGHT + 54, 11, "points", "tick", "end"),
        text(_LOSS_RIGHT + 70, 11, "accuracy", "tick"),
        line(scale(0), 16, scale(0), height, "axis"),
    ]
    for place, loss in enumerate(found):
        drawn.append(_bar(loss, names, scale, 18 + row * (place + 0.5)))
    said = "Points of accuracy lost by family: " + ", ".join(
        f"{loss.family} {points_with_range(loss.points)}" for loss in found
    )
    return svg(_LOSS_WIDTH, height, said, *drawn)


def _bar(loss: FamilyLoss, names: Names, scale: Scale, middle: float) -> Tag:
    zero, end = scale(0), scale(loss.points.value)
    accuracy = f"accuracy {loss.accuracy.value:.3f} ({span(loss.accuracy.low, loss.accuracy.high)})"
    return tag(
        "g",
        tag("title", f"{loss.family}: {points_with_range(loss.points)} lost, {accuracy}"),
        names.draw(loss.family, 0, middle, "label"),
        rectangle(min(zero, end), middle - _ROW / 2 + 5, abs(end - zero), _ROW - 10, "bar"),
        line(scale(loss.points.low), middle, scale(loss.points.high), middle, "forecast"),
        text(_LOSS_RIGHT + 54, middle + 4, f"{100 * loss.points.value:.1f}".replace("-", "\u2212"), "cell",
             "end"),
        text(_LOSS_RIGHT + 70, middle + 4, f"{loss.accuracy.value:.2f}", "cell"),
    )  # fmt: skip
