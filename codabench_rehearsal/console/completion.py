"""Completion in the shell (bash, zsh, fish), by argcomplete where it is installed.

The shell starts the command itself, with what was typed in the environment; the command answers
with what may stand there and ends, before anything runs. Else nothing is imported for it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

_ASKED = "_ARGCOMPLETE"  # argcomplete's: which word of the line is the command, from 1


def is_asked() -> bool:
    """Whether a shell started this process to know what may stand next."""
    return _ASKED in os.environ


def typed_before() -> list[str]:
    """The whole words behind the command, without the one that is being typed."""
    line = os.environ.get("COMP_LINE", "")
    with suppress(ValueError):  # else the cursor is at the end
        line = line[: int(os.environ.get("COMP_POINT", ""))]
    words = line.split()
    return words[1:] if line[-1:].isspace() else words[1:-1]


def answer(parser: argparse.ArgumentParser, words: Iterable[str]) -> NoReturn:
    """Tell the shell what may stand next, and end; nothing where argcomplete is not installed.

    words: that may stand in the place of the first file, as a command's.
    """
    with suppress(ImportError):
        from argcomplete import autocomplete
        from argcomplete.completers import FilesCompleter

        files = [one for one in parser._actions if not one.option_strings]
        if files and not files[0].choices:
            beginning = _or_files(tuple(words), FilesCompleter())
            files[0].completer = beginning  # type: ignore[attr-defined]  # argcomplete's own way
        # "local-eval rank" is two words, and one command.
        os.environ[_ASKED] = str(len(parser.prog.split()))
        autocomplete(parser)
    parser.exit(1)


def _or_files(
    words: tuple[str, ...], files: Callable[..., Iterable[str]]
) -> Callable[..., list[str]]:
    def complete(prefix: str, **given: object) -> list[str]:
        found = [word for word in words if word.startswith(prefix)]
        return [*found, *files(prefix, **given)]

    return complete
