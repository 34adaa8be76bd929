"""What a notebook keeps and prints of a result: one screen of text, once."""

from __future__ import annotations

import builtins
import re
from dataclasses import replace

import pytest

from codabench_rehearsal.console.notebook import in_python
from evaluator.comparison.ranking import Uploads, rank
from evaluator.report.report import Report
from tests.evaluator import pages
from tests.evaluator.test_ranking import entry

SCREEN = 13_000  # bytes: some 115 lines, most signs of a box three bytes each
PNG = b"\x89PNG"


class ZMQInteractiveShell:
    """Named as a notebook's shell: by this name rich knows that it is in one."""


@pytest.fixture
def in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign by which rich decides to show things by itself."""
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)


def test_the_plain_text_of_a_report_is_one_screen() -> None:
    """Else every notebook would keep 69 kB of figures in brackets beside the page."""
    report = pages.small_report()
    assert repr(report) == str(report)
    assert "error S" in str(report), "a finding, which hangs behind its code"
    assert [line for line in str(report).splitlines() if line != line.rstrip()] == []
    assert len(repr(report).encode()) < SCREEN
    assert "validation (clean)" in repr(report)
    assert "Report(" not in repr(report)


def test_the_plain_text_of_a_ranking_is_its_table() -> None:
    """Else who calls rank() in Python would read a dataclass."""
    ranking = rank([entry("a", 0.7), entry("b", 0.8)], "dev", Uploads(None, 0))
    assert repr(ranking) == str(ranking)
    assert "Submit this next: b" in repr(ranking)


SAID = {  # of our commands: of our functions
    "say --held-out; or name it: --split FILE.": 'say held_out=True; or name it: split="FILE".',
    "a; --no-run": "a; run=False",
    "(local-eval record).": "(rehearsal.record).",
    "local-eval record ZIP --score 0.89.": 'rehearsal.record("ZIP", "0.89").',
    "local-eval record b.zip --score 0.61 --not-mine --phase 'the end'.": (
        'rehearsal.record("b.zip", "0.61", mine=False, phase="the end").'
    ),
    "cells--held-out.npz is a -- name": "cells--held-out.npz is a -- name",
}


@pytest.mark.parametrize("said", SAID)
def test_options_become_arguments(said: str) -> None:
    """Else a student would look for the place where --held-out is typed in a notebook."""
    assert in_python(said) == SAID[said]


def test_a_report_made_in_python_speaks_python() -> None:
    """Else it would advise options that no function has; a command's report keeps its options."""
    made = pages.small_report()
    source = replace(made.source, split="unknown", command="")
    asked = replace(made, source=source, sweep=None, findings=(), past=(), history=())
    page = re.sub(r"<(pre|style|script).*?</\1>", "", asked.to_page(), flags=re.S)
    for text in (str(asked), re.sub("<[^>]+>", "", page)):
        assert "held_out=True" in text
        assert re.findall(r"\s--[a-z][\w-]*", text) == []
    typed = replace(asked, source=replace(source, command="local-eval submission.zip"))
    assert "say --held-out" in " ".join(str(typed).split())
    assert "say --held-out" in re.sub("<[^>]+>", "", typed.to_page())


@pytest.mark.parametrize("blocks", [0, 1])
def test_without_answers_nothing_is_said_of_figures(blocks: int) -> None:
    """Else a zip without model.py would be told that its figures may be too high, and 0 bytes."""
    made = pages.small_report()
    source = replace(made.source, split="unknown")
    failed = replace(made, source=source, scores=None, estimate=None, sheet=None, blocks=blocks)
    for text in (str(failed), failed.to_page()):
        assert "No score: the submission gave no answers" in text
        assert "The model may have been trained" not in text
    assert ("nothing of it was run" in str(failed)) == (blocks == 0)


@pytest.mark.usefixtures("in_a_notebook")
def test_a_report_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Else rich would show it above what print() shows."""
    report: Report = pages.small_report()
    print(report)
    assert capsys.readouterr().out.count("validation (clean)") == 1


def test_a_figure_shows_without_a_plotting_library() -> None:
    """Else report.figure() would need %matplotlib inline, or show nothing in a foreign notebook."""
    drawn = pages.small_report().figure("recall")
    assert drawn._repr_svg_().startswith("<svg")
    assert (drawn._repr_png_() or b"").startswith(PNG)
    assert len(repr(drawn)) < 80


def test_a_figure_without_a_renderer_is_still_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a missing extra would be a traceback below the figure."""
    monkeypatch.setattr("evaluator.report.figures.find_spec", lambda _: None)
    assert pages.small_report().figure("recall")._repr_png_() is None
