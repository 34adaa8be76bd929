"""`train-recipe`: train a system and leave a training folder behind; and what goes with it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from codabench_rehearsal.console.command import run_command
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.guard import guard

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "list": "listing",
        "show": "show",
        "picture": "picture",
    }  # word: the command's file, recipe_MODULE.py
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("train-recipe", argv, _read_and_run, (UserError,))


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    module = COMMANDS[words[0]] if named else "train"
    command = importlib.import_module(f"codabench_rehearsal.commands.recipe_{module}")
    options = command.parser().parse_intermixed_args(words[1:] if named else words)
    options.words = words  # an interrupted training says how to go on
    guard(options)
    return int(command.run(options))


if __name__ == "__main__":
    sys.exit(main())
