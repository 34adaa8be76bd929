"""Temporary files and folders that name their owner: what a killed run left, the next run removes.

A name carries the process that made it: its number and its start, and in which boot, namespace of
processes and machine those count. So the owner is known from the first moment on, without a lock,
and a number that was given out again is no owner. A lock is held beside it for those who see the
folder from another namespace (a container with the same /tmp), where numbers say nothing.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

PREFIX = "rehearsal-"
CACHE_VARIABLE = "CODABENCH_REHEARSAL_CACHE"
IMAGES = "images"  # in the cache: unpacked images
BUILDING = "server.lock"  # in the cache: held while an environment is built
BUILT = "complete.json"  # in an environment: it is finished
_LOCK = ".owner"
_NOTE = "at-"  # labels a folder that says where else one is
_PLACE = "place"  # the file in it
_MARK = re.compile(r"own-(\d+)-(\d+)-([0-9a-f]{6})([0-9a-f]{6})([0-9a-f]{6})-[0-9a-f]{8}")
_UNKNOWN = "000000"
_ELSEWHERE_SECONDS = 60.0  # another namespace's folder may not have its lock yet
_OPEN: dict[Path, int] = {}  # folders in use, and the process that made them


class TemporaryFolder:
    """A folder of our own that is removed on `close`, or by a later run if we are killed.

    Use as a context manager, or call `close`. label: for people who look. within: where it is made,
    None for the system's temporary folder. prefix, suffix: of its name. Raises `OSError` where none
    can be made.
    """

    def __init__(
        self, label: str = "", within: Path | None = None, *, prefix: str = PREFIX, suffix: str = ""
    ) -> None:
        place = Path(tempfile.gettempdir()) if within is None else within
        self.path = place / f"{prefix}{label}{owner_mark()}{suffix}"
        self._lock = -1
        self._note = None if within is None else _note_of(self.path)
        if within is None:
            _sweep(place)
        _OPEN[self.path] = os.getpid()
        try:
            self.path.mkdir(mode=0o700)
            self._lock = _lock_file(self.path / _LOCK)
            locked(self._lock)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def become(self, target: Path) -> None:
        """Take another name for good, instead of what is there. Raises `OSError`."""
        (self.path / _LOCK).unlink(missing_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        self.path.replace(target)

    def close(self) -> None:
        """Remove the folder; what foreign code made unreadable in it is made readable first."""
        remove(self.path)
        _OPEN.pop(self.path, None)
        if self._lock >= 0:
            with suppress(OSError):
                os.close(self._lock)
            self._lock = -1
        if self._note:
            self._note.close()
            self._note = None


@cache
def _sweep(place: Path) -> None:
    """Once a process, for notebooks, which call no command."""
    remove_abandoned([place])


@atexit.register
def _remove_open() -> None:
    """What an interrupt came before anybody held it; never a parent's, after a fork."""
    for path in [path for path, pid in _OPEN.items() if pid == os.getpid()]:
        remove(path)


def owner_mark() -> str:
    """A part of a file's name that nobody else draws and that says whose the file is."""
    pid = os.getpid()
    return f"own-{pid}-{_birth(pid)}-{''.join(_here())}-{secrets.token_hex(4)}"


def remove(folder: Path) -> None:
    """Remove a folder and all in it, however deep, whatever permissions its files were given."""
    if folder.is_symlink():
        return
    with suppress(OSError):
        folder.chmod(0o700)
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _empty(root)
        finally:
            os.close(root)
        folder.rmdir()
    with suppress(RecursionError):  # what could not be moved, as on a disk that is full
        shutil.rmtree(folder, ignore_errors=True)


def _empty(root: int) -> None:
    """Move folders in folders to the top, and empty them there: no path is too long."""
    waiting = _cleared(root, root)
    while waiting:
        name = waiting.pop()
        with suppress(OSError):
            place = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            try:
                waiting += _cleared(place, root)
            finally:
                os.close(place)
            os.rmdir(name, dir_fd=root)


def _cleared(place: int, root: int) -> list[str]:
    """Remove the files of a folder; its folders are now at the top, under the names returned."""
    with os.scandir(place) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    names = []
    for name, is_folder in sorted(found, key=lambda one: one[1]):  # files first: that makes room
        with suppress(OSError):
            if not is_folder:
                os.unlink(name, dir_fd=place)
                continue
            os.chmod(name, 0o700, dir_fd=place)
            top = name if place == root else secrets.token_hex(8)
            if place != root:
                os.rename(name, top, src_dir_fd=place, dst_dir_fd=root)
            names.append(top)
    return names


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Remove everything in these folders that a run of this user left that is dead for certain."""
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for path in [Path(one.path) for one in entries if _MARK.search(one.name)]:
                with suppress(OSError):
                    if is_abandoned(path):
                        _remove_noted(path)
                        remove(path) if path.is_dir() else path.unlink()


def _note_of(path: Path) -> TemporaryFolder | None:
    """Say among the temporary folders where one lies elsewhere, so that any next run finds it.

    None where there is no room: whoever writes beside it next removes it.
    """
    with suppress(OSError):
        note = TemporaryFolder(_NOTE)
        try:
            (note.path / _PLACE).write_bytes(os.fsencode(path.absolute()))
        except BaseException:
            note.close()
            raise
        return note
    return None


def _remove_noted(note: Path) -> None:
    """Remove what a dead owner's note leads to, where that is a dead owner's too."""
    if not note.name.startswith(f"{PREFIX}{_NOTE}"):
        return
    with suppress(OSError, ValueError):  # gone, or on a disk that is not there now
        place = Path(os.fsdecode((note / _PLACE).read_bytes()))
        if place.is_absolute() and is_abandoned(place):
            remove(place)


def remove_leftovers() -> None:
    """Clear away what killed runs left, wherever we leave anything."""
    # A full /tmp is answered with another TMPDIR: what filled it is to go all the same.
    places = [Path("/tmp")]  # noqa: S108 - only what is ours is touched there
    with suppress(OSError):
        places.append(Path(tempfile.gettempdir()))
    with suppress(OSError, RuntimeError):
        kept = cache_folder()
        places.append(kept / IMAGES)
        _remove_half_built(kept)
    remove_abandoned(dict.fromkeys(places))


def cache_folder() -> Path:
    """$CODABENCH_REHEARSAL_CACHE, else a folder of ours in the user's cache.

    Raises `RuntimeError` where there is no home folder.
    """
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says to ignore a relative one.
    base = Path(shared) if Path(shared).is_absolute() else Path.home() / ".cache"
    return base / "codabench-rehearsal"


def is_abandoned(path: Path) -> bool:
    """Whether a file or folder is this user's and its owner is dead; False where nobody can tell.

    Links are never ours. Raises `OSError` where it is gone.
    """
    found = _MARK.search(path.name)
    facts = path.lstat()
    if not found or stat.S_ISLNK(facts.st_mode) or facts.st_uid != os.geteuid():
        return False
    pid, birth, boot, space, host = int(found[1]), int(found[2]), *found.group(3, 4, 5)
    here = _here()
    if (boot, space) == here[:2] and _UNKNOWN not in here[:2]:
        return not _lives(pid, birth)
    if sys.platform == "darwin" and host == here[2]:  # no /proc, but no namespaces either
        return not _lives(pid, birth)
    known = _UNKNOWN not in (boot, here[0])
    settled = boot != here[0] or time.time() - facts.st_mtime > _ELSEWHERE_SECONDS
    ours = boot == here[0] or host == here[2]  # else a machine that shares a network disk with us
    return known and ours and settled and _is_free(path)


def _remove_half_built(kept: Path) -> None:
    """Remove environments without their mark of the end, unless somebody builds just now."""
    halves = [one for one in kept.glob("server-*/") if not (one / BUILT).exists()]
    if not halves:
        return
    lock = _lock_file(kept / BUILDING)
    try:
        for one in halves if locked(lock) else ():
            if not (one / BUILT).exists() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
    finally:
        os.close(lock)


def locked(number: int, *, wait: bool = False) -> bool | None:
    """Lock an open file or folder until it is closed; None where the disk has no locks (some NFS).

    False where another holds it. wait: until the other is done.
    """
    try:
        fcntl.flock(number, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _is_free(folder: Path) -> bool:
    """Whether nobody holds a folder's lock; False where that cannot be told."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return folder.is_dir()
    try:
        return locked(lock) is True
    finally:
        os.close(lock)


@cache
def _here() -> tuple[str, str, str]:
    """What a process's number counts in: this boot, namespace, machine; six digits each."""
    boot = space = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 - a link that leads nowhere
    boot, space, host = (
        hashlib.sha256(fact.encode()).hexdigest()[:6] if fact else _UNKNOWN
        for fact in (boot, space, os.uname().nodename)
    )
    return boot, space, host


def _lives(pid: int, birth: int) -> bool:
    """Whether a process of our namespace runs; true where it cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not birth or _birth(pid) in (0, birth)


def _birth(pid: int) -> int:
    """When a process was started, in ticks since the boot; -1: it is dead, 0: nothing tells."""
    try:
        if os.fspath(Path("/proc/self").readlink()) != str(os.getpid()):
            return 0  # another namespace's /proc
        facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return -1 if facts[0] in (b"Z", b"X") else int(facts[19])
