"""Zips that are wrong as zips: what lies where, under which name, packed how."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from codabench_rehearsal.challenge.profile import SizeLimits
from tests.submission.corpus.case import Case, Content, append, files, page
from tests.submission.corpus.pictures import CENTRES_NPY, npz
from tests.submission.zips import Link

GOOD = files(page())
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
FLAGS, METHOD = (6, 8), (8, 10)  # places in the local and the central header
IMAGES = npz(images=np.zeros((4, 96, 96, 3), np.uint8), labels=np.zeros((4, 1), np.uint8))


def headers(places: tuple[int, int], value: int) -> Callable[[bytes], bytes]:
    """Put a number into both headers of the first member."""

    def spoil(data: bytes) -> bytes:
        held = bytearray(data)
        for sign, place in ((LOCAL, places[0]), (CENTRAL, places[1])):
            struct.pack_into("<H", held, held.index(sign) + place, value)
        return bytes(held)

    return spoil


def flipped(data: bytes) -> bytes:
    """One bit of the first member's packed bytes, a good way in."""
    held = bytearray(data)
    held[120] ^= 0x10
    return bytes(held)


def renamed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """A name of the same length, byte by byte: no tool would write it."""
    return lambda data: data.replace(old, new)


def named_local(data: bytes) -> bytes:
    """Another name in the local header than in the directory."""
    return data.replace(b"model.py", b"modle.py", 1)


def _stored(data: bytes) -> bytes:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def _zip(name: str, more: dict[str, Content], *codes: str, **fields: object) -> Case:
    return Case(name, {**GOOD, **more}, codes, **fields)  # type: ignore[arg-type]  # as Case has them


def _of(name: str, contents: dict[str, Content], *codes: str, **fields: object) -> Case:
    return Case(name, contents, codes, **fields)  # type: ignore[arg-type]  # as Case has them


CASES: list[Case] = [
    _of("empty", {}, "S101"),
    _of("only folders", {"a/": ""}, "S101"),
    _of("nested", {f"mine/{k}": v for k, v in GOOD.items()}, "S102"),
    _of("nested twice", {f"a/b/{k}": v for k, v in GOOD.items()}, "S102"),
    _of("no module", {"weights.npy": CENTRES_NPY}, "S102"),
    _of("wrong case", {"Model.py": page(), "weights.npy": CENTRES_NPY}, "S102"),
    _of("a notebook instead", {"model.ipynb": "{}", "weights.npy": CENTRES_NPY}, "S102"),
    _of("with a space", {"model .py": page(), "weights.npy": CENTRES_NPY}, "S102"),
    _of("named .py.txt", {"model.py.txt": page(), "weights.npy": CENTRES_NPY}, "S102"),
    _of("folder called model", {"model/model.py": page(), "weights.npy": CENTRES_NPY}, "S102"),
    _of("a zip in the zip", {"submission.zip": b"PK\x05\x06" + bytes(18)}, "S102", allowed=frozenset({"S302"})),
    _zip("a package over the module", {"model/__init__.py": ""}, "S103"),
    _zip("traversal", {"../evil.py": "x"}, "S104", severity="warning"),
    _zip("absolute", {"/etc/evil": "x"}, "S104", severity="warning"),
    _zip("backslashes up", {"..\\evil.py": "x"}, "S118", severity="warning"),
    _zip("link", {"link": Link("/etc/passwd")}, "S104", severity="note"),
    _of("link to the weights", {"model.py": page(), "weights.npy": Link("/data/weights.npy")}, "S104", "S315"),
    _of("byte code alone", {"model.pyc": b"", "weights.npy": CENTRES_NPY}, "S120", severity="warning"),
    _of("another module has the class", {"submission.py": page(), "weights.npy": CENTRES_NPY}, "S102"),
    _zip("bomb by ratio", {"zeros.bin": lambda: bytes(101 << 20)}, "S105"),
    _zip("bomb by total", {f"zeros-{i}.bin": bytes(25 << 20) for i in range(5)}, "S105"),
    _zip("bomb by count", {f"many/{i}": "" for i in range(20_001)}, "S105"),
    _zip("encrypted", {}, "S106", spoil=headers(FLAGS, 1)),
    _zip("a bit flipped", {}, "S107|S201", spoil=flipped),
    _zip("two names for one file", {}, "S107", spoil=named_local),
    _zip("twice model.py", {}, "S108", severity="warning", spoil=append("model.py", page().encode())),
    _zip("a file and a folder of one name", {"weights.npy/x": "x"}, "S119"),
    _zip("long zip name", {}, "S109", zip_name=f"{'s' * 61}.zip"),
    _zip("Mac junk", {"__MACOSX/._model.py": "x", ".DS_Store": "x"}, "S110", severity="note"),
    _zip("Windows junk", {"Thumbs.db": "x", "desktop.ini": "x"}, "S110", severity="note"),
    _zip("checkpoints and caches", {".ipynb_checkpoints/model-checkpoint.py": "x", "__pycache__/model.cpython-311.pyc": "x", ".git/HEAD": "x"}, "S110", severity="note"),
    _zip("names that differ in case", {"Weights.npy": CENTRES_NPY}, "S111", severity="warning"),
    _zip("metadata with a command", {"metadata.yaml": "command: python model.py\n"}, "S112", severity="warning"),
    _zip("metadata without one", {"metadata": "description: ours\n"}, "S112", severity="warning"),
    _zip("metadata folder", {"metadata/notes.txt": "ours"}, "S112", severity="warning"),
    _zip("predictions of last time", {"predictions.npy": CENTRES_NPY}, "S113", severity="warning"),
    _zip("answers of last time", {"y_pred.csv": "0\n1\n"}, "S113", severity="warning"),
    _zip("scores", {"scores.json": "{}"}, "S113", severity="warning"),
    _zip("a name that is not UTF-8", {"wxights.txt": ""}, "S114", severity="warning", spoil=renamed(b"wxights", b"w\x84ights")),
    _zip("deflate64", {}, "S115", spoil=headers(METHOD, 9)),
    _zip("unheard-of compression", {}, "S115", spoil=headers(METHOD, 99)),
    _zip("the training set", {"training_set.npz": IMAGES}, "S116", severity="note"),
    _zip("a notebook", {"train.ipynb": '{"cells": []}'}, "S116", severity="note"),
    _zip("a table and pictures", {"labels.csv": "1,2\n", **{f"img/{i}.png": b"\x89PNG" for i in range(12)}}, "S116", severity="note"),
    _zip("a file called numpy.py", {"numpy.py": "import numpy"}, "S117", severity="warning"),
    _zip("a file called random.py", {"random.py": "SEED = 1"}, "S117", severity="warning"),
    _zip("a folder with backslashes", {"parts\\x.npy": CENTRES_NPY}, "S118", severity="warning"),
    _zip("3,000 folders one inside the other", {"a/" * 3000 + "x.txt": "x"}, "S119"),
    _zip("1,900 empty folders one inside the other", {"a/" * 1900: ""}, "S119"),
    _zip("a name of 256 bytes", {"n" * 252 + ".txt": "x"}, "S119"),
    _zip("a path of 5,000 bytes", {f"{'n' * 199}/" * 25 + "x.txt": "x"}, "S119"),
    _zip("zip over its limit", {}, "S401", challenge={"sizes": SizeLimits(zip_bytes=100)}),
    _zip("unpacked over its limit", {}, "S402", challenge={"sizes": SizeLimits(unpacked_bytes=100)}),
    _zip("a file over its limit", {}, "S403", challenge={"sizes": SizeLimits(file_bytes=100)}),
    _zip("more than the quota left", {}, "S407", challenge={"sizes": SizeLimits(quota_bytes=100)}),
    _zip("more memory than there is", {"more.npy": bytes(4096)}, "S409", challenge={"memory_bytes": 4096}),
    _zip("a large upload", {}, "S405", severity="warning", prefix=501 * 10**6),
    _zip("more than the whole quota", {}, "S404", prefix=15 * 10**9 + 1),
    _zip("stored, not packed", {"more.npy": bytes(1 << 20)}, "S408", severity="note", spoil=_stored),
]  # fmt: skip
