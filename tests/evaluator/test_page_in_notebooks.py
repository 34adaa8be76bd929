"""The report inside Jupyter's own style, with and without the reader's trust, in a real Chromium."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.report.page import to_html
from tests.evaluator import pages
from tests.evaluator.browser import Browser, needed_chromium

SVG = "{http://www.w3.org/2000/svg}"
# What JupyterLab 4.6 says of the elements that a report is made of.
JUPYTER = """
.jp-OutputArea-output dl, .jp-OutputArea-output dt, .jp-OutputArea-output dd { display: block }
.jp-OutputArea-output dl { width: 100%; overflow: hidden; padding: 0; margin: 0 }
.jp-OutputArea-output dt { font-weight: bold; float: left; width: 20%; padding: 0; margin: 0 }
.jp-OutputArea-output dd { float: left; width: 80%; padding: 0; margin: 0 }
.jp-OutputArea-output pre { border: none; margin: 0; padding: 0; word-break: break-all }
.jp-ThemedContainer .jp-RenderedHTMLCommon table { table-layout: fixed; font-size: 13px }
.jp-ThemedContainer .jp-RenderedHTMLCommon td { max-width: none; white-space: normal }
.jp-ThemedContainer .jp-RenderedHTMLCommon tbody tr:nth-child(even) { background: #ff0000 }
.jp-ThemedContainer .jp-RenderedHTMLCommon h2 { font-size: 40px; margin: 50px 0 }
.jp-ThemedContainer .jp-RenderedHTMLCommon img { max-width: 100%; height: auto }
"""
LABELS = """
[...document.querySelectorAll('.rehearsal dt')].map(e => [getComputedStyle(e).float,
  e.getBoundingClientRect().height, e.getBoundingClientRect().width])
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with Browser(needed_chromium()) as opened:
        yield opened


@pytest.fixture(scope="module")
def made() -> str:
    """The report as a notebook gets it."""
    return to_html(pages.small_report())


def shown(browser: Browser, folder: Path, output: str, theme: str = "true") -> None:
    """Open it as JupyterLab's output, at the width that a cell has beside its margin."""
    page = folder / "page.html"
    page.write_text(
        f"<!DOCTYPE html><style>{JUPYTER}</style><body data-jp-theme-light='{theme}'>"
        "<div class='jp-ThemedContainer'><div class='jp-RenderedHTMLCommon jp-OutputArea-output'>"
        f"{output}</div></div>",
        encoding="utf-8",
    )
    browser.open(page, 900, "light")


def without_trust(output: str) -> str:
    """What Jupyter leaves of HTML that it does not trust: no style, of an svg its words."""
    bare = re.sub(r"<style>.*?</style>", "", output, flags=re.S)
    return re.sub(r"</?(svg|g|text|title|path|rect|circle|line)\b[^>]*>", "", bare)


def test_labels_stand_beside_their_figures(browser: Browser, made: str, tmp_path: Path) -> None:
    """Else they would run down a column of 30 pixels, as Jupyter lets them float."""
    shown(browser, tmp_path, made)
    labels = browser.value(LABELS)
    assert len(labels) > 5
    assert all(how == "none" and width > 60 for how, _, width in labels), labels
    assert sum(height < 50 for _, height, _ in labels) > len(labels) - 2, "in one line or two"


def test_our_rules_outweigh_the_notebooks(browser: Browser, made: str, tmp_path: Path) -> None:
    """Else Jupyter's stripes, headings and fixed tables would show through."""
    shown(browser, tmp_path, made)
    style = "getComputedStyle(document.querySelector('.rehearsal {}')).{}"
    assert browser.value(style.format("h2:not(.verdict)", "fontSize")) == "18px"
    assert browser.value(style.format("table", "tableLayout")) == "auto"
    rows = "[...document.querySelectorAll('.rehearsal tr')].map(e => getComputedStyle(e).backgroundColor)"
    assert "rgb(255, 0, 0)" not in browser.value(rows)
    assert browser.value("document.documentElement.scrollWidth") <= 900


@pytest.mark.parametrize("trusted", [True, False])
def test_every_drawing_is_a_picture_that_loads(
    browser: Browser, made: str, tmp_path: Path, trusted: bool
) -> None:
    """Else a notebook sent to a colleague would show the drawings' words, one below the other."""
    shown(browser, tmp_path, made if trusted else without_trust(made))
    found = browser.value("[...document.images].map(i => [i.naturalWidth, i.width])")
    assert len(found) > 30
    assert all(natural > 0 and 0 < width <= 900 for natural, width in found)
    loose = "document.body.innerText.split('\\n').filter(s => s.trim() == 'gaussian_noise').length"
    assert browser.value(loose) == 0


@pytest.mark.parametrize(("theme", "scheme"), [("true", "light"), ("false", "dark")])
def test_drawings_follow_the_notebooks_theme(
    browser: Browser, made: str, tmp_path: Path, theme: str, scheme: str
) -> None:
    """Else a drawing would glare in a dark notebook."""
    shown(browser, tmp_path, made, theme)
    asked = "getComputedStyle(document.querySelector('.rehearsal img.figure')).colorScheme"
    assert browser.value(asked) == scheme


def test_pictures_hold_only_drawings(made: str) -> None:
    """Else a picture would lack its colours, or a class's name could run in it."""
    held = [one.get("src", "") for one in ET.fromstring(made).iter("img")]
    drawings = [one.partition("base64,")[2] for one in held if "svg+xml" in one]
    assert len(drawings) > 20
    for drawing in drawings:
        root = ET.fromstring(base64.b64decode(drawing))
        style = root.findtext(f"{SVG}style") or ""
        named = set(re.findall(r"var\((--\w+)\)", style))
        assert all(style.count(f"{name}:") == 2 for name in named), "a light and a dark colour"
        assert not [one for one in root.iter() if one.tag.endswith("script")]
