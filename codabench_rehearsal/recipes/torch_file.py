"""Reading a PyTorch weights file of the legacy format, without PyTorch and without trusting it.

The file is five pickles (a magic number, a version, facts of the machine, the weights by name, the
names of their storages), then each storage's values, raw. A pickle is a program that may name any
function on the machine, and Python's own unpickler would call it. So the few instructions that a
dictionary of tensors needs are carried out here, by themselves: they make texts, numbers, tuples,
lists, dictionaries with texts for keys, and notes of where a tensor lies. Any other instruction and
any other name ends the reading. NumPy cuts the arrays out of the raw values, within their bounds.

Source: torch/serialization.py (`_legacy_save`) and torch/_utils.py of PyTorch 1.5; the instructions
are explained in Python's pickletools.py.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.words import shown
from codabench_rehearsal.recipes.system import RecipeError

Arrays = Mapping[str, NDArray[Any]]
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_STORAGES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
)
_LARGEST = 200_000_000  # bytes; the largest file of the packages that we read has 25 million
_MOST = 50_000  # instructions; the largest of these takes 14,000
_ZIP = b"PK\x03\x04"  # how files begin that PyTorch writes since 1.6


class TorchFileError(RecipeError):
    """A file that is no weights file of this format, or that holds more than weights."""


def read_tensors(path: Path) -> Arrays:
    """The arrays of the file by their names: float32 or int64, in PyTorch's shapes, read-only.

    Raises `TorchFileError` for a file that cannot be read, is cut off, or names anything but
    tensors, which is then said.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise TorchFileError(f"{path} is larger than any network here: expected 25 MB or less.")
        content = path.read_bytes()
    except OSError as error:
        raise TorchFileError(f"{path} cannot be read: {error.strerror}.") from None
    if content.startswith(_ZIP):
        raise TorchFileError(f"{path}: PyTorch's newer format (a zip); expected the legacy one.")
    try:
        return _tensors(io.BytesIO(content))
    except TorchFileError as error:
        raise TorchFileError(f"{path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise TorchFileError(f"{path} is no whole PyTorch weights file ({reason}).") from None


def _tensors(file: io.BytesIO) -> Arrays:
    magic, version, machine, notes, order = (_Pickle().made(file) for _ in range(5))
    if (magic, version) != (_MAGIC, _VERSION) or machine.get("little_endian") is not True:
        raise TorchFileError("it does not begin as a PyTorch weights file does.")
    if type(notes) is not dict or not all(type(one) is _Note for one in notes.values()):
        raise TorchFileError("expected a dictionary of tensors, and it holds something else.")
    storages = {note.storage for note in notes.values()}
    needed = {storage.key: storage for storage in storages}
    names = [one for one in order if type(one) is str]
    if len(storages) > len(needed) or len(names) < len(order) or sorted(names) != sorted(needed):
        raise TorchFileError("its list of storages is not that of its tensors.")
    values = {key: _values(file, needed[key]) for key in names}
    return {name: _cut(note, values[note.storage.key]) for name, note in notes.items()}


def _values(file: io.BytesIO, storage: _Storage) -> bytes:
    """The next storage's values: their number as int64, then so many of them."""
    (count,) = struct.unpack("<q", file.read(8))
    raw = file.read(storage.size * storage.dtype.itemsize)
    if count != storage.size or len(raw) != count * storage.dtype.itemsize:
        raise TorchFileError(f"storage {shown(storage.key)} is cut off.")
    return raw


def _cut(note: _Note, raw: bytes) -> NDArray[Any]:
    """The tensor, a view of the bytes; NumPy refuses one that reaches beyond them."""
    outside = TorchFileError(f"a tensor of shape {note.shape} does not lie within its values.")
    if math.prod(note.shape) > note.storage.size:
        raise outside
    dtype = note.storage.dtype
    steps = [one * dtype.itemsize for one in note.strides]
    try:
        return np.ndarray(note.shape, dtype, raw, note.start * dtype.itemsize, steps)
    except (ValueError, TypeError):
        raise outside from None


class _Storage(NamedTuple):
    """So many values of one type, called by a key."""

    key: str
    dtype: np.dtype[Any]
    size: int


class _Note(NamedTuple):
    """Where a tensor lies in a storage: its first value, and how far apart neighbours are."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Name(NamedTuple):
    """One of the names that a weights file may use."""

    module: str
    name: str


_DICTIONARY = _Name("collections", "OrderedDict")
_TENSOR = _Name("torch._utils", "_rebuild_tensor_v2")
_NAMES = frozenset({_DICTIONARY, _TENSOR, *(_Name("torch", name) for name in _STORAGES)})


class _Pickle:
    """One pickle's program, carried out."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def made(self, file: io.BytesIO) -> Any:
        """What the next pickle of the file makes; the file stands behind it afterwards."""
        for number, (instruction, argument, _) in enumerate(pickletools.genops(file)):
            if number > _MOST:
                raise TorchFileError("it has more instructions than weights need.")
            if instruction.name == "STOP":
                return self._stack.pop()
            if instruction.name in _VALUES:
                self._stack.append(argument)
            elif instruction.name in _NEW:
                self._stack.append(_NEW[instruction.name]())
            elif instruction.name in _ACTIONS:
                _ACTIONS[instruction.name](self, argument)
            else:
                raise TorchFileError(f"it wants what no weights need ({instruction.name}).")
        raise TorchFileError("it has no end.")

    def mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def marked(self) -> list[Any]:
        """What lies above the last mark, taken away."""
        place = self._marks.pop()
        above = self._stack[place:]
        del self._stack[place:]
        return above

    def top(self, count: int) -> None:
        """A tuple of the last `count`."""
        above = self._stack[-count:]
        if len(above) < count:
            raise TorchFileError("it takes what is not there.")
        self._stack[-count:] = [tuple(above)]

    def tuple(self, _: Any) -> None:
        self._stack.append(tuple(self.marked()))

    def extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise TorchFileError("it adds to what is no list.")
        target.extend(items)

    def set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        keys = items[::2]
        if type(target) is not dict or any(type(key) is not str for key in keys):
            raise TorchFileError("it fills what is no dictionary of names.")
        target.update(zip(keys, items[1::2], strict=True))

    def last(self, count: int) -> list[Any]:
        """The last `count`, taken away."""
        above = [self._stack.pop() for _ in range(count)]
        return above[::-1]

    def keep(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def get(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        if _Name(module, name) not in _NAMES:
            raise TorchFileError(
                f"it asks for {shown(f'{module}.{name}')}, which no weights need. It was not run. "
                "Do not load this file by torch.load either, unless you know who made it."
            )
        self._stack.append(_Name(module, name))

    def call(self, _: Any) -> None:
        """A dictionary, or a note of a tensor: nothing else can be asked for."""
        called, given = self.last(2)
        if (called, given) == (_DICTIONARY, ()):
            self._stack.append({})
        elif called == _TENSOR and type(given) is tuple and len(given) == 6:
            self._stack.append(_note(*given[:4]))
        else:
            raise TorchFileError("it asks for something that is no tensor.")

    def build(self, _: Any) -> None:
        """What PyTorch notes beside a dictionary (versions of modules) is dropped."""
        target, _state = self.last(2)
        if type(target) is not dict:
            raise TorchFileError("it wants to change what is no dictionary.")
        self._stack.append(target)

    def refer(self, _: Any) -> None:
        """A reference: the only ones are to storages."""
        (given,) = self.last(1)
        if type(given) is not tuple or len(given) != 6 or type(given[1]) is not _Name:
            raise TorchFileError("it refers to something that is no storage.")
        kind, named, key, _place, count, view = given
        if (kind, view) != ("storage", None) or named.name not in _STORAGES or type(key) is not str:
            raise TorchFileError("it refers to something that is no storage.")
        self._stack.append(_Storage(key, _STORAGES[named.name], _whole(count)))


_VALUES = frozenset({"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"})
_NEW: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_TUPLE": tuple,
        "EMPTY_LIST": list,
        "EMPTY_DICT": dict,
    }
)
# Not among these: what makes objects of classes, names put together at run time, registries.
_ACTIONS: Mapping[str, Callable[[_Pickle, Any], None]] = MappingProxyType(
    {
        "PROTO": lambda _pickle, _argument: None,
        "MARK": _Pickle.mark,
        "TUPLE": _Pickle.tuple,
        "TUPLE1": lambda pickle, _: pickle.top(1),
        "TUPLE2": lambda pickle, _: pickle.top(2),
        "TUPLE3": lambda pickle, _: pickle.top(3),
        "APPEND": lambda pickle, _: pickle.extend(pickle.last(1)),
        "APPENDS": lambda pickle, _: pickle.extend(pickle.marked()),
        "SETITEM": lambda pickle, _: pickle.set(pickle.last(2)),
        "SETITEMS": lambda pickle, _: pickle.set(pickle.marked()),
        "BINPUT": _Pickle.keep,
        "LONG_BINPUT": _Pickle.keep,
        "BINGET": _Pickle.get,
        "LONG_BINGET": _Pickle.get,
        "GLOBAL": _Pickle.name,
        "REDUCE": _Pickle.call,
        "BUILD": _Pickle.build,
        "BINPERSID": _Pickle.refer,
    }
)


def _note(storage: Any, start: Any, shape: Any, strides: Any) -> _Note:
    """What `torch._utils._rebuild_tensor_v2` is given first, checked."""
    if type(storage) is not _Storage or type(shape) is not tuple or type(strides) is not tuple:
        raise TorchFileError("it holds a tensor of an unknown kind.")
    if len(shape) != len(strides):
        raise TorchFileError("it holds a tensor of an unknown kind.")
    return _Note(storage, _whole(start), tuple(map(_whole, shape)), tuple(map(_whole, strides)))


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise TorchFileError(f"expected a size, received {type(value).__name__}.")
    return value
