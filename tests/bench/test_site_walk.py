"""The way from a challenge's address to the score, as the documentation shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import site_walk as command
from bench.site_walk import Walk
from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.images import synthetic
from tests.challenge.conftest import write_zip
from tests.challenge.site import world
from tests.challenge.site.stub import SiteStub

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "site.md").read_text(encoding="utf-8")
BEGIN, END = "<!-- written by bench.site_walk -->", "<!-- to here -->"


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    """What a user has, without the cells: they take longer than all the rest."""
    monkeypatch.setattr(command, "CELLS", 160)
    with SiteStub() as site:
        yield command.begun(tmp_path, site)


def test_the_page_shows_what_the_commands_say(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the documentation shows a transcript that nobody gets any more."""
    monkeypatch.setattr(world, "WAY", ("Submitting", "Finished"))  # one question, not forty seconds
    said = [
        walk.typed("codabench-challenge show 1234"),
        walk.at_terminal("codabench-challenge login", command.ANSWERS),
    ]
    for text in said:
        assert text in PAGE
    write_zip(walk.folder / "first.zip")
    [upload, figures] = command.uploaded(walk, "first.zip").split("# the site saw\n")
    same = [
        one for one in upload.splitlines() if re.match(r" {4}(to|sub| {3}(http|sub|your|the))", one)
    ]
    assert len(same) >= 6
    assert [one for one in same if one not in PAGE] == []
    assert "# submissions in all: 1" in figures
    assert figures.index("POST /api/datasets/") < figures.index("PUT storage /bucket")
    assert figures.count("#   POST /api/submissions/") == 1


def test_no_line_tells_where_it_was_made(walk: Walk) -> None:
    """Else each run of it changes the page, and shows somebody's folders."""
    host = walk.site.base.removeprefix("http://")
    lines = [f"{walk.folder}/first.zip on {host}", host.replace(":", "+"), *"abcdefgh", "x" * 500]
    shown = walk.told("local-eval first.zip", "\n".join(lines), most=8)
    assert shown.splitlines()[:3] == [
        "$ local-eval first.zip", "    first.zip on 127.0.0.1:8000", "    127.0.0.1+8000",
    ]  # fmt: skip
    assert "    [4 lines]" in shown
    assert len(shown.splitlines()) == 9
    assert max(map(len, shown.splitlines())) <= 160


def test_a_model_s_score_is_its_own(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the site gives each model one score, and the estimate is held against nothing."""
    monkeypatch.setattr(command, "HIDDEN", 40)
    usual = command.score(walk.folder / "second")
    right = walk.folder / "right"
    right.mkdir()
    labels = synthetic(40, seed=99).labels.tolist()
    text = f"import numpy as np\nclass Model:\n    def predict(self, X):\n        return np.array({labels})\n"
    (right / "model.py").write_text(text, encoding="utf-8")
    assert usual < command.score(right) == 1.0


def test_the_page_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else --write leaves the old transcript, or takes the page's other text away."""
    monkeypatch.setattr(command, "CELLS", 160)
    monkeypatch.setattr(command, "steps", lambda _walk: iter(["$ one\n", "$ two\n"]))
    page = tmp_path / "site.md"
    write_text(page, PAGE)
    assert command.main(["--write", str(page)]) == 0
    assert capsys.readouterr().out == "$ one\n\n$ two\n\n"
    before, after = PAGE.split(BEGIN)[0], PAGE.split(END)[1]
    assert page.read_text() == f"{before}{BEGIN}\n\n```\n$ one\n\n$ two\n```\n\n{END}{after}"
