"""Odd zips: names, doubles, damage, methods. What extract-all makes of each, the bare worker says."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable

from tests.submission.corpus.case import Case, Content, append, files, page
from tests.submission.corpus.pictures import CENTRES_NPY
from tests.submission.corpus.static_archive import CENTRAL, FLAGS, LOCAL, METHOD, headers, renamed
from tests.submission.zips import Link

GOOD = files(page())
BROKEN = "raise RuntimeError('the old one')\n"
UP = 'self.centres = np.load(Path(__file__).parents[1] / "weights.npy")'
NFC = unicodedata.normalize("NFC", "poids-\u00e9t\u00e9.npy")
NFD = unicodedata.normalize("NFD", NFC)
LONG = "w" * 180 + ".npy"
TOO_LONG = "w" * 300 + ".npy"
Spoil = Callable[[bytes], bytes]


def loads(name: str) -> str:
    """A model.py that opens this file beside it."""
    return page(init=f"self.centres = np.load(Path(__file__).parent / {name!r})")


def rebuilt(change: Callable[[zipfile.ZipFile, dict[str, bytes]], None], **options: int) -> Spoil:
    """The same files, written anew by `change(file, name -> bytes)`."""

    def spoil(data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            held = {name: old.read(name) for name in old.namelist()}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", **options) as new:  # type: ignore[call-overload]  # its options
            change(new, held)
        return out.getvalue()

    return spoil


def plainly(file: zipfile.ZipFile, held: dict[str, bytes]) -> None:
    """As `rebuilt` wants it: every file by its name."""
    for name, data in held.items():
        file.writestr(name, data)


def each(**fields: object) -> Spoil:
    """Every entry with these fields of `ZipInfo`."""

    def change(file: zipfile.ZipFile, held: dict[str, bytes]) -> None:
        for name, data in held.items():
            info = zipfile.ZipInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            file.writestr(info, data)

    return rebuilt(change)


def large(file: zipfile.ZipFile, held: dict[str, bytes]) -> None:
    """Every entry with the fields of zip64, as a stream's writer makes them."""
    for name, data in held.items():
        with file.open(name, "w", force_zip64=True) as out:
            out.write(data)


def commented(file: zipfile.ZipFile, held: dict[str, bytes]) -> None:
    """With a comment of the zip and of each file."""
    plainly(file, held)
    file.comment = b"made by us " * 90
    for info in file.infolist():
        info.comment = b"ours"


def streamed(data: bytes) -> bytes:
    """As written to a pipe: sizes and checksums follow the bytes."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.held = b""

        def writable(self) -> bool:
            return True

        def write(self, part: object) -> int:
            self.held += bytes(part)  # type: ignore[call-overload]  # bytes-like
            return len(bytes(part))  # type: ignore[call-overload]  # bytes-like

    pipe = Pipe()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(pipe, "w") as new:
        plainly(new, {name: old.read(name) for name in old.namelist()})
    return pipe.held


def nth(data: bytes, sign: bytes, name: bytes) -> int:
    """Where the header of this file begins, local or central."""
    gap = 30 if sign == LOCAL else 46
    at = data.index(sign)
    while data[at + gap : at + gap + len(name)] != name:
        at = data.index(sign, at + 1)
    return at


def of_member(name: str, places: tuple[int, int], value: int, kind: str = "<H") -> Spoil:
    """Put a number into both headers of one file."""

    def spoil(data: bytes) -> bytes:
        held = bytearray(data)
        for sign, place in ((LOCAL, places[0]), (CENTRAL, places[1])):
            struct.pack_into(kind, held, nth(data, sign, name.encode()) + place, value)
        return bytes(held)

    return spoil


def wrong_checksum(name: str) -> Spoil:
    """The checksum of one file is that of other bytes."""
    return of_member(name, (14, 16), zlib.crc32(b"others"), "<I")


def undated(name: str) -> Spoil:
    """Month and day are 0, as some tools write them."""
    return of_member(name, (12, 14), 0)


def both(*steps: Spoil) -> Spoil:
    """One after another."""

    def spoil(data: bytes) -> bytes:
        for step in steps:
            data = step(data)
        return data

    return spoil


def _of(name: str, contents: dict[str, Content], **fields: object) -> Case:
    return Case(name, contents, run=True, kind="zip", **fields)  # type: ignore[arg-type]  # as Case has them


def _zip(name: str, more: dict[str, Content] | None = None, spoil: Spoil | None = None) -> Case:
    return _of(name, {**GOOD, **(more or {})}, spoil=spoil)


def _raw(name: str, change: Spoil) -> Case:
    return _of(name, GOOD, spoil=change)


CASES: list[Case] = [
    # names
    _of("./model.py, as tar -a writes it", {"./": "", **{f"./{k}": v for k, v in GOOD.items()}}),
    _of("./model.py without the folder", {f"./{k}": v for k, v in GOOD.items()}),
    _of(".//model.py", {f".//{k}": v for k, v in GOOD.items()}),
    _of("x/../model.py", {f"x/../{k}": v for k, v in GOOD.items()}),
    _of("/model.py", {f"/{k}": v for k, v in GOOD.items()}),
    _of("../model.py", {f"../{k}": v for k, v in GOOD.items()}),
    _of("../weights.npy, opened one up", {"model.py": page(init=UP), "../weights.npy": CENTRES_NPY}),
    _of("../weights.npy, opened beside", {"model.py": page(), "../weights.npy": CENTRES_NPY}),
    _of("/tmp/weights.npy, opened there", {"model.py": page(init='self.centres = np.load("/tmp/weights.npy")'), "/tmp/weights.npy": CENTRES_NPY}),
    _of("/home/us/weights.npy, opened beside its folder", {"model.py": loads("home/us/weights.npy"), "/home/us/weights.npy": CENTRES_NPY}),
    _zip("absolute, nobody opens it", {"/home/us/notes.txt": "x"}),
    _zip("../ of a file nobody opens", {"../notes.txt": "x"}),
    _zip("../../../../etc/passwd, nobody opens it", {"../../../../etc/passwd": "x"}),
    _zip("folder ../ nobody opens", {"../logs/": ""}),
    _zip("C:\\notes.txt", {"C:\\notes.txt": "x"}),
    _zip("a colon in a name", {"run 12:30.log": "x"}),
    _zip("backslashes, nobody opens it", {"logs\\run.txt": "x"}),
    _of("backslashes, opened with a slash", {"model.py": loads("parts/weights.npy"), "parts\\weights.npy": CENTRES_NPY}),
    _of("backslashes, opened with backslashes", {"model.py": loads("parts\\weights.npy"), "parts\\weights.npy": CENTRES_NPY}),
    _zip("a name of 180 letters", {LONG: "x"}),
    _of("a name of 180 letters, opened", {"model.py": loads(LONG), LONG: CENTRES_NPY}),
    _zip("a name of 300 letters, nobody opens it", {TOO_LONG: "x"}),
    _zip("folders 60 deep", {"deep/" * 60 + "x.txt": "x"}),
    _of("composed accents, opened so", {"model.py": loads(NFC), NFC: CENTRES_NPY}),
    _of("decomposed accents, opened so", {"model.py": loads(NFD), NFD: CENTRES_NPY}),
    _of("decomposed accents, opened composed", {"model.py": loads(NFC), NFD: CENTRES_NPY}),
    _of("composed and decomposed, both there", {"model.py": loads(NFC), NFC: CENTRES_NPY, NFD: CENTRES_NPY}),
    _zip("Chinese and a heart", {"\u6a21\u578b/\u2764.txt": "x"}),
    _zip("an old code page, nobody opens it", {"wxights.txt": ""}, renamed(b"wxights", b"w\x84ights")),
    _of("an old code page, opened", {"model.py": loads("w\u00e4ights.npy"), "wxights.npy": CENTRES_NPY}, spoil=renamed(b"wxights", b"w\xe4ights")),
    _zip("a space at the end", {"notes.txt ": "x"}),
    _zip("a line end in a name", {"no\ntes.txt": "x"}),
    _zip("a control character in a name", {"no\x07tes.txt": "x"}),
    _zip("a name that begins with a hyphen", {"-rf": "x"}),
    _zip("a star in a name", {"*.npy": "x"}),
    _zip("CON and aux.py", {"CON": "x", "aux.py": "x = 1"}),
    _zip("names that differ in case", {"Model.py": BROKEN, "WEIGHTS.npy": "x"}),
    _of("another case in the code", {"model.py": loads("Weights.npy"), "weights.npy": CENTRES_NPY}),
    _of("MODEL.PY", {"MODEL.PY": page(), "weights.npy": CENTRES_NPY}),
    _of("model.PY", {"model.PY": page(), "weights.npy": CENTRES_NPY}),
    _of("model.pyw", {"model.pyw": page(), "weights.npy": CENTRES_NPY}),
    _of("a folder around it", {f"submission/{k}": v for k, v in GOOD.items()}),
    _of("a folder around it, and an entry for it", {"us/": "", **{f"us/{k}": v for k, v in GOOD.items()}}),
    _of("a folder around it, and Mac junk", {**{f"us/{k}": v for k, v in GOOD.items()}, "__MACOSX/us/._model.py": "x"}),
    _of("a folder around the weights only", {"model.py": page(), "us/weights.npy": CENTRES_NPY}),
    _zip("Mac junk", {"__MACOSX/._model.py": "\0\x05\x16\x07", "__MACOSX/._weights.npy": "x", ".DS_Store": "x"}),
    _zip("a second submission in a folder", {f"old/{k}": v for k, v in GOOD.items()}),
    _zip("500 files more", {f"logs/{i:03d}.txt": "x" for i in range(500)}),
    # one name twice
    _of("model.py twice, the last is right", {**GOOD, "model.py": BROKEN}, spoil=append("model.py", page().encode())),
    _of("model.py twice, the last is broken", GOOD, spoil=append("model.py", BROKEN.encode())),
    _of("weights twice, the last is right", {**GOOD, "weights.npy": "x"}, spoil=append("weights.npy", CENTRES_NPY)),
    _of("weights twice, the last is broken", GOOD, spoil=append("weights.npy", b"x")),
    _of("notes twice", {**GOOD, "notes.txt": "1"}, spoil=append("notes.txt", b"2")),
    _of("model.py and ./model.py, the last is right", {"model.py": BROKEN, "weights.npy": CENTRES_NPY, "./model.py": page()}),
    _of("model.py and ./model.py, the last is broken", {**GOOD, "./model.py": BROKEN}),
    _of("model.py and /model.py, the last is broken", {**GOOD, "/model.py": BROKEN}),
    _zip("a file and a folder of one name", {"notes": "x", "notes/a.txt": "x"}),
    _zip("a folder entry for model.py", {"model.py/": ""}),
    _zip("the same folder twice", {"parts/": "", "./parts/": ""}),
    # links
    _zip("a link out, nobody opens it", {"data": Link("/content/drive")}),
    _zip("a link in, nobody opens it", {"latest.npy": Link("weights.npy")}),
    _of("a link to the weights, opened", {"model.py": loads("latest.npy"), "weights.npy": CENTRES_NPY, "latest.npy": Link("weights.npy")}),
    _of("model.py is a link", {"net.py": page(), "model.py": Link("net.py"), "weights.npy": CENTRES_NPY}),
    _of("a link to text that is text", {"model.py": page(top='assert (Path(__file__).parent / "name.txt").read_text() == "weights.npy"'), "weights.npy": CENTRES_NPY, "name.txt": Link("weights.npy")}),
    # methods and headers
    _raw("stored", rebuilt(plainly)),
    _raw("bzip2", rebuilt(plainly, compression=zipfile.ZIP_BZIP2)),
    _raw("LZMA", rebuilt(plainly, compression=zipfile.ZIP_LZMA)),
    _raw("zip64 fields", rebuilt(large)),
    _raw("comments", rebuilt(commented)),
    _raw("written as a stream", streamed),
    _raw("no rights for anybody", each(external_attr=0o100000 << 16)),
    _raw("made under Windows", each(create_system=0, external_attr=0x20)),
    _raw("made by another system", each(create_system=19)),
    _raw("the year 2107", each(date_time=(2107, 12, 31, 23, 59, 58))),
    _raw("no date at all", both(undated("model.py"), undated("weights.npy"))),
    _raw("extra fields of Info-ZIP", each(extra=struct.pack("<HHBI", 0x5455, 5, 1, 1_700_000_000))),
    _raw("an extra field cut short", each(extra=b"\x55\x54\x20\x00\x01")),
    _zip("deflate64, nobody opens it", {"notes.txt": "x"}, of_member("notes.txt", METHOD, 9)),
    _zip("Zstandard, nobody opens it", {"notes.txt": "x"}, of_member("notes.txt", METHOD, 93)),
    _raw("deflate64", headers(METHOD, 9)),
    _raw("encrypted", headers(FLAGS, 1)),
    _zip("encrypted, nobody opens it", {"notes.txt": "x"}, of_member("notes.txt", FLAGS, 1)),
    # damage
    _raw("wrong checksum of model.py", wrong_checksum("model.py")),
    _raw("wrong checksum of the weights", wrong_checksum("weights.npy")),
    _zip("wrong checksum of a file nobody opens", {"notes.txt": "x"}, wrong_checksum("notes.txt")),
    _zip("wrong checksum of an empty folder's entry", {"logs/": ""}, wrong_checksum("logs/")),
    _raw("bytes before the zip", lambda data: b"#!/bin/sh\nexit 0\n" + data),
    _raw("bytes after the zip", lambda data: data + b"\r\n"),
    _raw("many bytes after the zip", lambda data: data + bytes(70_000)),
    _raw("cut in the middle", lambda data: data[: len(data) // 2]),
    _raw("last byte lost", lambda data: data[:-1]),
    _raw("zero bytes", lambda _: b""),
    _raw("a page of HTML", lambda _: b"<!DOCTYPE html><html>Sign in</html>"),
    _raw("a tar", lambda _: b"model.py".ljust(257, b"\0") + b"ustar\x0000" + bytes(1024)),
    _raw("a zip with no entries", lambda _: b"PK\x05\x06" + bytes(18)),
    _raw("another name in the local header", lambda data: data.replace(b"model.py", b"modle.py", 1)),
    _raw("a size that is too small", of_member("weights.npy", (22, 24), 10, "<I")),
    _raw("an older version needed", each(extract_version=10)),
    _raw("a version of tomorrow needed", of_member("model.py", (4, 6), 90)),
]  # fmt: skip
