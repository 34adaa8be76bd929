"""Writing what a user named: whole or not at all, and never in the place of what is no plain file.

A file is written as a draft, in a new folder beside its place that nobody else knows, and takes its
place in one step. Links are followed: the file that they lead to is written, the link stays. Pipes
and character devices (`/dev/stdout`, `>(jq .)`) are written into, once the content is whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from codabench_rehearsal.console.errors import FULL, UserError, no_more_files
from codabench_rehearsal.console.temporary import TemporaryFolder, locked, remove_abandoned
from codabench_rehearsal.console.words import human_bytes

Target = str | os.PathLike[str]
STDOUT = "-"
# What a run does not show where `tells_case` is false.
ONE_CASE = "upper and lower case in file names (this disk takes Model.py and model.py for one)"
READER_SECONDS = 60.0  # how long a named pipe waits for somebody who reads
_ZEROS = bytes(1 << 20)
_CANNOT_ALLOCATE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # some disks
_IN_MEMORY = 64 << 20  # bytes of what goes into a pipe; more waits in a temporary file
_DESCRIPTOR = re.compile(r"/(?:dev|proc/(\d+)(?:/task/\d+)?)/fd/(\d+)")
_NO_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


class FileError(UserError):
    """A place that cannot be written, or must not be; the message says what to do."""


def check_place(target: Target, *, streams: bool = True, makes_folder: bool = False) -> None:
    """Raise `FileError` for a place that cannot be written, before anything long begins.

    target: a file's name, or "-" for standard output. streams: whether pipes and character devices
    will do. makes_folder: whether missing folders are made.
    """
    if target == STDOUT:
        if sys.stdout is None or getattr(sys.stdout, "name", "") == os.devnull:
            raise FileError("- stands for standard output, which is closed: name a file.")
        return
    path = Path(target)
    with written(path):
        if is_stream(path):
            _check_stream(path, streams=streams)
        else:
            _check_file(path)
            _check_folder(path, makes_folder=makes_folder)


def is_stream(target: Target) -> bool:
    """Whether this is a pipe, a device or an open descriptor: written into, never replaced."""
    if _descriptor(target) is not None:
        return True
    try:
        mode = _mode(target)
    except OSError:  # links in a circle, a file for a folder: said where it is written
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def folds_case(folder: Path) -> bool:
    """Whether names that differ by upper and lower case alone are one there: so on most Macs.

    Told by the folder's own name, or by that of the nearest one above that has letters.
    """
    for one in (folder, *folder.parents):
        other = one.with_name(one.name.swapcase()) if one.name else one
        if other != one:
            with suppress(OSError):
                return one.samefile(other)
            return False
    return False


def tells_case() -> bool:
    """Whether zips are unpacked, and run, on a disk where upper and lower case are two names."""
    return not folds_case(Path(tempfile.gettempdir()))


def place_of(target: Target) -> Path:
    """The file that is written: the target, or what its links lead to, there or not."""
    return Path(os.path.realpath(target))


@contextmanager
def replacing(target: Target, needed: int = 0) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the target's place if the block succeeds; it can be sought in.

    needed: how many bytes it will be, where that is known. Raises `FileError` where the system
    refuses; an older file stays then.
    """
    path = Path(target)
    if is_stream(path):
        with written(path), tempfile.SpooledTemporaryFile(_IN_MEMORY) as whole:
            yield whole
            whole.seek(0)
            _pour(whole, path)
        return
    with draft(path) as part, written(path, needed):
        with part.open("xb") as file:
            yield file
        publish(part, path)


@contextmanager
def draft(target: Target) -> Iterator[Path]:
    """A place for a file of the target's name; the block moves it by `publish`, or it is removed.

    Several runs may write one target at once: the last to move its draft wins whole. What killed
    runs left is removed by the next. Raises `FileError` where no file can be.
    """
    check_place(target, streams=False)
    place = place_of(target)
    remove_abandoned([place.parent])
    with written(target):
        made = TemporaryFolder(f"{place.name[:32]}.", place.parent, prefix=".", suffix=".draft")
    with made as folder:
        yield folder / Path(target).name


def publish(part: Path, target: Target) -> None:
    """Move a draft to its place, with the mode and owner of the file that was there.

    Raises `FileError` where the system refuses, or something else than a file is there by now.
    """
    path, place = Path(target), place_of(target)
    with written(path):
        _check_file(path)
        with suppress(FileNotFoundError):
            _make_alike(part, place.stat())
        part.replace(place)


def write_bytes(target: Target, content: bytes) -> None:
    """Write a file in one step: a reader, or a kill, never meets half of it. Raises `FileError`."""
    with replacing(target, len(content)) as file:
        file.write(content)


def write_text(target: Target, text: str) -> None:
    """Write a file in one step, UTF-8. Raises `FileError`."""
    write_bytes(target, text.encode("utf-8", "backslashreplace"))


def write_or_print(target: str, text: str) -> None:
    """Write to a file, or to standard output for "-"."""
    if target == STDOUT:
        sys.stdout.write(text)
    else:
        write_text(target, text)


@contextmanager
def written(target: Target, needed: int = 0) -> Iterator[None]:
    """Say what the system refuses inside as `FileError` about this file of so many bytes."""
    try:
        yield
    except OSError as error:
        raise FileError(_refused(Path(target), error, needed)) from None


@contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold other runs of ours off while several files that belong together are put into a folder.

    wait: until the other is done; else yields False where there is one.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        yield locked(number, wait=wait) is not False
    finally:
        os.close(number)


def allocate(number: int, size: int) -> None:
    """Take the room of a file's first `size` bytes, so that writing through a map cannot fail.

    number: a file descriptor, of a file that is empty or shorter. Raises `OSError`. A file that is
    only made longer has holes: on a full disk the kernel ends whoever writes into one by a signal.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(number, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise
        else:
            return
    at = os.fstat(number).st_size
    while at < size:
        at += os.pwrite(number, _ZEROS[: size - at], at)


def _check_stream(path: Path, *, streams: bool) -> None:
    if not streams:
        raise FileError(f"{path} is a pipe or a device: expected the name of a file here.")
    number = _descriptor(path)
    if number is None:
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    elif fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "it is open for reading only")


def _check_file(path: Path) -> None:
    """Raise for what is there and is no file, or must not be changed."""
    mode = _mode(path)
    for is_kind, name in _NO_FILES:
        if is_kind(mode):
            raise FileError(f"{path}: expected a file to write, received {name}.")
    if mode and not os.access(path, os.W_OK):
        raise FileError(
            f"{path} cannot be written: it may only be read. Allow it (chmod u+w), or name another."
        )


def _check_folder(path: Path, *, makes_folder: bool) -> None:
    folder = place_of(path).parent
    while makes_folder and not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise FileError(f"{path} cannot be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{path} cannot be written: {folder} may only be read.")


def _mode(target: Target) -> int:
    """The mode of what a name leads to; 0 where there is nothing."""
    try:
        return Path(target).stat().st_mode
    except FileNotFoundError:
        return 0


def _descriptor(target: Target) -> int | None:
    """The number of our own open file that a name such as /dev/stdout stands for."""
    name = Path(target).absolute()
    for _ in range(40):  # as many links as the kernel follows
        name = place_of(name.parent) / name.name
        found = _DESCRIPTOR.fullmatch(str(name))
        if found:
            return int(found[2]) if found[1] in (None, str(os.getpid())) else None
        if not name.is_symlink():
            return None
        name = name.parent / name.readlink()
    return None


def _pour(whole: IO[bytes], path: Path) -> None:
    """Copy it all into a pipe or device; a reader that leaves early has read enough."""
    number = _descriptor(path)
    if number == 1:
        sys.stdout.flush()  # what was printed before comes before
    out = os.dup(number) if number is not None else _opened(path)
    with suppress(BrokenPipeError), os.fdopen(out, "wb") as stream:
        shutil.copyfileobj(whole, stream)


def _opened(path: Path) -> int:
    """Open a pipe or a device; a pipe waits for its reader, not for ever."""
    end = time.monotonic() + READER_SECONDS
    while True:
        try:
            number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise FileError(
                    f"{path} is a pipe that nobody read from for {READER_SECONDS:.0f} s: start its "
                    "reader first, or name a file."
                ) from None
            time.sleep(0.05)
        else:
            os.set_blocking(number, True)
            return number


def _make_alike(part: Path, old: os.stat_result) -> None:
    """Give a draft the mode and, where we may, the owner of the file that it replaces."""
    new = part.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):
            os.chown(part, old.st_uid, old.st_gid)
    part.chmod(old.st_mode & 0o777)


def _refused(path: Path, error: OSError, needed: int) -> str:
    why, folder = error.strerror or str(error), place_of(path).parent
    if error.errno not in FULL:
        advice = "Choose a place that exists, may be written to and has room."
        return f"{path} cannot be written: {why}. {advice}"
    if no_more_files(folder):
        why = "its disk takes no more files (inodes)"
    much = f" ({human_bytes(needed)} are needed)" if needed else ""
    advice = f"Make room in {folder}, or name a place that has it."
    return f"{path} cannot be written: {why}{much}. {advice}"
