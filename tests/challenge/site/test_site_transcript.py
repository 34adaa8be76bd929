"""`--record-http`: what a transcript leaves out, and what it has to keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.transcript import Transcript
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.console.command import Exit
from tests.challenge.site.stub import SiteStub

FAR = "https://codabench.example.org"
SIGNED = "https://minio.example/b/k.zip?X-Amz-Signature=5f3a9c&X-Amz-Expires=600"


TELLING = [
    ("detail", f"cannot get {SIGNED}", "minio"),
    ("detail", f"cannot get {SIGNED}", "5f3a9c"),
    ("data_file", "/media/alice/k.zip?X-Amz-Signature=5f3a9c", "5f3a9c"),
    ("data_file", "/media/dave/k.zip", "dave"),
    ("reason", "ask carol.owner@example.org.", "carol"),
    ("error", "session 8f14e45fceea167a5a36dedd4bea2543 is over", "8f14e45f"),
    ("message", "key AKIAIOSFODNNEXAMPLEKEYWITHOUTDIGITS", "AKIA"),
    ("status_details", "JWT eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF", "eyJ"),
    ("owner", "Dave.Surname", "ave.surname"),
]


@pytest.mark.parametrize(("field", "text", "secret"), TELLING)
def test_a_transcript_tells_no_more_than_it_must(
    here: Path, field: str, text: str, secret: str
) -> None:
    """Else whoever sends it to us gives away an address that opens a file, or a person."""
    made = Transcript()
    answer = json.dumps({field: text, "more": [{"detail": f"of {text.upper()}, see {text}"}]})
    made.add("GET", f"{FAR}/api/x/?token=abc", None, (200, {"set-cookie": "s=1"}, answer.encode()))
    made.write(str(here / "calls.json"))
    kept = (here / "calls.json").read_text()
    assert secret.lower() not in kept.lower()
    assert "token=abc" not in kept
    assert json.loads(kept)["calls"][0]["status"] == 200


PLATFORM = [
    "Child task failed or non-zero return code", "Execution Time Limit exceeded. Limit was 600 seconds",
    "Could not find scores file, did the scoring program output it?", "Insufficient space. Your available space is 0.",
    "Pull for codalab/codalab-legacy:py37 failed!", "Reached maximum allowed submissions for today for this phase",
]  # fmt: skip


@pytest.mark.parametrize("text", PLATFORM)
def test_a_transcript_keeps_what_the_platform_says(here: Path, text: str) -> None:
    """Else a transcript is of no use to whoever mends the kit."""
    made = Transcript("bob")
    made.add("GET", f"{FAR}/api/", None, (403, {}, json.dumps({"detail": text}).encode()))
    made.write(str(here / "calls.json"))
    assert json.loads((here / "calls.json").read_text())["calls"][0]["answer"]["detail"] == text


def test_a_name_that_is_a_number_keeps_the_transcript_whole(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else hiding an account called 1234 leaves a file that no program reads."""
    site.challenge["created_by"] = "1234"
    assert challenge(["show", "1234", "--record-http", "calls.json"]) == Exit.FINE
    kept = json.loads((here / "calls.json").read_text())["calls"][0]
    assert kept["answer"]["id"] == 1234
    assert kept["path"] == "/api/competitions/<name>/"
    capsys.readouterr()
