"""Reading a PyTorch weights file of the legacy format, without PyTorch and without trusting it.

The file is five pickles (a magic number, a version, facts of the machine, the weights by name, the
names of their storages), then each storage's values, raw. A pickle is a program: it may name any
function on this machine and call it. So nothing of it runs before every instruction was looked at;
names stand for builders of our own, which make no more than a note of where a tensor lies; the
arrays are cut out of the raw values afterwards, by notes that were checked against them.

Source: torch/serialization.py (`_legacy_save`) and torch/_utils.py of PyTorch 1.5.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from codabench_rehearsal.console.words import shown
from codabench_rehearsal.recipes.system import RecipeError

Arrays = Mapping[str, NDArray[Any]]
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_STORAGES: Mapping[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}
_LARGEST = 1 << 30  # bytes; the largest file of the packages that we read has 25 million
_MOST_NOTES = 1_000_000  # a memo of billions of places would fill the memory by one instruction
_ZIP = b"PK\x03\x04"  # what PyTorch has written since 1.6
# All that a dictionary of tensors needs. Not among them: what makes objects of classes (OBJ, INST,
# NEWOBJ), names put together at run time (STACK_GLOBAL), numbers of a registry (EXT).
_INSTRUCTIONS = """
    PROTO STOP MARK GLOBAL REDUCE BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
    BINUNICODE BININT BININT1 BININT2 LONG1 NONE NEWTRUE NEWFALSE"""


class TorchFileError(RecipeError):
    """A file that is no weights file of this format, or that holds more than weights."""


def read_tensors(path: Path) -> Arrays:
    """The arrays of the file by their names: float32 or int64, in PyTorch's shapes and order.

    Raises `TorchFileError` for a file that cannot be read, is cut off, or names anything but
    tensors, which is then said.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise TorchFileError(f"{path}: more than a gigabyte, which no network here has.")
        content = path.read_bytes()
    except OSError as error:
        raise TorchFileError(f"{path} cannot be read: {error.strerror}.") from None
    if content.startswith(_ZIP):
        raise TorchFileError(f"{path}: PyTorch's newer format (a zip); expected the legacy one.")
    try:
        return _tensors(io.BytesIO(content))
    except TorchFileError as error:
        raise TorchFileError(f"{path}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (a damaged pickle raises nearly anything)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise TorchFileError(f"{path} is no whole PyTorch weights file ({reason}).") from None


def _tensors(file: io.BytesIO) -> Arrays:
    headers = [_unpickled(file) for _ in range(3)]
    if headers[:2] != [_MAGIC, _VERSION] or headers[2].get("little_endian") is not True:
        raise TorchFileError("it does not begin as a PyTorch weights file does.")
    notes, order = _unpickled(file), _unpickled(file)
    if not isinstance(notes, dict) or not all(isinstance(one, _Note) for one in notes.values()):
        raise TorchFileError("expected a dictionary of tensors, and it holds something else.")
    needed = {note.storage.key: note.storage for note in notes.values()}
    if sorted(order) != sorted(needed):
        raise TorchFileError("its list of storages is not that of its tensors.")
    values = {key: _values(file, needed[key]) for key in order}
    return {str(name): note.cut(values[note.storage.key]) for name, note in notes.items()}


def _values(file: io.BytesIO, storage: _Storage) -> NDArray[Any]:
    """The next storage's values: their number as int64, then so many of them."""
    (count,) = struct.unpack("<q", file.read(8))
    raw = file.read(storage.count * storage.dtype.itemsize)
    if count != storage.count or len(raw) != count * storage.dtype.itemsize:
        raise TorchFileError(f"storage {shown(storage.key)} is cut off.")
    return np.frombuffer(raw, storage.dtype)


def _unpickled(file: io.BytesIO) -> Any:
    """What the next pickle makes, after a look at all of its instructions."""
    start = file.tell()
    for instruction, argument, _ in pickletools.genops(file):
        name = instruction.name
        if name not in _INSTRUCTIONS.split():
            raise TorchFileError(f"it wants to do what no weights need ({name}).")
        if name == "GLOBAL":
            _builder(*str(argument).split(" ", 1))
        if name == "LONG_BINPUT" and int(argument or 0) > _MOST_NOTES:
            raise TorchFileError("it wants more memory than weights need.")
    end = file.tell()
    file.seek(start)
    return _Unpickler(io.BytesIO(file.read(end - start))).load()


class _Unpickler(pickle.Unpickler):
    """Builds notes of tensors, dictionaries, lists, tuples, texts and numbers."""

    def find_class(self, module: str, name: str) -> Any:
        return _builder(module, name)

    def persistent_load(self, pid: Any) -> _Storage:
        kind, named, key, _place, count, view = pid
        if kind != "storage" or view is not None or not isinstance(named, _Named):
            raise TorchFileError("it refers to something that is no storage.")
        return _Storage(str(key), _STORAGES[named.name], _whole(count))


@dataclass(frozen=True, slots=True)
class _Named:
    """Stands for a name of PyTorch's in a pickle; calling it makes what `make` makes."""

    name: str
    make: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise TorchFileError(f"it wants to change what {self.name} is.")


class _Entries(dict[str, Any]):
    """A dictionary whose further attributes (PyTorch notes versions of modules there) are lost."""

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Note:
    """Where a tensor lies in a storage: its first value, and how far apart neighbours are."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """A copy, row by row; `_note` has seen to it that no place is beyond the values."""
        steps = [one * values.itemsize for one in self.strides]
        return as_strided(values[self.start :], self.shape, steps, writeable=False).copy()


def _note(
    storage: Any, start: Any, shape: Any, strides: Any, _learns: Any, _hooks: Any, *more: Any
) -> _Note:
    """What `torch._utils._rebuild_tensor_v2` is called with, which tells a tensor's place."""
    if more or not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise TorchFileError("it holds a tensor of an unknown kind.")
    note = _Note(storage, _whole(start), tuple(map(_whole, shape)), tuple(map(_whole, strides)))
    pairs = zip(note.shape, note.strides, strict=True)
    last = note.start + sum((size - 1) * step for size, step in pairs)
    if 0 in note.shape or last >= storage.count or math.prod(note.shape) > storage.count:
        raise TorchFileError(f"a tensor of shape {note.shape} does not lie within its values.")
    return note


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise TorchFileError(f"expected a size, received {shown(str(value))}.")
    return value


def _entries(*arguments: Any) -> _Entries:
    if arguments:
        raise TorchFileError("it holds a dictionary of an unknown kind.")
    return _Entries()


def _no_call(*_: Any) -> Any:
    raise TorchFileError("it wants to make an empty storage.")


_BUILDERS: Mapping[tuple[str, str], _Named] = {
    ("collections", "OrderedDict"): _Named("OrderedDict", _entries),
    ("torch._utils", "_rebuild_tensor_v2"): _Named("_rebuild_tensor_v2", _note),
    **{("torch", name): _Named(name, _no_call) for name in _STORAGES},
}


def _builder(module: str, name: str) -> _Named:
    """What stands for that name. Raises `TorchFileError` for every other one."""
    found = _BUILDERS.get((module, name))
    if found is None:
        raise TorchFileError(
            f"it asks for {shown(f'{module}.{name}')}, which no weights need. It was not run. Do "
            "not load this file by torch.load either, unless you know who made it."
        )
    return found
