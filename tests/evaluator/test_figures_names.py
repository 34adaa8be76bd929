"""matplotlib's figures with long and Chinese names, in several fonts: nothing cut, nothing over another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, pairwise

import numpy as np
import pytest
from evaluator.figures.figures import FIGURES, figure
from evaluator.figures.style import WIDE_FONTS
from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from numpy.typing import NDArray

from tests.evaluator.browser import FAMILIES, WIDE, font_files
from tests.evaluator.named_reports import REPORTS

QUICK = ("DejaVu Sans", "long")
DRAWN = [
    pytest.param(family, report, marks=() if (family, report) == QUICK else pytest.mark.slow)
    for family in FAMILIES
    for report in REPORTS
]
Corners = NDArray[np.float64]


@contextmanager
def only_font(family: str) -> Iterator[None]:
    """One family as matplotlib's sans-serif; its own, DejaVu, is always there."""
    files = font_files(family)
    if not files and family != "DejaVu Sans":
        pytest.skip(f"no font {family} (apt install {FAMILIES[family]})")
    for path in files:
        fontManager.addfont(path)
    with rc_context({"font.sans-serif": [family]}):
        yield


def chinese_font() -> None:
    """Skip where no font here has Chinese: matplotlib says so itself."""
    files = [path for name in WIDE for path in font_files(name)]
    if not files:
        pytest.skip("no font Droid Sans Fallback (apt install fonts-droid-fallback)")
    for path in files:
        fontManager.addfont(path)


def texts(drawn: Figure) -> list[tuple[str, Corners]]:
    """Every text that shows, with the corners of its box in pixels, `(4, 2)`, turned as it is."""
    found = [*drawn.texts, *(text for legend in drawn.legends for text in legend.get_texts())]
    for axes in drawn.axes:
        found += [*axes.texts, axes.title, axes._left_title, axes._right_title]  # type: ignore[attr-defined]
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
        for one in (axes, *axes.child_axes) if axes.axison else ():
            for axis in (one.xaxis, one.yaxis):
                found += [axis.label, *_ticks(axis)]
    return [(one.get_text(), _corners(one)) for one in found if _shows(one)]


def _ticks(axis: Axis) -> list[Text]:
    """Labels of ticks within the axis's range: matplotlib draws no others."""
    low, high = sorted(axis.get_view_interval())
    both = [
        (tick.get_loc(), label)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
    ]
    return [label for place, label in both if low <= place <= high]


def _shows(one: Text) -> bool:
    return bool(one.get_visible() and one.get_text().strip())


def _corners(one: Text) -> Corners:
    """Turned about its anchor, by which matplotlib aligned it before."""
    degrees = one.get_rotation()
    if degrees % 90 == 0:
        box = one.get_window_extent()
    else:
        one.set_rotation(0)
        box = one.get_window_extent()
        one.set_rotation(degrees)
    corners = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
    if degrees % 90 == 0:
        return corners
    anchor = one.get_transform().transform(one.get_unitless_position())
    angle = math.radians(degrees)
    turn = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    return np.asarray((corners - anchor) @ turn + anchor)


def apart(one: Corners, other: Corners) -> bool:
    """Whether a line parallel to a side of either lies between two boxes; a pixel of air is let go."""
    for box in (one, other):
        for start, end in pairwise(box):
            normal = np.array([start[1] - end[1], end[0] - start[0]])
            normal /= max(float(np.hypot(*normal)), 1e-9)
            a, b = one @ normal, other @ normal
            if a.max() <= b.min() + 1 or b.max() <= a.min() + 1:
                return True
    return False


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(("family", "report"), DRAWN)
def test_no_name_is_cut_or_covered(family: str, report: str, name: str) -> None:
    """Else a slide would show half a name, or two on top of each other."""
    if report == "chinese":
        chinese_font()
    with only_font(family):
        drawn = figure(REPORTS[report](), name)
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()  # type: ignore[no-untyped-call]
        found = texts(drawn)
    assert len(found) > 5
    edges = np.array(canvas.get_width_height())
    cut = [said for said, box in found if (box < -1).any() or (box > edges + 1).any()]
    assert cut == []
    pairs = combinations(found, 2)
    assert [(a, b) for (a, p), (b, q) in pairs if not apart(p, q)] == []


def test_covered_names_are_noticed() -> None:
    """Else the test above could not fail."""
    drawn = Figure(figsize=(1.5, 3))
    for turn in (0, 50):
        drawn.text(0.5, 0.5, "basophil and so on", rotation=turn)
    (_, flat), (_, leaning) = texts(drawn)
    assert not apart(flat, leaning)
    assert apart(flat, flat + np.array([0, 40]))
    assert flat[:, 0].max() > drawn.get_window_extent().x1, "cut at the right"


def test_a_font_for_wide_scripts_is_asked_for() -> None:
    """Else Chinese names would be boxes beside a font that has them."""
    assert set(WIDE) <= set(WIDE_FONTS)


def test_a_dollar_is_no_formula() -> None:
    """Else classes called "$5 and $_{10" would end in mathtext's error."""
    drawn = figure(REPORTS["dollars"](), "recall")
    FigureCanvasAgg(drawn).draw()  # type: ignore[no-untyped-call]
    assert any(said == "$5 and $_{10" for said, _ in texts(drawn))
