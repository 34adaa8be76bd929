"""`local-eval record`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from evaluator.store.store import Store
from tests.evaluator.history_typed import PLACE, rehearsed, run, scores, work_in, zipped

Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)


FIGURES = [
    (("--score", "0,890"), "dev", "0.890"),
    (("--score", "89 %", "--phase", "Final Phase"), "final", "0.89"),
    (("--score", "87.31"), "dev", "0.8731"),
]


@pytest.mark.parametrize(("words", "phase", "shown"), FIGURES)
def test_a_score_is_kept_as_it_was_shown(
    words: tuple[str, ...], phase: str, shown: str, capsys: Heard
) -> None:
    """Else its rounding, or its phase, would mislead the estimate."""
    sha256 = zipped("a.zip")
    run("record", "a.zip", *words)
    assert scores() == [("a.zip", sha256, phase, shown)]
    said = capsys.readouterr().out
    assert f"a.zip ({sha256[:8]}): {shown} recorded, phase {phase}." in said
    assert f"1 past score in phase {phase}: few to rest an estimate on" in said
    assert f"so leave {Path('a.zip').absolute()} there." in said


OFF = [
    ("0.89", "1.9 points too low, inside the range."),
    ("0.83", "4.1 points too high, outside the range."),
    ("0.871", "right, inside the range."),
]


@pytest.mark.parametrize(("score", "said"), OFF)
def test_a_prediction_is_held_against_the_score(score: str, said: str, capsys: Heard) -> None:
    """Else nobody would know how right the tool is, or in which direction it errs."""
    rehearsed("a.zip")
    run("record", "a.zip", "--score", score)
    shown = capsys.readouterr().out
    assert "Predicted: 0.871, between 0.842 and 0.903 (90 % sure), from 3 past scores:" in shown
    assert said in shown


def test_a_known_score_is_said_and_changes_nothing(capsys: Heard) -> None:
    """Else typing a score twice would make the estimate surer than it is."""
    zipped("a.zip")
    run("record", "a.zip", "--score", "0.89")
    run("record", "a.zip", "--score", "89%", "--date", "2026-11-21")
    assert "0.89 was known already, phase dev." in capsys.readouterr().out
    assert len(scores()) == 1


def test_a_zip_that_is_gone_is_known_by_name_place_or_hash(capsys: Heard) -> None:
    """Else a score could not be recorded after the zip was cleared away."""
    sha256 = zipped("a.zip")
    run("record", "a.zip", "--score", "0.81")
    Path("a.zip").unlink()
    for word, score in (("a", "0.82"), ("a.zip", "0.83"), (sha256[:6], "0.84")):
        run("record", word, "--score", score)
    capsys.readouterr()
    run("record", str(Path("a.zip").absolute()), "--score", "0.85")
    assert "its zip is gone: the estimate cannot use the score" in capsys.readouterr().out
    assert {row[:2] for row in scores()} == {("a.zip", sha256)}
    assert len(scores()) == 5


def test_an_unknown_name_says_what_to_do(capsys: Heard) -> None:
    """Else a slip in the name would make a submission that there never was."""
    run("record", "best.zip", "--score", "0.8", code=2)
    assert "--name-only" in capsys.readouterr().err
    assert not PLACE.exists()
    zipped("a.zip")
    run("record", "a.zip", "--score", "0.8123")
    run("record", "best.zip", "--score", "0.8", code=2)
    assert "it knows a.zip (" in capsys.readouterr().err
    assert len(scores()) == 1


def test_a_lost_zip_is_recorded_by_its_name_alone(capsys: Heard) -> None:
    """Else a season before this tool could not be shown, or would count for more than it can."""
    run("record", "our first", "--score", "0.71", "--name-only")
    run("record", "our first", "--score", "0.72")
    assert [row[:2] for row in scores()] == [("our first", "")] * 2
    said = capsys.readouterr().out
    assert "the estimate cannot use the score" in said
    assert "No score in phase dev can be used" in said


def test_one_name_for_several_zips_must_be_made_clear(capsys: Heard) -> None:
    """Else the score of one submission.zip would be held against another's prediction."""
    first, second = zipped("s.zip", "1"), zipped("other.zip", "2")
    with Store.open(PLACE) as store:
        for sha256 in (first, second):
            store.add_submission(sha256, "submission.zip")
    run("record", "submission", "--score", "0.8123", code=2)
    assert f"submission.zip ({second[:8]}, first seen 20" in capsys.readouterr().err
    run("record", first[:8], "--score", "0.8123")
    assert [row[1] for row in scores()] == [first]
    run("history")
    assert f"submission.zip ({first[:8]})" in capsys.readouterr().out


def test_a_rebuilt_zip_of_the_same_name_is_doubted(capsys: Heard) -> None:
    """Else a score would go to the zip that was built since, without a word."""
    old = rehearsed("submission.zip")
    new = zipped("submission.zip", "rebuilt")
    run("record", "submission.zip", "--score", "0.8123")
    said = capsys.readouterr().err
    assert f"local-eval forget {new[:8]}, then local-eval record {old[:8]}" in said
    run("record", "submission.zip", "--score", "0.8123")
    assert capsys.readouterr().err == ""


def test_slips_of_the_finger_are_pointed_out(capsys: Heard) -> None:
    """Else 0.98 for 0.89 would bend every later estimate."""
    zipped("a.zip")
    run("record", "a.zip", "--score", "0.98")
    run("record", "a.zip", "--score", "0.9")
    said = capsys.readouterr().err
    assert "2 scores in this phase: 0.98, 0.9." in said
    assert "0.9 may be rounded from anything within 5 points" in said


def test_a_baseline_is_kept_as_not_yours(capsys: Heard) -> None:
    """Else the organisers' score would count as an upload, and as the best to beat."""
    zipped("baseline.zip")
    run("record", "baseline.zip", "--score", "0.61")
    run("record", "baseline.zip", "--score", "0.61", "--not-mine")  # said late
    assert "0.61 was known already, phase dev, not yours." in capsys.readouterr().out
    run("history")
    heads, row, *_ = capsys.readouterr().out.splitlines()
    assert (heads.split()[-2:], row.split()[-2:]) == (["yours", "answers"], ["no", "none"])
    run("record", "baseline.zip", "--score", "0.6100")
    assert "its other scores are kept as not yours" in capsys.readouterr().err
    done = rehearsal.record("baseline.zip", "0.55", phase="final", mine=False)
    assert done.row.score is not None
    assert not done.row.score.mine
    assert "1 past score in phase final" in str(done)


def test_a_score_is_kept_from_python(capsys: Heard) -> None:
    """Else a notebook has to start the command and read its words."""
    sha256 = rehearsed("a.zip")
    done = rehearsal.record("a.zip", "0.890", phase="Development phase", date="2026-11-21")
    assert scores() == [("a.zip", sha256, "dev", "0.890")]
    assert done.is_new
    assert done.row.score is not None
    assert (done.row.score.value, done.row.score.date) == (0.89, "2026-11-21")
    assert done.row.prediction is not None
    assert "1.9 points too low" in str(done)
    again = rehearsal.record(Path("a.zip"), 0.5)
    assert again.doubts[0].startswith(
        "it has 2 scores in this phase: 0.890, 0.5. If one is a mistake:"
    )
    assert not rehearsal.record("a.zip", "0.890", date="2026-11-21").is_new
    heard = capsys.readouterr()
    assert not heard.out + heard.err
    with pytest.raises(rehearsal.UserError, match="expected a score such as"):
        rehearsal.record("a.zip", "high")
