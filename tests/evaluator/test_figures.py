"""`Report.figure`: each draws what the page shows, as SVG and as PNG, and says what it lacks."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import grid
from evaluator.report.figures import FIGURES, Figure
from evaluator.report.frames import TABLES, table_rows
from evaluator.report.report import Report
from evaluator.report.svg import heat_step
from tests.evaluator import pages
from tests.evaluator.test_page_colors import SCHEMES

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: Figure) -> list[str]:
    """All that is written in a figure."""
    return ["".join(one.itertext()) for one in ET.fromstring(drawn.svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_draws(name: str) -> None:
    """Else Report.figure would fail in front of the reader."""
    drawn = pages.small_report().figure(name)
    with Image.open(io.BytesIO(drawn.to_png(zoom=1))) as picture:
        assert picture.size == (drawn.width, drawn.height)
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert colours is not None
    assert len(colours) > 50, "an empty canvas has one colour"


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_figure_is_saved(tmp_path: Path, ending: str) -> None:
    """Else it could not be put on a slide; twice the same, or it would change in every commit."""
    for place in ("one", "two"):
        pages.small_report().figure("recall").save(tmp_path / f"{place}.{ending}")
    one, two = ((tmp_path / f"{place}.{ending}").read_bytes() for place in ("one", "two"))
    assert one == two
    assert one.startswith(b"<svg" if ending == "svg" else b"\x89PNG")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    """Else a .pdf would hold something else."""
    with pytest.raises(EvaluationError, match=r"\.svg or \.png"):
        pages.small_report().figure("recall").save(tmp_path / "recall.pdf")
    assert list(tmp_path.iterdir()) == []


def test_the_map_has_the_pages_figures_and_colours() -> None:
    """Else a slide would show other accuracies than the page."""
    report = pages.small_report()
    drawn = report.figure("heatmap")
    written = texts(drawn)
    for row in grid((report.library, report.sheet, report.sweep)):
        for score in row.by_severity.values():
            assert f"{score.value:.2f} \u00b1{(score.high - score.low) / 2:.2f}" in written
            step = heat_step(score.value)
            assert f'class="heat{step}"' in drawn.svg
            fill, _ = SCHEMES["light"][1][step]
            assert f".heat{step}{{fill:{fill}" in drawn.svg


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_stands_alone(name: str) -> None:
    """Else it would show without its colours outside of the page, or restyle a notebook."""
    drawn = pages.small_report().figure(name)
    root = ET.fromstring(drawn.svg)
    assert drawn._repr_svg_() == drawn.svg
    assert "var(" not in drawn.svg
    style = root.find(f"{SVG}style")
    assert style is not None
    rules = (style.text or "").splitlines()
    assert len(rules) > 20
    assert all(rule.startswith(".rehearsal-figure ") for rule in rules)
    assert root.get("aria-label")
    for image in root.iter(f"{SVG}image"):
        assert (image.get("href") or "").startswith("data:")


@pytest.mark.parametrize("name", ["recall", "confusion", "gallery"])
def test_foreign_names_stay_text(name: str) -> None:
    """Else a class's name could run in the notebook that shows the figure."""
    report = pages.small_report()
    names = (pages.HOSTILE,) * len(report.source.label_names)
    drawn = replace(report, source=replace(report.source, label_names=names)).figure(name)
    root = ET.fromstring(drawn.svg)
    assert [one for one in root.iter() if one.tag.endswith("script")] == []
    assert "<script" not in drawn.svg


def test_an_unknown_name_lists_the_known_ones() -> None:
    """Else a slip would end in a traceback."""
    with pytest.raises(EvaluationError, match=r"heatmap, scatter, .* Did you mean 'heatmap'"):
        pages.small_report().figure("heatmaps")


@pytest.mark.parametrize("name", FIGURES)
def test_a_failed_submission_has_sentences(name: str) -> None:
    """Else asking a failed report for a figure would end in a traceback."""
    with pytest.raises(EvaluationError, match=r"[.]|nothing|too few"):
        pages.failed_report(pages.small_report()).figure(name)


def test_scatter_without_a_forecast_shows_past_ones() -> None:
    """Else a team with scores but no estimate would see none of them."""
    known = replace(pages.small_report(), estimate=None)
    assert "local accuracy" in texts(known.figure("scatter"))


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> Report:
    """A report where a package is missing."""
    report = pages.small_report()
    monkeypatch.setitem(sys.modules, package, None)
    return report


def test_without_a_renderer_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else users without it would see an ImportError; an SVG needs none."""
    drawn = without(monkeypatch, "resvg_py").figure("recall")
    drawn.save(tmp_path / "recall.svg")
    with pytest.raises(EvaluationError, match=r"codabench-rehearsal\[plots\]"):
        drawn.save(tmp_path / "recall.png")


def test_the_report_does_not_load_a_renderer() -> None:
    """Else writing a report would take a second more, and an extra package."""
    code = (
        "import sys, evaluator.report.report; "
        "print({'matplotlib', 'resvg_py', 'pandas', 'rich', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_table_is_a_row_a_condition() -> None:
    """Else a frame would hold other figures than the report."""
    report = pages.small_report()
    assert report.scores is not None
    rows = table_rows(report, "conditions")
    assert [row["name"] for row in rows] == [one.name for one in report.scores.conditions]
    assert rows[0]["accuracy_low"] == report.scores.conditions[0].accuracy.low


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_a_frame(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Else a name that the documentation gives would end in a traceback."""
    frames = ModuleType("pandas")
    frames.DataFrame = list  # type: ignore[attr-defined]  # all that is asked of it
    monkeypatch.setitem(sys.modules, "pandas", frames)
    rows = pages.small_report().table(name)
    assert rows
    assert len({tuple(row) for row in rows}) == 1, "every row has the same columns"
    assert all(
        isinstance(value, str | int | float | None) for row in rows for value in row.values()
    )


@pytest.mark.parametrize("name", ["conditions", "classes", "families"])
def test_a_table_of_nothing_says_so(name: str) -> None:
    """Else asking a failed report for a table would end in a traceback."""
    with pytest.raises(EvaluationError, match="findings say why"):
        table_rows(pages.failed_report(pages.small_report()), name)


def test_tables_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else users without pandas, or with a slip, would see a traceback."""
    report = without(monkeypatch, "pandas")
    with pytest.raises(EvaluationError, match="pip install pandas"):
        report.table("conditions")
    with pytest.raises(EvaluationError, match="Did you mean 'classes'"):
        report.table("class")
