"""An upload that is cut off at any step, by the user or by time: nothing is spent twice."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.credentials import keep_token
from codabench_rehearsal.challenge.site.uploads import all_uploads
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from evaluator.store.store import Store
from tests.challenge.site.handlers import Storage
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TOKEN
from tests.tables import thinned

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"]
ROOT = Path(__file__).parents[3]
CODE = "import sys; from codabench_rehearsal.commands.make_submission import main; sys.exit(main())"
ARRIVED = "Whether the submission arrived is not known"


ENDED = product(["PUT storage", "POST /api/submissions/$"], [signal.SIGINT, signal.SIGKILL])


@pytest.mark.parametrize(("at", "number"), thinned(ENDED))
def test_a_run_that_was_ended(
    site: SiteStub, capsys: pytest.CaptureFixture[str], at: str, number: signal.Signals
) -> None:
    """Else Ctrl-C, or a laptop that is shut, costs an upload or sends a second one."""
    site.open_now()
    site.fail(at, "wait", value=2.0)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", CODE, *YES], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    before = "POST /api/datasets/$" if at.startswith("PUT") else r"GET /api/submissions/$"
    site.await_call(before)
    time.sleep(0.5)  # the next call has left
    child.send_signal(number)
    _, said = child.communicate(timeout=30)
    assert child.returncode in (Exit.INTERRUPTED, -signal.SIGKILL), said
    is_open = at.startswith("POST")
    if number is signal.SIGINT:
        assert (ARRIVED in said) == is_open
    assert [one.stage for one in all_uploads()] == (["sent"] if is_open else [])
    time.sleep(2.0)  # the site is done with what it had read
    assert main(YES) == Exit.FINE
    assert len(site.submissions) == 1
    assert site.count(r"POST /api/submissions/$") == 1
    capsys.readouterr()


def test_ctrl_c_while_logs_come(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else half of a log passes for a whole one, or the score stands twice in the history."""
    site.open_now()
    assert main(YES) == Exit.FINE
    site.submissions[0].at = 99
    site.fail("GET storage .*scoring_stderr", "drip", 9)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", CODE.replace("make_submission", "codabench_challenge"), "status"]
    child = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    site.await_call("GET storage .*scoring_stderr")
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == Exit.INTERRUPTED, said
    assert "Traceback" not in said
    folder = here / "submission.submission-500"
    assert {one.name for one in folder.iterdir()} == {"submission.json", "scoring_stdout.txt"}
    site.faults.clear()
    assert challenge(["status"]) == Exit.FINE
    assert "logs and results" in capsys.readouterr().out
    assert (folder / "scoring_stderr.txt").read_text().startswith("scoring_stderr of 500")
    with Store.open(here / "store.sqlite") as store:
        assert len(store.scores()) == 1


def test_a_phase_that_ends_while_the_zip_is_on_its_way(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip that took an hour is submitted late: the site takes it, and it does not count."""
    usual = Storage.answer_to

    def slow(storage: Storage, method: str, path: str) -> None:
        site.offset = dt.timedelta(days=12)
        usual(storage, method, path)

    monkeypatch.setattr(Storage, "answer_to", slow)
    assert main(YES) == Exit.USAGE
    said = capsys.readouterr().err
    assert "the phase Development ended 2026-03-20 00:00 UTC, before the zip was there" in said
    assert site.submissions == []


def test_storage_does_not_tell_the_time(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a storage whose clock is off makes ours look wrong, or a phase look over."""
    late = "Fri, 01 Mar 2030 12:00:00 GMT"
    monkeypatch.setattr(Storage, "date_time_string", lambda _storage, _stamp=None: late)
    assert main([*YES, "--wait"]) == Exit.FINE  # the last answers are storage's
    assert "clock" not in capsys.readouterr().err
    assert site.count("GET storage") == 5


def test_storage_on_the_site_s_own_host_gets_no_token(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a signed address is refused for two ways of saying who asks, and a log has the token."""
    address = f"{site.base}/bucket/alice/submission.zip?X-Signature=secret1"
    site.fail("POST /api/datasets/$", "json", value={"key": "a1b2c3d4-e5", "sassy_url": address})
    assert main([*YES, "--record-http", "calls.json"]) == Exit.USAGE
    assert "does not take the zip (404)" in capsys.readouterr().err
    assert [one for one in site.tokened if "/bucket/" in one] == []
    kept = (here / "calls.json").read_text(encoding="utf-8")
    assert "<storage>" in kept
    assert "secret1" not in kept
    assert "/bucket/" not in kept


def test_a_transcript_that_cannot_be_written_hides_no_doubt(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else "no such folder" is all that is said of an upload that may have arrived."""
    folder = here / "calls"
    folder.mkdir()
    site.fail("POST /api/submissions/$", "status", value=502)
    real = Storage.answer_to

    def gone(storage: Storage, method: str, path: str) -> None:
        folder.rmdir()
        real(storage, method, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Storage, "answer_to", gone)
        assert main([*YES, "--record-http", "calls/calls.json"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert ARRIVED in said
    assert "--record-http: " in said
    assert len(said.splitlines()) == 2


def test_one_site_s_missing_token_hides_no_other(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the score of one site waits until somebody logs in on another."""
    assert main(YES) == Exit.FINE
    with SiteStub() as other:
        monkeypatch.setenv("CODABENCH_URL", other.base)
        assert main(YES) == Exit.FINE
        assert challenge(["status", "--wait"]) == Exit.USAGE
        said = capsys.readouterr()
        assert f"set CODABENCH_TOKEN and CODABENCH_URL={site.base}" in said.err
        assert "submission 500 Finished" in said.out
        keep_token(site.base, TOKEN)
        assert challenge(["status", "--wait"]) == Exit.FINE
