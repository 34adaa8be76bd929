"""Every command that a message, an example or a page of docs prints is one that exists, with its options."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from codabench_rehearsal.commands import codabench_challenge
from codabench_rehearsal.commands.codabench_challenge import COMMANDS as CHALLENGE
from codabench_rehearsal.commands.local_eval import COMMANDS as EVALUATION
from codabench_rehearsal.commands.make_submission import new_parser
from codabench_rehearsal.commands.train_recipe import COMMANDS as TRAINING
from codabench_rehearsal.commands.train_recipe import TRAIN

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
_COMMAND = re.compile(
    r"\b(make-submission|local-eval|train-recipe|codabench-challenge)(?: ([a-z]+))?\b([^;|`\n]*)"
)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@cache
def parser(name: str, word: str) -> argparse.ArgumentParser:
    """The parser of a command; the word behind its name may be a subcommand."""
    if name == "make-submission":
        return new_parser()
    if name == "train-recipe":
        return TRAINING.get(word, TRAIN).parser()
    if name == "codabench-challenge" and word not in CHALLENGE:
        return codabench_challenge.new_parser()
    modules = CHALLENGE if name == "codabench-challenge" else EVALUATION
    made: argparse.ArgumentParser = importlib.import_module(
        f"codabench_rehearsal.commands.{modules.get(word, 'evaluate')}"
    ).parser()
    return made


def printed() -> Iterator[tuple[str, str]]:
    """Where a text of ours stands, and the text."""
    for path in [found for room in ROOMS for found in sorted((ROOT / room).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for code in re.findall(r"`([^`]+)`", line) or (
                [line] if line.startswith("    ") else []
            ):
                yield f"{path.relative_to(ROOT)}:{number}", code


def test_every_option_that_a_text_names_behind_a_command_is_known() -> None:
    """Else a user types what we printed, and meets "unrecognized arguments"."""
    unknown, seen = [], 0
    for place, text in printed():
        for name, word, rest in _COMMAND.findall(text):
            known = {
                flag for action in parser(name, word)._actions for flag in action.option_strings
            }
            for option in _OPTION.findall(rest.split("  ")[0]):
                seen += 1
                if option not in known:
                    unknown.append(f"{place}: {name} {word} {option}")
    assert seen > 50
    assert not unknown, "\n".join(unknown)


MAINS = ("make_submission", "codabench_challenge")
EXAMPLES = [
    line.split("  ")[0].split(" | ")[0]
    for text in [
        *((one.parser().epilog or "") for one in (TRAIN, *TRAINING.values())),
        *(
            getattr(importlib.import_module(f"codabench_rehearsal.commands.{one}"), "EXAMPLES", "")
            for one in ("evaluate", *EVALUATION.values(), *CHALLENGE.values(), *MAINS)
        ),
    ]
    for line in map(str.strip, text.splitlines())
    if line.startswith(("local-eval", "make-submission", "train-recipe", "codabench-challenge"))
    and ":" not in line.split()[0]
]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_can_be_read(line: str) -> None:
    """Else the first thing that a newcomer copies is refused."""
    name, *words = shlex.split(line.replace("...", "x"))
    word = words[0] if words else ""
    words_of = {"local-eval": EVALUATION, "codabench-challenge": CHALLENGE, "make-submission": ()}
    named = word in words_of.get(name, TRAINING)
    parser(name, word if named else "").parse_intermixed_args(words[1:] if named else words)
