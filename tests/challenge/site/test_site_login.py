"""Whose token goes where: environment, files of mode 600, questions at a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.credentials import find_token, keep_token, token_file
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.commands.codabench_challenge import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import PASSWORD, TOKEN, USER

OTHER = "https://codabench.example.org"


def at_terminal(
    words: list[str], answers: list[tuple[str, str]], seconds: float = 40.0
) -> tuple[int, str]:
    """Run a command of ours at a terminal; exit code, and all that the terminal showed.

    answers: what is waited for, and what is typed then.
    """
    master, slave = pty.openpty()
    code = f"import sys; from codabench_rehearsal.commands.{words[0]} import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *words[1:]]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "COLUMNS": "300"}
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)  # fmt: skip
    os.close(slave)
    shown, left, end = "", list(answers), time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                part = os.read(master, 4096)
            except OSError:  # the child has closed it
                break
            if not part:
                break
            shown += part.decode("utf-8", "replace")
        if left and left[0][0] in shown:
            time.sleep(0.2)  # until the question has switched the echo off
            os.write(master, left.pop(0)[1].encode())
    child.wait(timeout=10)
    os.close(master)
    return child.returncode, shown


def test_login_keeps_the_token_and_nothing_else(
    site: SiteStub, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a password lies on the disk, or a token where others can read it."""
    monkeypatch.delenv("CODABENCH_TOKEN")
    site.open_now()
    answers = [("User name", f"{USER}\n"), ("Password", f"{PASSWORD}\n")]
    code, shown = at_terminal(
        ["codabench_challenge", "login", "--record-http", "calls.json"], answers
    )
    assert code == Exit.FINE, shown
    place = token_file(site.base)
    assert place.read_text().strip() == TOKEN
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert (here / "calls.json").read_text().count('"<hidden>"') == 2  # what was sent, and received
    written = [path.read_text() for path in here.rglob("*.json")]
    for secret in (PASSWORD, TOKEN):
        assert secret not in shown
        assert not any(secret in text for text in written)
    assert find_token(site.base) == TOKEN


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            [("User name", "alice\n"), ("Password", "wrong\n")],
            "does not know this name and password",
        ),
        ([("User name", "\n"), ("Password", "\n")], "does not know this name and password"),
    ],
)
def test_a_wrong_password(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[str, str]], words: str
) -> None:
    """Else a slip of the finger ends in a puzzle."""
    monkeypatch.delenv("CODABENCH_TOKEN")
    code, shown = at_terminal(["codabench_challenge", "login"], answers)
    assert code == Exit.USAGE
    assert words in shown
    assert not token_file(site.base).exists()


def test_a_pasted_token_is_tried_before_it_is_kept(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first upload finds out that half of it was pasted."""
    monkeypatch.delenv("CODABENCH_TOKEN")
    words = ["codabench_challenge", "login", "--paste"]
    code, shown = at_terminal(words, [("not shown", "0123456789abcdef\n")])
    assert code == Exit.USAGE
    assert "does not take the token" in shown
    assert not token_file(site.base).exists()
    code, shown = at_terminal(words, [("not shown", f"{TOKEN}\n")])
    assert code == Exit.FINE, shown
    assert TOKEN not in shown


def test_login_asks_nobody_in_a_pipe(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script or a notebook waits for ever."""
    assert main(["login"]) == Exit.USAGE
    assert "Nobody can be asked here (no terminal): set CODABENCH_TOKEN" in capsys.readouterr().err
    assert site.calls == []


def test_logout_removes_it(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a token stays on a machine that is given away."""
    place = keep_token(site.base, TOKEN)
    assert main(["logout"]) == Exit.FINE
    assert not place.exists()
    assert main(["logout"]) == Exit.FINE
    assert "was not there" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_is_refused(here: Path, mode: int) -> None:
    """Else a token that leaked is used on."""
    assert here.exists()
    keep_token(OTHER, TOKEN).chmod(mode)
    with pytest.raises(SiteError, match=f"expected mode 600, received {mode:o}") as told:
        find_token(OTHER)
    assert TOKEN not in str(told.value)


def test_a_new_login_mends_the_mode(here: Path) -> None:
    """Else the advice to log in again leaves the file as open as it was."""
    assert here.exists()
    keep_token(OTHER, "an old one").chmod(0o666)
    assert keep_token(OTHER, TOKEN).stat().st_mode & 0o777 == 0o600
    assert find_token(OTHER) == TOKEN


def test_a_link_or_a_folder_is_no_token(here: Path) -> None:
    """Else somebody else's file is read as one and sent away."""
    place = token_file(OTHER)
    place.parent.mkdir(parents=True)
    (here / "secret").write_text(TOKEN)
    (here / "secret").chmod(0o600)
    place.symlink_to(here / "secret")
    with pytest.raises(SiteError, match="expected a file with a token"):
        find_token(OTHER)
    place.unlink()
    place.mkdir(mode=0o700)
    with pytest.raises(SiteError, match="expected a file with a token"):
        find_token(OTHER)


@pytest.mark.parametrize(
    "text", ["", "short", "two\nlines of it", "x" * 600, "naïve-token-1234", "\x1b[31mtoken"]
)
def test_what_is_no_token_is_never_sent(here: Path, text: str) -> None:
    """Else a header is forged, or a whole file is sent as a token."""
    assert here.exists()
    place = keep_token(OTHER, TOKEN)
    place.write_text(text)
    with pytest.raises(SiteError, match="expected a token"):
        find_token(OTHER)


def test_the_variable_is_one_site_s(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the address in somebody's README gets the token for codabench.org."""
    assert here.exists()
    monkeypatch.setenv("CODABENCH_TOKEN", TOKEN)
    assert find_token("https://www.codabench.org") == TOKEN
    for base in (
        OTHER,
        "https://www.codabench.org:444",
        "https://codabench.org",
        "http://127.0.0.1:80",
    ):
        assert find_token(base) == ""
    monkeypatch.setenv("CODABENCH_URL", f"{OTHER}/competitions/")
    assert find_token(OTHER) == TOKEN
    assert find_token("https://www.codabench.org") == ""


def test_each_site_has_its_own_file(here: Path) -> None:
    """Else a token is shown to another site."""
    assert here.exists()
    keep_token(OTHER, TOKEN)
    assert find_token(OTHER) == TOKEN
    assert find_token("https://www.codabench.org") == ""
