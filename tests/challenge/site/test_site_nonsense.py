"""Answers of the right form with nonsense in them: no traceback, nothing that moves the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.site.stub import SiteStub
from tests.tables import thinned

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"]
ESCAPES = "\x1b[2J\u202e\x07\r\n"
NONSENSE: list[Any] = [None, -1, [], {}, [None], [{}], True, 1e308, "9" * 400, {"name": ESCAPES}]
PLAIN = ("id", "index", "start", "end", "key", "sorting", "column_key", "primary_index")
ROW = {
    "id": 500, "status": "Finished", "filename": "submission.zip", "owner": "alice.surname", "children": [], "parent": None,
    "task": None, "scores": [{"column_key": "accuracy", "score": "0.5"}], "created_when": "2026-03-10T12:00:00Z", "status_details": None,
}  # fmt: skip
DETAILS: list[Any] = [
    None, 5, [], {"logs": 5}, {"logs": [5, None, {"name": None, "data_file": 5}]}, {"detailed_result": ""},
    {"logs": [{"name": "a", "data_file": "x"}]}, {"scoring_result": "javascript:alert(1)"},
    *({"logs": [{"name": "../../x", "data_file": url}]} for url in (
        "file:///etc/passwd", "http://[x", "https://h.example:99999/", "https://e x.org/\x00", f"https://{'a' * 99_999}.org/",
    )),
]  # fmt: skip


def assert_calm(capsys: pytest.CaptureFixture[str], code: int) -> None:
    """An exit code of ours, and lines that are only lines."""
    said = capsys.readouterr()
    assert code in (Exit.FINE, Exit.FINDINGS, Exit.USAGE), said.err
    assert "Traceback" not in said.err
    assert not {"\x1b", "\u202e", "\x07", "\r"} & set(said.out + said.err)


def poisoned(value: Any) -> Any:
    """The same document, each text of people with signs in it that wipe a terminal."""
    if isinstance(value, dict):
        return {key: one if key in PLAIN else poisoned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one) for one in value]
    return f"{value}{ESCAPES}{'x' * 5000}" if isinstance(value, str) else value


def test_no_word_of_a_site_moves_the_cursor(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else an organiser's title wipes a terminal, or shows a score that nobody got."""
    site.challenge.update(poisoned(site.challenge))
    site.details, site.ends = ESCAPES * 100, "Failed"
    for words in (["show", "1234"], ["show", "1234", "--json", "x.json"]):
        assert_calm(capsys, challenge(words))
    assert_calm(capsys, main([*YES, "--wait"]))
    for words in (["history", "--sync", "1234"], ["explain", "500"]):
        assert_calm(capsys, local_eval(words))
    assert_calm(capsys, challenge(["status", "--all"]))
    assert "\x1b" not in (here / "x.json").read_text()


@pytest.mark.parametrize("field", thinned(ROW))
def test_a_submission_that_is_told_wrongly(
    site: SiteStub, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    """Else one row that an administrator edited by hand breaks every command that lists it."""
    assert_calm(capsys, main(YES))
    for value in NONSENSE:
        site.faults.clear()
        row = {**ROW, field: value}
        site.fail(r"GET /api/submissions/$", "json", 9, [row])
        site.fail(r"GET /api/submissions/500/$", "json", 9, row)
        assert_calm(capsys, challenge(["status"]))
        assert_calm(capsys, local_eval(["history", "--sync", "1234"]))


@pytest.mark.parametrize("given", DETAILS, ids=range(len(DETAILS)))
def test_results_that_are_told_wrongly(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], given: Any
) -> None:
    """Else a score is not recorded, or a file is written elsewhere, because of a log's address."""
    site.fail("GET .*get_details", "json", 9, given)
    code = main([*YES, "--wait"])
    assert code == Exit.FINE
    assert_calm(capsys, code)
    folder = here / "submission.submission-500"
    assert [one.name for one in folder.iterdir()] == ["submission.json"]
    assert site.leaked == []


@pytest.mark.parametrize("call", ["GET /api/my_profile", "GET /api/can_make", "POST /api/datasets/$", "PUT /api/datasets/completed"])  # fmt: skip
def test_an_answer_that_is_none(
    site: SiteStub, capsys: pytest.CaptureFixture[str], call: str
) -> None:
    """Else a half-broken site ends an upload in a traceback, or gets two."""
    for given in (*NONSENSE, {"username": ESCAPES}, {"key": "a" * 8, "sassy_url": "http://[x"}, {"key": "../../x/y", "sassy_url": "https://x"}):  # fmt: skip
        site.faults.clear()
        site.fail(call, "json", 9, given)
        assert_calm(capsys, main(YES))
    assert len(site.submissions) <= 1
