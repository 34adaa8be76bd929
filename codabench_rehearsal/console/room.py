"""Room on a disk: taken before it is needed, and one line where there is none."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.temporary import PREFIX

FULL = (errno.ENOSPC, errno.EDQUOT)
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # some file systems
_ZEROS = bytes(1 << 20)
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class NoRoomError(UserError):
    """A disk is full; the message says which, what is needed, what is free, and the way out."""


def allocate(number: int, size: int) -> None:
    """Take the room of an open file's first `size` bytes, so that writing through a map cannot fail.

    number: a file descriptor, of a file that is empty or shorter. Raises `OSError`. A file that is only
    made longer has holes: where the disk is full, the kernel ends whoever writes into one by a signal.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(number, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        else:
            return
    at = os.fstat(number).st_size
    while at < size:
        at += os.pwrite(number, _ZEROS[: size - at], at)


@contextmanager
def room_for(place: Path, size: int | None = None, way_out: str = "") -> Iterator[None]:
    """Say a full disk inside as `NoRoomError`. place: where is written. size: bytes that are needed."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoomError(no_room(place, size, way_out)) from error


def no_room(place: Path, size: int | None = None, way_out: str = "") -> str:
    """The sentence for a full disk. way_out: what to do beside making room there."""
    other = "choose another place"
    if temporary := _temporary(place):
        place, other = temporary, "set TMPDIR to a folder on another disk"
    if no_more_files(place):
        return f"{place} has no room for another file (inodes): remove some there, or {way_out or other}"
    free = free_bytes(place)
    has = f"{amount(free)} free" if free else "no room left"
    enough = len(_ZEROS) if size is None else size
    if free and free >= enough:  # a quota, no inode left, or room that came since
        has += ", but the system allows no more"
    needs = f", and {amount(size)} are needed" if size else ""
    return f"{place} has {has}{needs}: make room there, or {way_out or other}"


def full_temporary(place: str, below: int = 0) -> Path | None:
    """The temporary folder, where a write that failed at `place` was ours in it, else None.

    place: "" where nobody knows it. below: a folder with more free bytes is not to blame (0: any room,
    as the write failed; but hardly any where it may have been somewhere else).
    """
    folder = _temporary(Path(place)) if place else Path(tempfile.gettempdir())
    below = below or (sys.maxsize if place else len(_ZEROS))
    return folder if folder and free_bytes(folder) < below else None


def amount(count: int) -> str:
    """A number of bytes for people: 812 bytes, 65.5 kB, 3.2 MB."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{count:,} bytes" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def free_bytes(place: Path) -> int:
    """Bytes that this user may still write there, 0 where nobody knows."""
    facts = _facts(place)
    return facts.f_bavail * facts.f_frsize if facts else 0


def no_more_files(place: Path) -> bool:
    """Whether a disk has bytes, but no more files (inodes); some count none, and never run out."""
    facts = _facts(place)
    return bool(facts and facts.f_files and not facts.f_favail and facts.f_bavail)


def _facts(place: Path) -> os.statvfs_result | None:
    """What the system says of the disk of a place, which need not be there yet."""
    for folder in (place, *place.parents):
        with suppress(OSError):
            return os.statvfs(folder)
    return None


def _temporary(place: Path) -> Path | None:
    """The system's temporary folder, where the place is it or ours in it."""
    with suppress(OSError, ValueError):
        folder = Path(tempfile.gettempdir())
        below = place.absolute().relative_to(folder).parts
        return folder if not below or below[0].startswith(PREFIX) else None
    return None
