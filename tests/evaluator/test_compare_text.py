"""What a comparison looks like: terminal, JSON, notebook, forest plot."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from codabench_rehearsal.console.command import console
from codabench_rehearsal.console.errors import EvaluationError, UserError
from evaluator.comparison.compare import compare
from evaluator.comparison.forest import check_plot, save_plot
from evaluator.comparison.standings import Comparison, show
from tests.evaluator.sheets import careless, drawn

ASKED = drawn(200)
SHEETS = [careless(name, ASKED, 0.2 + 0.02 * i * i, i) for i, name in enumerate("abcdefg")]
EVIL = "<script>$x_2$[red]&.zip"


def test_the_terminal_says_it_in_80_columns() -> None:
    """Else the tables fall apart in an ordinary window."""
    page = console(width=80, record=True, file=io.StringIO(), color_system=None)
    show(compare(SHEETS[:4], ["b.zip was trained with fog."]), page)
    shown = page.export_text()
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    first = " ".join(shown.split())
    assert first.startswith("b.zip was trained with fog. 200 images of arrays, benchmark 'three'")
    assert "d.zip against a.zip: worse, -" in shown
    assert "b.zip against a.zip: not resolved" in shown
    assert "points would be found 8 times in" in " ".join(shown.split())


def test_one_submission_is_held_against_its_clean_images() -> None:
    """Else `compare` of one zip would say nothing."""
    shown = " ".join(str(compare(SHEETS[:1])).split())
    assert re.search(r"a\.zip, benchmark against clean: (worse|better|not resolved)", shown)


def test_the_json_carries_every_figure() -> None:
    """Else a script could not read off what the table shows."""
    found = compare(SHEETS[:3], ["a note"])
    document = json.loads(found.to_json())
    assert document["notes"] == ["a note"]
    assert [one["name"] for one in document["submissions"]] == ["a.zip", "b.zip", "c.zip"]
    for pair, told in zip(found.pairs, document["pairs"], strict=True):
        assert told["benchmark"]["change"] == pair.benchmark.change.value
        assert told["benchmark"]["interval"] == [
            pair.benchmark.change.low,
            pair.benchmark.change.high,
        ]
        assert set(told["families"]) == {"noise", "weather"}
        assert told["clean"]["verdict"] == pair.clean.verdict


def test_foreign_names_are_text() -> None:
    """Else a file's name could run a script in a notebook, or colour the terminal."""
    sheets = [SHEETS[0], replace(SHEETS[3], name=EVIL)]
    found = compare(sheets, ["<b>"])
    page = found._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert EVIL in str(found)
    ET.fromstring(page.replace("<br>", "<br/>"))


def one_pair() -> Comparison:
    """Two submissions."""
    return compare([SHEETS[0], replace(SHEETS[6], name=EVIL)])


def test_the_plot_is_800_pixels_wide_and_not_empty(tmp_path: Path) -> None:
    """Else it could not be put into a report."""
    save_plot(one_pair(), tmp_path / "forest.png")
    with Image.open(tmp_path / "forest.png") as picture:
        assert picture.width == 800
        assert 200 < picture.height < 600
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 20


def test_the_plots_text_tells_the_whole(tmp_path: Path) -> None:
    """Else rows or the direction would be missing, and colours alone would tell the verdict."""
    save_plot(one_pair(), tmp_path / "forest.svg")
    text = (tmp_path / "forest.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "<script" not in text
    found = one_pair().pairs[0]
    for said in ("benchmark", "clean", "noise", "weather", "worse", "better"):
        assert said in text
    for one in (found.benchmark, found.clean, *found.families):
        assert f"{100 * one.change.value:+.1f}" in text


def test_the_same_comparison_gives_the_same_plot(tmp_path: Path) -> None:
    """Else a plot under version control would change every time."""
    for name in ("one.svg", "two.svg"):
        save_plot(one_pair(), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_plot_says_what_qualifies_it(tmp_path: Path) -> None:
    """Else a plot passed on would hide that the images may have been trained on."""
    save_plot(compare(SHEETS[:2], ["† No split is known of a.zip."]), tmp_path / "forest.svg")
    assert "No split is known of a.zip." in (tmp_path / "forest.svg").read_text(encoding="utf-8")


def test_many_pairs_fit_into_one_panel(tmp_path: Path) -> None:
    """Else six comparisons would be a wall of families."""
    save_plot(compare(SHEETS), tmp_path / "forest.svg")
    text = (tmp_path / "forest.svg").read_text(encoding="utf-8")
    assert "g.zip" in text
    assert "weather" not in text


@pytest.mark.parametrize(
    ("name", "submissions", "said"),
    [
        ("forest.gif", 2, ".png"),
        ("forest.pdf", 2, ".svg"),
        ("nowhere/forest.png", 2, "no folder"),
        ("forest.png", 1, "two"),
    ],
)
def test_a_plot_that_cannot_be_is_told_before_anything_runs(
    tmp_path: Path, name: str, submissions: int, said: str
) -> None:
    """Else minutes of evaluation would end in an error."""
    with pytest.raises(UserError, match=re.escape(said)):
        check_plot(tmp_path / name, submissions)


def test_without_a_renderer_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user would meet an ImportError; an .svg needs none."""
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    check_plot(tmp_path / "forest.svg", 2)
    with pytest.raises(EvaluationError, match=r"codabench-rehearsal\[plots\]"):
        check_plot(tmp_path / "forest.png", 2)
