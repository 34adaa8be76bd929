"""`local-eval`: run a submission as the platform would, on corrupted images; and what goes with it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from codabench_rehearsal.console.errors import UserError
from evaluator.commands.parsers import guarded
from sandbox.job import SandboxError
from submission.command import run_command

COMMANDS: Mapping[str, str] = MappingProxyType(
    {  # word: module in evaluator.commands
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("local-eval", argv, _read_and_run, (UserError, SandboxError))


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    module = COMMANDS[words[0]] if named else "evaluate"
    command = importlib.import_module(f"evaluator.commands.{module}")
    options = command.parser().parse_intermixed_args(words[1:] if named else words)
    guarded(options)
    return int(command.run(options, words))


if __name__ == "__main__":
    sys.exit(main())
