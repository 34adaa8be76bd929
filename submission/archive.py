"""A read-only view of a submission zip; nothing in it is executed here."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from codabench_rehearsal.console.errors import FULL, NoRoomError, SubmissionError, no_room
from codabench_rehearsal.console.files import tells_case
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.zip_members import CHUNK, opened

LARGEST_TEXT = 4 << 20
MOST_TO_UNPACK = 8 << 30  # bytes that one member may have to be looked into
LARGEST_RATIO = 200  # deflate reaches about 1,000 on zeros; weights and code stay below 10
SUSPECT_BYTES = 100 << 20
MOST_FILES = 20_000
# What unpacking fails for on this machine, and not on the platform.
OURS_TO_MEND = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE)
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
# What zipfile raises for a file that it cannot read whole.
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True)
class Member:
    """One file of the zip. size and packed are bytes, method is the zip format's number.

    name: where the platform's extract-all puts it; written: its name in the zip. A link (is_link)
    is unpacked as a text file that holds where it leads.
    """

    name: str
    size: int
    packed: int
    is_link: bool
    is_encrypted: bool
    method: int = zipfile.ZIP_STORED
    is_utf8: bool = True  # whether its name is said to be UTF-8, or needs no saying
    written: str = ""

    @property
    def is_moved(self) -> bool:
        """Whether its name would leave the folder, so that it is unpacked elsewhere in it."""
        path = PurePosixPath(self.written)
        return path.is_absolute() or ".." in path.parts

    @property
    def is_bomb(self) -> bool:
        """Whether it unpacks to far more than weights or code ever do."""
        return self.ratio > LARGEST_RATIO and self.size > SUSPECT_BYTES

    @property
    def ratio(self) -> float:
        """How many times larger it is unpacked."""
        return self.size / max(self.packed, 1)


class Archive:
    """An open zip. Raises `SubmissionError` when the file is not a readable zip."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        require_file(self.path, SubmissionError)
        if not self.path.is_file():
            raise SubmissionError(f"{self.path}: no such file. Build one: make-submission WEIGHTS.")
        try:
            self._whole = self.path.open("rb")  # one open file: the zip may be rebuilt meanwhile
        except OSError as error:
            raise SubmissionError(
                f"{self.path} cannot be read: {error.strerror}. Allow reading it."
            ) from None
        try:
            self._zip = zipfile.ZipFile(self._whole)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            self._whole.close()
            raise SubmissionError(
                f"{self.path}: not a readable zip ({error}). Build it anew: make-submission "
                "WEIGHTS."
            ) from None
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self._held: dict[str, IO[bytes]] = {}
        self._sound: set[zipfile.ZipInfo] = set()  # whose checksums were seen to be right
        self.members = tuple(_member(info) for info in infos)
        self._infos = dict(zip((m.name for m in self.members), infos, strict=True))  # the last wins
        self.folders = tuple(
            unpacked_name(info.filename) for info in self._zip.infolist() if info.is_dir()
        )

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; its names and sizes stay known."""
        for held in self._held.values():
            held.close()
        self._zip.close()
        self._whole.close()

    @cached_property
    def sha256(self) -> str:
        """The zip's content hash: a submission's identity."""
        self._whole.seek(0)  # zipfile seeks before every read of its own
        return hashlib.file_digest(self._whole, "sha256").hexdigest()

    @property
    def size(self) -> int:
        """The size of the zip in bytes."""
        return os.fstat(self._whole.fileno()).st_size

    @property
    def unpacked_bytes(self) -> int:
        """The sum of its files' sizes."""
        return sum(member.size for member in self.members)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of its files."""
        return frozenset(member.name for member in self.members)

    @cached_property
    def alike(self) -> tuple[tuple[str, str], ...]:
        """Pairs of its names that differ by upper and lower case alone."""
        first: dict[str, str] = {}
        pairs = ((first.setdefault(name.casefold(), name), name) for name in sorted(self.names))
        return tuple((one, other) for one, other in pairs if one != other)

    def read(self, name: str, limit: int = LARGEST_TEXT) -> bytes:
        """One file's bytes. Raises `SubmissionError` if it is damaged or larger than `limit`."""
        try:
            with self._zip.open(self._infos[name]) as file:
                data = file.read(limit + 1)
        except DAMAGED as error:
            raise SubmissionError(f"{name} in {self.path.name} cannot be read: {error}.") from None
        if len(data) > limit:
            raise SubmissionError(f"{name} in {self.path.name} is larger than {limit:,} bytes.")
        return data

    def look_into(self, name: str) -> IO[bytes]:
        """One file, seekable, at its start; stored files are not copied. It stays ours to close.

        Raises `SubmissionError` if it is damaged, or a bomb.
        """
        if name not in self._held:
            member = next(member for member in reversed(self.members) if member.name == name)
            if member.is_bomb or member.size > MOST_TO_UNPACK:
                raise SubmissionError(f"{name} in {self.path.name} is too large to look into.")
            info = self._infos[name]
            try:
                self._held[name] = opened(self._whole, self._zip, info)
            except DAMAGED as error:
                raise SubmissionError(
                    f"{name} in {self.path.name} cannot be read: {error}."
                ) from None
            if info.compress_type != zipfile.ZIP_STORED:
                self._sound.add(info)  # it was unpacked whole
        held = self._held[name]
        held.seek(0)
        return held

    def damaged(self) -> str | None:
        """The first file whose checksum is wrong, or None."""
        for info in self._zip.infolist():
            if info.is_dir() or info in self._sound:
                continue
            try:
                with self._zip.open(info) as file:
                    while file.read(CHUNK):
                        pass
            except DAMAGED:
                return info.filename
        return None

    def extract(self, folder: Path) -> None:
        """Unpack everything, as the platform does: by zipfile's own extract-all.

        Names that would leave the folder are put into it, of two files of one name the last one
        stays, links become text files. Raises `SubmissionError` for what cannot be unpacked.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.alike and not tells_case():
                raise SubmissionError(
                    f"{self.path.name} cannot be run on this disk, which takes "
                    f"{' and '.join(self.alike[0])} for one file; the platform does not. Rename "
                    "one of them, or run it on Linux."
                )
            self._zip.extractall(folder)
        except OSError as error:
            if error.errno in FULL:
                raise NoRoomError(no_room(folder, self.unpacked_bytes)) from None
            if error.errno in OURS_TO_MEND:
                raise SubmissionError(
                    f"{self.path.name} cannot be unpacked in {folder.parent.parent}: "
                    f"{error.strerror}. TMPDIR names another place."
                ) from None
            raise SubmissionError(f"{self.path.name} cannot be unpacked: {error}.") from None
        except RecursionError:
            raise SubmissionError(
                f"{self.path.name} cannot be unpacked: its folders are nested too deeply."
            ) from None
        except DAMAGED as error:
            raise SubmissionError(f"{self.path.name} cannot be unpacked: {error}.") from None


def unpacked_name(written: str) -> str:
    """Where extract-all puts a name, by the rules of Python's zipfile; "" for no place at all."""
    return "/".join(part for part in written.split("/") if part not in ("", ".", ".."))


def _member(info: zipfile.ZipInfo) -> Member:
    link = stat.S_ISLNK(info.external_attr >> 16)
    return Member(
        unpacked_name(info.filename),
        info.file_size,
        info.compress_size,
        is_link=link,
        is_encrypted=bool(info.flag_bits & 1),
        method=info.compress_type,
        is_utf8=bool(info.flag_bits & 0x800) or info.filename.isascii(),
        written=info.filename,
    )


def sha256_of(path: Path) -> str:
    """A file's content hash, 64 hex digits. Raises `SubmissionError` for no file, `OSError`."""
    require_file(path, SubmissionError)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
