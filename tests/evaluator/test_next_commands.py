"""The commands that ours print as the next ones: copied as they stand, they work."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codabench_rehearsal.commands import evaluate
from codabench_rehearsal.commands import recipe_train as train
from codabench_rehearsal.commands.given import CARRIED, next_command
from codabench_rehearsal.commands.local_eval import COMMANDS
from codabench_rehearsal.commands.make_submission import main as make_submission
from codabench_rehearsal.commands.make_submission import new_parser
from codabench_rehearsal.console.words import quoted
from codabench_rehearsal.images import save
from tests.evaluator.corner import DATA, SOURCE

BIN = Path(sys.executable).parent
PROFILE = """
schema = 1
name = "ours"
[images]
shape = [96, 96, 3]
[labels]
names = ["a", "[/b]", "c", "d", "e", "f", "g", "h"]
"""


def typed(line: str) -> subprocess.CompletedProcess[str]:
    """A line as a shell runs it."""
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line], env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def steps(text: str, start: str = "next: ") -> list[str]:
    """The commands that a text prints."""
    return [line.removeprefix(start) for line in text.splitlines() if line.startswith(start)]


NAMES = ["s.zip", "my zip's.zip", "-s.zip", "[red]$HOME;.zip", "a\nb.zip", "\udcff.zip", "ü.zip"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_shell_reads_a_name_as_it_is(name: str, tmp_path: Path) -> None:
    """Else a name with a blank, or in another encoding, cannot be copied."""
    (tmp_path / name).write_bytes(b"found")
    line = next_command("local-eval", [name], argparse.Namespace())
    shown = line.replace("local-eval", f"cd {quoted(tmp_path)}; cat", 1)
    assert line.isprintable()
    assert typed(shown).stdout == "found"


def test_next_steps_are_copied_and_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the user finds out alone which options the next command needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    save(DATA.subset(range(60)), "my cells.npz")
    Path("our own.toml").write_text(PROFILE, encoding="utf-8")
    Path("mine.py").write_text(SOURCE.format(side=24), encoding="utf-8")
    words = ["--model", "mine.py", "--data", "my cells.npz", "--challenge", "our own.toml"]
    assert make_submission([*words, "--out", "it's mine.zip", "--memory-limit", "8GB"]) == 0
    monkeypatch.delenv("CODABENCH_REHEARSAL_CACHE")  # there kernels are compiled already
    (rehearse,) = steps(capsys.readouterr().out)
    assert "--data 'my cells.npz' --challenge 'our own.toml'" in rehearse
    assert "--memory-limit 8000000000" in rehearse
    done = typed(f"{rehearse} --images 30 --store 'my store'")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = steps(done.stdout, "after the upload: ")
    assert "--store 'my store'" in record
    assert typed(record).returncode == 2, "SCORE is no score: nothing false is recorded"
    done = typed(record.replace("SCORE", "0.8912"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.8912 recorded" in done.stdout


def test_the_servers_versions_are_the_next_step_where_they_were_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a notebook waits for ever at a question, or nobody learns of --server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    Path("mine.py").write_text(SOURCE.format(side=24), encoding="utf-8")
    assert make_submission(["--model", "mine.py", "--seed", "3", "--ignore", "S302"]) == 0
    said = capsys.readouterr().out
    assert steps(said) == [
        "make-submission --check-only submission.zip --seed 3 --ignore S302 --server",
        "local-eval submission.zip --data FILE",
    ]


def test_after_errors_there_is_no_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip that was refused is sent on to be rehearsed."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("class Model: pass", encoding="utf-8")
    assert make_submission(["--model", "mine.py", "--no-run"]) == 1
    assert not steps(capsys.readouterr().out)


def flags(parser: argparse.ArgumentParser) -> set[str]:
    """The options that a parser knows, as their values are called."""
    return {action.dest for action in parser._actions}


PARSERS = {
    "local-eval": evaluate.parser(),
    **{f"local-eval {word}": importlib.import_module(f"codabench_rehearsal.commands.{COMMANDS[word]}").parser() for word in ("record", "forget")},
    "local-eval forget --yes": importlib.import_module("codabench_rehearsal.commands.forget").parser(),
    "make-submission": new_parser(),
    "make-submission --check-only": new_parser(),
}  # fmt: skip


@pytest.mark.parametrize("command", CARRIED)
def test_a_carried_option_is_known_to_the_next_command(command: str) -> None:
    """Else a printed command ends in "unrecognized arguments"."""
    givers = {"train-recipe": train.parser(), **PARSERS}
    given = set().union(*map(flags, givers.values()))
    assert set(CARRIED[command]) & given <= flags(PARSERS[command])


def test_options_are_spelt_as_they_were_meant() -> None:
    """Else a limit, a list or a flag is lost or misread on the way."""
    options = argparse.Namespace(
        data="-x.npz", challenge="an2dl-2024", seed=0, time_limit=2.5, ignore=["S1", "S2"],
        strict=True, docker=None, zip_limit=10**8, memory_limit=None,
    )  # fmt: skip
    line = next_command("make-submission --check-only", ["s.zip"], options)
    assert shlex.split(line)[2:] == [
        *("s.zip", "--data=-x.npz", "--time-limit", "2.5", "--ignore", "S1", "--ignore", "S2"),
        *("--strict", "--zip-limit", "100000000"),
    ]
