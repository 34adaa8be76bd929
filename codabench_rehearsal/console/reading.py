"""Reading what others wrote: regular files only, and JSON of bounded size and depth.

A named pipe waits for ever for its writer, a device never ends, and a hundred thousand brackets
break every reader that calls itself: each is refused, in one line, before it is opened or parsed.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.words import human_bytes, shown

LARGEST_JSON = 64 << 20  # bytes; the hashes of a million images take half of it
LARGEST_SETTINGS = 4 << 20  # bytes of what people write by hand: TOML, a recipe.json
MOST_VALUES = 2_000_000  # of one JSON text; each takes up to 250 bytes once read
DEEPEST = 200  # a saved network has about 5 a model within a model
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_DOTTED = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++\s*+\.\s*+){200}""")
_DIGITS = "a number in it has thousands of digits"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class TooMuchError(ValueError):
    """JSON that is larger or deeper than anything that is meant."""


def special_kind(path: str | os.PathLike[str]) -> str:
    """What is there in a file's place: "a folder", "a pipe", "a socket", "a device"; else "".

    Links are followed. "" too where there is nothing, and where one may not look.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return ""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "")


def require_file(
    path: str | os.PathLike[str], wrong: type[UserError] = UserError, *, or_folder: bool = False
) -> None:
    """Refuse what is no regular file, without opening it; what is missing passes.

    or_folder: let folders pass too. Raises `wrong`, naming what is there and what to do.
    """
    kind = special_kind(path)
    if not kind or (or_folder and kind == "a folder"):
        return
    advice = "name a file in it" if kind == "a folder" else "save what it gives as a file first"
    expected = "a file or a folder" if or_folder else "a file"
    raise wrong(f"{shown(os.fspath(path))}: expected {expected}, received {kind}; {advice}")


def first_file(
    paths: Iterable[str | os.PathLike[str]], wrong: type[UserError] = UserError
) -> Path | None:
    """The first of several places where a file is, as those beside a zip; None where none is.

    Folders are passed over. Raises `wrong` for a pipe, a device or a socket: whoever put it there
    meant it to be read.
    """
    for path in paths:
        require_file(path, wrong, or_folder=True)
        if Path(path).is_file():
            return Path(path)
    return None


def read_limited(path: Path, limit: int, wrong: type[UserError] = UserError) -> bytes:
    """A file's bytes. Raises `wrong` for no file or more than `limit` bytes, else `OSError`."""
    require_file(path, wrong)
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        size, most = human_bytes(path.stat().st_size), human_bytes(limit)
        advice = "is it the right file?"
        raise wrong(f"{shown(path)}: expected at most {most}, received {size}; {advice}")
    return content


def parse_json(text: str | bytes, *, deepest: int = DEEPEST, most: int = MOST_VALUES) -> Any:
    """What a foreign JSON text holds.

    Raises `ValueError` for what is no JSON, `TooMuchError` for what is too deep or has too many
    values: never `RecursionError`, and no memory is spent on it.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    if text.count(",") + text.count("[") + text.count("{") > most:
        raise TooMuchError(f"it holds more than {most:,} values")
    _check_depth(text, deepest)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python's own limit of digits
        raise TooMuchError(_DIGITS) from None


def read_json(path: Path, limit: int = LARGEST_JSON, wrong: type[UserError] = UserError) -> Any:
    """What a foreign JSON file holds. Raises as `read_limited` and `parse_json` do."""
    return parse_json(read_limited(path, limit, wrong))


def _check_depth(text: str, deepest: int) -> None:
    """Count the brackets that are open, outside of texts. Raises `TooMuchError`."""
    if text.count("[") + text.count("{") <= deepest:
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        sign = found[0]
        if sign in "[{":
            depth += 1
            if depth > deepest:
                raise TooMuchError(f"it is nested more than {deepest} deep")
        elif sign in "]}":
            depth -= 1


def parse_toml(text: str) -> dict[str, Any]:
    """What a foreign TOML text holds. Raises as `parse_json` does."""
    if _DOTTED.search(text):  # each dot is a table within a table, and takes the longer the deeper
        raise TooMuchError(f"it is nested more than {DEEPEST} deep")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise TooMuchError("it is nested too deeply") from None
    except ValueError:  # Python's own limit of digits
        raise TooMuchError(_DIGITS) from None
