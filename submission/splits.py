"""Puts beside the zip what the rehearsal has to know of the training: its split, its augmentation.

An ensemble's networks may come with one each.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import write_bytes, written
from codabench_rehearsal.console.reading import parse_json
from submission.included import read

SCHEMA = 1


def read_splits(splits: Path | tuple[Path, ...] | None) -> bytes | None:
    """One split as its file has it, or several merged into one; None where there is none."""
    found = (splits,) if isinstance(splits, Path) else splits or ()
    if len(found) > 1:
        return json.dumps(_merged(found), indent=1).encode() + b"\n"
    return read(found[0]) if found else None


def put_split(split: bytes | None, zip_path: Path) -> Path | None:
    """Write `NAME.split.json` beside the zip, never into it: it tells nothing there and costs bytes.

    Returns its path, or None without a split; an older zip's split is then put aside as
    `NAME.split.json.old` (`.old.2`, ...), for somebody may have written it by hand.
    """
    return _put(split, split_place(zip_path))


def put_recipe(augmentation: tuple[str, ...], zip_path: Path) -> Path | None:
    """Write `NAME.recipe.json` beside the zip: a benchmark of what the training used flatters."""
    text = json.dumps({"schema": SCHEMA, "augmentation": augmentation}, indent=1) + "\n"
    return _put(text.encode() if augmentation else None, recipe_place(zip_path))


def split_place(zip_path: Path) -> Path:
    """Where a zip's split lies."""
    return zip_path.with_name(f"{zip_path.stem}.split.json")


def recipe_place(zip_path: Path) -> Path:
    """Where a zip's record of augmentation lies."""
    return zip_path.with_name(f"{zip_path.stem}.recipe.json")


def _put(content: bytes | None, target: Path) -> Path | None:
    if content is None:
        with written(target):
            _put_aside(target)  # an older zip's would now be wrong
        return None
    write_bytes(target, content)
    return target


def _put_aside(target: Path) -> None:
    """Give a file a name that nothing has yet, where there is one."""
    tails = ("old", *(f"old.{number}" for number in range(2, 1000)))
    names = (target.with_name(f"{target.name}.{tail}") for tail in tails)
    with suppress(FileNotFoundError):
        target.rename(next(name for name in names if not os.path.lexists(name)))


def _merged(splits: tuple[Path, ...]) -> dict[str, Any]:
    """What any network was trained on is training; held out is what none was trained on."""
    sides = [_read(path) for path in splits]
    train = set().union(*(train for train, _ in sides))
    held_out = set().union(*(validation for _, validation in sides)) - train
    return {"schema": SCHEMA, "train": sorted(train), "validation": sorted(held_out)}


def _read(path: Path) -> tuple[set[str], set[str]]:
    try:
        content = parse_json(read(path))
        train, validation = (set(map(str, content[side])) for side in ("train", "validation"))
    except (ValueError, KeyError, TypeError):
        raise SubmissionError(
            f"{path}: expected a split with the lists train and validation, as "
            "docs/training_folder.md has it."
        ) from None
    return train, validation
