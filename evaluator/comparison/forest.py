"""The forest plot of a comparison: each change with its interval, beside the line of no change."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import check_place, replacing
from evaluator.comparison.compare import Comparison, Pair
from evaluator.comparison.paired import Difference, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SUFFIXES = (".png", ".svg", ".pdf")
WIDTH, ROW, FRAME, NOTE, DPI = 8.0, 0.27, 1.15, 0.16, 100  # inches; 800 pixels wide
NOTE_LETTERS = 120  # in a line of a note
MOST_WHOLE = 4  # pairs drawn with their families: more would be a wall
# Okabe and Ito's colours; the marks tell the verdicts apart without them.
MARKS: dict[Verdict, tuple[str, str]] = {
    "better": ("#0072b2", "^"),
    "worse": ("#d55e00", "v"),
    "not resolved": ("#5f5f5f", "o"),
}


def check_plot(path: Path, submissions: int) -> None:
    """Raise `EvaluationError` or `FileError` where no plot could be made, before anything long begins."""
    if submissions < 2:
        raise EvaluationError("A forest plot needs at least two submissions.")
    if path.suffix.lower() not in SUFFIXES:
        raise EvaluationError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}.")
    check_place(path)
    if importlib.util.find_spec("matplotlib") is None:
        raise EvaluationError(
            "a plot needs matplotlib: pip install 'codabench-rehearsal[plots]' (or matplotlib)."
        )


def save_plot(comparison: Comparison, path: Path) -> None:
    """Write the forest plot. Raises `EvaluationError` or `FileError`: see `check_plot`."""
    check_plot(path, len(comparison.standings))
    from matplotlib import rc_context

    from evaluator.figures.style import fonts

    # A fixed salt and no date: the same comparison gives the same bytes.
    settings: dict[Any, Any] = {"svg.hashsalt": "forest", "svg.fonttype": "none", "font.size": 10}
    with rc_context({**settings, "font.family": fonts()}):
        figure = forest(comparison)
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        kind = path.suffix.lower()[1:]
        with replacing(path) as file:
            figure.savefig(file, format=kind, dpi=DPI, metadata=dated.get(kind))


def forest(comparison: Comparison) -> Figure:
    """A panel a pair: the benchmark, the clean images, each family. Of many pairs the benchmark only."""
    from matplotlib.figure import Figure

    panels = list(_panels(comparison))
    heights = [ROW * (len(rows) + 1) + FRAME for _, rows in panels]
    notes = [line for note in comparison.notes for line in textwrap.wrap(note, NOTE_LETTERS)]
    figure = Figure(figsize=(WIDTH, sum(heights) + NOTE * len(notes)), layout="constrained")
    if notes:  # a plot travels alone: what qualifies its figures goes along
        text = "\n".join(notes).replace("$", r"\$")
        figure.suptitle(text, fontsize=9, x=0.01, ha="left", color="#8a4b00")
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=heights)
    for axis, (title, rows) in zip(axes[:, 0], panels, strict=True):
        _draw(axis, title, rows)
    axes[-1, 0].set_xlabel(
        "← worse    change of accuracy in points, with its 95 % interval    better →"
    )
    _legend(figure, {one.verdict for _, rows in panels for one in rows.values()})
    return figure


def _panels(comparison: Comparison) -> Iterator[tuple[str, dict[str, Difference]]]:
    pairs = comparison.pairs
    if len(pairs) > MOST_WHOLE:
        changes = {_short(pair.name): pair.benchmark for pair in pairs}
        yield f"benchmark accuracy less that of {_short(pairs[0].base, 40)}", changes
        return
    for pair in pairs:
        yield f"{_short(pair.name, 40)} less {_short(pair.base, 40)}", _rows(pair)


def _rows(pair: Pair) -> dict[str, Difference]:
    """The families by their change, the best first."""
    families = sorted(pair.families, key=lambda one: -one.change.value)
    return {one.name: one for one in (pair.benchmark, pair.clean, *families)}


def _draw(axis: Axes, title: str, rows: dict[str, Difference]) -> None:
    axis.axvline(0, color="black", linewidth=1)
    for place, (name, one) in enumerate(rows.items()):
        colour, mark = MARKS[one.verdict]
        low, value, high = (100 * v for v in (one.change.low, one.change.value, one.change.high))
        whole = name == "benchmark"
        axis.plot([low, high], [place, place], color=colour, linewidth=3.2 if whole else 1.8)
        axis.plot(value, place, mark, color=colour, markersize=10 if whole else 7)
        axis.annotate(
            f"{value:+.1f}", (1.01, place), xycoords=("axes fraction", "data"), va="center",
            fontweight="bold" if whole else "normal", annotation_clip=False,
        )  # fmt: skip
    if "benchmark" in rows and len(rows) > 2:
        axis.axhline(1.5, color="#bbbbbb", linewidth=0.8)  # overall figures above, families below
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_title(title, loc="left", fontsize=11)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _legend(figure: Figure, verdicts: set[Verdict]) -> None:
    from matplotlib.lines import Line2D

    lines: list[Any] = [
        Line2D([], [], color=colour, marker=mark, label=verdict, linewidth=1.8)
        for verdict, (colour, mark) in MARKS.items()
        if verdict in verdicts
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)


def _short(name: str, most: int = 28) -> str:
    """A name that leaves room for the plot, and that matplotlib takes for no formula."""
    cut = name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
    return cut.replace("$", r"\$")
