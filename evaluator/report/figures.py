"""`report.figure("heatmap")`: the page's drawings for slides and papers, each as one SVG or PNG."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import write_bytes
from evaluator.answers import Answers, curves, drops, grid
from evaluator.report import svg
from evaluator.report.card import forecast_strip
from evaluator.report.classes import MOST_DRAWN, RECALL_LEGEND, confusions, dumbbells, matrix
from evaluator.report.evaluation import Evaluation
from evaluator.report.expected import evidence, headline, otherwise
from evaluator.report.frames import held, searched
from evaluator.report.gallery import NOTHING, pairs, picks
from evaluator.report.grid import curve_charts, heat_maps
from evaluator.report.lettering import LABEL, in_lines, width_of, wrapped
from evaluator.report.markup import Node, escaped, tag
from evaluator.report.past_scores import bias, places, scatter_legend, score_chart
from evaluator.report.robustness import falling, of_relative, of_search, of_slices
from evaluator.report.robustness_page import (
    RATIO_LEGEND,
    SLICE_LEGEND,
    bars,
    ratios,
    slice_marks,
)
from evaluator.report.svg import LIGHT, figure_style

SUFFIXES = (".svg", ".png")
_FAMILY = "'DejaVu Sans', 'Noto Sans', sans-serif"  # the first comes with matplotlib
_EDGE, _GAP, _LEAST = 16, 20, 240  # units around and between drawings, and of the least width
_TITLE = 14.0  # font size
_ZOOM = 2.0  # pixels of a PNG for a unit


@dataclass(frozen=True)
class Figure:
    """A drawing that stands alone, in light colours: a notebook shows it, `save` writes it.

    width, height: in units, CSS pixels at its natural size.
    """

    width: int
    height: int
    svg: str

    def __repr__(self) -> str:
        return f"Figure of {self.width} x {self.height}: .save('figure.svg') writes it"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_png_(self) -> bytes | None:
        """For notebooks that nobody has trusted, which show no SVG; None without a renderer."""
        return self.to_png() if find_spec("resvg_py") else None

    def save(self, path: str | Path, *, zoom: float = _ZOOM) -> None:
        """Write it whole or not at all: as text for `.svg`, in `zoom` pixels a unit for `.png`.

        Raises `EvaluationError` for another ending, and for `.png` without a renderer; `FileError`
        where the system refuses.
        """
        place = Path(path)
        check_suffix(place)
        png = place.suffix.lower() == ".png"
        write_bytes(place, self.to_png(zoom) if png else self.svg.encode())

    def to_png(self, zoom: float = _ZOOM) -> bytes:
        """As PNG, `zoom` pixels a unit. Raises `EvaluationError` without a renderer."""
        drawn = renderer().svg_to_bytes(svg_string=self.svg, zoom=zoom, font_dirs=_fonts())
        return bytes(drawn)


def check_suffix(path: Path) -> None:
    """Raise `EvaluationError` for a file that no figure can be written into."""
    if path.suffix.lower() not in SUFFIXES:
        raise EvaluationError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".png":
        renderer()


def renderer() -> Any:
    """resvg, which draws SVG into pixels. Raises `EvaluationError` where it is not installed."""
    try:
        return importlib.import_module("resvg_py")
    except ImportError:
        raise EvaluationError(
            "A PNG needs a renderer: pip install 'codabench-rehearsal[plots]'. An .svg needs none."
        ) from None


def known(name: str, names: Sequence[str], kind: str) -> None:
    """Raise `EvaluationError` for a name that is none of these."""
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EvaluationError(f"No {kind} {name!r}: expected one of {', '.join(names)}.{hint}")


def report_figure(report: Evaluation, name: str) -> Figure:
    """One figure. Raises `EvaluationError` for an unknown name, and for what the report lacks."""
    known(name, tuple(FIGURES), "figure")
    return FIGURES[name](report)


def composed(
    title: str,
    drawings: Sequence[tuple[str, svg.Drawing]],
    *,
    columns: int = 1,
    key: svg.Legend = (),
    notes: Iterable[str] = (),
) -> Figure:
    """Drawings below their headings ("" for none), so many in a row, as one."""
    wide = max(drawing.width for _, drawing in drawings)
    columns = min(columns, len(drawings))
    inside = max(columns * (wide + _GAP) - _GAP, _LEAST)
    nodes: list[Node] = []
    y = float(_EDGE)
    for said, size, class_ in (
        (title, _TITLE, "strong"),
        *((note, LABEL, "quiet") for note in notes),
    ):
        for part in in_lines(said, inside, size, bold=class_ == "strong"):
            y += 1.3 * size
            style = f"font-size:{escaped(size)}px"
            nodes.append(tag("text", part, x=_EDGE, y=y, class_=class_, style=style))
    ends = [_legend(key, y + 10, inside, nodes) + 14] * columns
    for name, drawing in drawings:
        column = ends.index(min(ends))
        x, y = _EDGE + column * (wide + _GAP), ends[column]
        if name:
            heading = wrapped(name, wide, 1, LABEL, bold=True)[0]
            nodes.append(svg.text(x, y + 11, heading, "strong"))
        nodes.append(drawing.at(x, y + (18 if name else 0)))
        ends[column] = y + (18 if name else 0) + drawing.height + _GAP
    spoken = "; ".join(f"{name} {one.said}".strip() for name, one in drawings)
    height = round(max(ends) - _GAP + _EDGE)
    return _figure(round(inside + 2 * _EDGE), height, f"{title}. {spoken}", nodes)


def _legend(key: svg.Legend, y: float, room: float, nodes: list[Node]) -> float:
    """Marks and their names from left to right; returns where they end."""
    x = float(_EDGE)
    for mark, name in key:
        width = 24 + width_of(name, LABEL) + 14
        if x > _EDGE and x + width > room + _EDGE:
            x, y = float(_EDGE), y + 18
        nodes.append(tag("g", mark, transform=f"translate({escaped(x)} {escaped(y)})"))
        nodes.append(svg.text(x + 24, y + 11, name, "quiet"))
        x += width
    return y + 14 if key else y - 10


def _figure(width: int, height: int, said: str, nodes: Iterable[Node]) -> Figure:
    inner = tag("svg", tag("rect", width=width, height=height, fill=LIGHT["card"]), *nodes)
    outer = tag(
        "svg",
        tag("title", said),
        figure_style(),
        inner,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        class_="rehearsal-figure",
        role="img",
        aria_label=said,
        font_family=_FAMILY,
    )
    return Figure(width, height, str(outer))


def _fonts() -> list[str]:
    """Matplotlib brings DejaVu Sans: without any font in the system, letters would be missing."""
    found = find_spec("matplotlib")
    place = Path(found.origin or "").parent / "mpl-data" / "fonts" / "ttf" if found else Path()
    return [str(place)] if found and place.is_dir() else []


def _answers(report: Evaluation) -> Answers:
    if report.sheet is None:
        raise EvaluationError(
            "This report holds no answers to draw: the submission did not answer. Its findings say "
            "why."
        )
    return report.sheet


def _heatmap(report: Evaluation) -> Figure:
    rows = grid((report.library, report.sheet, report.sweep))
    if not rows:
        raise EvaluationError("No corruption was run alone in this report: sweep=True runs 19.")
    title = "Accuracy by corruption and severity (\u00b1 half of the 95 % interval)"
    return composed(title, list(heat_maps(rows, spreads=True).items()), columns=2)


def _curves(report: Evaluation) -> Figure:
    rows = curves(grid((report.library, report.sheet, report.sweep)))
    if not rows:
        raise EvaluationError(
            "No corruption was run at three severities or more: sweep=True runs 19 at all five."
        )
    charts = [("", chart) for chart in curve_charts(report, rows)]
    return composed("Accuracy by severity (band: 95 %; dashed: clean)", charts, columns=5)


def _scatter(report: Evaluation) -> Figure:
    found = places(report)
    if not found:
        raise EvaluationError(
            "Nothing to compare: no past score is recorded and no estimate was made. "
            'rehearsal.record("ZIP", "0.89")'
        )
    title, notes = "Local figures and the leaderboard", [bias(found)]
    return composed(title, [("", score_chart(found))], key=scatter_legend(found), notes=notes)


def _confusion(report: Evaluation) -> Figure:
    sheet, names = _answers(report), report.source.label_names
    if len(names) > MOST_DRAWN:
        raise EvaluationError(f"{len(names)} classes are too many for a matrix of {MOST_DRAWN}.")
    both = zip(("clean", "corrupted"), confusions(sheet, len(names)), strict=True)
    drawn = [(kind, matrix(found, names, kind, spreads=True)) for kind, found in both]
    title = "Shares of the answers by true class (\u00b1 half of the 95 % interval)"
    return composed(title, drawn, columns=2)


def _recall(report: Evaluation) -> Figure:
    sheet, names = _answers(report), report.source.label_names
    found = drops(*confusions(sheet, len(names)), names)
    if not found:
        raise EvaluationError("No class has both clean and corrupted images.")
    title = "Recall by class with 95 % intervals"
    return composed(title, [("", dumbbells(found))], key=RECALL_LEGEND)


def _gallery(report: Evaluation) -> Figure:
    found = picks(_answers(report))
    if not found:
        raise EvaluationError(f"{NOTHING}: nothing to show.")
    drawn = [("", pair) for pair in pairs(found, report.source.label_names)]
    return composed("Right when clean, wrong when corrupted: truth \u2192 answer", drawn, columns=4)


def _estimate(report: Evaluation) -> Figure:
    found, scores = report.estimate, report.scores
    if found is None or scores is None:
        raise EvaluationError("No estimate was made in this run, so there is none to draw.")
    notes = [headline(found, scores), *otherwise(found), *evidence(found)]
    drawn = [("", forecast_strip(found, scores))]
    return composed("Expected hidden score", drawn, notes=notes)


def _until(report: Evaluation) -> Figure:
    found = searched(report)
    said = of_search(found, report.mark)
    if not falling(found):
        raise EvaluationError(said.note)
    return composed(said.title, [("", bars(found))], notes=[said.note])


def _slices(report: Evaluation) -> Figure:
    said = of_slices(report.slices, report.mark)
    if not report.slices:
        raise EvaluationError(said.note)
    return composed(
        said.title, [("", slice_marks(report.slices))], key=SLICE_LEGEND, notes=[said.note]
    )


def _relative(report: Evaluation) -> Figure:
    found = held(report)
    said = of_relative(found, report.mark)
    if found.mean is None:
        raise EvaluationError(said.note)
    return composed(said.title, [("", ratios(found))], key=RATIO_LEGEND, notes=[said.note])


FIGURES: Mapping[str, Callable[[Evaluation], Figure]] = {
    "heatmap": _heatmap,
    "scatter": _scatter,
    "curves": _curves,
    "confusion": _confusion,
    "recall": _recall,
    "gallery": _gallery,
    "estimate": _estimate,
    "until": _until,
    "slices": _slices,
    "relative": _relative,
}
