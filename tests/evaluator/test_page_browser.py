"""The page in a real headless Chromium: at desk and phone width, light and dark, and printed."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from evaluator.report.page import to_html, to_page
from evaluator.report.svg import DARK, LIGHT
from tests.evaluator import pages
from tests.evaluator.browser import Browser, Scheme, needed_chromium

WIDTHS = (1280, 390)
KEEP = os.environ.get("SCREENSHOTS")  # a folder for people to look at
OVERFLOWING = """
[...document.querySelectorAll('*')].filter(e => !e.closest('.scroll') && !e.closest('svg')
  && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with Browser(needed_chromium()) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a file; it is not drawn where nothing shows it."""
    needed_chromium()
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_page(pages.small_report()), encoding="utf-8")
    return path


def colour_of(image: Image.Image) -> str:
    """The commonest colour."""
    found = image.convert("RGB").getcolors(1 << 24)
    assert found is not None
    _, colour = max(found)
    assert isinstance(colour, tuple)
    return "#" + "".join(f"{channel:02x}" for channel in colour)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows(browser: Browser, page: Path, width: int, scheme: Scheme) -> None:
    """Else the page would scroll sideways on a phone, glare at night, or call home."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page, width, scheme)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value(OVERFLOWING) == []
    picture = browser.screenshot()
    assert browser.complaints == []
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert asked == [page.as_uri()]
    with Image.open(io.BytesIO(picture)) as shown:
        assert shown.width == width
        assert shown.height > 3000, "the whole page"
        assert colour_of(shown) == (LIGHT if scheme == "light" else DARK)["card"]
    if KEEP:
        (Path(KEEP) / f"report-{width}-{scheme}.png").write_bytes(picture)


def test_pictures_load_and_stay_crisp(browser: Browser, page: Path) -> None:
    """Else the gallery would show broken or blurred images."""
    browser.open(page, 1280, "light")
    found = browser.value(
        "[...document.images].map(i => [i.naturalWidth, getComputedStyle(i).imageRendering])"
    )
    assert len(found) == 24
    assert all(width > 0 and how == "pixelated" for width, how in found)


def test_it_prints_on_light_paper(browser: Browser, page: Path) -> None:
    """Else a page printed by someone with a dark desktop would drown in ink, and take more sheets."""
    browser.open(page, 700, "dark")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    assert 3 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page/") <= 20
    browser.ask("Emulation.setEmulatedMedia", media="print")
    card = browser.value("getComputedStyle(document.querySelector('.rehearsal')).color")
    twin = browser.value("getComputedStyle(document.querySelector('.twin')).gridTemplateColumns")
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert len(twin.split()) == 2
    assert card == f"rgb({', '.join(str(int(LIGHT['ink'][i : i + 2], 16)) for i in (1, 3, 5))})"
    if KEEP:
        (Path(KEEP) / "report.pdf").write_bytes(printed)


def test_text_can_be_selected_and_found(browser: Browser, page: Path) -> None:
    """Else the figures' numbers could be neither copied nor searched for."""
    browser.open(page, 1280, "light")
    assert browser.value("[...document.querySelectorAll('svg text')].length") > 200
    assert browser.value("window.find('elastic_transform')") is True


PAPERS = {"A4": 640, "Letter": 660}  # pixels within margins of 2 cm
VALUES = "[...document.querySelectorAll('#worst tbody tr:not([hidden])')].map(r => r.cells[{}].innerText)"
PRESS = "document.querySelectorAll('#worst th button')[{}].click()"


def test_worst_conditions_sort_by_a_press(browser: Browser, page: Path) -> None:
    """Else a reader could not put a family's conditions together, or find one among fifty."""
    browser.open(page, 1280, "light")
    column = VALUES.format(1)
    first = browser.value(column)
    browser.value(PRESS.format(1))
    assert browser.value(column) != first, "it stood the worst first"
    assert float(browser.value(column)[0][:5]) == max(float(one[:5]) for one in first)
    browser.value(PRESS.format(3))
    families = browser.value(VALUES.format(3))
    assert families == sorted(families)
    browser.value(
        "(f => { f.value = 'fog'; f.dispatchEvent(new Event('input')); })"
        "(document.querySelector('#worst .filter'))"
    )
    names = browser.value(VALUES.format(0))
    assert 0 < len(names) < len(first)
    assert all("fog" in name for name in names)


SCROLLS = """
[...document.querySelectorAll('.scroll')].filter(e => e.checkVisibility()).map(e => [e.scrollWidth > e.clientWidth,
  e.getBoundingClientRect().right <= innerWidth, e.scrollHeight > e.clientHeight, e.tabIndex])
"""


def test_tables_scroll_within_themselves_on_a_phone(browser: Browser, page: Path) -> None:
    """Else a wide table would push the page aside, or fifty rows stand before the next part."""
    browser.open(page, 390, "light")
    found = browser.value(SCROLLS)
    assert any(wide for wide, *_ in found)
    assert any(high for *_, high, _ in found)
    assert all(inside and index == 0 for _, inside, _, index in found)


BROKEN = """
[...document.querySelectorAll('.whole')].filter(e => e.checkVisibility() && e.closest('section').clientWidth > 0)
  .filter(e => e.getBoundingClientRect().height > 2.2 * parseFloat(getComputedStyle(e).fontSize))
  .map(e => e.textContent).filter(said => said.length < 25)
"""


def test_options_stay_whole_on_a_phone(browser: Browser, page: Path) -> None:
    """Else a command would show "--" at a line's end, and be typed as two words."""
    browser.open(page, 390, "light")
    options = "[...document.querySelectorAll('code .whole, pre .whole, p .whole')].map(e => e.textContent)"
    assert {"--data", "--trained-on"} <= set(browser.value(options))
    assert browser.value(BROKEN) == []
    browser.value("document.querySelectorAll('.whole').forEach(e => e.style.maxWidth = '3ch')")
    assert browser.value(BROKEN), "else nothing was tested"


WIDER = """
[...document.querySelectorAll('table')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.caption.textContent)
"""


@pytest.mark.parametrize("width", PAPERS.values(), ids=PAPERS)
def test_every_table_fits_on_paper(browser: Browser, page: Path, width: int) -> None:
    """Else the last columns of the history would be printed beside the paper, or all of it small."""
    browser.open(page, width, "light", "print")
    drawn = browser.value("[...document.querySelectorAll('#history table tr')].length")
    shown = browser.value("document.documentElement.scrollWidth"), browser.value(WIDER)
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert drawn > 1
    assert shown == (width, [])


def test_paper_shows_what_is_folded_and_no_table_twice(browser: Browser, page: Path) -> None:
    """Else a printed report would lack the curves, or repeat as rows what it has drawn."""
    browser.open(page, 700, "light")
    seen = "[...document.querySelectorAll('details > :not(summary)')].map(e => e.checkVisibility({contentVisibilityAuto: true}))"
    assert not any(browser.value(seen))
    browser.ask("Emulation.setEmulatedMedia", media="print")
    curves = "document.querySelector('#curves details .small').getBoundingClientRect().height"
    folded = "document.querySelector('#slices details').getBoundingClientRect().height"
    heights = browser.value(curves), browser.value(folded)
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert heights[0] > 100
    assert heights[1] == 0


NOTEBOOKS = {
    "jupyter light": ('<body data-jp-theme-light="true">', LIGHT),
    "jupyter dark": ('<body data-jp-theme-light="false">', DARK),
    "vscode dark": ('<body class="vscode-dark">', DARK),
    "vscode light": ('<body class="vscode-light">', LIGHT),
    "plain": ("<body>", LIGHT),
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebooks_theme_decides(browser: Browser, tmp_path: Path, name: str) -> None:
    """Else a report would be dark in a light notebook because the desktop is dark."""
    opening, palette = NOTEBOOKS[name]
    hostile = "<style>tr:nth-child(even){background:#f00} td{text-align:center;color:#f00}</style>"
    path = tmp_path / "notebook.html"
    body = f"<!DOCTYPE html>{hostile}{opening}{to_html(pages.small_report())}</body>"
    path.write_text(body, encoding="utf-8")
    browser.open(path, 900, "dark" if palette is LIGHT else "light")
    found = browser.value(
        "JSON.stringify(['.rehearsal', '.rehearsal section', '.rehearsal td'].map(s => "
        "{const c = getComputedStyle(document.querySelector(s)); "
        "return [c.backgroundColor, c.color]}))"
    )
    ground, card, condition = json.loads(found)
    assert ground[0] == rgb(palette["ground"])
    assert card[0] == rgb(palette["card"])
    assert condition[1] == rgb(palette["ink"])
    assert browser.value("document.documentElement.scrollWidth") <= 900
    if KEEP:
        (Path(KEEP) / f"notebook-{name.replace(' ', '-')}.png").write_bytes(browser.screenshot())


def rgb(colour: str) -> str:
    """As a browser says it."""
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"
