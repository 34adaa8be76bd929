"""`local-eval forget`, as a user types it."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
from pathlib import Path

import pytest

from evaluator.store.store import Store
from tests.evaluator.history_typed import (
    PLACE,
    PROGRAM,
    rehearsed,
    run,
    scores,
    work_in,
    zipped,
)

Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)


FORGOTTEN = [
    (("--score", "0.98"), [("dev", "0.89"), ("final", "0.89")], 2),
    (("--score", "0.89", "--phase", "final"), [("dev", "0.98"), ("dev", "0.89")], 2),
    (("--answers",), [("dev", "0.98"), ("dev", "0.89"), ("final", "0.89")], 0),
    ((), [], None),
]


@pytest.mark.parametrize(("words", "left", "answers"), FORGOTTEN)
def test_what_is_forgotten_is_what_was_named(
    words: tuple[str, ...], left: list[tuple[str, str]], answers: int | None
) -> None:
    """Else mending a slip would cost scores or hours of answers."""
    rehearsed("a.zip")
    for score, phase in (("0.98", "dev"), ("0.89", "dev"), ("0.89", "final")):
        run("record", "a.zip", "--score", score, "--phase", phase)
    run("forget", "a.zip", *words, "--yes")
    assert [row[2:] for row in scores()] == left
    with Store.open(PLACE) as store:
        assert {row.answers for row in store.history()} == ({answers} - {None})


def test_a_score_of_two_phases_needs_its_phase(capsys: Heard) -> None:
    """Else the wrong one of two scores would go."""
    zipped("a.zip")
    run("record", "a.zip", "--score", "0.89")
    run("record", "a.zip", "--score", "0.89", "--phase", "final")
    run("forget", "a.zip", "--score", "0.89", "--yes", code=2)
    assert "0.89 (dev), 0.89 (final): give --phase" in capsys.readouterr().err
    assert len(scores()) == 2


def test_a_rebuilt_zip_does_not_forget_its_forerunner(capsys: Heard) -> None:
    """Else `forget submission.zip` would remove what an older zip of that name answered."""
    old = rehearsed("submission.zip")
    zipped("submission.zip", "rebuilt")
    run("forget", "submission.zip", "--yes", code=2)
    assert f"local-eval forget {old[:8]}" in capsys.readouterr().err
    with Store.open(PLACE) as store:
        assert len(store.submissions()) == 1


def test_the_name_alone_can_be_forgotten(capsys: Heard) -> None:
    """Else a score kept by name would stay beside the zip that was found later."""
    run("record", "a.zip", "--score", "0.8123", "--name-only")
    assert capsys.readouterr().err == ""
    sha256 = zipped("a.zip")
    run("record", "a.zip", "--score", "0.8123", "--name-only")
    assert "without --name-only" in capsys.readouterr().err
    run("record", "a.zip", "--score", "0.8123")
    assert "local-eval forget a.zip --name-only" in capsys.readouterr().err
    run("forget", "a.zip", "--name-only", "--yes")
    assert [row[1] for row in scores()] == [sha256]


def test_nothing_is_forgotten_without_yes_and_the_next_step_does_it() -> None:
    """Else a slip throws answers away, or a notebook waits for ever at a question."""
    rehearsed("a.zip")
    ours, theirs = pty.openpty()  # a notebook gives one, and nobody types into it
    done = subprocess.run(
        [PROGRAM, "forget", "a.zip", "--answers"],
        stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 1
    assert "its 2 answers go" in done.stdout
    with Store.open(PLACE) as store:
        assert {row.answers for row in store.history()} == {2}
    (step,) = [line for line in done.stdout.splitlines() if line.startswith("next: ")]
    program, *words = shlex.split(step.removeprefix("next: "))
    assert program == "local-eval"
    run(*words)
    with Store.open(PLACE) as store:
        assert {row.answers for row in store.history()} <= {0}
