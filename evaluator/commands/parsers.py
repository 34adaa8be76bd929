"""What the subcommands' parsers share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evaluator.errors import EvaluationError

STORE_HELP = "where answers and scores are kept (default .local-eval/, or $LOCAL_EVAL_STORE)"


def new_parser(name: str, what: str, examples: str = "") -> argparse.ArgumentParser:
    """A parser whose examples keep their lines."""
    return argparse.ArgumentParser(
        prog=name,
        description=what,
        epilog=examples or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add `--store`."""
    parser.add_argument("--store", metavar="FILE|FOLDER", help=STORE_HELP)


def say(line: str) -> None:
    """Tell the user something beside the result."""
    sys.stderr.write(f"local-eval: {line}\n")


def expected(name: str, otherwise: str) -> str:
    """A file of that name in the working folder. Raises `EvaluationError` with what to give instead."""
    if not Path(name).exists():
        raise EvaluationError(f"there is no {name} in this folder. Give {otherwise}")
    return name
