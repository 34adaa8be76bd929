"""Uploads that were broken off, and submissions that are gone: each comes to an end, none twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site import wire as site_wire
from codabench_rehearsal.challenge.site.uploads import all_uploads, alone
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from evaluator.store.store import Store
from tests.challenge.conftest import MODEL, write_zip
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TODAY

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"]
FORGET = ["status", "--forget", "submission.zip"]
SUBMIT, LIST, ONE = "POST /api/submissions/$", r"GET /api/submissions/$", r"GET /api/submissions/"
TASKS = [{"id": 7, "name": "Cells"}, {"id": 9, "name": "More cells"}]
Cut = Callable[[SiteStub], None]


def before_it_is_asked_for(site: SiteStub) -> None:
    """The bytes are there, and no submission was asked for."""
    site.fail(SUBMIT, "status", value=(403, {"detail": "not now"}, {}))


def not_made(site: SiteStub) -> None:
    """The submission was asked for, and the site did not make it."""
    site.fail(SUBMIT, "close")


def made_and_not_said(site: SiteStub) -> None:
    """The site made it, and neither its answer nor its list said so at once."""
    site.fail(SUBMIT, "lost")
    site.fail(LIST, "json", times=4, value=[])


def broken_off(site: SiteStub, cut: Cut, capsys: pytest.CaptureFixture[str]) -> None:
    """An upload that was cut off."""
    cut(site)
    assert main(YES) == Exit.USAGE
    site.faults.clear()
    capsys.readouterr()


def days_later(site: SiteStub, monkeypatch: pytest.MonkeyPatch, days: float = 3) -> None:
    """Later, by the site's clock and by ours."""
    later = dt.timedelta(days=days)
    monkeypatch.setattr(site_wire.Clock, "now", lambda _: TODAY + later)
    site.offset = later


def test_the_list_says_how_old_it_is(
    site: SiteStub,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else an upload of last term looks as one of today, and its zip is searched for."""
    broken_off(site, before_it_is_asked_for, capsys)
    days_later(site, monkeypatch)
    assert challenge(["status"]) == Exit.FINE
    said = capsys.readouterr().out
    assert "submission.zip was broken off 3 days ago: the command that uploaded it goes on" in said
    assert "or --forget submission.zip" in said
    (here / "submission.zip").unlink()
    assert challenge(["status"]) == Exit.FINE
    assert "its zip is not there now" in capsys.readouterr().out


def test_what_was_only_stored_is_forgotten(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the list grows for ever; forgetting costs no more than sending the bytes again."""
    broken_off(site, before_it_is_asked_for, capsys)
    assert challenge(FORGET) == Exit.FINE
    assert "submission.zip is forgotten" in capsys.readouterr().out
    assert all_uploads() == ()
    assert challenge(["status"]) == Exit.FINE
    assert capsys.readouterr().out == "no upload is under way\n"
    assert main(YES) == Exit.FINE
    assert len(site.submissions) == 1


def test_status_finds_what_arrived(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a submission whose answer was lost runs, and its score comes to nobody."""
    broken_off(site, made_and_not_said, capsys)
    assert challenge(["status", "--wait"]) == Exit.FINE
    assert "0.8731343284 recorded, phase dev" in capsys.readouterr().out
    assert site.count(SUBMIT) == len(site.submissions) == 1
    with Store.open(here / "store.sqlite") as store:
        assert len(store.scores()) == 1


@pytest.mark.parametrize(("days", "stage"), [(0.02, "sent"), (0.1, "stored")])
def test_what_the_site_surely_does_not_know_is_in_doubt_no_more(
    site: SiteStub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    days: float,
    stage: str,
) -> None:
    """Else a doubt lasts for ever; dropped at once, a request on its way would be sent twice."""
    broken_off(site, not_made, capsys)
    days_later(site, monkeypatch, days)
    assert challenge(["status"]) == Exit.FINE
    assert ("whether it arrived is not known" in capsys.readouterr().out) == (stage == "sent")
    assert [one.stage for one in all_uploads()] == [stage]
    assert challenge(FORGET) == (Exit.USAGE if stage == "sent" else Exit.FINE)
    assert len(all_uploads()) == (stage == "sent")
    capsys.readouterr()


@pytest.mark.parametrize(
    "prepare", [lambda site: site.fail(LIST, "status", 9, 403), lambda _: None]
)
def test_what_may_have_arrived_is_not_forgotten(
    site: SiteStub, capsys: pytest.CaptureFixture[str], prepare: Cut
) -> None:
    """Else tidying up is followed by a second upload of the same zip."""
    broken_off(site, made_and_not_said, capsys)
    prepare(site)
    assert challenge(FORGET) == Exit.USAGE
    assert "else the same zip could be sent twice" in capsys.readouterr().err
    site.faults.clear()
    assert main(YES) == Exit.FINE
    assert len(site.submissions) == 1


def test_another_account_settles_no_doubt(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else whoever logs in as somebody else sees no submission, and sends the zip twice."""
    broken_off(site, made_and_not_said, capsys)
    days_later(site, monkeypatch)
    other = {"username": "carol", "name": "Carol"}
    site.fail("GET /api/my_profile/", "json", times=20, value=other)
    for words in (["status"], FORGET):
        assert challenge(words) == Exit.USAGE
        assert "was sent by another account" in capsys.readouterr().err
    assert main(YES) == Exit.USAGE
    assert "was sent by another account" in capsys.readouterr().err
    assert [one.stage for one in all_uploads()] == ["sent"]
    assert "alice" not in all_uploads()[0].place.read_text()
    assert site.count(SUBMIT) == 1


def test_a_submission_that_was_removed_is_forgotten(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it is asked about for ever; while it is there, forgetting it would send it twice."""
    assert main(YES) == Exit.FINE
    assert challenge(FORGET) == Exit.USAGE
    assert "for it is there as submission 500" in capsys.readouterr().err
    site.submissions.clear()
    assert challenge(["status"]) == Exit.USAGE
    assert "If it was removed there: --forget submission.zip" in capsys.readouterr().err
    assert challenge(FORGET) == Exit.FINE
    assert all_uploads() == ()
    capsys.readouterr()


def test_only_the_one_that_is_meant(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a slip of the name, or an ended upload, takes away what keeps a zip from going twice."""
    broken_off(site, before_it_is_asked_for, capsys)
    write_zip(here / "other.zip", f"{MODEL}# other\n")
    assert main([*YES[:1], "other.zip", *YES[2:], "--wait"]) == Exit.FINE
    for word in ("other.zip", "sub", "", "nothing.zip"):
        code = challenge(["status", "--forget", word])
        assert code == (Exit.USAGE if word else Exit.FINE)
        if word:
            assert "that was broken off, one of submission.zip" in capsys.readouterr().err
    assert len(all_uploads()) == 2
    stored = next(one for one in all_uploads() if one.stage == "stored")
    replace(stored, phase=12).keep()
    assert challenge(["status", "--forget", stored.sha256[:8]]) == Exit.FINE
    assert [one.name for one in all_uploads()] == ["other.zip"]
    capsys.readouterr()


def test_one_that_is_on_its_way_is_not_called_broken(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a glance from a second terminal says that the upload in the first one failed."""
    broken_off(site, before_it_is_asked_for, capsys)
    with alone(all_uploads()[0]):
        assert challenge(["status"]) == Exit.FINE
        assert "submission.zip may be on its way: another command" in capsys.readouterr().out
        assert challenge(FORGET) == Exit.USAGE
    assert len(all_uploads()) == 1
    capsys.readouterr()


@pytest.fixture
def several(site: SiteStub) -> SiteStub:
    """The site, whose open phase has two tasks and a column of them all."""
    site.challenge["phases"][0]["tasks"] = TASKS
    site.ends_of_tasks = [("Finished", 0.8), ("Finished", 0.6)]
    column = {"computation": "avg", "computation_indexes": "0", "index": 2, "key": "mean"}
    board = site.challenge["leaderboards"][0]
    board["columns"].append({**board["columns"][0], **column, "title": "Mean"})
    board["primary_index"] = 2
    return site


@pytest.mark.parametrize("how", ["waits", "asks later", "syncs"])
def test_a_task_that_is_gone_ends_the_whole(
    several: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """Else one removed task keeps the others' figures away, and status never comes to an end."""
    from codabench_rehearsal.commands.local_eval import main as local_eval

    several.fail(f"{ONE}502/$", "status", times=99, value=(404, {"detail": "Not found."}, {}))
    codes = [main([*YES, "--wait"] if how == "waits" else YES)]
    if how == "asks later":
        codes.append(challenge(["status", "--wait"]))
    if how == "syncs":
        several.submissions[0].at = 99
        assert local_eval(["history", "--sync", "1234"]) == Exit.FINE
    else:
        said = capsys.readouterr()
        assert codes[-1] == Exit.FINDINGS, said
        assert "task 1 (Cells) Finished, accuracy 0.8000000000" in said.out
        assert "task 2 () removed: the site has it no more" in said.out
        assert "it has 0.7000000000 for all: local-eval record" in said.out
        assert {one.name for one in (here / "submission.submission-500").iterdir()} >= {"task-1"}
        assert all_uploads()[0].stage == "ended"
        assert main(YES) == Exit.FINE
        assert "it is not sent again" in capsys.readouterr().out
    with Store.open(here / "store.sqlite") as store:
        assert store.scores() == ()
    assert several.count(SUBMIT) == 1
    capsys.readouterr()


def test_failed_tasks_do_not_free_what_the_site_counts(
    several: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a submission that the site calls Finished, and counts, is sent again by a script."""
    several.ends_of_tasks[1] = ("Failed", 0.0)
    assert main([*YES, "--wait"]) == Exit.FINDINGS
    assert main(YES) == Exit.FINE
    assert "it is not sent again" in capsys.readouterr().out


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("kept", [True, False])
def test_a_challenge_that_was_closed_gives_the_score(
    site: SiteStub, capsys: pytest.CaptureFixture[str], status: int, *, kept: bool
) -> None:
    """Else a submission of a challenge that is hidden after its end is asked about for ever."""
    if kept:
        assert challenge(["show", "1234"]) == Exit.FINE
    assert main(YES) == Exit.FINE
    site.fail("GET /api/competitions", "status", times=9, value=status)
    assert challenge(["status", "--wait"]) == Exit.FINE
    words = "0.8731343284 recorded, phase dev" if kept else "no score in the column that ranks"
    assert words in capsys.readouterr().out
    assert all_uploads()[0].stage == "ended"
