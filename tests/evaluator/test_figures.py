"""Figures by matplotlib: each draws what the page shows, and says what it lacks."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import grid
from evaluator.figures.figures import FIGURES, figure
from evaluator.report.colors import LIGHT_HEAT, heat_step
from tests.evaluator import pages


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_draws(name: str) -> None:
    """Else Report.figure would fail in front of the reader."""
    drawn = figure(pages.small_report(), name)
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=60)
    with Image.open(out) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 50, "an empty canvas has one colour"


def test_the_map_has_the_pages_figures_and_colours() -> None:
    """Else a slide would show other accuracies than the page."""
    report = pages.small_report()
    drawn = figure(report, "heatmap")
    texts = {text.get_text() for axes in drawn.axes for text in axes.texts}
    fills = {to_hex(patch.get_facecolor()) for axes in drawn.axes for patch in axes.patches}
    for row in grid((report.library, report.sheet, report.sweep)):
        for score in row.by_severity.values():
            assert f"{score.value:.2f} \u00b1{(score.high - score.low) / 2:.2f}" in texts
            assert LIGHT_HEAT[heat_step(score.value)][0] in fills


def test_no_figure_stays_open() -> None:
    """Else twenty figures in a notebook would warn and eat memory."""
    from matplotlib import pyplot as plt

    figure(pages.small_report(), "recall")
    assert plt.get_fignums() == []


def test_an_unknown_name_lists_the_known_ones() -> None:
    """Else a slip would end in a traceback."""
    with pytest.raises(EvaluationError, match=r"heatmap, scatter, .* Did you mean 'heatmap'"):
        figure(pages.small_report(), "heatmaps")


@pytest.mark.parametrize("name", FIGURES)
def test_a_failed_submission_has_sentences(name: str) -> None:
    """Else asking a failed report for a figure would end in a traceback."""
    with pytest.raises(EvaluationError, match=r"[.]|nothing"):
        figure(pages.failed_report(pages.small_report()), name)


def test_scatter_without_a_forecast_shows_past_ones() -> None:
    """Else a team with scores but no estimate would see none of them."""
    known = replace(pages.small_report(), estimate=None)
    assert figure(known, "scatter").axes[0].get_xlabel() == "local accuracy"


WITHOUT = """
import sys
sys.modules["matplotlib"] = None
from codabench_rehearsal.console.errors import EvaluationError
from evaluator.figures.figures import figure
try:
    figure(None, "heatmap")
except EvaluationError as error:
    print(error)
"""


def test_without_matplotlib_the_extra_is_named() -> None:
    """Else users without it would see an ImportError."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert "codabench-rehearsal[plots]" in done.stdout


def test_the_page_does_not_load_matplotlib() -> None:
    """Else writing a report would take a second more, and an extra package."""
    code = "import sys, evaluator.report.page, evaluator.report.page; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
