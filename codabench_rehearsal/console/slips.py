"""What was nearly meant: the question "did you mean" for options, commands, choices and files."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import islice, takewhile
from pathlib import Path

from codabench_rehearsal.console.fields import nearest
from codabench_rehearsal.console.words import shown

_CHOICE = re.compile(r"invalid choice: '?(?P<word>[^']*)'? \(choose from (?P<known>.*)\)$")
_MOST_FILES = 2000  # of a folder that are looked at
_LIKE = 0.75  # how much of a file's name must agree, from 0 to 1


def unknown_option(words: Sequence[str], known: Collection[str]) -> str:
    """That the first word which begins no option's name is unknown; "" where all are known."""
    for word in takewhile(lambda one: one != "--", words):
        flag = word.partition("=")[0]
        if not flag.startswith("--") or " " in word or any(one.startswith(flag) for one in known):
            continue
        return f"unknown option {shown(flag)}; {nearest(flag, known) or '--help-all lists all.'}"
    return ""


def refuse_slip(
    parser: argparse.ArgumentParser,
    words: Sequence[str],
    commands: Iterable[str],
    others: Collection[str] = (),
) -> None:
    """End with a question where the first word is nearly a command, and no file.

    others: words that may stand there too; what is nearer to one of them passes.
    """
    word = words[0] if words else ""
    if not word.isalpha() or word in others or os.path.lexists(word):
        return
    hint = nearest(word.lower(), (*commands, *others))
    if hint and not any(repr(other) in hint for other in others):
        parser.error(f"unknown command {shown(word)!r}; {hint}")


def of_choices(message: str) -> str:
    """The question behind argparse's message of a value that is nearly one of the choices."""
    found = _CHOICE.search(message)
    known = [word.strip(" '") for word in found["known"].split(",")] if found else []
    hint = nearest(found["word"], known) if found else ""
    return f"; {hint}" if hint else ""


def near_file(words: Iterable[str], message: str) -> str:
    """The question for a message about a file that is missing, where one is called nearly so.

    words: as typed. message: names the missing file.
    """
    if "did you mean" in message:
        return ""
    for word in words:
        name = word.partition("=")[2] if word.startswith("--") else word
        path = Path(name)
        if not path.name or name not in message or os.path.lexists(path):
            continue
        if near := _near(path):
            end = "" if message.rstrip().endswith((".", "?", "!")) else "."
            return f"{end} Did you mean {shown(path.with_name(near))}?"
    return ""


def _near(path: Path) -> str:
    """The name in the same folder that is most like a missing file's."""
    try:
        with os.scandir(path.parent) as folder:
            names = [one.name for one in islice(folder, _MOST_FILES)]
    except (OSError, ValueError):
        return ""
    for near in difflib.get_close_matches(path.name, names, n=3, cutoff=_LIKE):
        stems = difflib.SequenceMatcher(None, path.stem, Path(near).stem)
        if stems.ratio() >= _LIKE:  # else every two zips with short names are alike
            return near
    return ""
