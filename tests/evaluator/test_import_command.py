"""`local-eval import`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluator.history_typed import PLACE, run, scores, work_in, zipped

Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)


SHEET = "Model;Score;Phase\na.zip;0,89;dev\nlost;0,7;\nodd;<3;\nplanned;;\n"


def test_an_import_says_what_it_took_and_why_not_the_rest(capsys: Heard) -> None:
    """Else a row could be lost without anybody noticing."""
    sha256 = zipped("a.zip")
    Path("h.csv").write_text(SHEET, encoding="utf-8")
    run("import", "h.csv", "--phase", "Final phase", code=1)
    said = capsys.readouterr().out
    assert "Scores recorded: 2; known already: 0; rows without a score: 1; left out: 1." in said
    assert f"  a.zip ({sha256[:8]}): 0.89, phase dev" in said
    assert "h.csv, row 4: expected a score such as 0.89 or 89 %, received '<3'" in said
    assert "  lost\n" in said
    assert [row[2:] for row in scores()] == [("dev", "0.89"), ("final", "0.7")]
    run("import", "h.csv", "--phase", "final", code=1)
    assert "Scores recorded: 0; known already: 2" in capsys.readouterr().out


def test_a_dry_run_says_the_same_and_keeps_nothing(capsys: Heard) -> None:
    """Else looking first would already be doing."""
    zipped("a.zip")
    Path("h.csv").write_text(SHEET, encoding="utf-8")
    run("import", "h.csv", "--dry-run", code=1)
    first = capsys.readouterr().out
    assert not PLACE.exists()
    run("import", "h.csv", code=1)
    assert capsys.readouterr().out == first.removeprefix(
        "Only tried (--dry-run): nothing is kept. "
    )
    run("import", "h.csv", "--dry-run", code=1)
    assert "Scores recorded: 0; known already: 2" in capsys.readouterr().out
    assert len(scores()) == 2
