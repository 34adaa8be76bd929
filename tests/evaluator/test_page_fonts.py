"""The page's drawings whatever font the reader has: no name cut, none over another or over a mark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import get_data_path
from PIL import ImageFont

from evaluator.report.lettering import fitted, width_of, wrapped
from evaluator.report.page import to_page
from tests.evaluator.browser import FAMILIES, Browser, font_files, needed_chromium, with_font
from tests.evaluator.named_reports import FORTY, REPORTS

QUICK = {("own", 1280), ("long", 1280), ("chinese", 1280), ("long", 375)}
SHOWN = [
    pytest.param(name, width, marks=() if (name, width) in QUICK else pytest.mark.slow)
    for name in REPORTS
    for width in (1280, 375)
]
KEEP = os.environ.get("SCREENSHOTS")  # a folder for people to look at
# Each line of text as a box from its own metrics, turned with it; capitals and descenders, no air.
TEXTS = """
function texts(svg) {
  const all = [...svg.querySelectorAll('text')].flatMap(t => t.querySelector('tspan') ? [...t.querySelectorAll('tspan')] : [t]);
  return all.filter(t => t.textContent.trim()).map(t => {
    const size = parseFloat(getComputedStyle(t).fontSize), n = t.textContent.trimEnd().length;
    const a = t.getStartPositionOfChar(0), b = t.getEndPositionOfChar(n - 1), m = t.getScreenCTM();
    const up = -0.72 * size, down = 0.16 * size;
    const corner = (p, dy) => { const q = new DOMPoint(p.x, p.y + dy).matrixTransform(m); return [q.x, q.y]; };
    return {said: t.textContent, of: t.tagName == 'tspan' ? t.parentNode : t, kind: t.closest('text').getAttribute('class'),
            box: [corner(a, up), corner(b, up), corner(b, down), corner(a, down)]};
  });
}
function box(e, by) {
  const r = e.getBoundingClientRect();
  return [[r.left - by, r.top - by], [r.right + by, r.top - by], [r.right + by, r.bottom + by], [r.left - by, r.bottom + by]];
}
function apart(p, q) {
  for (const [a, b] of [[p, q], [q, p]]) for (let i = 0; i < 4; i++) {
    const [x1, y1] = a[i], [x2, y2] = a[(i + 1) % 4], nx = y2 - y1, ny = x1 - x2;
    const on = s => s.map(([x, y]) => x * nx + y * ny), u = on(a), v = on(b);
    if (Math.max(...u) <= Math.min(...v) + 1e-6 || Math.max(...v) <= Math.min(...u) + 1e-6) return true;
  }
  return false;
}
function inside(p, q) {
  const xs = q.map(c => c[0]), ys = q.map(c => c[1]);
  return p.every(([x, y]) => x >= Math.min(...xs) && x <= Math.max(...xs) && y >= Math.min(...ys) && y <= Math.max(...ys));
}
"""
COUNTED = "[...document.querySelectorAll('svg.figure')].flatMap(texts).length"
MEASURED = """(() => {
  const drawn = document.createElement('canvas').getContext('2d');
  drawn.font = '500px ' + getComputedStyle(document.querySelector('svg text')).fontFamily;
  return drawn.measureText('granulocyte').width;
})()"""
CUT = """
[...document.querySelectorAll('svg.figure')].flatMap(s => texts(s).filter(t => !inside(t.box, box(s, 0.5))).map(t => t.said))
"""
OVERLAPPING = """
[...document.querySelectorAll('svg.figure')].flatMap(s => {
  const all = texts(s), found = [];
  all.forEach((t, i) => all.slice(i + 1).forEach(u => { if (!apart(t.box, u.box)) found.push(t.said + ' | ' + u.said); }));
  const marks = [...s.querySelectorAll('circle,rect,path.mark,line.cleanbar,line.hurtbar,line.forecast,line.axis')];
  for (const t of all) for (const m of marks) {
    const b = box(m, 0);
    if (!apart(t.box, b) && !(m.tagName == 'rect' && inside(t.box, b))) found.push(t.said + ' | ' + m.outerHTML.slice(0, 60));
  }
  return found;
})
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each report as a page."""
    needed_chromium()
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name in REPORTS}
    for name, path in paths.items():
        path.write_text(to_page(REPORTS[name]()), encoding="utf-8")
    return paths


@pytest.fixture(scope="module", params=FAMILIES)
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A Chromium for which every sans-serif is one family."""
    with with_font(request.param, tmp_path_factory.mktemp("fonts")) as opened:
        yield opened


def test_the_browser_has_that_font(browser: Browser, written: dict[str, Path]) -> None:
    """Else the tests below would measure one font three times."""
    browser.open(written["own"], 1280, "light")
    assert browser.fonts is not None
    family = browser.fonts.parent.name
    regular = next(path for path in font_files(family) if path.stem.endswith(("Sans", "-Regular")))
    wanted = ImageFont.truetype(str(regular), 500).getlength("granulocyte")
    assert browser.value(MEASURED) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize(("name", "width"), SHOWN)
def test_no_name_is_cut_or_covered(
    browser: Browser, written: dict[str, Path], name: str, width: int
) -> None:
    """Else "immature granulocyte" would end at the figure's edge, or lie over a mark or a name."""
    browser.open(written[name], width, "light")
    assert browser.value(f"{TEXTS}; {COUNTED}") > 400, "else nothing was looked at"
    assert browser.value(f"{TEXTS}; {CUT}") == []
    assert browser.value(f"{TEXTS}; {OVERLAPPING}") == []
    assert browser.value("document.documentElement.scrollWidth") == width
    if KEEP:
        assert browser.fonts is not None
        shown = f"{name}-{width}-{browser.fonts.parent.name}.png"
        (Path(KEEP) / shown).write_bytes(browser.screenshot())


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "own"])
def test_names_of_forty_letters_are_whole(written: dict[str, Path], name: str) -> None:
    """Else two classes whose names begin alike would be one on the page."""
    before = written[name].read_text(encoding="utf-8").split("\u2026<")[:-1]
    shortened = {part.rpartition(">")[2] for part in before}
    assert all(set(said) == {"W"} for said in shortened), "forty W have no room"


def test_marks_on_names_are_noticed(browser: Browser, written: dict[str, Path]) -> None:
    """Else the tests above could not fail."""
    browser.open(written["own"], 1280, "light")
    browser.value(
        "document.querySelectorAll('svg.figure text').forEach(t => t.style.fontSize = '19px')"
    )
    assert len(browser.value(f"{TEXTS}; {CUT}")) > 5
    assert len(browser.value(f"{TEXTS}; {OVERLAPPING}")) > 20


def font_paths() -> list[str]:
    """Regular and bold fonts to measure by: matplotlib's own, which is DejaVu, and those here."""
    own = [f"{get_data_path()}/fonts/ttf/DejaVuSans{bold}.ttf" for bold in ("", "-Bold")]
    plain = re.compile(r"(Sans|-Regular|-Bold|Fallback\w*)[.](ttf|otf|ttc)$")
    return own + [
        str(path) for name in FAMILIES for path in font_files(name) if plain.search(str(path))
    ]


LATIN = st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "Cf")), max_size=40)


@pytest.mark.parametrize("font", font_paths(), ids=lambda path: Path(path).stem)
@settings(max_examples=40)
@given(said=LATIN)
def test_no_font_is_wider_than_foretold(font: str, said: str) -> None:
    """Else the room for a name would be too small for those who read it in that font."""
    seen = ImageFont.truetype(font, 1000, layout_engine=ImageFont.Layout.BASIC).getlength(said)
    assert seen <= width_of(said, 1000, bold="Bold" in font) + 1


@given(said=st.text(max_size=60), room=st.integers(20, 200), lines=st.integers(1, 4))
def test_lines_fit_and_lose_nothing(said: str, room: int, lines: int) -> None:
    """Else a name would stand beyond its room, or miss letters without an ellipsis."""
    found = wrapped(said, room, lines)
    assert 1 <= len(found) <= lines
    assert all(width_of(line) <= room for line in found)
    if not found[-1].endswith("\u2026"):
        assert "".join("".join(found).split()) == "".join(said.split())


WRAPPED = [
    ("immature granulocyte", 140, ("immature granulocyte",)),
    ("immature granulocyte", 110, ("immature", "granulocyte")),
    ("jpeg_compression", 90, ("jpeg_", "compression")),
    ("\u672a\u6210\u719f\u7c92\u7ec6\u80de", 40, ("\u672a\u6210\u719f", "\u7c92\u7ec6\u80de")),
    ("x" * 20, 80, ("x" * 10, "x" * 10)),
    ("a b c d e f g h i j k l m n", 40, ("a b c", "d e f", "g h i\u2026")),
    ("", 40, ("",)),
]


@pytest.mark.parametrize(("said", "room", "lines"), WRAPPED)
def test_where_names_break(said: str, room: int, lines: tuple[str, ...]) -> None:
    """Else names would break inside of words where they need not."""
    assert wrapped(said, room, 3) == lines


def test_short_names_have_no_empty_room() -> None:
    """Else figures of classes 0 to 9 would be squeezed for names that nobody gave."""
    assert fitted("0123456789", 160, 3).room < 10
    long = fitted(["basophil", FORTY], 160, 3)
    assert (max(map(len, long.lines.values())), long.room < 160) == (2, True)
