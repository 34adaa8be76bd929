"""`train-recipe`: train a system and leave a training folder behind; and what goes with it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cells import DataError
from corruptions import CorruptionError
from recipes.system import RecipeError
from submission.command import run_command
from submission.errors import SubmissionError

MISTAKES = (RecipeError, DataError, CorruptionError, SubmissionError)
COMMANDS: Mapping[str, str] = MappingProxyType(
    {"list": "listing", "show": "show", "picture": "picture"}  # word: module in recipes.commands
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    named = bool(words) and words[0] in COMMANDS
    command = importlib.import_module(
        f"recipes.commands.{COMMANDS[words[0]] if named else 'train'}"
    )
    options = command.parser().parse_intermixed_args(words[1:] if named else words)
    return run_command("train-recipe", lambda: int(command.run(options)), MISTAKES)


if __name__ == "__main__":
    sys.exit(main())
