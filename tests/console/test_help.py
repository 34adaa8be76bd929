"""--help, --help-all, --version, slips of the finger: what every command says of itself."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from codabench_rehearsal.commands import codabench_challenge, local_eval, train_recipe
from codabench_rehearsal.console.command import Exit, Parser
from codabench_rehearsal.console.parser import fitted
from tests.console.commands import MAIN, PARSERS

COMMANDS = [" ".join(words) for words in PARSERS]
MOST = 14  # options that fit on one screen with what stands around them
GENERAL = {"--help", "--help-all", "--version"}


def made(command: str) -> Parser:
    """The parser of a command."""
    return PARSERS[tuple(command.split())]()


def listed(text: str) -> set[str]:
    """The options that a help text explains, each in a line of its own."""
    lines = re.findall(r"^  (-.*?)(?:  |$)", text, re.MULTILINE)
    return {flag for line in lines for flag in re.findall(r"--[a-z][a-z0-9-]*", line)}


def flags(parser: Parser) -> set[str]:
    """All long options of a command."""
    found = (flag for action in parser._actions for flag in action.option_strings)
    return {flag for flag in found if flag.startswith("--")}


def ended(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and what was said of a command that argparse may end."""
    name, *rest = words.split()
    try:
        code = MAIN[name](rest)
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_people_use_first(command: str) -> None:
    """Else a newcomer looks for --data among forty options."""
    parser = made(command)
    shown, everything = listed(parser.format_help()), listed(parser.format_all())
    assert everything == flags(parser)
    assert shown <= everything
    assert shown >= GENERAL
    assert len(shown) <= MOST, sorted(shown)
    assert shown == everything or len(shown - GENERAL) in (8, 9)  # --server, --no-server are one


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_exit_codes_mean(command: str) -> None:
    """Else a script cannot tell a finding from a typo."""
    text = " ".join(made(command).format_help().split())
    for code in ("0 fine", "2 what was given", "3 a fault of ours", "130 interrupted"):
        assert code in text


@pytest.mark.parametrize(
    ("command", "summaries", "words"),
    [
        ("local-eval", local_eval.SUMMARIES, local_eval.COMMANDS),
        ("codabench-challenge", codabench_challenge.SUMMARIES, codabench_challenge.COMMANDS),
        ("train-recipe", train_recipe.SUMMARIES, train_recipe.COMMANDS),
    ],
)
def test_help_lists_the_commands(
    command: str,
    summaries: dict[str, str],
    words: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else nobody finds what a word of the docs does, or that there is such a word."""
    assert set(summaries) == set(words)
    code, out, err = ended(f"{command} --help", capsys)
    assert (code, err) == (0, "")
    for word, what in summaries.items():
        assert re.search(rf"^  {word} +{re.escape(what)}$", out, re.MULTILINE)


@pytest.mark.parametrize("command", [*COMMANDS, "codabench-challenge"])
def test_every_command_says_its_version(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a report of a fault cannot say which version it is of."""
    code, out, _ = ended(f"{command} --version", capsys)
    assert code == 0
    assert re.fullmatch(r"codabench-rehearsal \d+\.\d+\S*\n", out)


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    """Else lines break in the middle of words, or run over 200 columns where nobody reads them."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = made(command).format_all()
    started = re.compile(
        r"  (make-submission|local-eval|train-recipe|codabench-challenge|pbpaste) "
    )
    for line in text.splitlines():
        assert len(line) <= min(columns, 100) or started.match(line), line
    assert " ".join(text.split()).count("exit codes: 0 fine") == 1


NARROW = """\
  local-eval a.zip        a comment that stands far off
  local-eval submission.zip --data training_set.npz   which is long
  local-eval submission.zip --data training_set.npz --corrupt heavy

A sentence of prose that is
broken somewhere else.
"""


def test_examples_keep_their_commands_whole() -> None:
    """Else what is copied from a narrow terminal is half a command."""
    assert list(fitted(NARROW, 48)) == [
        "  local-eval a.zip",
        "      a comment that stands far off",
        "  local-eval submission.zip --data training_set.npz",
        "      which is long",
        "  local-eval submission.zip --data training_set.npz --corrupt heavy",
        "",
        "A sentence of prose that is",
        "broken somewhere else.",
    ]
    assert next(fitted(NARROW, 52)) == "  local-eval a.zip   a comment that stands far off"
    assert list(fitted(NARROW, 24))[-3:] == [
        "A sentence of prose that",
        "is broken somewhere",
        "else.",
    ]


SLIPS = [  # what is typed, and what is asked
    ("local-eval --dta cells.npz", "unknown option --dta; did you mean '--data'?"),
    ("local-eval s.zip --curropt=heavy", "did you mean '--corrupt'?"),
    ("local-eval record s.zip --scroe 0.8", "unknown option --scroe; did you mean '--score'?"),
    ("local-eval rank --hedl-out", "did you mean '--held-out'?"),
    ("make-submission w.h5 --shirnk", "did you mean '--shrink'?"),
    ("train-recipe show baseline --layer-s", "did you mean '--layers'?"),
    ("local-eval comprae a.zip b.zip", "unknown command 'comprae'; did you mean 'compare'?"),
    ("local-eval Histroy", "did you mean 'history'?"),
    ("codabench-challenge shwo bundle.zip", "did you mean 'show'?"),
    ("train-recipe lsit", "unknown command 'lsit'; did you mean 'list'?"),
    ("make-submission w.h5 --tta flip", "did you mean 'flips'?"),
    ("local-eval --device gup", "did you mean 'gpu'?"),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("typed", "asked"), SLIPS, ids=[typed for typed, _ in SLIPS])
def test_a_slip_is_asked_back(capsys: pytest.CaptureFixture[str], typed: str, asked: str) -> None:
    """Else a transposed letter costs a search through the help."""
    code, out, err = ended(typed, capsys)
    assert (code, out) == (Exit.USAGE, "")
    first, second = err.splitlines()  # two lines, no more
    assert asked in first
    assert re.fullmatch(r"help: [a-z-]+( [a-z]+)? --help", second)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("local-eval submision.zip --data cells.npz", "submission.zip"),
        ("local-eval rank submision.zip --data cells.npz", "submission.zip"),
        ("local-eval s.zip --data=cels.npz", "cells.npz"),
        ("make-submission --check-only submision.zip", "submission.zip"),
        ("make-submission traind/weights.kera", ""),
        ("codabench-challenge show bndle.zip", "bundle.zip"),
        ("codabench-challenge show sub/bndle.zip", "sub/bundle.zip"),
        ("local-eval import histroy.csv", "history.csv"),
        ("local-eval z.zip", ""),
    ],
)
def test_a_file_that_is_called_nearly_so(
    capsys: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    """Else "no such file" leaves it to the user to see which letter is missing."""
    Path("submission.zip").write_bytes(Path("s.zip").read_bytes())
    Path("sub").mkdir()
    Path("sub/bundle.zip").touch()
    code, _, err = ended(typed, capsys)
    assert code == Exit.USAGE
    said = err.splitlines()[-1]
    assert said.lower().count("did you mean") == bool(meant), said
    assert not meant or re.search(rf"id you mean {re.escape(meant)}\?", said), said


def test_words_that_only_look_like_slips_pass(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a zip in a folder called `compere`, or a note that begins with dashes, is refused."""
    (here / "comprae").write_bytes((here / "s.zip").read_bytes())
    assert "unknown" not in ended("local-eval comprae --data no.npz", capsys)[2]
    parser = Parser("x", "")
    parser.add_argument("--note")
    parser.add_argument("files", nargs="*")
    read = parser.read(["a", "--note=--dta", "b"])
    assert read == argparse.Namespace(note="--dta", files=["a", "b"], no_config=False)
