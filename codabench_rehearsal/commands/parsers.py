"""What the subcommands' parsers share."""

from __future__ import annotations

import argparse
from pathlib import Path

from codabench_rehearsal.console.arguments import count, memory, seconds
from codabench_rehearsal.console.command import Parser, print_lines, tell
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.guard import DATA, STORE, ZIP, Input, Output, Writes, guard
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import Python, chosen_python
from evaluator.options import NO_STORE
from evaluator.store.file import find_store

DEFAULT_ZIP, DEFAULT_DATA = "submission.zip", "training_set.npz"
_OF_SQLITE = ("wal", "shm", "journal")
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
    parser.add_argument("--store", type=Writes(STORE), metavar="FILE|FOLDER", help=STORE_HELP)


def guarded(options: argparse.Namespace) -> None:
    """Raise `FileError` for options that would write over the store, or over what is read."""
    usual = (("submission", DEFAULT_ZIP, ZIP), ("data", DEFAULT_DATA, DATA))
    inputs = [
        Input(name, role) for option, name, role in usual if getattr(options, option, name) is None
    ]
    guard(options, inputs=inputs, outputs=_store_files(options), unused=("store",))


def _store_files(options: argparse.Namespace) -> dict[str, Output]:
    """The store with what SQLite keeps beside it; none of a command without."""
    if getattr(options, "store", NO_STORE) == NO_STORE:
        return {}
    store = find_store(options.store)
    return {
        f"the store{what}": Output(f"{store}{tail}", STORE)
        for what, tail in (("", ""), *((f"'s {name}", f"-{name}") for name in _OF_SQLITE))
    }


def add_order(parser: argparse.ArgumentParser) -> None:
    """Add `--order-seed`."""
    parser.add_argument(
        "--order-seed",
        type=count,
        metavar="N",
        help="ask in this order (the report's order_seed); default: a secret one",
    )


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add `--time-limit` and `--memory-limit`."""
    parser.add_argument(
        "--time-limit",
        type=seconds,
        metavar="S",
        help="seconds for one pass over the hidden set (default 600, Codabench's)",
    )
    parser.add_argument(
        "--memory-limit",
        type=memory,
        metavar="SIZE",
        help="such as 8GB (default 80%% of what is free)",
    )


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
