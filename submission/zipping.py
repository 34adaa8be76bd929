"""One file of a zip: put in, the same bytes every time; looked at, without unpacking it all."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from typing import IO

from codabench_rehearsal.console.temporary import PREFIX, owner_mark

EPOCH = (1980, 1, 1, 0, 0, 0)
LEVELS = (1, 6, 9)
PAYS = 0.03  # of a file's bytes: less is not worth the server's time to unpack
NEAR_BEST = 0.005  # a lower level is as good within this share of the bytes
CHUNK = 1 << 20
IN_MEMORY = 64 << 20
_SAMPLES, _SAMPLE = 64, 64 << 10
_LOCAL = struct.Struct("<4s22xHH")  # of a local header: sign, lengths of name and extra field


def put(file: zipfile.ZipFile, name: str, data: bytes, level: int | None = None) -> None:
    """Write one file dated 1980: nothing of this machine or hour gets in. level: None stores it.

    Deflated bytes are the same wherever zlib is the same.
    """
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3  # Unix, whatever this runs on
    info.compress_type = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    file.writestr(info, data, compresslevel=level)


def best_level(data: bytes) -> int | None:
    """The lowest zlib level that is about the best for this file; None: store it.

    Stored where deflating saves 3 % or less. Files up to 4 MiB are judged by all of their bytes,
    larger ones by 4 MiB spread evenly over them.
    """
    sample = _sample(data)
    if not sample:
        return None
    sizes = {level: len(zlib.compress(sample, level)) / len(sample) for level in LEVELS}
    best = min(sizes.values())
    if best >= 1 - PAYS:
        return None
    return next(level for level in LEVELS if sizes[level] <= best + NEAR_BEST)


class Window(io.RawIOBase):
    """A part of an open binary file as a file of its own; the file itself stays open."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """The place in the window."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; places beyond the end are allowed, as in files."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, target: object) -> int:
        """Fill a buffer from the window."""
        view = memoryview(target).cast("B")  # type: ignore[arg-type]  # any buffer, as in io
        count = max(0, min(len(view), self._size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def opened(file: IO[bytes], archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """One member of the zip in `file`, seekable.

    What is stored is a view of `file` (its CRC is not looked at); what is packed is unpacked into
    a temporary file, its CRC checked. Raises what zipfile raises for damaged files.
    """
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return _unpacked(archive, info)
    file.seek(info.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise zipfile.BadZipFile("cut short")
    sign, name, extra = _LOCAL.unpack(header)
    if sign != b"PK\x03\x04":
        raise zipfile.BadZipFile("no header where the directory says")
    start = info.header_offset + _LOCAL.size + name + extra
    return io.BufferedReader(Window(file, start, info.file_size), 1 << 16)


def _sample(data: bytes) -> bytes:
    if len(data) <= _SAMPLES * _SAMPLE:
        return data
    step = (len(data) - _SAMPLE) // (_SAMPLES - 1)
    return b"".join(data[start : start + _SAMPLE] for start in range(0, len(data), step))


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """One member in a temporary file, which is in memory while it is small."""
    held: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115  the caller closes it
        IN_MEMORY, prefix=f"{PREFIX}{owner_mark()}"
    )
    try:
        with archive.open(info) as source:
            while chunk := source.read(CHUNK):
                held.write(chunk)
    except BaseException:
        held.close()
        raise
    held.seek(0)
    return held
