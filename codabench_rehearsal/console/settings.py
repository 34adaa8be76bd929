"""A project's own defaults: `rehearsal.toml`, or a table of `pyproject.toml`, and which was used.

The nearest file counts, in the working folder or above it. Its keys are called like the options,
with the same types and guards; what is typed wins, and where a default comes from is told.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console import NO_STORE, completion
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.fields import Fields, one_of, told
from codabench_rehearsal.console.parser import NO_CONFIG, ONLY_TELL, Parser
from codabench_rehearsal.console.reading import LARGEST_SETTINGS, parse_toml, read_limited
from codabench_rehearsal.console.roles import PROFILE, PYTHON, Input, Output
from codabench_rehearsal.console.words import listed, shown

FILE, OTHER, TABLE = "rehearsal.toml", "pyproject.toml", "codabench-rehearsal"
# What belongs to a project. What belongs to one run (outputs, --force, --resume) is typed.
KEYS = (
    *("challenge", "data", "part", "split", "held_out", "images", "seed", "corrupt", "preset"),
    *("store", "phase", "hidden_images", "believe", "tolerance", "uploads_per_day"),
    *("python", "device", "time_limit", "memory_limit", "block", "workers", "cluster"),
    *("server", "with", "docker", "worker", "network", "bundle", "input_data", "reference_data"),
    *("ignore", "strict", "zip_limit", "unpacked_limit", "file_limit", "quota"),
    *("backend", "precision"),
)
_ALSO = {"preset": "corrupt"}  # another word for an option
_SWITCH = "true or false", lambda value: isinstance(value, bool)
_VALUE = "a text or a number", lambda value: type(value) in (str, int, float)
_SEVERAL = "a list of texts", lambda value: isinstance(value, list) and all(map(_VALUE[1], value))
_OF_TASK = re.compile(r"(?P<task>[0-9]+=)?(?P<path>.*)", re.DOTALL)


class SettingsError(UserError):
    """A file of defaults that cannot be used; the message names it, the key, and what to do."""


@dataclass(frozen=True)
class Settings:
    """A file of defaults. folder: what its paths are relative to, "." for the working folder."""

    fields: Fields
    folder: Path


class _Several(list[Any]):
    """The default of an option that may be repeated: what is typed stands in its place."""

    def __copy__(self) -> list[Any]:
        return []  # argparse copies it before it appends


def read_options(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """The options of a command's words, with the project's defaults where nothing is typed.

    The namespace has one more name, `settled`: option -> default of the file. Raises
    `SettingsError`; ends with code 2 for words that are wrong.
    """
    alone = completion.is_asked() or _is_left_alone(words)
    found = None if alone else find_settings()
    settled = _settle(parser, found) if found else {}
    options = parser.read(words)
    options.settled = settled
    used = [f"--{_key(name, parser)}" for name in settled if is_settled(options, name)]
    if found and used:
        tell(parser.prog, f"{found.fields.source} gives {listed(used)} ({NO_CONFIG}: nothing)")
    return options


def is_settled(options: argparse.Namespace, name: str) -> bool:
    """Whether an option's value is the project's default, so that nobody typed it."""
    settled = getattr(options, "settled", {})
    return name in settled and getattr(options, name) == settled[name]


def in_full(options: argparse.Namespace, words: Sequence[str], parser: Parser) -> list[str]:
    """The words with the project's defaults behind them, so that they say the same anywhere."""
    return [*words, *_spelled(options, parser)]


def find_settings() -> Settings | None:
    """The nearest file of defaults, None where there is none. Raises `SettingsError`."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed
        return None
    for folder in (here, *here.parents):
        place = Path() if folder == here else folder
        for name in (FILE, OTHER):
            if (folder / name).is_file() and (found := _read(place / name, folder)):
                return found
    return None


def _is_left_alone(words: Iterable[str]) -> bool:
    """Whether the words want none, or nothing but to be told something."""
    shortest = len("--no-c")  # argparse takes the beginning of an option for it
    return any(
        word in ONLY_TELL or (len(word) >= shortest and NO_CONFIG.startswith(word))
        for word in words
    )


def _read(path: Path, folder: Path) -> Settings | None:
    """The defaults in a file; None where it has none, or is a stranger's."""
    with told(
        path, SettingsError, malformed=": expected TOML ({}).", unreadable=": cannot be read ({})."
    ):
        text = read_limited(path, LARGEST_SETTINGS, SettingsError).decode("utf-8")
        if path.name == OTHER and TABLE not in text:
            return None
        values = parse_toml(text)
    fields = Fields(values, shown(path), SettingsError)
    if path.name == OTHER:
        tool = values.get("tool")
        if not isinstance(tool, dict) or TABLE not in tool:
            return None
        fields = fields.inner("tool", tool).inner(TABLE, tool[TABLE])
    _refuse_stranger(path, folder)
    values = {key.replace("-", "_"): value for key, value in fields.values.items()}
    fields = replace(fields, values=values)
    fields.only(KEYS)
    if {"corrupt", "preset"} <= set(fields.values):
        raise fields.fail("preset", "one of corrupt and preset, which are the same", "both")
    return Settings(fields, path.parent)


def _refuse_stranger(path: Path, folder: Path) -> None:
    """Raise for another user's file, as in /tmp: it may name the Python that runs a zip."""
    owner = path.stat().st_uid
    if owner not in (os.getuid(), 0, folder.stat().st_uid):
        raise SettingsError(
            f"{shown(path)} belongs to another user, so it is not used: remove it, or say "
            f"{NO_CONFIG}."
        )


def _settle(parser: Parser, found: Settings) -> dict[str, Any]:
    """Make the file's values the defaults of this parser's options; returns them by name."""
    flags = {flag: one for one in parser._actions for flag in one.option_strings}
    settled: dict[str, Any] = {}
    for key in found.fields.values:
        flag = f"--{_ALSO.get(key, key).replace('_', '-')}"
        if flag in flags and flag not in parser.own:
            action = flags[flag]
            settled[action.dest] = _value(action, key, found)
            action.required = False
    parser.set_defaults(**settled)
    return settled


def _value(action: argparse.Action, key: str, found: Settings) -> Any:
    """A key's value as the option would have it. Raises `SettingsError`."""
    if action.nargs == 0:
        return found.fields.take(key, _SWITCH)
    if isinstance(action, argparse._AppendAction):
        several = found.fields.take(key, _SEVERAL)
        return _Several(_typed(action, one, key, found) for one in several)
    return _typed(action, found.fields.take(key, _VALUE), key, found)


def _typed(action: argparse.Action, value: object, key: str, found: Settings) -> Any:
    text = str(value)
    if action.choices is not None and text not in action.choices:
        raise found.fields.fail(key, one_of(map(str, action.choices))[0], text)
    if not callable(action.type):
        return text
    try:
        typed = action.type(text)
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise SettingsError(f"{found.fields.source}: {found.fields.place}{key}: {error}") from None
    return _placed(typed, found.folder) if isinstance(typed, Input | Output) else typed


def _placed(name: Input | Output, folder: Path) -> Input | Output:
    """A file's name as it is called from the working folder; words that are no file stay."""
    parts = _OF_TASK.fullmatch(name) if getattr(name.role, "of_tasks", False) else None
    task, text = (parts["task"] or "", parts["path"]) if parts else ("", str(name))
    if name.role in (PROFILE, PYTHON):  # names of ours, or programs on PATH, have no ending
        is_file = os.path.lexists(folder / text)
    else:
        is_file = name.is_file if isinstance(name, Input) else text != NO_STORE
    if not (is_file or "/" in text) or folder == Path() or text.startswith("~"):
        return name
    return name.role(f"{task}{folder / text}")


def _key(name: str, parser: Parser) -> str:
    """An option as it is typed, without its dashes."""
    action = next(one for one in parser._actions if one.dest == name and one.option_strings)
    return action.option_strings[0].removeprefix("--")


def _spelled(options: argparse.Namespace, parser: Parser) -> Iterator[str]:
    for name in getattr(options, "settled", {}):
        if not is_settled(options, name):
            continue
        flag, value = f"--{_key(name, parser)}", getattr(options, name)
        if isinstance(value, bool):
            yield from [flag] if value else []
        else:
            for one in value if isinstance(value, list) else [value]:
                yield f"{flag}={one}"
