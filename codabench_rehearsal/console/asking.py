"""Questions to a person at a terminal. Where there is none, nobody is asked: the error says so."""

from __future__ import annotations

import sys
from getpass import getpass

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.words import one_line

YES = ("y", "yes")


def can_ask() -> bool:
    """Whether a person sees the question and can type the answer: not in a pipe, nor a notebook."""
    streams = (sys.stdin, sys.stderr)
    return all(one is not None and not one.closed and one.isatty() for one in streams)


def ask(question: str, instead: str) -> str:
    """What a person answers, "" for the end of input. instead: what to do where nobody is there.

    Raises `UserError`.
    """
    _require_person(question, instead)
    sys.stderr.write(f"{one_line(question)} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def agrees(question: str, instead: str) -> bool:
    """Whether a person says yes; anything else is no. Raises `UserError`."""
    return ask(f"{question} [y/N]", instead).lower() in YES


def ask_secret(question: str, instead: str) -> str:
    """As `ask`, without showing what is typed. Raises `UserError`."""
    _require_person(question, instead)
    try:
        return getpass(f"{one_line(question)} ", stream=sys.stderr).strip()
    except EOFError:
        return ""


def _require_person(question: str, instead: str) -> None:
    if not can_ask():
        raise UserError(f"{question} Nobody can be asked here (no terminal): {instead}.")
