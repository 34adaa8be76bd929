"""What a notebook keeps and prints of a result: one screen of text, once."""

from __future__ import annotations

import builtins

import pytest

from evaluator.comparison.ranking import Uploads, rank
from evaluator.report.report import Report
from tests.evaluator import pages
from tests.evaluator.test_ranking import entry

SCREEN = 13_000  # bytes: some 115 lines, most signs of a box three bytes each
PNG = b"\x89PNG"


class ZMQInteractiveShell:
    """Named as a notebook's shell: by this name rich knows that it is in one."""


@pytest.fixture
def in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign by which rich decides to show things by itself."""
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)


def test_the_plain_text_of_a_report_is_one_screen() -> None:
    """Else every notebook would keep 69 kB of figures in brackets beside the page."""
    report = pages.small_report()
    assert repr(report) == str(report)
    assert len(repr(report).encode()) < SCREEN
    assert "validation (clean)" in repr(report)
    assert "Report(" not in repr(report)


def test_the_plain_text_of_a_ranking_is_its_table() -> None:
    """Else who calls rank() in Python would read a dataclass."""
    ranking = rank([entry("a", 0.7), entry("b", 0.8)], "dev", Uploads(None, 0))
    assert repr(ranking) == str(ranking)
    assert "Submit this next: b" in repr(ranking)


@pytest.mark.usefixtures("in_a_notebook")
def test_a_report_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Else rich would show it above what print() shows."""
    report: Report = pages.small_report()
    print(report)
    assert capsys.readouterr().out.count("validation (clean)") == 1


def test_a_figure_shows_without_a_plotting_library() -> None:
    """Else report.figure() would need %matplotlib inline, or show nothing in a foreign notebook."""
    drawn = pages.small_report().figure("recall")
    assert drawn._repr_svg_().startswith("<svg")
    assert (drawn._repr_png_() or b"").startswith(PNG)
    assert len(repr(drawn)) < 80


def test_a_figure_without_a_renderer_is_still_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a missing extra would be a traceback below the figure."""
    monkeypatch.setattr("evaluator.report.figures.find_spec", lambda _: None)
    assert pages.small_report().figure("recall")._repr_png_() is None
