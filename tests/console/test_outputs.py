"""What a command writes, held against all that it reads: every parser, every option, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.console import roles
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.roles import Reads, Writes
from tests.console.commands import (
    ACTIONS,
    FILES,
    MAIN,
    NO_FILE,
    READ,
    STORED,
    WRITTEN,
    Pair,
    flag,
    line,
    same,
    state,
)


def test_every_option_says_whether_it_is_a_file() -> None:
    """Else a new option that reads or writes a file is not guarded."""
    for words, actions in ACTIONS.items():
        for action in actions:
            text = action.nargs != 0 and action.type in (None, Path, str) and not action.choices
            assert not text or action.dest in NO_FILE, f"{words}: {flag(action)}"
            if isinstance(action.type, Reads):
                assert action.type in FILES, action.type.what


def test_every_command_that_writes_has_force() -> None:
    """Else its own advice cannot be followed."""
    for words, actions in ACTIONS.items():
        writes = any(isinstance(a.type, Writes) and not a.type.folder and a.dest != "store" for a in actions)  # fmt: skip
        assert writes == any(action.dest == "force" for action in actions), words


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
@pytest.mark.parametrize("pair", READ, ids=str)
def test_no_output_is_an_input(
    here: Path, capsys: pytest.CaptureFixture[str], pair: Pair, force: list[str]
) -> None:
    """Else the weights, the data, the zip ... of the user are gone, with exit code 0."""
    assert isinstance(pair.other.type, Reads)
    name = FILES[pair.other.type]
    given = "trained" if pair.other.type is roles.TRAINED else name
    before = state(here)
    for how in ("dot", "symlink", "hard link", "folder link"):
        alias = same(name, how)
        assert MAIN[pair.words[0]]([*line(pair, alias, given), *force]) == Exit.USAGE
        said = capsys.readouterr().err
        assert "would overwrite" in said, said
        assert len(said.splitlines()) == 1
        Path("alias").unlink(missing_ok=True)
    assert state(here) == before


@pytest.mark.parametrize("pair", WRITTEN, ids=str)
def test_no_two_outputs_are_one(here: Path, capsys: pytest.CaptureFixture[str], pair: Pair) -> None:
    """Else a report is replaced by another a moment later."""
    before = state(here)
    assert MAIN[pair.words[0]](line(pair, "./new.x", "new.x")) == Exit.USAGE
    said = capsys.readouterr().err
    assert flag(pair.out) in said
    assert "name one file, " in said
    assert state(here) == before


@pytest.mark.parametrize("pair", STORED, ids=str)
def test_no_output_is_the_store(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pair: Pair
) -> None:
    """Else all answers and scores are gone, or SQLite's own log of them."""
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(here))
    for tail in ("", "-wal", "-shm", "-journal"):
        (here / f"store.sqlite{tail}").write_bytes(b"answers")
        words = line(pair, f"store.sqlite{tail}", "")
        assert MAIN[pair.words[0]](words) == Exit.USAGE
        assert f"name one file, {here / 'store.sqlite'}{tail}" in capsys.readouterr().err
    assert (here / "store.sqlite").read_bytes() == b"answers"


def test_a_belief_is_a_file_with_a_number_behind_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else `--believe mine.toml:0.6 --json mine.toml` writes over the user's preset."""
    before = state(here)
    words = ["s.zip", "--data", "cells.npz", "--believe", "believed.toml:0.6"]
    assert MAIN["local-eval"]([*words, "--json", "./believed.toml", "--force"]) == Exit.USAGE
    assert "would overwrite" in capsys.readouterr().err
    assert state(here) == before
