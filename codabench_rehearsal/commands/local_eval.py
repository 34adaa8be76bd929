"""`local-eval`: run a submission as the platform would, on corrupted images; and what goes with it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from codabench_rehearsal.commands.parsers import guarded
from codabench_rehearsal.console.command import run_command
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.sandbox.job import SandboxError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {  # word: module in codabench_rehearsal.commands
        "compare": "compare",
        "ensemble": "ensemble",
        "forget": "forget",
        "history": "history",
        "import": "importing",
        "inspect": "inspect",
        "rank": "rank",
        "record": "record",
        "show": "show",
    }
)

ASKING = ("evaluate", "rank", "compare")  # these ask submissions, and keep what they answer


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("local-eval", argv, _read_and_run, (UserError, SandboxError))


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    module = COMMANDS[words[0]] if named else "evaluate"
    command = importlib.import_module(f"codabench_rehearsal.commands.{module}")
    options = command.parser().parse_intermixed_args(words[1:] if named else words)
    guarded(options)
    try:
        return int(command.run(options, words))
    except KeyboardInterrupt:
        if module in ASKING:
            _tell_kept(options)
        raise


def _tell_kept(options: argparse.Namespace) -> None:
    from codabench_rehearsal.commands.parsers import say
    from evaluator.options import NO_STORE
    from evaluator.store.file import find_store, may_write

    if options.store != NO_STORE and may_write(find_store(options.store)):
        say("what was answered so far is kept: the same command goes on from there")


if __name__ == "__main__":
    sys.exit(main())
