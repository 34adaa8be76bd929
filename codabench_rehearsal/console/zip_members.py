"""One member of a zip as a file that can be read from anywhere: what is stored is not copied."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from typing import IO

from codabench_rehearsal.console.temporary import PREFIX, owner_mark

CHUNK = 1 << 20
IN_MEMORY = 64 << 20

_LOCAL = struct.Struct("<4s22xHH")  # of a local header: sign, lengths of name and extra field


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
