"""`python -m codabench_rehearsal`: which commands there are; with the words of one, that one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import MappingProxyType

from codabench_rehearsal.console.command import Exit, Parser, tell
from codabench_rehearsal.console.doors import hidden

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "make-submission": "build the zip from saved weights, and find what would be punished",
        "local-eval": "run a zip on corrupted images, and say what score to expect",
        "train-recipe": "train a system, to have something worth submitting",
        "codabench-challenge": "check a challenge's bundle, or show what it asks for",
    }
)
_NAME = "python -m codabench_rehearsal"


def main() -> int:
    """Run a command on this process's words, or list the commands; returns the exit code."""
    if said := hidden():
        tell(_NAME, said)
        return Exit.USAGE
    name, *words = sys.argv[1:] or [""]
    if name in COMMANDS:
        module = f"codabench_rehearsal.commands.{name.replace('-', '_')}"
        sys.argv = [name, *words]
        return int(importlib.import_module(module).main())
    parser = Parser(_NAME, "Run one of the commands.")
    parser.lists(COMMANDS)
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND")
    parser.read(sys.argv[1:])
    parser.print_help()
    return Exit.FINE


if __name__ == "__main__":
    sys.exit(main())
