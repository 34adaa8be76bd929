"""What the user can mend: mistakes of theirs, and what the machine refuses, said in one line."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from codabench_rehearsal.console.temporary import PREFIX
from codabench_rehearsal.console.words import human_bytes, shown

FULL = (errno.ENOSPC, errno.EDQUOT)
STANDARD_OUTPUT = "standard output"  # as the place of an error
HARDLY_ANY = 1 << 20  # bytes
_OURS = Path(__file__).resolve().parents[2]  # the rooms' folder
_ADVICE: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "make room there, or choose another place",
        errno.EDQUOT: "make room there, or choose another place",
        errno.EACCES: "allow it, or choose another place",
        errno.EPERM: "allow it, or choose another place",
        errno.EROFS: "choose a place that may be written to",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.EISDIR: "expected a file, received a folder",
        errno.ENOTDIR: "expected a folder, received a file",
        errno.ENOTEMPTY: "another program writes there: choose another place",
        errno.EEXIST: "another program wrote it meanwhile: run the command again",
        errno.ENOENT: "it is missing, or was removed meanwhile",
        errno.ESTALE: "it was removed meanwhile: run the command again",
        errno.EFBIG: "this machine allows no file so large (ulimit -f)",
        errno.ELOOP: "correct the links that lead in a circle",
        errno.EIO: "the disk refused: check it",
        errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
        errno.ENFILE: "too many files are open on this machine: end some programs",
        errno.ENOMEM: "the memory is full: end some programs",
        errno.EAGAIN: (
            "no process can be started: end some programs, or raise the limit (ulimit -u)"
        ),
    }
)


class UserError(ValueError):
    """A mistake of the user's; the message says what was expected, what was received, what to do.

    It is told in one line. keeps_lines: where it has several of its own, the further ones marked.
    """

    keeps_lines = False


class DataError(UserError):
    """Missing, damaged or misshapen data; the message says what was expected and what to do."""


class CorruptionError(UserError):
    """Wrong name, severity, seed, shape or preset; the message says what to do."""


class SubmissionError(UserError):
    """A zip, weights file, recipe or profile that cannot be used; the message says what to do."""


class EvaluationError(UserError):
    """An option or combination of inputs that cannot be evaluated; the message says what to do."""


class NoRoomError(UserError):
    """A disk is full; the message says which, what is needed, what is free, and the way out."""


@contextmanager
def room_for(place: Path, size: int | None = None, way_out: str = "") -> Iterator[None]:
    """Say a full disk inside as `NoRoomError`. place: where is written. size: bytes needed."""
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
        files = f"{place} has no room for another file (inodes)"
        return f"{files}: remove some there, or {way_out or other}"
    free = free_bytes(place)
    has = f"{human_bytes(free)} free" if free else "no room left"
    if free and free >= (HARDLY_ANY if size is None else size):
        has += ", but the system allows no more"  # a quota, or room that came since
    needs = f", and {human_bytes(size)} are needed" if size else ""
    return f"{place} has {has}{needs}: make room there, or {way_out or other}"


def full_temporary(place: str, below: int = 0) -> Path | None:
    """The temporary folder, where a write that failed at `place` was ours in it, else None.

    place: "" where nobody knows it. below: a folder with more free bytes is not to blame (0: any
    room, as the write failed; but hardly any where it may have been somewhere else).
    """
    folder = _temporary(Path(place)) if place else Path(tempfile.gettempdir())
    below = below or (sys.maxsize if place else HARDLY_ANY)
    return folder if folder and free_bytes(folder) < below else None


def free_bytes(place: Path) -> int:
    """Bytes that this user may still write there, 0 where nobody knows."""
    disk = _disk(place)
    return disk.f_bavail * disk.f_frsize if disk else 0


def no_more_files(place: Path) -> bool:
    """Whether a disk has bytes, but no more files (inodes); some count none, and never run out."""
    disk = _disk(place)
    return bool(disk and disk.f_files and not disk.f_favail and disk.f_bavail)


def of_the_machine(error: Exception) -> str:
    """What the system refused, where and what to do; "" where it is not to blame but we are."""
    match error:
        case MemoryError():
            lacks = "there is not enough memory here for this"
            return f"{lacks}: end some programs, or take fewer images."
        case ImportError() if "failed to map segment" in str(error):
            lacks = "there is not enough memory here to load a library"
            return f"{lacks}: raise the limit (ulimit -v), or end some programs."
        case RecursionError():
            deep = "something that was given is nested too deeply to be read"
            return f"{deep}: is it the right file?"
        case OSError(errno=errno.EILSEQ):
            return f"{error.strerror} {error.filename}: leave such signs out."
        case OSError() if "temporary directory" in (error.strerror or ""):
            no_folder = "no temporary folder can be written to"
            return f"{no_folder}: make room in /tmp, or set TMPDIR to another."
        case OSError():
            return _refused(error)
    return ""


def _refused(error: OSError) -> str:
    place = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename or "")
    if error.errno in FULL and isinstance(error.filename2, str):
        place = error.filename2  # a copy's target
    missing = error.errno == errno.ENOENT and (not place or _OURS in Path(place).parents)
    if error.errno is None or error.errno not in _ADVICE or missing:
        return ""
    if error.errno in FULL and place != STANDARD_OUTPUT and (full := full_temporary(place)):
        return f"{no_room(full)}."
    where = shown(place) or "a temporary folder or standard output"
    return f"{where}: {error.strerror}. What to do: {_ADVICE[error.errno]}."


def _disk(place: Path) -> os.statvfs_result | None:
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
