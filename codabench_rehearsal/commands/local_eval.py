"""`local-eval`: run a zip as the platform would, on corrupted images; and what goes with it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from codabench_rehearsal.commands.evaluation_arguments import DEFAULT_DATA, DEFAULT_ZIP, say
from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.command import run_command
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.roles import DATA, STORE, ZIP, Input, Output

COMMANDS: Mapping[str, str] = MappingProxyType(
    {  # word: module in codabench_rehearsal.commands
        "compare": "compare",
        "ensemble": "ensemble",
        "explain": "explain",
        "forget": "forget",
        "history": "history",
        "import": "import_history",
        "inspect": "inspect",
        "rank": "rank",
        "record": "record",
        "show": "show",
    }
)
_ASKING = ("evaluate", "rank", "compare")  # these ask submissions, and keep what they answer
_OF_SQLITE = ("wal", "shm", "journal")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("local-eval", argv, _read_and_run)


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    module = COMMANDS[words[0]] if named else "evaluate"
    command = importlib.import_module(f"codabench_rehearsal.commands.{module}")
    options = command.parser().parse_intermixed_args(words[1:] if named else words)
    _guard(options)
    try:
        return int(command.run(options, words))
    except KeyboardInterrupt:
        if module in _ASKING and _is_kept(options):
            say("what was answered so far is kept: the same command goes on from there")
        raise


def _guard(options: argparse.Namespace) -> None:
    """Raise `FileError` for options that would write over the store, or over what is read."""
    usual = (("submission", DEFAULT_ZIP, ZIP), ("data", DEFAULT_DATA, DATA))
    inputs = [
        Input(name, role) for option, name, role in usual if getattr(options, option, name) is None
    ]
    outputs = {}
    if getattr(options, "store", NO_STORE) != NO_STORE:
        from evaluator.store.file import find_store

        store = find_store(options.store)
        outputs = {"the store": Output(f"{store}", STORE)} | {
            f"the store's {name}": Output(f"{store}-{name}", STORE) for name in _OF_SQLITE
        }
    guard(options, inputs=inputs, outputs=outputs, unused=("store",))


def _is_kept(options: argparse.Namespace) -> bool:
    from evaluator.store.file import find_store, may_write

    return options.store != NO_STORE and may_write(find_store(options.store))


if __name__ == "__main__":
    sys.exit(main())
