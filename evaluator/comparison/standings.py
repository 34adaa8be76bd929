"""A comparison as plain data, and how it is shown: as text, JSON, HTML, and as a forest plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import check_place
from codabench_rehearsal.console.words import as_json
from evaluator.comparison.paired import ALPHA, Difference, Verdict
from evaluator.metrics import Score
from evaluator.report import svg
from evaluator.report.figures import Figure, check_suffix, composed
from evaluator.report.lettering import Names, fitted
from evaluator.report.markup import Node, paragraph, table, tag
from evaluator.report.report import score_document
from evaluator.report.terminal import text_table, to_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
_STYLES = {"better": "bold green", "worse": "bold red", "not resolved": "dim"}
_COLUMNS = ("", "change (95 % interval)", "p (Holm)", "detectable", "verdict")
_STANDING_COLUMNS = ("", "clean", "benchmark", "damaged less clean")
_LEGEND = (
    "Changes in points (hundredths). Detectable: the true change that so many images resolve 8 "
    "times in 10. Holm: corrected for judging several rows."
)
_WIDTH, _RIGHT, _ROW, _TOP = 768, 700, 26, 8  # a panel 32 units narrower than the plot
_NAMES, _NAME_LINES = 240, 3  # the most room that names take
_MOST_WHOLE = 4  # pairs drawn with their families: more would be a wall
# Okabe and Ito's colours; the marks tell the verdicts apart without them.
_COLOURS: dict[Verdict, str] = {"better": "#0072b2", "worse": "#d55e00", "not resolved": "#5f5f5f"}
_TITLE = "Change of accuracy in points, with its 95 % interval (\u2190 worse, better \u2192)"
_Rows = Sequence[tuple[str, Difference]]


@dataclass(frozen=True)
class Standing:
    """One submission: its accuracies, and gap: the benchmark's held against the clean images'."""

    name: str
    sha256: str
    clean: Score
    benchmark: Score
    gap: Difference


@dataclass(frozen=True)
class Pair:
    """A submission held against the first one; a change above 0: it is better."""

    base: str
    name: str
    benchmark: Difference
    clean: Difference
    families: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    images: base images. answers: of each submission. notes: sentences that qualify the figures.
    """

    preset: str
    data: str
    seed: int
    images: int
    answers: int
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return to_text(_parts(self))

    def _repr_html_(self) -> str:
        return _html(self)

    def to_json(self) -> str:
        """The comparison as JSON (docs/comparing.md)."""
        return as_json(
            {
                "schema": SCHEMA,
                "preset": self.preset,
                "data": self.data,
                "seed": self.seed,
                "images": self.images,
                "answers": self.answers,
                "submissions": [_standing_document(one) for one in self.standings],
                "pairs": [_pair_document(pair) for pair in self.pairs],
                "notes": list(self.notes),
            }
        )


def show(comparison: Comparison, console: Console) -> None:
    """Print the comparison."""
    for part in _parts(comparison):
        console.print(part)


def sentence(what: str, one: Difference) -> str:
    """The verdict in words, with its uncertainty and what would have been seen."""
    seen = f"95 % interval {_range(one.change)}, p {_chance(one.adjusted, '= ')}"
    detectable = f"{100 * one.detectable:.1f}"
    if one.verdict == "not resolved":
        return (
            f"{what}: not resolved (change {_points(one.change.value)} points, {seen}). So many "
            f"images resolve a true difference of {detectable} points 8 times in 10."
        )
    return (
        f"{what}: {one.verdict}, change {_points(one.change.value)} points ({seen}; differences "
        f"from {detectable} on are resolved 8 times in 10)."
    )


def difference_document(one: Difference) -> dict[str, Any]:
    """A difference for JSON."""
    return {
        "from": one.base,
        "to": one.other,
        "change": one.change.value,
        "interval": [one.change.low, one.change.high],
        "n": one.change.n,
        "p": one.p,
        "p_holm": one.adjusted,
        "detectable": one.detectable,
        "verdict": one.verdict,
    }


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


def _first_line(found: Comparison) -> str:
    """What was compared on what."""
    return (
        f"{found.images:,} base images of {found.data}, preset {found.preset!r}, seed "
        f"{found.seed}: {found.answers:,} answers of each submission."
    )


def _sentences(found: Comparison) -> list[tuple[str, Verdict]]:
    """One for each pair; for one submission alone, its benchmark against its clean images."""
    pairs = [(f"{pair.name} against {pair.base}", pair.benchmark) for pair in found.pairs]
    alone = [(f"{one.name}, damaged against clean", one.gap) for one in found.standings]
    return [(sentence(what, change), change.verdict) for what, change in pairs or alone]


def _tables(found: Comparison) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Title, columns and rows: of the submissions, then of each pair."""
    standings = [_standing_row(one) for one in found.standings]
    yield "Accuracy with its 95 % interval", _STANDING_COLUMNS, standings
    for pair in found.pairs:
        rows = [_row(one) for one in (pair.benchmark, pair.clean, *pair.families)]
        yield f"{pair.name} less {pair.base}", _COLUMNS, rows


def _parts(found: Comparison) -> Iterator[RenderableType]:
    from rich.text import Text

    for note in found.notes:  # first: they say how far to trust what follows
        yield Text(note, "yellow")
    yield Text(_first_line(found))
    yield Text("")
    for said, verdict in _sentences(found):
        yield Text(said, _STYLES[verdict])
    yield Text("")
    for title, columns, rows in _tables(found):
        left = ("", "verdict")
        yield text_table(Text(title), columns, rows, left=left, styles=_STYLES, overflow="fold")
    yield Text(_LEGEND, "dim")


def _html(found: Comparison) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    said = (*found.notes, _first_line(found), *(said for said, _ in _sentences(found)))
    tables = (
        table(title, columns, [[_broken(value) for value in row] for row in rows])
        for title, columns, rows in _tables(found)
    )
    parts = (*map(paragraph, said), *tables, paragraph(_LEGEND))
    return str(tag("div", *parts, class_="comparison"))


def _broken(value: str) -> Node:
    first, *rest = value.split("\n")
    return tag("span", first, *(node for more in rest for node in (tag("br"), more)))


def _row(one: Difference) -> list[str]:
    change = f"{_points(one.change.value)} ({_range(one.change)})"
    detectable = f"{100 * one.detectable:.1f}"
    return [one.name, change, _chance(one.adjusted), detectable, one.verdict]


def _standing_row(one: Standing) -> list[str]:
    clean, damaged = (
        f"{score.value:.3f}\n{score.low:.3f} to {score.high:.3f}"
        for score in (one.clean, one.benchmark)
    )
    gap = one.gap.change
    return [one.name, clean, damaged, f"{_points(gap.value)} points\n{_range(gap)}"]


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # + 0.0: no "-0.0"


def _range(score: Score) -> str:
    return f"{_points(score.low)} to {_points(score.high)}"


def _chance(p: float, equal: str = "") -> str:
    """A p-value, in three digits."""
    return "< 0.001" if p < 0.001 else f"{equal}{p:.3f}"


def _standing_document(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "sha256": one.sha256,
        "clean": score_document(one.clean),
        "benchmark": score_document(one.benchmark),
        "gap": difference_document(one.gap),
    }


def _pair_document(pair: Pair) -> dict[str, Any]:
    return {
        "base": pair.base,
        "submission": pair.name,
        "alpha": ALPHA,
        "benchmark": difference_document(pair.benchmark),
        "clean": difference_document(pair.clean),
        "families": {one.name: difference_document(one) for one in pair.families},
    }


def _panels(pairs: Sequence[Pair]) -> list[tuple[str, _Rows]]:
    if len(pairs) > _MOST_WHOLE:
        title = f"benchmark accuracy less that of {pairs[0].base}"
        return [(title, [(pair.name, pair.benchmark) for pair in pairs])]
    panels: list[tuple[str, _Rows]] = []
    for pair in pairs:
        families = sorted(pair.families, key=lambda one: -one.change.value)  # the best first
        rows = [(one.name, one) for one in (pair.benchmark, pair.clean, *families)]
        panels.append((f"{pair.name} less {pair.base}", rows))
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
    said = ", ".join(f"{name} {_points(one.change.value)} points" for name, one in rows)
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
        svg.text(_WIDTH, y + 4, _points(one.change.value), "strong" if whole else "cell", "end"),
    ]


def _mark(x: float, y: float, verdict: Verdict, size: float) -> Node:
    """A triangle up or down, or a disc."""
    colour = _COLOURS[verdict]
    if verdict == "not resolved":
        return tag("circle", cx=x, cy=y, r=size, fill=colour)
    tip = -size if verdict == "better" else size
    corners = [(x - size, y - tip), (x + size, y - tip), (x, y + tip)]
    return tag("g", svg.path(corners, "", closed=True), fill=colour)
