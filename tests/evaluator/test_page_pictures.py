"""The page looks as it did: against reference pictures that are kept here, with a tolerance.

`REDRAW=1 pytest tests/evaluator/test_page_pictures.py` draws them anew; look at them before they are
kept. They are at half size, in DejaVu Sans alone, of a report that was made up.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.evaluator import fixed_report
from tests.evaluator.browser import Browser, Scheme, with_font

PICTURES = Path(__file__).parent / "pictures"
FAMILY = "DejaVu Sans"
REDRAW = bool(os.environ.get("REDRAW"))
BLOCK = 8  # pixels of a picture's side that are compared by their mean: letters' edges do not count
APART = 20  # levels of 255 from which a block counts as another
MOST_APART = 0.002  # of the blocks
STRIP, DRIFT = 64, 3  # pixels of height that are held against each other, and may have moved by
SHOWN: dict[str, tuple[str, int, Scheme, str]] = {
    "desk-light": ("with_scores", 1280, "light", ""),
    "desk-dark": ("with_scores", 1280, "dark", ""),
    "phone-light": ("with_scores", 390, "light", ""),
    "open-phone-dark": ("without_scores", 390, "dark", ""),
    "paper": ("with_scores", 700, "light", "print"),
    "bundle-desk-light": ("of_a_bundle", 1280, "light", ""),
    "bundle-phone-dark": ("of_a_bundle", 390, "dark", ""),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium for which every sans-serif is DejaVu Sans."""
    with with_font(FAMILY, tmp_path_factory.mktemp("fonts")) as opened:
        yield opened


@pytest.fixture(scope="module")
def written(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each report as a page; made once there is a browser to show it."""
    assert browser.path
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name, *_ in SHOWN.values()}
    for name, path in paths.items():
        path.write_text(getattr(fixed_report, name)().to_page(), encoding="utf-8")
    return paths


def picture(browser: Browser, page: Path, width: int, scheme: Scheme, media: str) -> Image.Image:
    """The whole page at half size, in few colours, as the references are kept."""
    browser.open(page, width, scheme, media)  # before it is loaded: else some is laid out anew
    with Image.open(io.BytesIO(browser.screenshot())) as shown:
        half = shown.convert("RGB").reduce(2)
    return half.quantize(128, dither=Image.Dither.NONE)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of blocks that differ, 0..1; 1 for pages of another size.

    Strip by strip from above, each where it fits best near where the one above it did: another
    Chromium may set a line a pixel lower.
    """
    (width, height), (known_width, known_height) = one.size, other.size
    if width != known_width or abs(height - known_height) > 0.01 * known_height:
        return 1.0
    pixels = np.pad(_levels(one), ((STRIP, 2 * STRIP), (0, 0), (0, 0)), mode="edge")
    known, moved, shares = _levels(other), 0, []
    for top in range(0, len(known) - STRIP + 1, STRIP):
        wanted = known[top : top + STRIP]
        tries = {
            by: _apart(pixels[STRIP + top + by :][:STRIP], wanted)
            for by in range(max(moved - DRIFT, -STRIP), min(moved + DRIFT, STRIP) + 1)
        }
        moved = min(tries, key=lambda by: (tries[by], abs(by - moved)))
        shares.append(tries[moved])
    return float(np.mean(shares))


def _levels(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("RGB"), np.float32)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The share of blocks whose mean colours differ."""
    off = (one - other)[:, : one.shape[1] // BLOCK * BLOCK]
    means = off.reshape(STRIP // BLOCK, BLOCK, -1, BLOCK, 3).mean(axis=(1, 3))
    return float((np.abs(means).max(axis=2) > APART).mean())


@pytest.mark.parametrize("name", SHOWN)
def test_it_looks_as_it_did(browser: Browser, written: dict[str, Path], name: str) -> None:
    """Else a change of a style rule would spoil a part of the page that no other test looks at."""
    report, width, scheme, media = SHOWN[name]
    found = picture(browser, written[report], width, scheme, media)
    path = PICTURES / f"{name}.png"
    if REDRAW:
        PICTURES.mkdir(exist_ok=True)
        found.save(path, optimize=True)
    with Image.open(path) as known:
        share = difference(found, known)
    if share > MOST_APART:
        place = written[report].with_name(f"{name}.png")
        found.save(place)
        pytest.fail(f"{share:.1%} of {path} differs from {place}: look at both; REDRAW=1 keeps it")


SPOILT = {
    "a scale's colour": ".rehearsal [class*=heat]{fill:#0b5fa5!important}",
    "a legend": ".rehearsal .legend{visibility:hidden}",
    "larger letters": ".rehearsal{font-size:17px!important}",
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_noticed(browser: Browser, written: dict[str, Path], what: str) -> None:
    """Else the test above could not fail."""
    browser.open(written["with_scores"], 1280, "light")
    style = f"<style>{SPOILT[what]}</style>"
    browser.value(f"document.head.insertAdjacentHTML('beforeend', '{style}')")
    with Image.open(io.BytesIO(browser.screenshot())) as shown:
        half = shown.convert("RGB").reduce(2)
    with Image.open(PICTURES / "desk-light.png") as known:
        assert difference(half, known) > MOST_APART


def test_references_are_small_and_all_used() -> None:
    """Else the repository would carry pictures that nobody compares, or heavy ones."""
    kept = {path.stem: path.stat().st_size for path in PICTURES.glob("*.png")}
    assert set(kept) == set(SHOWN)
    assert sum(kept.values()) < 1_500_000
