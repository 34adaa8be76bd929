"""The board's page: everything is readable without the script, which only sorts and filters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluator.board.gather import BoardOptions, board
from evaluator.board.names import Teams
from evaluator.board.page import to_page
from evaluator.board.result import Board
from evaluator.board.terminal import board_parts
from evaluator.report.terminal import to_text
from tests.evaluator.board.made import filled, sha_of
from tests.evaluator.browser import Browser, Scheme, needed_chromium

HOSTILE = '<script>alert("x")</script>&.zip'
OVERFLOWING = """
[...document.querySelectorAll('*')].filter(e => !e.closest('.scroll') && !e.closest('svg')
  && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))
"""
NAMES = "[...document.querySelector('table.sortable').tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent.trim())"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Thirty submissions, one of them hostile, one never run."""
    folder = tmp_path_factory.mktemp("board")
    with filled(folder / "store.sqlite", np.linspace(0.5, 0.95, 30).tolist(), images=150) as store:
        store.add_submission(sha_of("s003.zip"), HOSTILE)
        store.add_submission(
            "c" * 64, "a name as long as nobody would type, but a program would.zip"
        )
        teams = Teams("teams.csv", {HOSTILE: HOSTILE, "s001.zip": "Blue"})
        return board(store, BoardOptions(preset="light", teams=teams))


class Balanced(HTMLParser):
    """Fails where an element is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as it is called
        """One more; void ones come here only when they are written wrongly."""
        self.open.append(tag)
        self.seen.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """A void element."""

    def handle_endtag(self, tag: str) -> None:
        """The innermost one ends."""
        assert self.open.pop() == tag


def test_it_is_sound_and_foreign_text_is_text(made: Board) -> None:
    """Else a zip's name runs as a script in the organiser's browser."""
    page = to_page(made)
    reader = Balanced()
    reader.feed(page.removeprefix("<!DOCTYPE html>"))
    assert reader.open == []
    assert reader.seen.count("script") == 1, "our own"
    assert HOSTILE not in page
    assert not re.findall(r"(?:src|href)=.(?!data:|#)", page)


def test_who_beats_whom_is_folded(made: Board) -> None:
    """Else two hundred teams make a matrix that nobody can open."""
    page = to_page(made)
    assert "The first 20, by benchmark" in page
    assert "<summary>The first 30 against each other</summary>" in page
    small = to_page(replace(made, rows=made.rows[:2], pairs=None))
    assert "Who beats whom" not in small


def test_without_anybody_ranked(made: Board) -> None:
    """A board of names alone is drawn too."""
    bare = tuple(replace(r, rank=None, clean=None, benchmark=None, families=()) for r in made.rows)
    page = to_page(replace(made, rows=bare, pairs=None, families=()))
    assert "No submission is ranked." in page
    assert "to_page" not in page


def test_a_terminal(made: Board) -> None:
    """Ranges, ties and reasons in 100 columns, foreign names as they are."""
    text = to_text(board_parts(made), 100)
    assert "may be the best" in text
    assert "no answers stored" in text
    assert "overlap are ties" in text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with Browser(needed_chromium()) as opened:
        yield opened


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows(
    browser: Browser, made: Board, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    """Else the page scrolls sideways on a phone, or calls home."""
    path = tmp_path / "board.html"
    path.write_text(to_page(made), encoding="utf-8")
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(path, width, scheme)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value(OVERFLOWING) == []
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [path.as_uri()]


LINES = """
[...document.querySelectorAll('.scroll tbody th > span')].map(e => [e.textContent,
  Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight))])
"""


@pytest.mark.parametrize(
    ("width", "media", "most"), [(1280, "", 3), (390, "", 5), (1032, "print", 3)]
)
def test_long_names_have_room(
    browser: Browser, made: Board, tmp_path: Path, width: int, media: str, most: int
) -> None:
    """Else a name of sixty letters fills a screen, a few letters a line, or lies over the figures."""
    path = tmp_path / "board.html"
    path.write_text(to_page(made), encoding="utf-8")
    browser.open(path, width, "light", media)
    lines = [count for name, count in browser.value(LINES) if "would type" in name]
    over = browser.value(
        "[...document.querySelectorAll('.scroll tbody th > span')].filter(e => e.scrollWidth > e.closest('th').clientWidth + 1).length"
    )
    browser.ask("Emulation.setEmulatedMedia", media="")
    assert lines
    assert max(lines) <= most
    assert over == 0


def test_it_sorts_and_filters(browser: Browser, made: Board, tmp_path: Path) -> None:
    """Else a course of two hundred cannot find its own zip."""
    path = tmp_path / "board.html"
    path.write_text(to_page(made), encoding="utf-8")
    browser.open(path, 1280, "light")
    before = browser.value(NAMES)
    press = (
        "[...document.querySelectorAll('th button')].find(b => b.textContent == 'clean').click()"
    )
    browser.value(press)
    clean = {row.name: row.clean.value for row in made.rows if row.clean}
    rising = browser.value(NAMES)
    values = [clean[name] for name in rising if name in clean]
    assert values == sorted(values)
    assert rising[-1] not in clean, "what is not known comes last"
    browser.value(press)
    falling = [clean[name] for name in browser.value(NAMES) if name in clean]
    assert falling == sorted(falling, reverse=True)
    assert browser.value(NAMES)[-1] not in clean
    assert browser.value("document.querySelectorAll('[aria-sort=descending]').length") == 1
    browser.value(
        "(f => { f.value = 'S01'; f.dispatchEvent(new Event('input')) })(document.querySelector('.filter'))"
    )
    assert sorted(browser.value(NAMES)) == sorted(n for n in before if "s01" in n)


def test_it_prints(browser: Browser, made: Board, tmp_path: Path) -> None:
    """Else a jury gets a page of cut columns: A4 landscape within its margins is 1,032 pixels."""
    path = tmp_path / "board.html"
    path.write_text(to_page(made), encoding="utf-8")
    browser.open(path, 1032, "dark")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value("document.documentElement.scrollWidth") == 1032
    assert len(browser.pdf()) > 20_000
