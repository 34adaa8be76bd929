"""What the damage does: to families, to each class's recall, and what is taken for what."""

from __future__ import annotations

import math

from codabench_rehearsal.console.words import listed
from evaluator.page.axes import Scale, share_text
from evaluator.page.colors import error_step, heat_step
from evaluator.page.lettering import LEADING, QUIET, Names, fitted
from evaluator.page.losses import losses
from evaluator.page.marks import across, disc, legend, square
from evaluator.page.tags import Node, Tag, line, paragraph, rectangle, section, svg, tag, text
from evaluator.page.words import mark, points, span, with_range
from evaluator.result import Report
from evaluator.scores import answer_weights
from evaluator.tallies import (
    Confusion,
    Drop,
    MixUp,
    clean_weights,
    confusion,
    drops,
    mix_ups,
)

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
        parts.append(text(x + size / 2, y + size / 2 + 4, figure, f"cell on{step}", "middle"))
    return tag("g", tag("title", said), *parts)


def _spoken(found: Confusion, names: tuple[str, ...]) -> str:
    """The diagonal, for those who do not see it."""
    return ", ".join(
        f"{name} {found.shares[i, i]:.2f} right" for i, name in enumerate(names) if found.images[i]
    )
