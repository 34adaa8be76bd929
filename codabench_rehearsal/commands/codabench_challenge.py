# PYTHON_ARGCOMPLETE_OK
"""`codabench-challenge`: a challenge as a bundle or on a site: check, show, make, log in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from codabench_rehearsal.console.command import Exit, Parser, run_command
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.settings import read_options

NAME = "codabench-challenge"
COMMANDS: Mapping[str, str] = MappingProxyType(
    {  # word: module of this folder
        "check": "challenge_check",
        "show": "challenge_show",
        "make": "challenge_make",
        "login": "challenge_login",
        "logout": "challenge_login",
        "status": "challenge_status",
    }
)
SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "check": "what the site would refuse, and what participants will run into",
        "show": "what a submission must be, phases, limits, columns",
        "make": "a challenge of your own images",
        "login": "keep the token for make-submission ... --upload 1234",
        "logout": "forget it",
        "status": "what became of your uploads",
    }
)
EXAMPLES = """\
examples:
  codabench-challenge check bundle.zip
  codabench-challenge show bundle.zip
  codabench-challenge show 1234                  a challenge on codabench.org, without a login
  codabench-challenge make --data cells.npz --corrupt heavy

BUNDLE is the zip, or the folder that holds competition.yaml. Nothing in it is executed.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(NAME, argv, _read_and_run)


def new_parser() -> Parser:
    """The options of the command without a word."""
    what = "A challenge: check, show or make its bundle; on its site, look and ask after uploads."
    made = Parser(NAME, what, EXAMPLES)
    made.add_argument("command", choices=tuple(COMMANDS), metavar="COMMAND")
    made.lists(SUMMARIES)
    return made


def _read_and_run(words: list[str]) -> int:
    if not words or words[0] not in COMMANDS:
        made = new_parser()
        made.read(words)
        made.error("expected a command, such as: check BUNDLE")
    command = importlib.import_module(f"codabench_rehearsal.commands.{COMMANDS[words[0]]}")
    options = read_options(command.parser(), words[1:])
    guard(options)
    return Exit(command.run(options, words))


if __name__ == "__main__":
    sys.exit(main())
