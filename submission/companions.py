"""Puts beside the zip what the rehearsal has to know of the training: its split, its augmentation.

An ensemble's networks may come with one each.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import write_bytes, written
from codabench_rehearsal.console.reading import parse_json, require_file

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


# The further files of a zip. Python files among them are imported before the weights are loaded.


REGISTER = "register_keras_serializable"


def included(paths: tuple[Path, ...]) -> dict[str, bytes]:
    """Name in the zip -> bytes. A file that several training folders share goes in once.

    Raises `SubmissionError` where two files or two registered layers would take one place.
    """
    found: dict[str, bytes] = {}
    for path in paths:
        data = read(path)
        if found.setdefault(path.name, data) != data:
            raise SubmissionError(
                f"two different files would be called {path.name} in the zip: rename one."
            )
    _refuse_clashes({name: data for name, data in found.items() if name.endswith(".py")})
    return found


def modules(names: Iterable[str]) -> list[str]:
    """The modules to import, of the names that are Python files."""
    stems = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    for stem in stems:
        if "." in stem:
            raise SubmissionError(f"{stem}.py cannot be imported for its dots: rename it.")
    return stems


def read(path: Path) -> bytes:
    """A file's bytes, or a `SubmissionError` in people's words."""
    require_file(path, SubmissionError)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None


def _refuse_clashes(sources: Mapping[str, bytes]) -> None:
    """Refuse different layers registered under one name: the last would be used for all networks."""
    registered = {name: dict(_registered(data)) for name, data in sources.items()}
    for (first, layers), (second, others) in itertools.combinations(registered.items(), 2):
        for key in layers.keys() & others.keys():
            if layers[key] != others[key]:
                raise SubmissionError(
                    f"{first} and {second} both register {key!r}, and differ in it: the second would "
                    "stand in for the first. Register them under different packages, as in "
                    f'@keras.saving.{REGISTER}("mine"), and save the weights again.'
                )


def _registered(data: bytes) -> Iterator[tuple[str, str]]:
    """What a source registers with Keras: `package>name`, and its syntax tree as text."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # the checks say so
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(REGISTER):
                    yield _key(call, node.name), ast.dump(node)


def _key(call: ast.Call, name: str) -> str:
    words = dict(zip(("package", "name"), call.args, strict=False))
    words |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    texts = {
        word: value.value
        for word, value in words.items()
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    return f"{texts.get('package', 'Custom')}>{texts.get('name', name)}"
