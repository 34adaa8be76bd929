"""The README and the pages of docs/: every link leads somewhere, the site is built and searched."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import codabench_rehearsal as rehearsal
from tests.evaluator.browser import Browser, needed_chromium

ROOT = Path(__file__).parent.parent
AT_ROOT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in AT_ROOT), *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
LINK = re.compile(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"")
FENCED = re.compile(r"^ *```.*?^ *```", re.M | re.S)
SPACES = re.compile(r"\s+")
LONGEST_BUILD = 300  # seconds, on a machine that does much else


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures, other sites' left out."""
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
    found = [one or other for one, other in LINK.findall(prose)]
    return [one for one in found if not re.match(r"[a-z]+:", one)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    made: Counter[str] = Counter()
    found = set()
    for title in re.findall(r"^#{1,6} +(.+?) *$", text, re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{name}-{made[name]}" if made[name] else name)
        made[name] += 1
    return frozenset(found)


def broken(page: Path, text: str) -> Iterator[str]:
    """What of a page's links leads nowhere."""
    for target in links(text):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            yield f"{page.name}: {target} is not there"
        elif anchor and anchor not in anchors(path):
            yield f"{page.name}: {target}: no such heading"


def test_every_link_leads_somewhere() -> None:
    """Else a reader's next step is a page that is not found."""
    found = [one for page in PAGES for one in broken(page, page.read_text(encoding="utf-8"))]
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(one["source"]) for one in notebook["cells"] if one["cell_type"] == "markdown"]
    found += [one for cell in cells for one in broken(ROOT / "docs" / "tutorial.ipynb", cell)]
    assert sum(len(links(page.read_text(encoding="utf-8"))) for page in PAGES) > 100
    assert not found, "\n".join(found)


A_PAGE = "# One: `--two`\n\n## Twice\n\n## Twice\n\n```\n# not a heading\n```\n"
BROKEN = [
    ("[a](docs/a.md)", 0),
    ("[a](docs/a.md#one---two) [b](docs/a.md#twice-1)", 0),
    ("[a](docs/b.md) ![b](docs/no.png)", 2),
    ("[a](docs/a.md#one)", 1),
    ("[a](docs/a.md#not-a-heading)", 1),
    ("[a](#nowhere)", 1),
    ("`[a](nowhere.md)` and [b](https://example.org/nowhere)", 0),
    ("```\n[a](nowhere.md)\n```", 0),
]


@pytest.mark.parametrize(("text", "count"), BROKEN)
def test_a_broken_link_is_found(tmp_path: Path, text: str, count: int) -> None:
    """Else the test above would pass whatever the pages say."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(A_PAGE, encoding="utf-8")
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert len(list(broken(tmp_path / "README.md", text))) == count


def test_messages_name_pages_that_are_there() -> None:
    """Else an error sends its reader to a page that was renamed."""
    named = {
        name
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in re.findall(r"\bdocs/[\w-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert not [name for name in named if not (ROOT / name).is_file()]


def config() -> dict[str, Any]:
    """The site's settings; what is built of Python there is left out."""
    text = re.sub(r"!!python/\S+ \{.*\}", "null", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    return dict(yaml.safe_load(text))


def in_nav(entries: list[Any]) -> Iterator[str]:
    """The pages of a part of the site's menu."""
    for entry in entries:
        for value in entry.values():
            yield from in_nav(value) if isinstance(value, list) else [value]


def test_the_menu_has_every_page_once() -> None:
    """Else a page is written that nobody finds."""
    listed = Counter(in_nav(config()["nav"]))
    at_root = {"README.md": "index.md"}
    wanted = {page.name for page in PAGES if page.parent.name == "docs"}
    wanted |= {at_root.get(name, name.lower()) for name in AT_ROOT}
    assert set(listed) == wanted
    assert set(listed.values()) == {1}


def test_every_name_of_ours_is_on_the_page_of_python() -> None:
    """Else a function is there that its reader never hears of."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: codabench_rehearsal\.(\w+)$", text, re.M)
    assert sorted(listed) == sorted(set(rehearsal.__all__) - {"__version__"})


def test_lists_begin_behind_an_empty_line() -> None:
    """Else the site runs a list into the sentence before it: it is stricter than GitHub."""
    found = []
    for page in PAGES:
        text = FENCED.sub("", page.read_text(encoding="utf-8"))
        lines = text.splitlines()
        for before, line in itertools.pairwise(lines):
            if re.match(r"(-|1\.) ", line) and re.match(r"[^\s\-#|\d]", before):
                found.append(f"{page.name}: {line[:60]}")
    assert not found, "\n".join(found)


def test_the_first_screen_is_short() -> None:
    """Else a newcomer scrolls past pages of options before the first thing to type."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, demo, _ = text.partition("\nmake demo ")
    assert demo
    assert len(before.splitlines()) < 25
    assert len(text.splitlines()) < 110
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Two commands", "Another challenge", "Three paths", "More",
    ]  # fmt: skip
    picture = ROOT / links(before)[0]
    assert picture.stat().st_size < 250_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    if any(
        importlib.util.find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings")
    ):
        pytest.skip("no mkdocs (make docs)")
    made = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", made],
        cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_BUILD, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    """Else the site has links and headings that lead nowhere, or misses a docstring."""
    home, python = (
        (site / name).read_text(encoding="utf-8") for name in ("index.html", "python.html")
    )
    assert 'href="tutorial.html"' in home
    assert 'href="changelog.html"' in home
    assert 'id="codabench_rehearsal.local_eval"' in python
    assert "held-out" in python or "drawn ones when left out" in python
    assert ":::" not in python


def test_a_page_of_the_site_fetches_nothing(site: Path) -> None:
    """Else it would be half a page on a train, and tell others who reads it."""
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"([^\"]+)\"", text)
        fetched += re.findall(r"<link\b(?=[^>]*stylesheet)[^>]*\bhref=\"([^\"]+)\"", text)
        assert fetched
        assert not [one for one in fetched if one.startswith(("http:", "https:", "//"))], page.name


def test_the_search_works_from_a_file(site: Path) -> None:
    """Else who opens site/index.html, without a server, finds nothing in thirty pages."""
    with Browser(needed_chromium()) as browser:
        browser.open(site / "index.html", 1280, "light")
        browser.value("document.querySelector('.md-search__input').focus()")
        browser.ask("Input.insertText", text="landlock")
        shown = (
            "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href).join(' ')"
        )
        deadline = time.monotonic() + 30
        while not (found := browser.value(shown)) and time.monotonic() < deadline:
            time.sleep(0.1)
        fetched = [
            one for one in browser.requests if not one.startswith(("file:", "data:", "blob:"))
        ]
    assert "platforms.html" in found or "checking.html" in found
    assert not fetched
