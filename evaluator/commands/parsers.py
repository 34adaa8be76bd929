"""What the subcommands' parsers share."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluator.errors import EvaluationError
from sandbox.chosen_python import Python, chosen_python
from sandbox.job import SandboxError
from submission.command import Parser, print_lines, tell

STORE_HELP = "where answers and scores are kept (default .local-eval/, or $LOCAL_EVAL_STORE)"


def new_parser(name: str, what: str, examples: str = "") -> argparse.ArgumentParser:
    """A parser whose examples keep their lines."""
    return Parser(
        prog=name,
        description=what,
        epilog=examples or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--store`."""
    parser.add_argument("--store", metavar="FILE|FOLDER", help=STORE_HELP)


def python_of(options: argparse.Namespace) -> Python:
    """The Python that runs the zips: that of `--python`, else the active one."""
    try:
        return chosen_python(options.python)
    except SandboxError as error:
        raise EvaluationError(f"--python: {error}") from None


def tell_python(options: argparse.Namespace, python: Python) -> None:
    """Say so in the first line, or beside JSON on standard output."""
    line = f"runs with {python}"
    if options.json == "-":
        say(line)
    else:
        print_lines([line])


def say(line: str) -> None:
    """Tell the user something beside the result."""
    tell("local-eval", line)


def expected(name: str, otherwise: str) -> str:
    """A file of that name in the working folder. Raises `EvaluationError` with what to give instead."""
    if not Path(name).exists():
        raise EvaluationError(f"there is no {name} in this folder. Give {otherwise}")
    return name
