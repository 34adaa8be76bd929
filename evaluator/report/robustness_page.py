"""The page's sections on severities, slices and a reference: `robustness`, with their drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codabench_rehearsal.console.words import listed
from evaluator.relative import Ratio, Relative
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import Names, fitted
from evaluator.report.markup import Node, Tag, folded, paragraph, section, table, tag, with_range
from evaluator.report.robustness import (
    Listing,
    falling,
    named_ratios,
    never_below,
    of_relative,
    of_search,
    of_slices,
    search_note,
    severity_text,
    slice_name,
)
from evaluator.severity import Search, Threshold
from evaluator.slices import Held, Slice

SLICE_LEGEND: svg.Legend = (
    (svg.disc(9, 7), "clean"),
    (svg.square(9, 7), "corrupted"),
    (svg.line(9, 0, 9, 14, "axis"), "all other images"),
)
RATIO_LEGEND: svg.Legend = (
    (svg.square(9, 7), "a corruption, with 95 %"),
    (svg.disc(9, 7), "clean images"),
    (svg.diamond(9, 7), "mean"),
    (svg.line(9, 0, 9, 14, "axis"), "1: it errs as often"),
)
_WIDTH, _LEFT_MOST, _RIGHT, _ROW = 420, 150, 354, 22
_NAME_LINES = 3
_SLICE_WIDTH, _SLICE_NAMES, _SLICE_RIGHT = 470, 190, 404
_SHOWN = 14  # ratios on the page; a table has them all
_MOST = 5.0  # times the reference's errors that are drawn; further ones end at the edge


def robustness(report: Evaluation) -> Iterator[tuple[str, str, Tag]]:
    """The sections, as far as there is something to show: place, name, and what it shows."""
    mark = report.mark
    if report.search is not None:
        yield "until", "Severities", _search_section(report.search, mark)
    yield "slices", "Kinds of images", _drawn(of_slices(report.slices, mark), report.slices)
    if report.relative is not None:
        found = report.relative
        yield "relative", "Reference", _drawn(of_relative(found, mark), found)


def _drawn(said: Listing, found: tuple[Slice, ...] | Relative) -> Tag:
    """A drawing, with its table folded away."""
    if not said.rows:
        return section(said.title, paragraph(said.note))
    drawn = ratios(found, _SHOWN) if isinstance(found, Relative) else slice_marks(found)
    key = RATIO_LEGEND if isinstance(found, Relative) else SLICE_LEGEND
    shown = folded("All figures in a table", table(said.title, said.columns, said.rows, "wide"))
    return section(said.title, svg.legend(key), drawn, shown, lead=said.note)


def _search_section(found: Search, mark: str) -> Tag:
    said = of_search(found, mark)
    if not found.found:
        return section(said.title, paragraph(said.note))
    below = falling(found)
    never = never_below(found, len(found.found))
    if not below:
        return section(said.title, lead=f"{never} {search_note(found)}")
    soon = listed([f"{one.name} ({severity_text(one)})" for one in below[:3]])
    notes = [tag("li", f"{one.name}: {one.note}") for one in below if one.note]
    more: list[Node] = [tag("ul", *notes, class_="soft")] if notes else []
    lead = f"Soonest: {soon}. {search_note(found)} The line is the 95 % interval."
    rest = [paragraph(never)] if never else []
    return section(said.title, bars(found), *more, *rest, lead=lead)


def bars(found: Search) -> svg.Drawing:
    """A bar a corruption, from severity 1 to where accuracy falls below the figure, if it does."""
    below = falling(found)
    names = fitted((one.name for one in below), _LEFT_MOST, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    scale = svg.Scale(1, 5, names.room + 12, _RIGHT)
    height = 22 + row * len(below)
    drawn: list[Node] = []
    for level in range(1, 6):
        drawn.append(svg.line(scale(level), 16, scale(level), height, "grid"))
        drawn.append(svg.text(scale(level), 11, str(level), "tick", "middle"))
    for place, one in enumerate(below):
        drawn.append(_bar(one, names, scale, 20 + row * (place + 0.5)))
    each = (f"{one.name} {severity_text(one)}" for one in below)
    said = f"Severity at which accuracy falls below {found.accuracy:g}: {', '.join(each)}"
    return svg.Drawing(_WIDTH, height, said, tuple(drawn))


def _bar(one: Threshold, names: Names, scale: svg.Scale, y: float) -> Tag:
    start, end = scale(1), scale(one.severity)
    measured = ", ".join(f"{at:g}: {score.value:.3f}" for at, score in one.points.items())
    return svg.titled(
        f"{one.name}: {severity_text(one)}; accuracy by severity {measured}",
        names.draw(one.name, 0, y, "label"),
        svg.rectangle(start, y - _ROW / 2 + 4, end - start, _ROW - 8, "bar"),
        svg.across(scale(one.low), scale(one.high), y, "forecast"),
        svg.text(_RIGHT + 14, y + 4, severity_text(one), "cell"),
    )


def slice_marks(found: Sequence[Slice]) -> svg.Drawing:
    """Accuracy of each slice, clean and corrupted, with ticks where all other images lie."""
    names = fitted(map(slice_name, found), _SLICE_NAMES, _NAME_LINES)
    row = max(_ROW + 4, names.height + 6)
    ends = [end for one in found for side in (one.clean, one.benchmark) for end in _ends(side)]
    scale = svg.around(ends, names.room + 14, _SLICE_RIGHT)
    height = 18 + row * len(found)
    drawn = svg.ticks_across(scale, 14, height, 10)
    for place, one in enumerate(found):
        drawn.append(_slice(one, names, scale, 18 + row * (place + 0.5)))
    each = (f"{slice_name(one)} {one.benchmark.accuracy.value:.2f}" for one in found)
    return svg.Drawing(_SLICE_WIDTH, height, f"Benchmark accuracy: {', '.join(each)}", tuple(drawn))


def _ends(side: Held) -> tuple[float, float, float]:
    return side.accuracy.low, side.accuracy.high, side.rest


def _slice(one: Slice, names: Names, scale: svg.Scale, y: float) -> Tag:
    clean, hurt, name = one.clean, one.benchmark, slice_name(one)
    return svg.titled(
        f"{name}, {one.images:,} images: clean {with_range(clean.accuracy)}, others "
        f"{clean.rest:.3f}; corrupted {with_range(hurt.accuracy)}, others {hurt.rest:.3f}",
        names.draw(name, 0, y, "label"),
        *(
            svg.line(scale(side.rest), y - 8, scale(side.rest), y + 8, "axis")
            for side in (clean, hurt)
        ),
        svg.across(scale(clean.accuracy.low), scale(clean.accuracy.high), y - 3, "cleanbar"),
        svg.across(scale(hurt.accuracy.low), scale(hurt.accuracy.high), y + 3, "hurtbar"),
        svg.disc(scale(clean.accuracy.value), y - 3),
        svg.square(scale(hurt.accuracy.value), y + 3),
        svg.text(_SLICE_RIGHT + 14, y + 4, "worse *" if one.worse else "", "cell"),
    )


def ratios(found: Relative, most: int | None = None) -> svg.Drawing:
    """Errors over the reference's, the mean first, with the line where both err alike.

    most: rows that are drawn, the largest ratios; all when left out.
    """
    shown = named_ratios(found)[:most]
    names = fitted((name for name, _ in shown), _LEFT_MOST, _NAME_LINES)
    row = max(_ROW, names.height + 4)
    furthest = max(1.2, *(min(one.high, _MOST) for _, one in shown))
    scale = svg.Scale(0, furthest, names.room + 14, _RIGHT)
    height = 18 + row * len(shown)
    drawn = svg.ticks_across(scale, 14, height, 10)
    drawn.append(svg.line(scale(1), 14, scale(1), height, "axis"))
    for place, (name, one) in enumerate(shown):
        drawn.append(_ratio(name, one, found, names, scale, 18 + row * (place + 0.5)))
    each = (f"{name} {one.value:.2f}" for name, one in shown)
    said = f"Errors relative to {found.reference}: {', '.join(each)}"
    return svg.Drawing(_WIDTH, height, said, tuple(drawn))


def _ratio(name: str, one: Ratio, found: Relative, names: Names, scale: svg.Scale, y: float) -> Tag:
    mark, bar = svg.square, "hurtbar"
    if one is found.mean:
        mark, bar = svg.diamond, "forecast"
    elif one is found.clean:
        mark, bar = svg.disc, "cleanbar"
    return svg.titled(
        f"{name}: {one.value:.2f} ({one.low:.2f} to {one.high:.2f}), error {one.error:.3f}, "
        f"reference {one.reference:.3f}",
        names.draw(name, 0, y, "label"),
        svg.across(scale(one.low), scale(one.high), y, bar),
        mark(scale(one.value), y),
        svg.text(_RIGHT + 14, y + 4, f"{one.value:.2f}", "cell"),
    )
