"""Figures that stand alone with long and Chinese names: nothing cut, nothing over another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.report.figures import FIGURES, composed
from evaluator.report.svg import Drawing, disc
from tests.evaluator.browser import FAMILIES, WIDE, Browser, font_files, with_font
from tests.evaluator.named_reports import REPORTS
from tests.evaluator.test_page_fonts import CUT, OVERLAPPING, TEXTS

QUICK = ("own", "long", "chinese")
SHOWN = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in REPORTS]


@pytest.fixture(scope="module", params=FAMILIES)
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A Chromium for which every sans-serif is one family."""
    with with_font(request.param, tmp_path_factory.mktemp("fonts")) as opened:
        yield opened


def looked_at(script: str) -> str:
    """The page's script, for drawings that stand alone."""
    return script.replace("svg.figure", "svg.rehearsal-figure")


def page_of(report: str, folder: Path) -> tuple[Path, int]:
    """A report's figures below each other, and how many there are."""
    drawn = []
    for name in FIGURES:
        try:
            drawn.append(f"<p>{REPORTS[report]().figure(name).svg}</p>")
        except EvaluationError:
            assert (report, name) == ("forty", "gallery"), "the answers there are drawn by chance"
    path = folder / f"{report}.html"
    path.write_text(f"<!DOCTYPE html><meta charset='utf-8'>{''.join(drawn)}", encoding="utf-8")
    return path, len(drawn)


@pytest.mark.parametrize("name", SHOWN)
def test_no_name_is_cut_or_covered(browser: Browser, tmp_path: Path, name: str) -> None:
    """Else a slide would show half a name, or two on top of each other."""
    path, count = page_of(name, tmp_path)
    browser.open(path, 1600, "light")
    assert browser.value("document.querySelectorAll('svg.rehearsal-figure').length") == count
    assert browser.value(f"{TEXTS}; {looked_at(CUT)}") == []
    assert browser.value(f"{TEXTS}; {looked_at(OVERLAPPING)}") == []


def test_covered_names_are_noticed(browser: Browser, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    path, _ = page_of("own", tmp_path)
    browser.open(path, 1600, "light")
    browser.value(
        "document.querySelectorAll('svg.rehearsal-figure text')"
        ".forEach(t => t.style.fontSize = '26px')"
    )
    assert len(browser.value(f"{TEXTS}; {looked_at(CUT)}")) > 5
    assert len(browser.value(f"{TEXTS}; {looked_at(OVERLAPPING)}")) > 20


def test_chinese_names_have_their_letters_in_a_png() -> None:
    """Else a slide would show the same box for every letter."""
    if not any(font_files(name) for name in WIDE):
        pytest.skip("no font Droid Sans Fallback (apt install fonts-droid-fallback)")
    one, other = (
        composed(name, [("", Drawing(300, 20, "", (disc(9, 7),)))]).to_png(1)
        for name in ("\u672a\u6210\u719f", "\u7c92\u7ec6\u80de")
    )
    assert one != other


def test_a_dollar_is_no_formula() -> None:
    """Else classes called "$5 and $_{10" would be set as mathematics."""
    assert ">$5 and $_{10</text>" in REPORTS["dollars"]().figure("recall").svg
