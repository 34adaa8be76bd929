"""Nothing that a command reads is overwritten by what it writes.

Each option says in its parser what it is: `type=DATA` is read, `type=PAGE` is written. After
parsing, `guard` holds all of them against each other, before anything runs.
"""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType

from codabench_rehearsal.console.files import (
    STDOUT,
    FileError,
    check_place,
    folds_case,
    is_stream,
    place_of,
)
from codabench_rehearsal.console.reading import special_kind
from codabench_rehearsal.console.roles import STORE, Input, Output, Writes

MOST_FILES = 200_000  # of a folder of images that are held against an output
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
WEIGHTS_FILES = (".keras", ".h5", ".hdf5", ".pt", ".pth", ".ckpt", ".tflite")
ARRAY_FILES = (".npz", ".npy")
RESULT_FILES = (".csv", ".tsv", ".txt", ".json", ".npy", ".npz", ".jsonl", ".dat")  # predictions
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(ARRAY_FILES, "an array file"),
        **dict.fromkeys(WEIGHTS_FILES, "a weights file"),
        **dict.fromkeys((".sqlite", ".sqlite3", ".db"), "a store"),
        **dict.fromkeys((".html", ".htm"), "a page"),
        **dict.fromkeys((".csv", ".tsv"), "a table"),
        **dict.fromkeys((*PICTURES, ".svg"), "a picture"),
        ".zip": "a zip",
        ".toml": "a TOML file",
        ".py": "a program",
        ".ipynb": "a notebook",
        ".xlsx": "a spreadsheet",
        ".json": "a JSON file",
        ".pdf": "a document",
    }
)  # what surely is of some kind; other endings, and none, go with everything


def add_force(parser: argparse._ActionsContainer) -> None:
    """Add --force, the same for every command that writes files."""
    what = "write a file although its ending belongs to another kind (never over what is read)"
    parser.add_argument("--force", action="store_true", help=what)


def guard(
    options: argparse.Namespace,
    *,
    inputs: Iterable[Input] = (),
    outputs: Mapping[str, Output] = MappingProxyType({}),
    unused: Collection[str] = (),
) -> None:
    """Raise `FileError` for an output that would spoil an input or another output, or cannot be.

    inputs, outputs: those that no option names; outputs by what messages call them. unused: options
    that write nothing this time.
    """
    values = (v if isinstance(v, list | tuple) else (v,) for v in vars(options).values())
    given = [one for one in chain.from_iterable(values) if isinstance(one, Input)]
    read = [*(one for one in given if one.is_file), *inputs]
    named = {
        f"--{name.replace('_', '-')}": value
        for name, value in vars(options).items()
        if isinstance(value, Output) and value and name not in unused
    }
    writes = {**named, **outputs}
    refuse_same(writes, read)
    _refuse_shown(
        ((one.role.what, path) for one in read for path in _read_with(one, walk=False)),
        ((option, path) for option, out in writes.items() for path in _files_of(out)),
    )
    for option, out in writes.items():
        if out.role is not STORE and out != STDOUT:
            _check_ending(option, out, force=getattr(options, "force", False))
    for out in writes.values():
        if out.role is not STORE and not out.role.folder:
            check_place(out, streams=out.role.streams, makes_folder=out.role.makes_folder)
        elif out.role.folder and (kind := special_kind(Path(out))) not in ("", "a folder"):
            raise FileError(f"{out}: expected a folder, received {kind}.")


def refuse_same(outputs: Mapping[str, Output], inputs: Iterable[Input]) -> None:
    """Raise `FileError` for an output that is an input's file, by whatever links, or another's."""
    taken: dict[Hashable, tuple[str, Path]] = {}
    for option, out in outputs.items():
        for path in _files_of(out):
            key = _key(path)
            if key is not None and taken.setdefault(key, (option, path))[0] != option:
                both = f"{taken[key][0]} and {option}"
                raise FileError(f"{both} name one file, {path}: give each its own.")
    walk = any(path.is_file() for _, path in taken.values())
    for given in inputs:
        _refuse_inside(outputs, given)
        for path in _read_with(given, walk=walk):
            key = _key(path)
            if key is not None and key in taken:
                what = (
                    f"{' '.join(map(str, taken[key]))} would overwrite {given.role.what} ({path})"
                )
                raise FileError(f"{what}, which this command reads: name another file.")


def _files_of(out: Output) -> Iterator[Path]:
    """The files that an output may write over."""
    if not out.role.folder:
        yield from () if out == STDOUT else (Path(out),)
        return
    yield Path(out)
    for path in Path(out).rglob("*"):
        first = path.relative_to(out).parts[0]
        if any(fnmatchcase(first, name) for name in out.role.folder) and not path.is_dir():
            yield path


def _read_with(given: Input, *, walk: bool) -> Iterator[Path]:
    """The files that are read for an input. walk: those of a folder of images too."""
    path = given.path
    yield path
    yield from given.role.beside(path)
    if walk and given.role.images and path.is_dir():
        yield from islice(_images(path), MOST_FILES)


def _images(folder: Path, depth: int = 2) -> Iterator[Path]:
    """The pictures in class folders, which hold no further ones; parts hold class folders."""
    inside = _folders(folder)
    if not inside:
        yield from (path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    elif depth:
        for one in inside:
            yield from _images(one, depth - 1)


def _folders(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]


def _refuse_inside(outputs: Mapping[str, Output], given: Input) -> None:
    """Raise for a picture, or a folder, that would be read as an image or a class of the data."""
    path = given.path
    if not given.role.images or not path.is_dir():
        return
    for option, out in outputs.items():
        if out != STDOUT and _would_be_read(place_of(out), path, out.role):
            what = f"{option} {out} is in the folder of images {given}"
            raise FileError(
                f"{what}, and would be read as one of them from then on: choose a place outside."
            )


def _would_be_read(out: Path, data: Path, role: Writes) -> bool:
    root = next((one for one in (out, *out.parents) if _is_same(one, data)), None)
    if root is None:
        return False
    if role.folder or not out.parent.is_dir():
        return role.folder != () or role.makes_folder  # a new folder is a new class
    if root == out.parent or out.suffix.lower() not in PICTURES:
        return False
    return not _folders(out.parent)  # else a part, not a class


def _key(path: Path) -> Hashable:
    """What tells files apart whatever they are called; None of what is there and no plain file.

    Of a file that is not there yet: its folder and name.
    """
    try:
        found = path.stat()
    except OSError:
        place = place_of(path)
        try:
            folder = place.parent.stat()
        except OSError:
            return str(place)
        name = place.name.casefold() if folds_case(place.parent) else place.name
        return (folder.st_dev, folder.st_ino, name)
    if not stat.S_ISREG(found.st_mode):
        return None
    return (found.st_dev, found.st_ino) if found.st_ino else str(place_of(path))


def _check_ending(option: str, out: Output, *, force: bool) -> None:
    ending, role = Path(out).suffix.lower(), out.role
    if role.folder or ending in role.endings:
        return
    if role.only:
        raise FileError(f"{option} {out}: expected a name that ends in {', '.join(role.endings)}.")
    if ending in _ENDINGS and not force:
        what = f"{option} {out} has the ending of {_ENDINGS[ending]}, but {role.what}"
        raise FileError(f"{what} would be written there: choose another name, or say --force.")


def _refuse_shown(read: Iterable[tuple[str, Path]], replaced: Iterable[tuple[str, Path]]) -> None:
    """Raise where a shell leads standard output into one of these; each with its name."""
    try:
        shown = os.fstat(1).st_mode
    except OSError:  # closed
        return
    if not stat.S_ISREG(shown):
        return
    for what, path in read:
        if _is_same(path, 1):
            goes = f"standard output goes into {what} ({path}), which this command reads"
            raise FileError(f"{goes}: send it elsewhere.")
    for option, path in replaced:
        if _is_same(path, 1) and not is_stream(path):
            one = f"standard output and {option} name one file, {path}"
            raise FileError(f"{one}: give each its own.")


def _is_same(one: Path, other: Path | int) -> bool:
    """Whether two names, or a name and an open file, stand for one file or folder."""
    try:
        return os.path.samestat(one.stat(), os.stat(other))  # noqa: PTH116 - a number too
    except OSError:
        return False
