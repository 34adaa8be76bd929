"""A read-only view of a submission zip; nothing in it is executed here."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from submission.errors import SubmissionError

CHUNK = 1 << 20
LARGEST_TEXT = 4 << 20
# What zipfile raises for a file that it cannot read whole.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    RuntimeError,
    EOFError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Member:
    """One file of the zip. size and packed are bytes."""

    name: str
    size: int
    packed: int
    is_link: bool
    is_encrypted: bool

    @property
    def is_unsafe(self) -> bool:
        """Whether its name would leave the folder it is unpacked in, or it is a link."""
        path = PurePosixPath(self.name.replace("\\", "/"))
        drive = len(self.name) > 1 and self.name[1] == ":"
        return self.is_link or path.is_absolute() or drive or ".." in path.parts


class Archive:
    """An open zip. Raises `SubmissionError` when the file is not a readable zip."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise SubmissionError(f"{self.path}: no such file. Build one: make-submission WEIGHTS.")
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise SubmissionError(
                f"{self.path}: not a readable zip ({error}). Build it anew: make-submission WEIGHTS."
            ) from None
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self.members = tuple(_member(info) for info in infos)
        self.folders = tuple(info.filename for info in self._zip.infolist() if info.is_dir())

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @cached_property
    def sha256(self) -> str:
        """The zip's content hash: a submission's identity."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """The size of the zip in bytes."""
        return self.path.stat().st_size

    @property
    def unpacked_bytes(self) -> int:
        """The sum of its files' sizes."""
        return sum(member.size for member in self.members)

    @property
    def names(self) -> frozenset[str]:
        """The names of its files."""
        return frozenset(member.name for member in self.members)

    def read(self, name: str, limit: int = LARGEST_TEXT) -> bytes:
        """One file's bytes. Raises `SubmissionError` if it is damaged or larger than `limit`."""
        try:
            with self._zip.open(name) as file:
                data = file.read(limit + 1)
        except DAMAGED as error:
            raise SubmissionError(f"{name} in {self.path.name} cannot be read: {error}.") from None
        if len(data) > limit:
            raise SubmissionError(f"{name} in {self.path.name} is larger than {limit:,} bytes.")
        return data

    def damaged(self) -> str | None:
        """The first file whose checksum is wrong, or None."""
        try:
            return self._zip.testzip()
        except DAMAGED as error:
            return f"(unreadable: {error})"

    def extract(self, folder: Path) -> None:
        """Unpack everything, as the platform does. Raises `SubmissionError` for unsafe names."""
        for member in self.members:
            if member.is_unsafe:
                raise SubmissionError(
                    f"{member.name!r} would be written outside its folder; not unpacked."
                )
        for name in self.folders:
            if not _member_is_safe(name):
                raise SubmissionError(
                    f"{name!r} would be written outside its folder; not unpacked."
                )
            (folder / name).mkdir(parents=True, exist_ok=True)
        for member in self.members:
            self._extract_one(member, folder)

    def _extract_one(self, member: Member, folder: Path) -> None:
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._zip.open(member.name) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
        except DAMAGED as error:
            raise SubmissionError(f"{member.name} cannot be unpacked: {error}.") from None


def _member(info: zipfile.ZipInfo) -> Member:
    link = stat.S_ISLNK(info.external_attr >> 16)
    return Member(info.filename, info.file_size, info.compress_size, link, bool(info.flag_bits & 1))


def _member_is_safe(name: str) -> bool:
    return not Member(name, 0, 0, is_link=False, is_encrypted=False).is_unsafe
