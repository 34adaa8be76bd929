"""What options read and write: argument types that know what a file is for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

_NUMBER = re.compile(r":[0-9.]+$")
_TASK = re.compile(r"^[0-9]+=")
_MOST_FILES = 200_000  # of a folder that are held against outputs


@dataclass(frozen=True)
class Reads:
    """An argument type: a file or folder that is read, and never written.

    what: as messages call it. words: values that are no file. ending: other values are no file.
    beside: further files that are read with it. images: whether a folder of it is one of images.
    numbered: whether a number may stand behind it, as in "mine.toml:0.6". of_tasks: whether one may
    stand before it, as in "1=data/".
    """

    what: str
    words: tuple[str, ...] = ()
    ending: str | tuple[str, ...] = ""
    beside: Callable[[Path], Iterable[Path]] = lambda _: ()
    images: bool = False
    numbered: bool = False
    of_tasks: bool = False

    def __call__(self, text: str) -> Input:
        """The option's value."""
        return Input(text, self)


@dataclass(frozen=True)
class Writes:
    """An argument type: a file that is written, and what it holds.

    endings: those that go with it. only: whether it must have one of them. streams: whether it may
    go into a pipe. makes_folder: whether missing folders are made. folder: for an output that is a
    folder, the names of the files that are put there.
    """

    what: str
    endings: tuple[str, ...] = ()
    only: bool = False
    streams: bool = True
    makes_folder: bool = False
    folder: tuple[str, ...] = ()

    def __call__(self, text: str) -> Output:
        """The option's value."""
        return Output(text, self)


class _Named(str):
    """A file's name that knows what it is for, and is a text like others elsewhere."""

    role: Reads | Writes

    def __new__(cls, text: str, role: Reads | Writes) -> Self:
        """The name with its role."""
        made = super().__new__(cls, text)
        made.role = role
        return made


class Input(_Named):
    """The name of what is read."""

    role: Reads

    @property
    def is_file(self) -> bool:
        """Whether it names one at all."""
        return self not in self.role.words and self.file.endswith(self.role.ending)

    @property
    def file(self) -> str:
        """Its name alone."""
        if self.role.of_tasks:
            return str(self) if os.path.lexists(self) else _TASK.sub("", self)
        return _NUMBER.sub("", self) if self.role.numbered else str(self)

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(os.path.expanduser(self.file))  # noqa: PTH111 - nobody's home is no error to it


class Output(_Named):
    """The name of what is written."""

    role: Writes


def _labels(path: Path) -> Iterator[Path]:
    """An .npy of images is read with another of labels beside it."""
    if path.suffix == ".npy":
        yield from path.parent.glob("*.npy")


def _companions(path: Path) -> Iterator[Path]:
    """What is read beside a zip."""
    yield path.parent / "split.json"
    for name in ("split", "recipe"):
        yield path.parent / f"{path.stem}.{name}.json"


def _of_training(path: Path) -> Iterator[Path]:
    """What is read of a training folder, or beside weights."""
    if path.is_dir():
        yield from (path / "recipe.json", path / "split.json", *path.glob("*.keras"))
    else:
        yield path.parent / "split.json"


def _every_file(path: Path) -> Iterator[Path]:
    """What is read of a bundle, or of data, that is a folder."""
    if path.is_dir():
        yield from islice((one for one in path.rglob("*") if one.is_file()), _MOST_FILES)


PAGE = Writes("a page", (".html", ".htm"))
JSON = Writes("JSON", (".json",))
TABLE = Writes("a table", (".csv", ".tsv"))
SPREADSHEET = Writes("a spreadsheet", (".xlsx",))
ARRAYS = Writes("an array file", (".npz",), only=True)
ARCHIVE = Writes("a zip", (".zip",), streams=False, makes_folder=True)
LOGS = Writes("logs", streams=False, makes_folder=True, folder=("worker-*",))
STORE = Writes("the store")
DATA = Reads("the data", beside=_labels, images=True)
ZIP = Reads("the zip", beside=_companions)
WEIGHTS = Reads("the weights", beside=_of_training)
TRAINED = Reads("the training folder", beside=_of_training)
BACKBONE = Reads("the weights", words=("imagenet", "none"))
SPLIT = Reads("the split", words=("none",))
PRESET = Reads("the preset", ending=".toml")
BELIEVED = Reads("the believed preset", ending=".toml", numbered=True)
BUNDLE = Reads("the bundle", beside=_every_file)
TASK_DATA = Reads("the bundle's data", beside=_every_file, of_tasks=True)
PROFILE = Reads("the challenge", ending=(".toml", ".zip"), beside=_every_file)
MODULE = Reads("your model.py")
INCLUDED = Reads("a file for the zip")
HISTORY = Reads("the table of scores")
CLASS_SCORES = Reads("the class scores")
PYTHON = Reads("the Python that runs it")
LOG = Reads("the log", words=("-",), beside=_every_file)
