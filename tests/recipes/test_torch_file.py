"""Reading PyTorch's legacy files: what is written by hand is read; all that is no tensor is refused."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.recipes.torch_file import TorchFileError, read_tensors

# The instructions of a pickle, as bytes (pickletools.py).
START, STOP, CALL, REFER = b"\x80\x02", b".", b"R", b"Q"
NOTHING = b")"  # an empty tuple


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """BININT."""
    return b"J" + struct.pack("<i", value)


def row(*items: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def name(module: str, what: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{what}\n".encode()


def storage(key: str, count: int, kind: bytes = name("torch", "FloatStorage")) -> bytes:
    """A reference to a storage."""
    return row(text("storage"), kind, text(key), text("cpu"), number(count), b"N") + REFER


def tensor(where: bytes, shape: Sequence[int], strides: Sequence[int], start: int = 0) -> bytes:
    """A tensor in a storage."""
    sizes, steps = row(*map(number, shape)), row(*map(number, strides))
    hooks = name("collections", "OrderedDict") + NOTHING + CALL
    arguments = row(where, number(start), sizes, steps, b"\x89", hooks)
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + CALL


def named(*pairs: bytes, after: bytes = b"") -> bytes:
    """A dictionary of names and tensors, one after the other."""
    made = name("collections", "OrderedDict") + NOTHING + CALL
    return made + b"(" + b"".join(pairs) + b"u" + after


MAGIC = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
MACHINE = b"}(" + text("little_endian") + b"\x88u"
VALUES = np.arange(6, dtype="<f4")


def write(
    path: Path, body: bytes, *, keys: Sequence[str] = ("0",), raw: bytes | None = None
) -> Path:
    """A file with this pickle in its place, and six floats."""
    pickles = [MAGIC, number(1001), MACHINE, body, b"](" + b"".join(map(text, keys)) + b"e"]
    whole = b"".join(START + one + STOP for one in pickles)
    values = struct.pack("<q", len(VALUES)) + VALUES.tobytes() if raw is None else raw
    path.write_bytes(whole + values)
    return path


def test_tensors_come_as_they_were_saved(tmp_path: Path) -> None:
    """Else a network is filled with another one's values, or with rows for columns."""
    metadata = b"}(" + text("_metadata") + b"}ub"  # what PyTorch notes beside a state dictionary
    whole = tensor(storage("0", 6), (2, 3), (3, 1))
    turned = tensor(storage("0", 6), (3, 2), (1, 3))
    part = tensor(storage("0", 6), (2,), (2,), start=1)
    one = tensor(storage("0", 6), (), (), start=5)
    pairs = (text("a"), whole, text("b"), turned, text("c"), part, text("d"), one)
    found = read_tensors(write(tmp_path / "w.pth", named(*pairs, after=metadata)))
    assert list(found) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found["a"], VALUES.reshape(2, 3))
    np.testing.assert_array_equal(found["b"], VALUES.reshape(2, 3).T)
    np.testing.assert_array_equal(found["c"], VALUES[[1, 3]])
    np.testing.assert_array_equal(found["d"], VALUES[5])


def test_whole_numbers_are_read(tmp_path: Path) -> None:
    """Else a batch norm's counter makes the file unreadable."""
    body = named(text("n"), tensor(storage("0", 1, name("torch", "LongStorage")), (), ()))
    raw = struct.pack("<qq", 1, 7)
    assert read_tensors(write(tmp_path / "w.pth", body, raw=raw))["n"] == 7


def attack(instructions: bytes) -> bytes:
    """A file that gives a tensor as well, so that only the attack is wrong with it."""
    return named(text("a"), tensor(storage("0", 6), (6,), (1,)), text("b"), instructions)


def tensor_of(start: bytes) -> bytes:
    """A tensor that begins at something that is no number."""
    sizes = row(number(6))
    hooks = name("collections", "OrderedDict") + NOTHING + CALL
    arguments = row(storage("0", 6), start, sizes, row(number(1)), b"\x89", hooks)
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + CALL


def state(**fields: int) -> bytes:
    """Attributes to be set on what was made last."""
    pairs = b"".join(text(key) + row(number(value)) for key, value in fields.items())
    return b"N}(" + pairs + b"u\x86b"


SYSTEM = row(text("touch hacked"))
HOSTILE = {
    "a command": (attack(name("os", "system") + SYSTEM + CALL), "asks for os.system"),
    "posix": (attack(name("posix", "system") + SYSTEM + CALL), "asks for posix.system"),
    "eval": (attack(name("builtins", "eval") + row(text("1")) + CALL), "asks for builtins.eval"),
    "getattr": (attack(name("builtins", "getattr")), "asks for builtins.getattr"),
    "torch itself": (attack(name("torch", "load") + SYSTEM + CALL), "asks for torch.load"),
    "a dotted name": (
        attack(name("torch", "serialization.os.system")),
        "asks for torch.serialization",
    ),
    "numpy": (attack(name("numpy.core.multiarray", "_reconstruct")), "asks for numpy"),
    "a name by parts": (attack(text("os") + text("system") + b"\x93"), "STACK_GLOBAL"),
    "an instance": (attack(b"(" + text("touch x") + b"ios\nsystem\n"), "INST"),
    "an object": (attack(b"(" + name("torch", "FloatStorage") + b"o"), "OBJ"),
    "a new object": (attack(name("collections", "OrderedDict") + NOTHING + b"\x81"), "NEWOBJ"),
    "the registry": (attack(b"\x82\x01"), "EXT1"),
    "bytes": (attack(b"C\x01x"), "SHORT_BINBYTES"),
    "another type": (
        attack(name("torch._utils", "_rebuild_tensor_v2") + b"}(" + text("a") + number(1) + b"ub"),
        "wants to change what is no dictionary",
    ),
    "a storage called": (
        attack(name("torch", "FloatStorage") + NOTHING + CALL),
        "something that is no tensor",
    ),
    "a filled dictionary": (
        attack(name("collections", "OrderedDict") + row(b"]") + CALL),
        "something that is no tensor",
    ),
    "another reference": (
        attack(text("file:///etc/passwd") + REFER),
        "no storage",
    ),
    "a storage by a text": (attack(storage("0", 6, text("FloatStorage"))), "no storage"),
    "a million lists": (attack(b"]" * 1_000_000), "more instructions"),
    "a tower of tuples": (attack(b")" + b"\x85" * 200_000), "more instructions"),
    "a name that doubles": (
        attack(b")" + b"q\x09h\x09\x86" * 64 + number(1) + b"s"),
        "no dictionary of names",
    ),
    "a size that doubles": (
        attack(tensor(storage("0", 6), (6,), (1,)) + tensor_of(b")" + b"q\x09h\x09\x86" * 64)),
        "expected a size, received tuple",
    ),
    "a note rewritten": (
        named(text("a"), tensor(storage("0", 6), (6,), (1,)) + state(shape=4000, strides=1)),
        "wants to change what is no dictionary",
    ),
    "two storages of one key": (
        named(
            *(text("a"), tensor(storage("0", 4000), (4000,), (1,))),
            *(text("b"), tensor(storage("0", 6), (6,), (1,))),
        ),
        "list of storages",
    ),
    "two types of one key": (
        named(
            *(text("a"), tensor(storage("0", 6), (6,), (1,))),
            *(text("b"), tensor(storage("0", 6, name("torch", "LongStorage")), (3,), (1,))),
        ),
        "list of storages",
    ),
    "beyond the end": (attack(tensor(storage("0", 6), (7,), (1,))), "does not lie within"),
    "beyond by its start": (attack(tensor(storage("0", 6), (6,), (1,), 1)), "does not lie within"),
    "beyond by strides": (attack(tensor(storage("0", 6), (3,), (3,))), "does not lie within"),
    "before the start": (attack(tensor(storage("0", 6), (2,), (-1,))), "expected a size"),
    "many from few": (attack(tensor(storage("0", 6), (9, 9), (0, 0))), "does not lie within"),
    "sides that differ": (attack(tensor(storage("0", 6), (6,), (1, 1))), "unknown kind"),
    "no tensor": (attack(number(3)), "holds something else"),
    "no dictionary": (number(3), "holds something else"),
    "a storage twice as long": (
        named(text("a"), tensor(storage("0", 12), (6,), (1,))),
        "storage 0 is cut off",
    ),
    "a storage of another name": (
        named(text("a"), tensor(storage("1", 6), (6,), (1,))),
        "list of storages",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_tensor_is_refused_by_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a file of weights runs its author's commands, or fills the memory."""
    monkeypatch.chdir(tmp_path)
    body, said = HOSTILE[kind]
    path = write(tmp_path / "w.pth", body)
    with pytest.raises(TorchFileError, match=said) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Else half a download trains a network of noise."""
    whole = write(tmp_path / "w.pth", attack(tensor(storage("0", 6), (6,), (1,))))
    content = whole.read_bytes()
    read_tensors(whole)
    for length in range(len(content)):
        whole.write_bytes(content[:length])
        with pytest.raises(TorchFileError):
            read_tensors(whole)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Else a zip, a text or nothing ends in a traceback."""
    with pytest.raises(TorchFileError, match="cannot be read: No such file"):
        read_tensors(tmp_path / "none.pth")
    newer = tmp_path / "newer.pth"
    with zipfile.ZipFile(newer, "w") as file:
        file.writestr("archive/data.pkl", b"")
    with pytest.raises(TorchFileError, match="newer format"):
        read_tensors(newer)
    other = tmp_path / "other.pth"
    for content in (b"", b"weights", b"\x80\x02J\x01\x00\x00\x00." * 5, b"\x00" * 100):
        other.write_bytes(content)
        with pytest.raises(TorchFileError):
            read_tensors(other)
