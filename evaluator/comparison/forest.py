"""The forest plot of a comparison: each change with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import check_place
from evaluator.comparison.paired import Difference, Verdict
from evaluator.comparison.standings import Comparison, Pair, in_points
from evaluator.report import svg
from evaluator.report.figures import Figure, check_suffix, composed
from evaluator.report.lettering import Names, fitted
from evaluator.report.markup import Node, tag

_WIDTH, _RIGHT, _ROW, _TOP = 768, 700, 26, 8  # a panel 32 units narrower than the plot
_NAMES, _NAME_LINES = 240, 3  # the most room that names take
_MOST_WHOLE = 4  # pairs drawn with their families: more would be a wall
# Okabe and Ito's colours; the marks tell the verdicts apart without them.
_COLOURS: dict[Verdict, str] = {"better": "#0072b2", "worse": "#d55e00", "not resolved": "#5f5f5f"}
_TITLE = "Change of accuracy in points, with its 95 % interval (\u2190 worse, better \u2192)"
_Rows = Sequence[tuple[str, Difference]]


def check_plot(path: Path, submissions: int) -> None:
    """Raise `EvaluationError` or `FileError` where no plot could be made, before the asking."""
    if submissions < 2:
        raise EvaluationError("A forest plot needs at least two submissions.")
    check_suffix(path)
    check_place(path)


def save_plot(comparison: Comparison, path: Path) -> None:
    """Write the forest plot, a PNG 800 pixels wide. Raises as `check_plot` does."""
    check_plot(path, len(comparison.standings))
    forest(comparison).save(path, zoom=1)


def forest(comparison: Comparison) -> Figure:
    """A panel a pair: benchmark, clean images, each family; of many pairs the benchmark only."""
    panels = _panels(comparison.pairs)
    rows = [row for _, panel in panels for row in panel]
    names = fitted((name for name, _ in rows), _NAMES, _NAME_LINES)
    ends = [end for _, one in rows for end in (one.change.low, one.change.high)]
    scale = svg.Scale(min(0.0, *ends), max(0.0, *ends), names.room + 16, _RIGHT)
    key = tuple(
        (_mark(9, 7, verdict, 4.0), verdict)
        for verdict in _COLOURS
        if any(one.verdict == verdict for _, one in rows)
    )
    drawn = [(title, _panel(panel, names, scale)) for title, panel in panels]
    # A plot travels alone: what qualifies its figures goes along.
    return composed(_TITLE, drawn, key=key, notes=comparison.notes)


def _panels(pairs: Sequence[Pair]) -> list[tuple[str, _Rows]]:
    if len(pairs) > _MOST_WHOLE:
        title = f"benchmark accuracy minus that of {pairs[0].base}"
        return [(title, [(pair.name, pair.benchmark) for pair in pairs])]
    panels: list[tuple[str, _Rows]] = []
    for pair in pairs:
        families = sorted(pair.families, key=lambda one: -one.change.value)  # the best first
        rows = [(one.name, one) for one in (pair.benchmark, pair.clean, *families)]
        panels.append((f"{pair.name} minus {pair.base}", rows))
    return panels


def _panel(rows: _Rows, names: Names, scale: svg.Scale) -> svg.Drawing:
    high = max(_ROW, names.height + 6)
    bottom = _TOP + high * len(rows)
    drawn = svg.ticks_across(scale, _TOP, bottom, bottom + 14, _tick)
    drawn.append(svg.line(scale(0), _TOP, scale(0), bottom, "axis"))
    if rows[0][0] == "benchmark" and len(rows) > 2:  # overall figures above, families below
        drawn.append(svg.line(0, _TOP + 2 * high, _WIDTH, _TOP + 2 * high, "grid"))
    for place, (name, one) in enumerate(rows):
        drawn += _change(name, one, names, scale, _TOP + high * (place + 0.5))
    said = ", ".join(f"{name} {in_points(one.change.value)} points" for name, one in rows)
    return svg.Drawing(_WIDTH, bottom + 18, said, tuple(drawn))


def _tick(share: float) -> str:
    return f"{100 * share:+.3g}" if share else "0"


def _change(name: str, one: Difference, names: Names, scale: svg.Scale, y: float) -> list[Node]:
    whole = name == "benchmark"
    low, value, high = (scale(v) for v in (one.change.low, one.change.value, one.change.high))
    colour = _COLOURS[one.verdict]
    return [
        names.draw(name, 0, y, "label"),
        tag("line", x1=low, y1=y, x2=high, y2=y, stroke=colour, stroke_width=3.2 if whole else 1.8),
        _mark(value, y, one.verdict, 6.0 if whole else 4.5),
        svg.text(_WIDTH, y + 4, in_points(one.change.value), "strong" if whole else "cell", "end"),
    ]


def _mark(x: float, y: float, verdict: Verdict, size: float) -> Node:
    """A triangle up or down, or a disc."""
    colour = _COLOURS[verdict]
    if verdict == "not resolved":
        return tag("circle", cx=x, cy=y, r=size, fill=colour)
    tip = -size if verdict == "better" else size
    corners = [(x - size, y - tip), (x + size, y - tip), (x, y + tip)]
    return tag("g", svg.path(corners, "", closed=True), fill=colour)
