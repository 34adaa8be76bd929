"""Bad days of a site, and hostile sites: one line, nothing lost, nothing spent twice, no token shown."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site import results as site_results
from codabench_rehearsal.challenge.site import wire as site_wire
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.make_submission import main as make
from codabench_rehearsal.console.command import Exit
from tests.challenge.site.handlers import Fault
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TOKEN
from tests.challenge.site.world import challenge as world
from tests.tables import thinned

SHOW = "show"
UPLOAD = "upload"
WAIT = "wait"
COMPETITION = "GET /api/competitions"
DATASET, STORAGE, COMPLETED = "POST /api/datasets/$", "PUT storage", "PUT /api/datasets/completed"
SUBMIT, ASK, DETAILS = (
    "POST /api/submissions/$",
    r"GET /api/submissions/\d+/$",
    "GET /api/submissions/.*details",
)
ALWAYS = 99
Prepare = Callable[[SiteStub], object]


@dataclass(frozen=True)
class Day:
    """A bad day. says: in the one line. stored, made: files and submissions that the site has.

    seconds: that a whole request may take.
    """

    name: str
    prepare: Prepare
    how: str
    says: str
    code: Exit = Exit.USAGE
    stored: int = 0
    made: int = 0
    seconds: float = 60

    def __str__(self) -> str:
        return self.name


def fault(call: str, how: str, times: int = ALWAYS, value: object = None) -> Prepare:
    """One kind of fault."""
    return lambda site: site.fail(call, how, times, value)


def status(
    call: str, code: int, detail: object = "no", times: int = ALWAYS, **headers: str
) -> Prepare:
    """A status with the site's reason."""
    return fault(call, "status", times, (code, {"detail": detail}, headers))


def stopped(site: SiteStub) -> None:
    """Nobody listens any more."""
    site.servers[0].shutdown()
    site.servers[0].server_close()


def later(**by: float) -> Prepare:
    """The site's clock is ahead of ours."""
    return lambda site: setattr(site, "offset", dt.timedelta(**by))


def last_phase(**by: float) -> Prepare:
    """The same, and no other phase follows."""

    def made(site: SiteStub) -> None:
        later(**by)(site)
        site.challenge["phases"] = site.challenge["phases"][:1]

    return made


def instead(call: str, **fields: object) -> Prepare:
    """An answer of the right form that holds something else."""
    return fault(call, "json", value=fields)


def accepted(site: SiteStub) -> None:
    """The submission is made, and answered with a word that we do not know."""
    real = site.fault

    def fault_of(call: str) -> Fault | None:
        found = real(call)
        if found is None and call == "POST /api/submissions/":
            site.add("submission.zip", end="Finished", at=0)
            return Fault(call, "status", 1, (202, {"queued": True}, {}))
        return found

    site.fault = fault_of  # type: ignore[method-assign]


BOMB = gzip.compress(bytes(64 << 20))
DEEP = b"[" * 100_000
FINE = Exit.FINE
DAYS = [
    # Asking: nothing is at stake.
    Day("down", stopped, SHOW, "it cannot be reached, 4 times. Nothing is lost"),
    Day("hangs up", fault(COMPETITION, "close"), SHOW, "the connection broke, 4 times"),
    Day("hangs up twice", fault(COMPETITION, "close", 2), SHOW, "", FINE),
    Day("500", status(COMPETITION, 500), SHOW, "has a fault of its own (500"),
    Day("503 with a wait", status(COMPETITION, 503, Retry_After="17"), SHOW, "has a fault of its own (503"),
    Day("429 for an hour", status(COMPETITION, 429, "throttled", Retry_After="3600"), SHOW, "try again in 60 minutes"),
    Day("429 twice", status(COMPETITION, 429, times=2, Retry_After="2"), SHOW, "", FINE),
    Day("401", status(COMPETITION, 401), SHOW, "wants a login (401, 'no'): codabench-challenge login"),
    Day("403", status(COMPETITION, 403, "Private."), SHOW, "refuses (403, 'Private.')"),
    Day("404", status(COMPETITION, 404, "Not found."), SHOW, "check the number; a private challenge"),
    Day("a page for JSON", fault(COMPETITION, "html"), SHOW, "expected JSON, received a web page"),
    Day("a page with 500", fault(COMPETITION, "html", value=500), SHOW, "has a fault of its own (500)"),
    Day("a login page", fault(COMPETITION, "redirect", value="/accounts/login/?next=/"), SHOW, "asks for a login"),
    Day("to another host", fault(COMPETITION, "redirect", value="https://evil.example/api/"), SHOW, "redirects to https://evil.example, which is not followed"),
    Day("to another port", fault(COMPETITION, "redirect", value="http://127.0.0.1:1/api/"), SHOW, "redirects to http://127.0.0.1:1, which"),
    Day("to a file", fault(COMPETITION, "redirect", value="file:///etc/passwd"), SHOW, "redirects to file://, which"),
    Day("in a circle", fault(COMPETITION, "redirect", value="/api/competitions/1234/"), SHOW, "redirects in a circle"),
    Day("on this host", fault(COMPETITION, "redirect", 1, "/api/competitions/1234/"), SHOW, "", FINE),
    Day("cut short", fault(COMPETITION, "cut"), SHOW, "the connection broke, 4 times"),
    Day("cut short once", fault(COMPETITION, "cut", 1), SHOW, "", FINE),
    Day("no end", fault(COMPETITION, "huge"), SHOW, "answers with more than 16.8 MB"),
    Day("drop by drop", fault(COMPETITION, "drip"), SHOW, "it is too slow, its answer does not end. Nothing is lost", seconds=0.3),
    Day("drop by drop in its head", fault(COMPETITION, "head"), SHOW, "it is too slow, its answer does not end. Nothing is lost", seconds=0.3),
    Day("packed", fault(COMPETITION, "packed", 1, ("gzip", gzip.compress(json.dumps(world()).encode()))), SHOW, "", FINE),
    Day("packed small", fault(COMPETITION, "packed", value=("gzip", BOMB)), SHOW, "answers with more than 16.8 MB, of which nothing is kept"),
    Day("packed twice", fault(COMPETITION, "packed", value=("gzip, gzip", gzip.compress(BOMB))), SHOW, "answers in a packing that nobody asked for"),
    Day("packed badly", fault(COMPETITION, "packed", value=("gzip", b"no gzip")), SHOW, "the connection broke, 4 times"),
    Day("packed and cut", fault(COMPETITION, "packed", value=("deflate", zlib.compress(b"{}" * 999)[:9])), SHOW, "the connection broke, 4 times"),
    Day("to no address", fault(COMPETITION, "redirect", value="http://[evil/"), SHOW, "redirects to what is no address"),
    Day("no phases", instead(COMPETITION, id=1234, title="Soon", phases=[]), SHOW, "has no phase yet: there is nothing to submit to"),
    Day("a clock at the end of time", later(days=2_900_000), SHOW, "", FINE),
    Day("429 until a date", status(COMPETITION, 429, Retry_After="Tue Mar 10 12:30:00 2026"), SHOW, "try again in 30 minutes"),
    Day("silent", fault(COMPETITION, "wait", value=0.6), SHOW, "no answer in time, 4 times"),
    Day("too deep", fault(COMPETITION, "text", value=DEEP), SHOW, "expected JSON, received something else"),
    Day("no text", fault(COMPETITION, "text", value=b"\xff\xfe\x00"), SHOW, "expected JSON, received something else"),
    Day("a list", fault(COMPETITION, "text", value=b"[1, 2]"), SHOW, "expected a challenge with phases"),
    Day("escapes", status(COMPETITION, 403, "\x1b[2J\nyou: won\u202e"), SHOW, r"\x1b[2J\nyou: won\u202e"),
    Day("a clock that is off", later(hours=7), SHOW, "this machine's clock is 7 hours from", FINE),
    # Before anything is sent.
    Day("a token that is none", status("GET /api", 401, "Invalid token."), UPLOAD, "does not take the token (401, 'Invalid token.')"),
    Day("the token echoed", fault("GET /api/can_make", "echo"), UPLOAD, "Token ***"),
    Day("no list of submissions", instead(r"GET /api/submissions/$", detail="x"), UPLOAD, "expected a list of submissions", stored=1),
    Day("our clock is late", last_phase(days=30), UPLOAD, "ended 2026-03-20 00:00 UTC"),
    Day("our clock is early", last_phase(days=-30), UPLOAD, "begins 2026-03-01 00:00 UTC"),
    # The zip.
    Day("no space", status(DATASET, 400, "Insufficient space. Your available space is 0."), UPLOAD, "Insufficient space."),
    Day("413", status(DATASET, 413, "too large"), UPLOAD, "takes nothing so large (413"),
    Day("no key", instead(DATASET, sassy_url="https://storage.example/x"), UPLOAD, "expected a key and an address"),
    Day("storage is a file", instead(DATASET, key="a1b2c3d4-e5", sassy_url="file:///etc/passwd"), UPLOAD, "names storage at file://: expected https"),
    Day("storage in the clear", instead(DATASET, key="a1b2c3d4-e5", sassy_url="http://storage.example/x"), UPLOAD, "names storage at http://storage.example: expected https"),
    Day("storage refuses", status(STORAGE, 403), UPLOAD, "does not take the zip (403)"),
    Day("storage is full", status(STORAGE, 413), UPLOAD, "does not take the zip (413): it is too large"),
    Day("storage is down", status(STORAGE, 503), UPLOAD, "does not take the zip (503): try again later"),
    Day("storage leads elsewhere", fault(STORAGE, "redirect", value="https://evil.example/"), UPLOAD, "does not take the zip (302)"),
    Day("half a zip for ever", fault(STORAGE, "half"), UPLOAD, "the connection broke, 4 times. Nothing is lost"),
    Day("half a zip three times", fault(STORAGE, "half", 3), UPLOAD, "", FINE, 1, 1),
    Day("kept, and not said", fault(STORAGE, "lost", 1), UPLOAD, "", FINE, 1, 1),
    Day("never completed", status(COMPLETED, 404), UPLOAD, "does not have this (404", stored=1),
    Day("completed, and not said", fault(COMPLETED, "lost", 1), UPLOAD, "", FINE, 1, 1),
    # The submission, which is counted.
    Day("400", status(SUBMIT, 400, "All tasks must be part of the current phase."), UPLOAD, "All tasks must be part", stored=1),
    Day("used up meanwhile", status(SUBMIT, 403, "Reached maximum allowed submissions"), UPLOAD, "Reached maximum allowed submissions", stored=1),
    Day("409", status(SUBMIT, 409, "exists"), UPLOAD, "(409, 'exists'): something of it is there already", stored=1),
    Day("429 once", status(SUBMIT, 429, times=1), UPLOAD, "", FINE, 1, 1),
    Day("429 for hours", status(SUBMIT, 429, Retry_After="7200"), UPLOAD, "try again in 120 minutes", stored=1),
    Day("500 and not made", status(SUBMIT, 500), UPLOAD, "is not known, so it is not sent again", stored=1),
    Day("made, and not said", fault(SUBMIT, "lost", 1), UPLOAD, "", FINE, 1, 1),
    Day("not made, cut short", fault(SUBMIT, "cut"), UPLOAD, "is not known, so it is not sent again", stored=1),
    Day("not made, a page", fault(SUBMIT, "html"), UPLOAD, "received a web page", stored=1),
    Day("not made, hung up", fault(SUBMIT, "close"), UPLOAD, "the connection broke. Whether the submission", stored=1),
    Day("made, and 202", accepted, UPLOAD, "", FINE, 1, 1),
    Day("not made, 202", fault(SUBMIT, "status", value=(202, {}, {})), UPLOAD, "is not known, so it is not sent again", stored=1),
    Day("not made, no end", fault(SUBMIT, "huge"), UPLOAD, "is not known, so it is not sent again", stored=1),
    Day("not made, drop by drop", fault(SUBMIT, "head"), UPLOAD, "is not known, so it is not sent again", stored=1, seconds=2),
    Day("not made, seen elsewhere", fault(SUBMIT, "redirect", value="/competitions/1234/"), UPLOAD, "is not known, so it is not sent again", stored=1),
    Day("a number that is none", instead(SUBMIT, id="many"), UPLOAD, "expected a submission's number", stored=1),
    Day("sent to a login", fault(SUBMIT, "redirect", value="/accounts/login/"), UPLOAD, "asks for a login", stored=1),
    Day("sent elsewhere", fault(SUBMIT, "redirect", value="https://evil.example/"), UPLOAD, "redirects to https://evil.example", stored=1),
    Day("the token echoed late", fault(SUBMIT, "echo"), UPLOAD, "Token ***", stored=1),
    # Waiting.
    Day("away while it runs", fault(ASK, "close", 9), WAIT, "", FINE, 1, 1),
    Day("away for good", fault(ASK, "close", 999), WAIT, "Submission 500 is there: codabench-challenge status", stored=1, made=1),
    Day("removed while it runs", status(ASK, 404), WAIT, "Submission 500 is there: codabench-challenge status", stored=1, made=1),
    Day("another's", instead(ASK, id=501, status="Finished"), WAIT, "expected submission 500, received", stored=1, made=1),
    Day("no details", status(DETAILS, 500), WAIT, "", FINE, 1, 1),
    Day("a log elsewhere", instead(DETAILS, logs=[{"name": "../../x", "data_file": "https://169.254.169.254/"}]), WAIT, "", FINE, 1, 1),
    Day("a log drop by drop", fault("GET storage .*scoring_stdout", "drip"), WAIT, "", FINE, 1, 1, seconds=1),
    Day("details drop by drop", fault(DETAILS, "head"), WAIT, "", FINE, 1, 1, seconds=1),
    Day("asks to wait while it runs", status(ASK, 429, times=3, Retry_After="999"), WAIT, "", FINE, 1, 1),
    Day("a log without end", fault("GET storage .*scoring_stdout", "huge"), WAIT, "", FINE, 1, 1),
]  # fmt: skip
COMMANDS: dict[str, list[str]] = {
    SHOW: ["show", "1234"],
    UPLOAD: ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"],
    WAIT: ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes", "--wait"],
}


@pytest.mark.parametrize("day", thinned(DAYS), ids=str)
def test_a_bad_day(
    site: SiteStub,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    day: Day,
) -> None:
    """Else a bad day of the site costs an upload, shows a token, or ends in a traceback."""
    for name, value in (("REPLY_SECONDS", day.seconds), ("SILENT_SECONDS", 0.3)):
        monkeypatch.setattr(site_wire, name, value)
    monkeypatch.setattr(site_results, "LARGEST_LOG", 1 << 20)
    day.prepare(site)
    command = challenge if day.how == SHOW else make
    code = command([*COMMANDS[day.how], "--record-http", "calls.json"])
    said = capsys.readouterr()
    assert code == day.code, said
    assert len(said.err.splitlines()) == bool(day.says), said.err
    assert day.says in said.err
    assert len(site.puts) - site.count("GET .*details") * 5 <= day.stored or day.how == WAIT
    assert sum(path.startswith("/bucket/dataset") for path in site.puts) == day.stored
    assert len(site.submissions) == day.made
    assert site.leaked == []
    for text in (said.out, said.err, (here / "calls.json").read_text(encoding="utf-8")):
        assert TOKEN not in text
    assert not list(here.rglob("*.draft"))
    if day.stored == 1 and day.code != FINE:
        assert_goes_on(site, capsys)


def assert_goes_on(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """The day after, the same command ends with one submission of one file."""
    site.faults.clear()
    assert make(COMMANDS[WAIT]) == FINE
    assert len(site.submissions) == 1
    said = capsys.readouterr().out
    assert "recorded, phase dev" in said


def test_there_are_enough_bad_days() -> None:
    """Else the table shrinks as the code becomes worse."""
    assert len(DAYS) >= 40
    assert len({day.name for day in DAYS}) == len(DAYS)
