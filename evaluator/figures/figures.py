"""`Report.figure("heatmap")`: the page's figures for slides and papers, drawn by matplotlib."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.report.result import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("heatmap", "scatter", "curves", "confusion", "recall", "gallery")  # modules beside this


def figure(report: Report, name: str) -> Figure:
    """One figure, not shown and not in pyplot's list: a notebook displays it, `savefig` writes it.

    Raises `EvaluationError` for an unknown name, without matplotlib, and where the report lacks
    what the figure shows.
    """
    if name not in FIGURES:
        near = difflib.get_close_matches(str(name), FIGURES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EvaluationError(f"No figure {name!r}: expected one of {', '.join(FIGURES)}.{hint}")
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise EvaluationError(
            'Figures need matplotlib: pip install "codabench-rehearsal[plots]". The page '
            "report.html shows the same without it."
        ) from None
    module = importlib.import_module(f"evaluator.figures.{name}")
    from matplotlib import rc_context

    from evaluator.figures.style import style

    with rc_context(style()):
        drawn: Figure = module.draw(report)
    return drawn
