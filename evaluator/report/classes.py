"""What corruption does: to families, to each class's recall, and what is taken for what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from codabench_rehearsal.console.words import counted, listed
from evaluator.answers import (
    Answers,
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
from evaluator.report import svg
from evaluator.report.augmentation import advice_places
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import LEADING, QUIET, Names, fitted
from evaluator.report.markup import (
    Node,
    Tag,
    folded,
    lost_points,
    paragraph,
    points,
    points_with_range,
    section,
    short_share,
    tag,
    with_range,
)
from evaluator.report.svg import share_step
from evaluator.report.tables import Cell, share_key, sortable

MOST_DRAWN = 40  # classes in a matrix; more would be dots
MOST_NUMBERED = 12
MOST_ROWS = 16  # classes whose recall is shown; the others are folded, unless hardly any is left
MOST_MIXED_UP = 40  # confusions in the table that stands for a matrix
RECALL_LEGEND: svg.Legend = ((svg.disc(9, 7), "clean"), (svg.square(9, 7), "corrupted"))
_WIDTH, _RIGHT, _ROW = 400, 338, 26
_LOSS_WIDTH, _LOSS_RIGHT = 430, 298
_NAMES, _FAMILIES, _NAME_LINES = 160, 150, 3  # the most room that names take
_MATRIX, _TURN = 288, 50  # a matrix's smallest side; degrees by which the columns' names lean
_MANY_NAMES = 300  # room for names of classes so many that each has one line


def classes(report: Evaluation) -> list[Tag]:
    """Recall by class, then the confusions."""
    sheet, names = report.sheet, report.source.label_names
    if sheet is None:
        return [section("Recall by class", paragraph("No answers to compare."))]
    clean, hurt = confusions(sheet, len(names))
    return [_recall(report, drops(clean, hurt, names)), _matrices(report, clean, hurt)]


def losses(report: Evaluation) -> Tag:
    """What explains the gap: each family's part of it."""
    title = f"What explains the loss{report.mark}"
    if report.sheet is None or report.scores is None:
        return section(title, paragraph("No answers to explain."))
    gap = report.scores.gap
    if gap.low <= 0:
        nothing = (
            "Nothing to explain: benchmark accuracy is within the interval of the clean one "
            f"(gap {points_with_range(gap)})."
        )
        return section(title, paragraph(nothing))
    found = family_losses(report.sheet)
    costly = [loss for loss in found if loss.points.value > 0][:3]
    most = listed([f"{loss.family} ({100 * loss.share:.0f}\u00a0%)" for loss in costly])
    lead = f"Corruption costs {points_with_range(gap)} of accuracy; the largest shares: {most}."
    places = advice_places(report)
    links = [tag("a", one.family, href=places[one.family]) for one in found if one.family in places]
    between: list[Node] = [part for link in links for part in (", ", link)]
    advised = [tag("p", "What to train on against ", *between[1:], ".", class_="soft")]
    return section(title, _bars(found), *(advised if links else ()), lead=lead)


def confusions(sheet: Answers, count: int) -> tuple[Confusion, Confusion]:
    """Of so many classes: on clean images, and under the benchmark's conditions."""
    hurt = answer_weights(sheet.benchmark, sheet.questions)
    return confusion(sheet, clean_weights(sheet), count), confusion(sheet, hurt, count)


def dumbbells(found: Sequence[Drop]) -> svg.Drawing:
    """Each class's recall, clean and corrupted."""
    lowest = min(min(drop.clean.low, drop.corrupted.low) for drop in found)
    names = fitted((drop.name for drop in found), _NAMES, _NAME_LINES)
    row = max(_ROW, names.height + 6)
    scale = svg.Scale(max(0.0, lowest - 0.02), 1.0, names.room + 14, _RIGHT)
    height = 18 + row * len(found)
    drawn = svg.ticks_across(scale, 14, height, 10)
    for place, drop in enumerate(found):
        y, clean, hurt = 18 + row * (place + 0.5), drop.clean, drop.corrupted
        drawn.append(
            svg.titled(
                f"{drop.name}: clean {with_range(clean)}, corrupted {with_range(hurt)}",
                names.draw(drop.name, 0, y, "label"),
                svg.across(scale(clean.low), scale(clean.high), y - 3, "cleanbar"),
                svg.across(scale(hurt.low), scale(hurt.high), y + 3, "hurtbar"),
                svg.disc(scale(clean.value), y - 3),
                svg.square(scale(hurt.value), y + 3),
                svg.text(_WIDTH, y + 4, points(-drop.lost), "cell", "end"),
            )
        )
    each = (f"{one.name} {one.clean.value:.2f} to {one.corrupted.value:.2f}" for one in found)
    return svg.Drawing(
        _WIDTH, height, f"Recall clean and corrupted: {', '.join(each)}", tuple(drawn)
    )


def matrix(
    found: Confusion, names: tuple[str, ...], kind: str, *, spreads: bool = False
) -> svg.Drawing:
    """Rows are true classes, columns answers; spreads: half of each interval is written, too.

    Columns are named as rows are: their names lean over the rows' and need no room of their own.
    """
    few = len(names) <= MOST_NUMBERED
    lettered = fitted(names, _NAMES if few else _MANY_NAMES, _NAME_LINES if few else 1, QUIET)
    lean = math.radians(_TURN)
    thick = (lettered.height + 1) / math.sin(lean)  # of a leaning name, across the columns
    size = max(_MATRIX / len(names), thick)
    left = lettered.room + 8
    top = lettered.room * math.sin(lean) + lettered.height * math.cos(lean) + 6
    drawn: list[Node] = []
    for i, name in enumerate(names):
        y = top + size * i
        drawn.append(_column(lettered, name, left + size * (i + 0.5), top - 8))
        drawn.append(lettered.draw(name, left - 6, y + size / 2, "quiet", "end"))
        drawn += [
            _share(found, names, (i, j), (left + size * j, y, size), spreads=spreads)
            for j in range(len(names))
            if found.images[i]
        ]
    side = size * len(names)
    right = (f"{n} {found.shares[i, i]:.2f} right" for i, n in enumerate(names) if found.images[i])
    said = f"Confusion, {kind}: {', '.join(right)}"
    return svg.Drawing(left + side + 4, top + side + 2, said, tuple(drawn))


def _recall(report: Evaluation, found: tuple[Drop, ...]) -> Tag:
    title = f"Recall by class{report.mark}"
    if not found:
        return section(title, paragraph("No class has both clean and corrupted images."))
    worst = listed([f"{drop.name} ({points(-drop.lost)})" for drop in found[:2]])
    lead = f"Clean to corrupted, the largest drop first: {worst} points. Lines are 95 % intervals."
    first = found if len(found) <= MOST_ROWS + 4 else found[:MOST_ROWS]
    parts: list[Node] = [svg.legend(RECALL_LEGEND), dumbbells(first)]
    if rest := found[len(first) :]:
        parts.append(folded(f"{len(rest)} more classes, which lose less", dumbbells(rest)))
    return section(title, *parts, lead=lead)


def _matrices(report: Evaluation, clean: Confusion, hurt: Confusion) -> Tag:
    names = report.source.label_names
    title = f"What is taken for what{report.mark}"
    found = mix_ups(clean, hurt, names, MOST_MIXED_UP)
    if not found:
        return section(title, paragraph("Corruption makes no mistake commoner."))
    grown = listed([f"{one.true} taken for {one.given} ({_shares(one)})" for one in found[:3]])
    lead = f"Mistakes that corruption adds most of: {grown}."
    if len(names) > MOST_DRAWN:
        many = f"{len(names)} classes are too many to draw, so these mistakes stand in a table."
        return section(title, _mistakes(found), lead=f"{lead} {many}")
    lead += (
        " A row is a true class, a column the answer; a row adds up to 1, and its framed field is "
        "right. Both have the same colours."
    )
    pair = (
        tag("div", tag("h3", kind), matrix(one, names, kind.lower()))
        for kind, one in (("Clean", clean), ("Corrupted", hurt))
    )
    return section(title, share_key(), tag("div", *pair, class_="pair"), lead=lead)


def _mistakes(found: Sequence[MixUp]) -> Tag:
    """The confusions that corruption adds, those that it adds most of first."""
    columns = ("true class", "answer", "corrupted (95 %)", "clean", "images")
    rows: Iterator[list[Cell]] = (
        [
            (tag("span", one.true), one.true.casefold()),
            (one.given, one.given.casefold()),
            (with_range(one.corrupted), one.corrupted.value),
            (f"{one.clean:.3f}", one.clean),
            (f"{one.corrupted.n:,}", one.corrupted.n),
        ]
        for one in found
    )
    title = f"The {counted(len(found), 'confusion')} that grew most, as shares of the true class"
    return sortable(title, columns, rows, "wide tall")


def _shares(one: MixUp) -> str:
    low, value, high = (
        f"{100 * v:.0f}" for v in (one.corrupted.low, one.corrupted.value, one.corrupted.high)
    )
    return f"{value} %, 95 %: {low} to {high}; clean images {100 * one.clean:.0f} %"


def _column(lettered: Names, name: str, x: float, y: float) -> Tag:
    """A name that ends above its column, read downwards."""
    y -= lettered.size * LEADING * (len(lettered.lines[name]) - 1) / 2
    turn = f"rotate({_TURN} {x:.1f} {y:.1f})"
    return lettered.draw(name, x, y, "quiet", "end", transform=turn)


def _share(
    found: Confusion,
    names: tuple[str, ...],
    at: tuple[int, int],
    box: tuple[float, float, float],
    *,
    spreads: bool,
) -> Tag:
    """One true class's share of one answer, in a box (x, y, size)."""
    (i, j), (x, y, size) = at, box
    score, own = found.scores[i][j], i == j
    step = share_step(score.value)
    inside = (x + 0.5, y + 0.5, size - 1, size - 1)
    parts: list[Node] = [svg.rectangle(*inside, f"share{step}")]
    if own:
        parts.append(svg.rectangle(*inside, "own"))
    if len(names) <= MOST_NUMBERED and (own or score.value >= 0.005):
        lines = [short_share(score.value, 0.995)]
        if spreads:
            lines.append("\u00b1" + short_share((score.high - score.low) / 2))
        for place, said in enumerate(lines):
            baseline = y + size / 2 + 4 + 12 * (place - (len(lines) - 1) / 2)
            parts.append(svg.text(x + size / 2, baseline, said, f"cell in{step}", "middle"))
    return svg.titled(
        f"{names[i]} answered as {names[j]}: {with_range(score)}, {score.n:,} images", *parts
    )


def _bars(found: Sequence[FamilyLoss]) -> svg.Drawing:
    """Points of accuracy that each family costs."""
    highest = max(loss.points.high for loss in found)
    lowest = min(0.0, *(loss.points.low for loss in found))
    names = fitted((loss.family for loss in found), _FAMILIES, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    scale = svg.Scale(lowest, highest, names.room + 12, _LOSS_RIGHT)
    height = 20 + row * len(found)
    drawn: list[Node] = [
        svg.text(_LOSS_RIGHT + 54, 11, "points", "tick", "end"),
        svg.text(_LOSS_RIGHT + 70, 11, "accuracy", "tick"),
        svg.line(scale(0), 16, scale(0), height, "axis"),
    ]
    for place, loss in enumerate(found):
        drawn.append(_bar(loss, names, scale, 18 + row * (place + 0.5)))
    each = (f"{loss.family} {points_with_range(loss.points)}" for loss in found)
    said = f"Points of accuracy lost by family: {', '.join(each)}"
    return svg.Drawing(_LOSS_WIDTH, height, said, tuple(drawn))


def _bar(loss: FamilyLoss, names: Names, scale: svg.Scale, y: float) -> Tag:
    zero, end = scale(0), scale(loss.points.value)
    lost = lost_points(loss.points.value)
    return svg.titled(
        f"{loss.family}: {points_with_range(loss.points)} lost, "
        f"accuracy {with_range(loss.accuracy)}",
        names.draw(loss.family, 0, y, "label"),
        svg.rectangle(min(zero, end), y - _ROW / 2 + 5, abs(end - zero), _ROW - 10, "bar"),
        svg.across(scale(loss.points.low), scale(loss.points.high), y, "forecast"),
        svg.text(_LOSS_RIGHT + 54, y + 4, lost, "cell", "end"),
        svg.text(_LOSS_RIGHT + 70, y + 4, f"{loss.accuracy.value:.2f}", "cell"),
    )
