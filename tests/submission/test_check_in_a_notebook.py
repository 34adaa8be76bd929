"""`from submission import check`: the same findings in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import from_arrays
from codabench_rehearsal.rehearsal.check import Checked
from submission import check
from submission.findings import Finding
from tests.submission.corpus.case import files, page
from tests.submission.corpus.pictures import labelled_images
from tests.submission.zips import build_zip


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good submission, in a folder without a server's environment."""
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    return build_zip(tmp_path / "submission.zip", files(page()))  # type: ignore[arg-type]  # text and bytes


def test_three_lines_check_a_zip(good: Path) -> None:
    """Else a notebook would have to call the command and read its text."""
    found = check(good, *labelled_images())
    assert found.verdict == "runs here"
    assert found.findings == ()
    assert found.runs[0]["accuracy"] == 1.0
    assert "runs here (sha256" in str(found)
    assert json.loads(found.to_json())["verdict"] == "runs here"
    page_shown = found._repr_html_()
    assert page_shown.startswith("<style>")
    assert "dry run here" in page_shown


def test_only_looking_starts_no_child(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `run=False` would run foreign code all the same."""
    monkeypatch.setattr("codabench_rehearsal.rehearsal.dry_run.Session", None)
    found = check(good, run=False)
    assert found.verdict == "looks right"
    assert found.unchecked[0] == "whether it runs (--no-run)"


def test_wrong_calls_are_one_sentence(good: Path) -> None:
    """Else a typo in a notebook would end in our traceback."""
    images, labels = labelled_images(each=2)
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: check(good, images), "labels are missing"),
        (lambda: check(good, images, labels[:3]), "labels"),
        (lambda: check(good, timelimit=3), "unknown option"),
        (lambda: check(good, ignore=["S9999"]), "No check 'S9999'"),
        (lambda: check(good.with_name("other.zip")), "no such file"),
        (lambda: check(good, good.with_name("other.npz"), server=False), "other.npz"),
    ]
    for call, said in wrong:
        with pytest.raises(SubmissionError, match=said):
            call()


def test_a_dataset_is_taken_as_it_is(good: Path) -> None:
    """Else images that are loaded already would have to be written first."""
    data = from_arrays(*labelled_images(), source="mine")
    found = check(good, data, server=False, ignore=["S501"])
    assert found.images.startswith("96 images of mine")


def test_foreign_text_is_escaped() -> None:
    """Else a submission's error message could run script in the notebook."""
    hurt = Finding("S605", "error", "<script>alert(1)</script>", "<b>", "<i>trace</i>")
    shown = Checked("<zip>", "0" * 64, 1, {}, (hurt,), unchecked=("<u>",))._repr_html_()
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;zip&gt; has errors" in shown


def test_importing_is_free() -> None:
    """Else every command would start numpy for a name it does not use."""
    code = "import sys, submission; assert 'numpy' not in sys.modules; submission.check"
    subprocess.run([sys.executable, "-c", code], check=True)
