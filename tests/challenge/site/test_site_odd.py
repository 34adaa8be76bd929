"""Odd surroundings and odd words: proxies, addresses, phases, figures, sentences, two at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.site.address import file_name, read_address, site_of
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.credentials import find_token, keep_token
from codabench_rehearsal.challenge.site.profile import known
from codabench_rehearsal.challenge.site.results import figure_of, read_outcome
from codabench_rehearsal.challenge.site.uploads import all_uploads
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from evaluator.store.store import Store
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TOKEN

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"]
WAIT = [*YES, "--wait"]
FAR = "https://codabench.example.org"


@pytest.mark.parametrize(
    "variables",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"HTTPS_PROXY": "nonsense://127.0.0.1:9"},
        {"HTTPS_PROXY": "http://127.0.0.1:port"},
        {"HTTPS_PROXY": "http://user:secret1@127.0.0.1:nine"},
    ],
)
def test_a_proxy_that_cannot_be(
    here: Path,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
) -> None:
    """Else a slip in a variable, or a missing package, ends in a traceback with a password."""
    del here, waits
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert challenge(["show", f"{FAR}/competitions/1/"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "cannot be used: expected http://HOST:PORT" in said
    assert "secret1" not in said
    assert len(said.splitlines()) == 1


def test_a_proxy_that_nobody_answers_at(
    here: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the site is thought to be down, and the variable is never looked at."""
    del here, waits
    monkeypatch.setenv("HTTPS_PROXY", "http://[half")
    with Site(FAR) as asked, pytest.raises(SiteError, match="or its proxy, see HTTPS_PROXY"):
        asked.get("/api/")


@pytest.mark.parametrize("text", ["*,[::1],,  .example.org", "http://[half", "::1 , \x01"])
def test_exceptions_from_the_proxy_that_are_none(
    here: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Else NO_PROXY as other programs take it ends in a traceback."""
    del here, waits
    monkeypatch.setenv("NO_PROXY", text.replace("\x01", "\x7f"))
    with Site(FAR) as asked, pytest.raises(SiteError):
        asked.get("/api/")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://EXAMPLE.org:443/", "https://example.org"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://example.org:/", "https://example.org"),
        ("https://example.org:8443/competitions/", "https://example.org:8443"),
        ("http://[::1]:8000/competitions/7/", "http://[::1]:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_one_site_has_one_name(url: str, base: str) -> None:
    """Else a token that was kept for a site is not found by another spelling of it."""
    assert site_of(url) == base


@pytest.mark.parametrize(
    "url", ["https://example.org/codabench", "https://example.org/api/competitions/12/", f"{FAR}/c"]
)
def test_a_site_in_a_folder_is_refused(url: str, here: Path) -> None:
    """Else the folder is left out without a word, and the token goes to another program."""
    del here
    with pytest.raises(SiteError, match="without a path"):
        site_of(url)
    with pytest.raises(SiteError):
        read_address(url)


def test_no_two_sites_share_a_file(here: Path) -> None:
    """Else a token for localhost:8000 goes to whoever answers as localhost-8000."""
    del here
    sites = (
        "http://localhost:8000",
        "https://localhost-8000",
        "https://localhost+8000",
        "http://[::1]:8000",
    )
    keep_token(sites[0], TOKEN)
    assert [find_token(one) for one in sites] == [TOKEN, "", "", ""]
    assert len({file_name(one) for one in sites}) == len(sites)


def test_the_other_loopback(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a site on this machine is not found by the name that everybody types."""
    host = site.base.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("CODABENCH_URL", host)
    assert main(WAIT) == Exit.FINE
    assert f"{host}/competitions/1234/" in capsys.readouterr().out


def test_a_cache_from_the_future_is_asked_anew(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a clock that was once wrong keeps last year's limits for ever."""
    assert challenge(["show", "1234"]) == Exit.FINE
    capsys.readouterr()
    [kept] = (here / "cache").rglob("1234.json")
    kept.write_text(kept.read_text().replace("2026-03-10T", "2031-03-10T"))
    site.challenge["title"] = "Another title"
    with Site(site.base) as asked:
        assert known(asked, read_address("1234"))[0].title == "Another title"


@pytest.mark.parametrize(("other", "code"), [("99", Exit.USAGE), ("PAGE", Exit.FINE)])
def test_it_goes_where_it_was_checked_for(
    site: SiteStub, capsys: pytest.CaptureFixture[str], other: str, code: Exit
) -> None:
    """Else a zip that fits one challenge is spent on another."""
    assert main([*YES, "--challenge", other.replace("PAGE", site.page)]) == code
    assert ("are two challenges" in capsys.readouterr().err) == (code == Exit.USAGE)
    assert len(site.submissions) == (code == Exit.FINE)


ODD_LIMITS: list[dict[str, Any]] = [
    {"has_max_submissions": False, "max_submissions_per_day": 0},
    {"max_submissions_per_day": None, "max_submissions_per_person": None, "has_max_submissions": False},
    {"max_submissions_per_day": -1, "max_submissions_per_person": -1, "has_max_submissions": False},
    {"has_max_submissions": None},
]  # fmt: skip


@pytest.mark.parametrize("limits", ODD_LIMITS)
def test_no_limit_is_none(
    site: SiteStub, capsys: pytest.CaptureFixture[str], limits: dict[str, Any]
) -> None:
    """Else a challenge without limits is said to have none left."""
    site.challenge["phases"][0].update(limits, execution_time_limit=-5)
    assert challenge(["show", "1234"]) == Exit.FINE
    assert "(open); 600 s a program; 1 task" in capsys.readouterr().out
    assert main(YES) == Exit.FINE
    assert "submissions: no limit a day, no limit in all" in capsys.readouterr().out


@pytest.mark.parametrize("used", [None, -3, "many"])
def test_a_limit_whose_use_is_not_told(
    site: SiteStub, capsys: pytest.CaptureFixture[str], used: object
) -> None:
    """Else an account with five a day is told that it has no limit."""
    given = json.loads(json.dumps(site.challenge))
    given["phases"][0]["used_submissions_per_day"] = used
    given["phases"][0]["used_submissions_per_person"] = 2
    site.fail("GET /api/competitions", "json", value=given)
    assert main(YES) == Exit.FINE
    assert "at most 5 a day, used ones not told, 98 left in all" in capsys.readouterr().out


@pytest.mark.parametrize("number", [-5, 0, None, "x", True, []])
def test_a_number_that_no_submission_has(
    site: SiteStub, capsys: pytest.CaptureFixture[str], number: object
) -> None:
    """Else it is noted as the submission's, the note cannot be read, and the zip goes twice."""
    site.fail("POST /api/submissions/$", "json", value={"id": number})
    assert main(YES) == Exit.USAGE
    assert "expected a submission's number" in capsys.readouterr().err
    assert [(one.stage, one.submission) for one in all_uploads()] == [("sent", 0)]


@pytest.mark.parametrize(
    "quota", [{}, {"quota": None, "storage_used": 1}, {"quota": -1, "storage_used": 5}, {"quota": "many", "storage_used": 0}, {"quota": 1e400, "storage_used": 0}]
)  # fmt: skip
def test_a_quota_that_is_not_told(
    site: SiteStub, capsys: pytest.CaptureFixture[str], quota: dict[str, Any]
) -> None:
    """Else an account without a limit cannot upload."""
    site.fail("GET /api/user_quota", "json", value=quota)
    assert main(YES) == Exit.FINE
    assert "your quota" not in capsys.readouterr().out


NAMES = [
    "\x1b[2J",
    "'; rm -rf ~; '",
    "Zweite Phase / 2 \u202e",
    "   ",
    "",
    "a" * 3000,
    "=cmd()",
    "-5",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_phase_of_any_name(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Else a score is lost, or the terminal is wiped, because of how somebody named a phase."""
    site.challenge["phases"][0]["name"] = name
    assert challenge(["show", "1234"]) == Exit.FINE
    assert main(WAIT) == Exit.FINE
    with Store.open(here / "store.sqlite") as store:
        assert [score.value for score in store.scores()] == [0.8731343284]
    assert local_eval(["history", "--sync", "1234"]) == Exit.FINE
    said = capsys.readouterr()
    assert "Scores recorded: 0; known already: 1" in said.out
    assert not {"\x1b", "\u202e"} & set(said.out + said.err)


def test_two_phases_of_one_name_are_not_guessed(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the zip goes to the first of them."""
    site.challenge["phases"][1]["name"] = "development "
    assert main([*YES, "--phase", "Development"]) == Exit.USAGE
    assert "2 phases of" in (said := capsys.readouterr().err)
    assert "give its number, one of 0, 1" in said
    assert main([*YES, "--phase", "0"]) == Exit.FINE


def test_a_phase_that_is_not_there_is_said(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a slip in a phase's name looks as if no score were there."""
    site.add("submission.zip")
    assert local_eval(["history", "--sync", "1234", "--phase", "Devlopment"]) == Exit.USAGE
    assert "expected a phase of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-05, "0.00001"), ("0.8700000000", "0.8700000000"), (0.5, "0.5"), (1, "1"), ("-0.0", "0.0"),
     ("1E-7", "0.0000001"), (None, "None"), ("NaN", "NaN"), ("1e999999", "1e999999"), ([], "[]")],
)  # fmt: skip
def test_a_score_as_it_is_written(value: object, text: str) -> None:
    """Else a small score is left out for how JSON writes it."""
    assert figure_of(value) == text
    row = {"id": 5, "status": "Finished", "scores": [{"column_key": "a", "score": value}]}
    assert len(read_outcome(row).scores) == (
        text[0].isdigit() and len(text) < 20 and "e" not in text
    )


@pytest.mark.parametrize(
    "value", ["NaN", None, -1, 2, 1e300, "1e-05", "1e-400", [], {}, "0.5\n", "-0.0", True]
)
def test_any_figure_ends_the_upload(
    site: SiteStub, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    """Else a score that is none keeps the upload open for ever, or shows a traceback."""
    assert main(YES) == Exit.FINE
    scores = [{"column_key": key, "score": value} for key in ("accuracy", "f\x1b1" * 100, "")]
    done = {"id": 500, "status": "Finished", "status_details": 5, "scores": scores, "children": [None, "x"]}  # fmt: skip
    site.fail(r"GET /api/submissions/500/$", "json", value=done)
    assert challenge(["status"]) == Exit.FINE
    assert "submission 500 Finished" in capsys.readouterr().out
    assert [one.stage for one in all_uploads()] == ["ended"]


def test_two_that_ask_at_once_record_one(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a score stands twice in the history, because status ran in two terminals."""
    site.open_now()
    assert main(YES) == Exit.FINE
    site.submissions[0].at = 99
    code = "import sys; from codabench_rehearsal.commands.codabench_challenge import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "status", "--wait"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in "12"]  # fmt: skip
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [Exit.FINE] * 2, said
    with Store.open(here / "store.sqlite") as store:
        assert len(store.scores()) == 1
    assert not list(here.rglob("*.draft"))
    capsys.readouterr()
