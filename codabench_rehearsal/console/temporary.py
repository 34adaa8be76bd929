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
from types import TracebackType

PREFIX = "rehearsal-"
CACHE_VARIABLE = "CODABENCH_REHEARSAL_CACHE"
IMAGES = "images"  # in the cache: unpacked images
BUILDING = "server.lock"  # in the cache: held while an environment is built
BUILT = "complete.json"  # in an environment: it is finished
_LOCK = ".owner"
_MARK = re.compile(r"own-(\d+)-(\d+)-([0-9a-f]{6})([0-9a-f]{6})([0-9a-f]{6})-[0-9a-f]{8}")
_UNKNOWN = "000000"
_DEEP = 8  # levels that are removed where they are: any path to there is short enough
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
        if within is None:
            remove_abandoned([place])  # for notebooks, which call no command
        _OPEN[self.path] = os.getpid()
        try:
            self.path.mkdir(mode=0o700)
            self._lock = _held(self.path / _LOCK)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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


@atexit.register
def _remove_open() -> None:
    """What an interrupt has come between, before anybody held it; never a parent's, after a fork."""
    for path in [path for path, pid in _OPEN.items() if pid == os.getpid()]:
        remove(path)


def owner_mark() -> str:
    """A part of a file's name that nobody else draws and that says whose the file is."""
    pid = os.getpid()
    return f"own-{pid}-{_birth(pid)}-{''.join(_here())}-{secrets.token_hex(4)}"


def remove(folder: Path) -> None:
    """Remove a folder and all in it, whatever permissions its files were given, and however deep."""
    _open_up(str(folder))
    waiting = [str(folder)]
    while waiting:
        top = waiting.pop()
        for where, names, _ in os.walk(top):
            for name in names:
                _open_up(f"{where}/{name}")
            if where.count("/") - top.count("/") >= _DEEP:
                waiting += [up for name in names if (up := _brought_up(f"{where}/{name}", folder))]
                names.clear()
    shutil.rmtree(folder, ignore_errors=True)


def _brought_up(deep: str, folder: Path) -> str:
    """Its new name in the folder, where a path leads to all in it; "" where it stays."""
    up = folder / secrets.token_hex(8)
    with suppress(OSError):
        Path(deep).rename(up)
        return str(up)
    return ""


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Remove everything in these folders that a run of this user left that is dead for certain."""
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for path in [Path(one.path) for one in entries if _MARK.search(one.name)]:
                with suppress(OSError):
                    if is_abandoned(path):
                        remove(path) if path.is_dir() else path.unlink()


def remove_leftovers() -> None:
    """What every command does first: clear away what killed runs left, wherever we leave anything."""
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
    lock = _held(kept / BUILDING, required=True)
    try:
        for one in halves:
            if not (one / BUILT).exists() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
    finally:
        os.close(lock)


def _held(path: Path, *, required: bool = False) -> int:
    """An open file, locked until it is closed. Raises `OSError` where another holds it, if `required`.

    Some network disks have no locks: the file is then open without one.
    """
    number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if required:
            os.close(number)
            raise
    return number


def _is_free(folder: Path) -> bool:
    """Whether nobody holds a folder's lock; False where that cannot be told."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return folder.is_dir()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


@cache
def _here() -> tuple[str, str, str]:
    """What a process's number counts in: this boot, namespace of processes, machine; six digits each."""
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
    """When a process was started, in ticks since the boot; -1 for a dead one, 0 where nothing tells."""
    try:
        if os.fspath(Path("/proc/self").readlink()) != str(os.getpid()):
            return 0  # another namespace's /proc
        facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return -1 if facts[0] in (b"Z", b"X") else int(facts[19])


def _open_up(folder: str) -> None:
    with suppress(OSError):
        if not os.path.islink(folder):  # noqa: PTH114 - as os.walk names it
            os.chmod(folder, 0o700)  # noqa: PTH101
