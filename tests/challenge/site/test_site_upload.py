"""`make-submission ... --upload`: what counts, one question, each step once, and its end."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.uploads import all_uploads
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.temporary import TemporaryFolder
from evaluator.store.rows import Prediction
from evaluator.store.store import Store
from submission.archive import sha256_of
from tests.challenge.conftest import MODEL, write_zip
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.test_site_login import at_terminal
from tests.challenge.site.world import TOKEN

UPLOAD = ["--check-only", "submission.zip", "--no-run", "--upload", "1234"]
YES = [*UPLOAD, "--yes"]
ROOT = Path(__file__).parents[3]


def test_the_whole_way(site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a score is still copied by hand from a page."""
    sha256 = sha256_of(here / "submission.zip")
    with Store.open(here / "store.sqlite") as store:
        own = store.add_submission(sha256, "submission.zip")
        store.record_prediction(own, Prediction("dev", 0.86, 0.83, 0.89, 0.9, 0, "drawn"))
    assert main([*YES, "--wait"]) == Exit.FINE
    said = capsys.readouterr().out
    for words in (
        "to Tell cells apart, phase Development", "submissions: 5 left today, 100 left in all", "your quota: 14.00 GB free",
        "the phase ends 2026-03-20 00:00 UTC, in 10 days", "submission 500 Finished", "0.8731343284 recorded, phase dev",
        "Predicted: 0.860", "1.3 points too low, inside the range", "f1 0.4365671642",
    ):  # fmt: skip
        assert words in said, words
    assert next(iter(site.puts.values())) == (here / "submission.zip").read_bytes()
    assert [s.status for s in site.submissions] == ["Finished"]
    assert site.leaked == []
    with Store.open(here / "store.sqlite") as store:
        [score] = store.scores("dev")
    assert (score.value, score.decimals, score.date) == (0.8731343284, 10, "2026-03-10")
    assert score.columns == (("f1", "0.4365671642"),)
    folder = here / "submission.submission-500"
    assert (
        json.loads((folder / "submission.json").read_text())["scores"]["accuracy"] == "0.8731343284"
    )
    assert {path.name for path in folder.iterdir()} == {
        "submission.json", "scoring_stdout.txt", "scoring_stderr.txt", "prediction_ingestion_stderr.txt",
        "detailed_results.html", "scoring_output.zip",
    }  # fmt: skip


def change(**fields: object) -> Callable[[SiteStub], None]:
    """Fields of the stub."""

    def made(site: SiteStub) -> None:
        for name, value in fields.items():
            setattr(site, name, value)

    return made


def phase(**fields: object) -> Callable[[SiteStub], None]:
    """Fields of the phase that is open."""
    return lambda site: site.challenge["phases"][0].update(fields)


def used(count: int, days_ago: int = 0) -> Callable[[SiteStub], None]:
    """Submissions that were made already."""

    def made(site: SiteStub) -> None:
        for _ in range(count):
            site.add("old.zip", created=site.now() - dt.timedelta(days=days_ago))

    return made


@pytest.mark.parametrize(
    ("prepare", "more", "words"),
    [
        (phase(end="2026-03-10T11:59:00Z"), ["--phase", "0"], "ended 2026-03-10 11:59 UTC: the site would take the zip all the same"),
        (phase(start="2026-03-11T00:00:00Z"), ["--phase", "Development"], "begins 2026-03-11 00:00 UTC"),
        (used(5), [], "Reached maximum allowed submissions for today"),
        (used(100, days_ago=3), [], "Reached maximum allowed submissions for this phase"),
        (change(participant="pending"), [], "not accepted in the challenge (pending)"),
        (change(used_space=15e9 - 10), [], "10 bytes of your quota are free"),
        (phase(end="2026-03-05T00:00:00Z"), [], "no phase is open today. Name one by --phase"),
        (phase(), ["--phase", "Finale"], "expected a phase of"),
        (phase(), ["--phase", "Final"], "begins 2026-03-20 00:00 UTC"),
    ],
)  # fmt: skip
def test_an_upload_that_is_of_no_use(
    site: SiteStub,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[SiteStub], None],
    more: list[str],
    words: str,
) -> None:
    """Else a late or surplus upload is spent, and nobody sees a score of it."""
    prepare(site)
    assert main([*YES, *more]) == Exit.USAGE
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
    assert site.count("POST") == site.count("PUT") == 0


def test_failed_ones_do_not_count(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else somebody with failed uploads is told to wait until tomorrow."""
    for _ in range(7):
        site.add("old.zip", end="Failed")
    site.add("old.zip", end="Cancelled")
    assert main(YES) == Exit.FINE
    assert "4 left today, 99 left in all" in capsys.readouterr().out


@pytest.mark.parametrize(("length", "code"), [(64, Exit.FINE), (65, Exit.USAGE)])
def test_a_long_name(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], length: int, code: int
) -> None:
    """Else the site refuses it after minutes of uploading."""
    name = f"{'n' * (length - 4)}.zip"
    write_zip(here / name)
    assert (
        main(["--check-only", name, "--no-run", "--upload", "1234", "--yes", "--ignore", "S109"])
        == code
    )
    assert len(site.submissions) == (code == Exit.FINE)
    capsys.readouterr()


def test_a_zip_with_errors_stays_here(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else an upload is spent on what is known to fail."""
    write_zip(here / "submission.zip", "class Model:\n    pass\n")
    assert main(YES) == Exit.FINDINGS
    assert (
        "Not uploaded: fix what was found in submission.zip, or say --anyway."
        in capsys.readouterr().out
    )
    assert site.calls == []
    assert main([*YES, "--anyway"]) == Exit.FINE
    assert len(site.submissions) == 1


@pytest.mark.parametrize("flag", ["--yes", "--wait", "--anyway"])
def test_options_that_need_an_upload(
    site: SiteStub, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    """Else `--wait` without `--upload` looks as if it had been uploaded."""
    assert main(["--check-only", "submission.zip", "--no-run", flag]) == Exit.USAGE
    assert f"{flag} goes with --upload 1234" in capsys.readouterr().err
    assert site.calls == []


def test_nobody_is_asked_in_a_pipe(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script uploads without a yes, or a notebook waits for ever."""
    assert main(UPLOAD) == Exit.USAGE
    assert "say --yes" in capsys.readouterr().err
    assert site.calls == []


@pytest.mark.parametrize(("answer", "count"), [("y\n", 1), ("\n", 0), ("\x04", 0)])
def test_one_question_at_a_terminal(site: SiteStub, answer: str, count: int) -> None:
    """Else Enter, pressed too often, spends an upload."""
    site.open_now()
    code, shown = at_terminal(["make_submission", *UPLOAD], [("Upload it now? [y/N]", answer)])
    assert code == Exit.FINE, shown
    assert shown.count("[y/N]") == 1
    assert shown.index("5 left today") < shown.index("[y/N]")
    assert len(site.submissions) == count
    assert ("Not uploaded." in shown) == (count == 0)


def test_without_a_token_nothing_long_begins(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the dry run of minutes ends with the question who one is."""
    monkeypatch.delenv("CODABENCH_TOKEN")
    assert main(YES) == Exit.USAGE
    said = capsys.readouterr()
    assert "codabench-challenge login, or set CODABENCH_TOKEN" in said.err
    assert said.out == ""
    assert site.calls == []


def test_the_same_zip_is_sent_once(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a command that is run twice spends two uploads on one zip."""
    assert main(YES) == main(YES) == main([*YES, "--wait"]) == Exit.FINE
    assert len(site.submissions) == site.count("PUT storage") == 1
    said = capsys.readouterr().out
    assert said.count("as submission 500: it is not sent again") == 2
    assert "recorded, phase dev" in said


def test_a_failed_one_may_be_sent_again(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip that failed for want of a worker can never be tried again."""
    site.ends, site.details = "Failed", "Execution Time Limit exceeded. Limit was 900 seconds"
    site.puts["/bucket/500/prediction_ingestion_stderr"] = b"Traceback\nMemoryError\x1b[2J\n"
    assert main([*YES, "--wait"]) == Exit.FINDINGS
    said = capsys.readouterr().out
    assert "submission 500 Failed: Execution Time Limit exceeded" in said
    assert "    | MemoryError\\x1b[2J" in said
    with Store.open(here / "store.sqlite") as store:
        assert store.scores() == ()
    assert local_eval(["explain", "500"]) == Exit.FINE
    said = capsys.readouterr().out
    assert said.startswith("a program ran into the time limit of 900 seconds")
    assert "here: make-submission --check-only" in said
    site.ends = "Finished"
    assert main([*YES, "--wait"]) == Exit.FINE
    assert len(site.submissions) == 2
    assert site.count("PUT storage") == 1  # the site still has the bytes
    assert local_eval(["explain", "7"]) == Exit.USAGE
    assert "no submission of that number was uploaded from here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "how", "puts", "looks"),
    [
        ("PUT storage", "half", 2, 1),
        ("PUT storage", "lost", 2, 1),
        ("POST /api/submissions/", "lost", 1, 2),
        ("POST /api/submissions/", "html", 1, 4),
        ("PUT /api/datasets/completed", "lost", 1, 1),
        ("POST /api/datasets/", "lost", 1, 1),
    ],
)
def test_a_broken_connection_spends_nothing(
    site: SiteStub, fault: str, how: str, puts: int, looks: int
) -> None:
    """Else one lost answer costs one of five uploads a day."""
    site.fail(fault, how)
    code = main(YES)
    assert code == (Exit.USAGE if how == "html" else Exit.FINE)
    assert len(site.submissions) == (how != "html")
    assert len([one for one in site.calls if one.startswith("PUT storage")]) == puts
    assert site.count(r"GET /api/submissions/$") == looks


def test_in_doubt_it_stops_and_later_looks_first(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the command, run again as advised, spends a second upload."""
    site.fail("POST /api/submissions/", "lost")
    site.fail(r"GET /api/submissions/$", "json", times=5, value=[])
    assert main(YES) == Exit.USAGE
    said = capsys.readouterr().err
    assert (
        "is not known, so it is not sent again: look for submission.zip under My Submissions"
        in said
    )
    assert len(said.splitlines()) == 1
    assert challenge(["status"]) == Exit.FINE
    assert "whether it arrived is not known" in capsys.readouterr().out
    assert main(YES) == Exit.FINE
    assert "submission 500:" in capsys.readouterr().out
    assert len(site.submissions) == site.count("POST /api/submissions/") == 1


def test_in_doubt_and_not_there_it_is_sent(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip that never arrived can never be sent."""
    site.fail("POST /api/submissions/", "status", value=502)
    assert main(YES) == Exit.USAGE
    assert main(YES) == Exit.FINE
    assert len(site.submissions) == 1
    assert site.count("PUT storage") == 1
    capsys.readouterr()


def test_where_nobody_can_look_nothing_is_sent(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a site that answers half of the time gets two."""
    site.fail("POST /api/submissions/", "lost")
    site.fail(r"GET /api/submissions/$", "json", times=1, value=[])
    site.fail(
        r"GET /api/submissions/$", "status", times=6, value=403
    )  # three looks, and the next three
    assert main(YES) == main(YES) == Exit.USAGE
    assert main(YES) == Exit.FINE
    assert len(site.submissions) == site.count("POST /api/submissions/") == 1
    capsys.readouterr()


def test_an_older_one_of_that_name_is_not_ours(site: SiteStub) -> None:
    """Else yesterday's score of submission.zip is taken for today's, which never arrived."""
    site.add("submission.zip")
    site.fail("POST /api/submissions/", "status", value=502)
    assert main(YES) == Exit.USAGE
    assert all_uploads()[0].submission == 0


def test_a_session_is_never_used(site: SiteStub) -> None:
    """Else the site takes our calls for a browser's, and refuses them for want of a CSRF token."""
    site.gives_sessions = True
    assert main(YES) == Exit.FINE
    assert site.sessions


def test_a_log_with_a_hostile_name(site: SiteStub, here: Path) -> None:
    """Else a site writes where it likes on the user's disk."""
    path = "/bucket/log"
    site.puts[path] = b"mine now"
    log = {"name": "../../../over", "data_file": f"{site.storage}{path}?X-Signature=get-{path}"}
    site.fail("GET /api/submissions/.*details", "json", value={"logs": [log]})
    assert main([*YES, "--wait"]) == Exit.FINE
    written = [one for one in here.rglob("*") if one.is_file() and one.read_bytes() == b"mine now"]
    assert written == [here / "submission.submission-500" / "log-0.txt"]
    assert not any((folder / "over").exists() for folder in here.parents)


def test_two_of_one_name_are_not_told_apart(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the score of a colleague's run on the same account is taken for this one's."""
    site.fail("POST /api/submissions/", "lost")
    real = site.add

    def both(*_: object) -> list[object]:
        real("submission.zip", number=600)
        return []

    site.fail(r"GET /api/submissions/$", "json", value=both())
    assert main(YES) == Exit.USAGE
    assert "are all called submission.zip" in capsys.readouterr().err
    assert site.count("POST /api/submissions/") == 1


def test_another_s_submissions_are_not_ours(site: SiteStub) -> None:
    """Else an organiser, who sees everybody's, is given a participant's score."""
    site.fail("POST /api/submissions/", "status", value=503)
    site.fail(r"GET /api/submissions/$", "json", value=[])
    others = [{"id": 900, "owner": "mallory", "filename": "submission.zip", "parent": None}]
    site.fail(r"GET /api/submissions/$", "json", times=9, value=others)
    assert main(YES) == Exit.USAGE
    assert all_uploads()[0].submission == 0


def test_a_long_name_is_found_as_the_site_keeps_it(site: SiteStub, here: Path) -> None:
    """Else a look after a lost answer never finds it: the site cuts names and drops signs."""
    name = "my best (really) submission of the evening.zip"
    write_zip(here / name)
    site.fail("POST /api/submissions/", "lost")
    assert main(["--check-only", name, "--no-run", "--upload", "1234", "--yes"]) == Exit.FINE
    assert site.submissions[0].filename == "my_best_really_submission_of_the_.zip"
    assert site.count("POST /api/submissions/") == 1


def test_a_zip_that_changes_is_not_submitted(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else another zip is judged than the one that was checked."""
    from codabench_rehearsal.challenge.site import upload

    real = upload.allowance

    def changing(*given: object, **named: object) -> object:
        found = real(*given, **named)  # type: ignore[arg-type]
        content = bytearray((here / "submission.zip").read_bytes())
        content[40] ^= 1
        (here / "submission.zip").write_bytes(content)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload, "allowance", changing)
        assert main(YES) == Exit.USAGE
    assert "it changed meanwhile. Nothing was submitted" in capsys.readouterr().err
    assert site.submissions == []
    assert site.puts == {}


def test_a_large_zip_goes_in_parts(site: SiteStub, here: Path) -> None:
    """Else 2 GB of weights are held in memory, or arrive in another order."""
    import random
    import zipfile

    with zipfile.ZipFile(here / "submission.zip", "w") as file:
        file.writestr("model.py", MODEL)
        file.writestr("weights.npy", random.Random(1).randbytes(9_000_000))
    site.fail("PUT storage", "half")
    assert main(YES) == Exit.FINE
    assert list(site.puts.values()) == [(here / "submission.zip").read_bytes()]


def test_status_brings_the_score(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else who did not wait has to copy it by hand."""
    assert site.submissions == []
    assert main(YES) == Exit.FINE
    capsys.readouterr()
    assert challenge(["status"]) == Exit.FINE
    assert (
        "submission 500 Submitted (submission.zip), since 2026-03-10T12:00 UTC"
        in capsys.readouterr().out
    )
    assert challenge(["status", "--wait"]) == Exit.FINE
    assert "0.8731343284 recorded, phase dev" in capsys.readouterr().out
    assert challenge(["status"]) == Exit.FINE
    assert "no upload is under way" in capsys.readouterr().out
    assert challenge(["status", "--all"]) == Exit.FINE
    assert "submission 500 Finished" in capsys.readouterr().out
    assert (here / "submission.submission-500" / "scoring_stdout.txt").exists()


def test_a_zip_that_is_gone_keeps_its_score(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else cleaning up while the platform computes loses the score."""
    assert main(YES) == Exit.FINE
    sha256 = sha256_of(here / "submission.zip")
    write_zip(here / "submission.zip", f"{MODEL}\n# another\n")
    assert challenge(["status", "--wait"]) == Exit.FINE
    with Store.open(here / "store.sqlite") as store:
        assert [score.submission.sha256 for score in store.scores()] == [sha256]
    del site
    capsys.readouterr()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (change(score=87.31), "the site shows 87.3100000000, history holds scores from 0 to 1"),
        (change(score=-0.5), "history holds scores from 0 to 1"),
        (lambda site: site.challenge["leaderboards"][0]["columns"][0].update(sorting="asc"), "the smallest is best"),
        (lambda site: site.challenge.update(leaderboards=[]), "shows no score in the column that ranks"),
    ],
)  # fmt: skip
def test_a_score_that_history_cannot_hold(
    site: SiteStub,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[SiteStub], None],
    words: str,
) -> None:
    """Else an error rate, or a percentage, is kept as an accuracy and misleads the estimate."""
    prepare(site)
    if not site.challenge["leaderboards"]:
        site.fail(
            r"GET /api/submissions/\d+/",
            "json",
            value={"id": 500, "status": "Finished", "scores": [{"score": "NaN"}]},
        )
    assert main([*YES, "--wait"]) == Exit.FINE
    assert words in capsys.readouterr().out
    with Store.open(here / "store.sqlite") as store:
        assert store.scores() == ()


def test_hidden_logs_are_said(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a phase that hides its logs looks like a fault."""
    site.hide_output = True
    assert main([*YES, "--wait"]) == Exit.FINE
    said = capsys.readouterr().out
    assert "no logs: the phase hides logs and results" in said
    assert "recorded, phase dev" in said


def test_ctrl_c_leaves_it_running(site: SiteStub, here: Path) -> None:
    """Else whoever stops waiting loses the submission, or does not know how to come back."""
    site.open_now()
    site.fail(
        r"GET /api/submissions/\d+/", "json", times=99, value={"id": 500, "status": "Running"}
    )
    code = "import sys; from codabench_rehearsal.commands.make_submission import main; sys.exit(main())"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", code, *YES, "--wait"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    site.await_call(r"GET /api/submissions/\d+/", 30)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == Exit.INTERRUPTED, out + err
    assert "submission 500 goes on there" in err
    assert "codabench-challenge status" in err
    site.faults.clear()
    assert challenge(["status", "--wait"]) == Exit.FINE
    with Store.open(here / "store.sqlite") as store:
        assert len(store.scores()) == 1


def test_what_is_known_of_uploads_holds_no_secret(site: SiteStub, here: Path) -> None:
    """Else a folder that is backed up or shared gives an account away."""
    assert main([*YES, "--wait"]) == Exit.FINE
    for path in here.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert b"X-Signature" not in content, path
    assert site.submissions


def test_a_damaged_note_sends_nothing(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a note that cannot be read counts as none, and the zip goes out again."""
    assert main(YES) == Exit.FINE
    [one] = all_uploads()
    for text in ("", "{}", "[]", json.dumps({**dataclasses.asdict(one), "submission": "x"})):
        one.place.write_text(text)
        assert main(YES) == Exit.USAGE
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert len(site.submissions) == 1
    with TemporaryFolder("unused-"):
        assert challenge(["status"]) == Exit.FINE


def test_in_python_it_wants_a_yes(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a cell that is run again in a notebook uploads without being asked."""
    import codabench_rehearsal as rehearsal

    checked = rehearsal.check(here / "submission.zip", run=False)
    with pytest.raises(rehearsal.UserError, match="yes=True"):
        rehearsal.upload(checked, 1234)
    assert site.calls == []
    done = rehearsal.upload(checked, 1234, phase="Development", yes=True, wait=True)
    assert (done.submission, len(site.submissions)) == (500, 1)
    assert "recorded, phase dev" in capsys.readouterr().out
    write_zip(here / "bad.zip", "class Model:\n    pass\n")
    with pytest.raises(rehearsal.UserError, match="anyway=True"):
        rehearsal.upload(rehearsal.check(here / "bad.zip", run=False), 1234, yes=True)
    assert len(site.submissions) == 1


def test_what_was_just_built_is_uploaded(site: SiteStub, here: Path) -> None:
    """Else building and uploading take two commands, and the second one another zip."""
    (here / "mine.py").write_text(MODEL)
    words = ["--model", "mine.py", "--out", "built.zip", "--no-run", "--upload", site.page, "--yes"]
    assert main(words) == Exit.FINE
    assert list(site.puts.values()) == [(here / "built.zip").read_bytes()]


def test_a_score_is_kept_where_logs_cannot_be(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a full disk, or a folder that may only be read, loses the score."""
    (here / "submission.submission-500").write_text("something of the user's")
    assert main([*YES, "--wait"]) == Exit.FINE
    said = capsys.readouterr().out
    assert "recorded, phase dev" in said
    assert "submission.submission-500 cannot be written" in said
    assert (here / "submission.submission-500").read_text() == "something of the user's"
    assert site.submissions


def test_one_lost_upload_hides_no_other(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one submission that was removed on the site keeps the others' scores away."""
    assert main(YES) == Exit.FINE
    write_zip(here / "submission.zip", f"{MODEL}\n# another\n")
    assert main(YES) == Exit.FINE
    del site.submissions[0]
    assert challenge(["status", "--wait"]) == Exit.USAGE
    said = capsys.readouterr()
    assert "submission.zip: 127.0.0.1" in said.err
    assert "recorded, phase dev" in said.out


def test_two_commands_at_once_spend_one(site: SiteStub, here: Path) -> None:
    """Else a second terminal, or an impatient second Enter, spends a second upload."""
    site.open_now()
    site.fail("PUT storage", "wait", value=4.0)
    code = "import sys; from codabench_rehearsal.commands.make_submission import main; sys.exit(main())"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, "-c", code, *YES], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    site.await_call("POST /api/datasets/", 30)
    second = subprocess.run([sys.executable, "-c", code, *YES], env=env, capture_output=True, text=True, check=False)  # fmt: skip
    out, err = first.communicate(timeout=30)
    assert first.returncode == Exit.FINE, out + err
    assert "another command is uploading" in second.stderr or "is not sent again" in second.stdout
    assert len(site.submissions) == site.count("POST /api/datasets/") == 1
    assert here.exists()


@pytest.mark.parametrize("name", [b"caf\xe9.zip", b"new\nline.zip", "turned\u202e.zip".encode()])
def test_a_name_that_is_no_text(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], name: bytes
) -> None:
    """Else a name out of an old archive ends in a fault of ours, or the site shows another."""
    path = os.fsdecode(name)
    try:
        write_zip(here / path)
    except OSError:
        pytest.skip("the file system takes no such name")
    assert (
        main(["--check-only", path, "--no-run", "--upload", "1234", "--yes", "--anyway"])
        == Exit.USAGE
    )
    assert "signs that are no text: rename it" in capsys.readouterr().err
    assert site.submissions == []
