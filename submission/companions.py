"""What lies beside a zip, for the rehearsal: the training's split, and its augmentation.

An ensemble's networks may come with one split each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import write_bytes, written
from codabench_rehearsal.console.reading import parse_json, require_file

SCHEMA = 1


def split_place(zip_path: Path | str) -> Path:
    """Where a zip's split lies."""
    return Path(zip_path).with_suffix(".split.json")


def recipe_place(zip_path: Path | str) -> Path:
    """Where a zip's record of augmentation lies."""
    return Path(zip_path).with_suffix(".recipe.json")


def read_splits(splits: Sequence[Path]) -> bytes | None:
    """One split as its file has it, or several merged into one; None where there is none.

    What any network was trained on is training; held out is what none was trained on.
    """
    if len(splits) < 2:
        return read(splits[0]) if splits else None
    sides = [_sides(path) for path in splits]
    train = set().union(*(train for train, _ in sides))
    held_out = set().union(*(validation for _, validation in sides)) - train
    merged = {"schema": SCHEMA, "train": sorted(train), "validation": sorted(held_out)}
    return json.dumps(merged, indent=1).encode() + b"\n"


def recipe_of(augmentation: Sequence[str]) -> bytes | None:
    """The record of augmentation: a benchmark of what the training used flatters."""
    text = json.dumps({"schema": SCHEMA, "augmentation": augmentation}, indent=1) + "\n"
    return text.encode() if augmentation else None


def put_beside(content: bytes | None, target: Path) -> Path | None:
    """Write a file beside a zip, never into it: there it tells nothing and costs bytes.

    Returns its path, or None without content; an older zip's file is then put aside as `NAME.old`
    (`.old.2`, ...), for somebody may have written it by hand.
    """
    if content is not None:
        write_bytes(target, content)
        return target
    tails = ("old", *(f"old.{number}" for number in range(2, 1000)))
    names = (target.with_name(f"{target.name}.{tail}") for tail in tails)
    with written(target), suppress(FileNotFoundError):
        target.rename(next(name for name in names if not os.path.lexists(name)))
    return None


def read(path: Path) -> bytes:
    """A file's bytes. Raises `SubmissionError`, in people's words."""
    require_file(path, SubmissionError)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None


def _sides(path: Path) -> tuple[set[str], set[str]]:
    try:
        content = parse_json(read(path))
        train, validation = (set(map(str, content[side])) for side in ("train", "validation"))
    except (ValueError, KeyError, TypeError):
        raise SubmissionError(
            f"{path}: expected a split with the lists train and validation, as "
            "docs/training_folder.md has it."
        ) from None
    return train, validation
