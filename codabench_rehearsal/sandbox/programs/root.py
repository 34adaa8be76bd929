"""What the command may see of the file system: plain paths, and a small root that holds them alone.

The root (Linux mounts) is built by the first process of new namespaces, before foreign code starts.
The old root is put at /.old meanwhile; at the end it is taken away and the new one made read-only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from codabench_rehearsal.sandbox.programs import kernel

# /usr is taken in parts: /usr/src may hold a user's own work.
_ROOTS = (
    *("bin", "sbin", "lib*", "usr/[!s]*", "usr/s[!r]*", "sys"),
    *("nix", "gnu", "home/linuxbrew/.linuxbrew"),
)
_SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone"),
    *("passwd", "group", "nsswitch.conf", "hosts", "host.conf", "resolv.conf", "gai.conf"),
    *("protocols", "services", "mime.types", "magic", "os-release", "fonts", "locale.conf"),
    *("ssl/certs", "pki/tls/certs", "pki/ca-trust", "OpenCL", "vulkan", "nvidia"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_ACCELERATORS = ("nvidia*", "dri", "dxg", "kfd", "accel*")
OLD, SCRATCH, LOWER = Path("/.old"), Path("/.scratch"), Path("/.lower")
TEMPORARY = Path("/tmp")  # noqa: S108 - the new root's own
BASES = (TEMPORARY, Path("/run"), Path("/usr"))  # any folder does: something is mounted on it
SHARED_MEMORY_BYTES = 64 << 20  # as Docker's
BUFFER_BYTES = 256 << 10  # of a socket at most; the kernel's own default is a little less
_TCP = ("tcp_rmem", "tcp_wmem")  # least, first and most; of this network alone
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
_QUIET = kernel.NO_SUID | kernel.NO_DEV


def system_places() -> list[str]:
    """Programs, libraries and public settings of the system."""
    found = [path for pattern in _ROOTS for path in sorted(Path("/").glob(pattern))]
    settings = [Path("/etc") / name for name in _SETTINGS]
    return [str(path) for path in (*found, *settings) if path.exists()]


def device_places(*, accelerators: bool) -> list[str]:
    """Device files: the harmless ones, and those of accelerators if wanted."""
    patterns = _DEVICES + (_ACCELERATORS if accelerators else ())
    return [str(path) for pattern in patterns for path in sorted(Path("/dev").glob(pattern))]


def library_places() -> list[str]:
    """The linker's folders: a driver's libraries may be in one of them alone."""
    words = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    for file in Path("/etc/ld.so.conf.d").glob("*.conf"):
        words += file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [word for word in words if word.startswith("/") and Path(word) != Path("/")]


def filled(word: str, folders: Mapping[str, str]) -> str:
    """A word of a command with the folders' paths in the place of `$name`."""
    for name in sorted(folders, key=len, reverse=True):  # $abc is not to be read as $ab
        word = word.replace(f"${name}", folders[name])
    return word


def overlap(one: str, two: str) -> bool:
    """Whether one of two paths lies in the other, or is the other."""
    return f"{one}/".startswith(f"{two}/") or f"{two}/".startswith(f"{one}/")


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths that exist, without those inside another one; in order of their names."""
    kept: list[str] = []
    for path in sorted({path.rstrip("/") or "/" for path in paths if Path(path).exists()}):
        if not any(path == known or path.startswith(f"{known}/") for known in kept):
            kept.append(path)
    return kept


class Root:
    """The new root while it is built.

    paths: all that will be shown or copied. scratch_bytes, scratch_files: room in memory for /tmp
    and changes.
    """

    def __init__(
        self, paths: Iterable[str], scratch_bytes: int | None, scratch_files: int | None
    ) -> None:
        self._files = scratch_files
        # Links lead elsewhere once the root is another: they are followed now.
        self._sources = {path: Path(f"{OLD}{Path(path).resolve()}") for path in paths}
        kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
        base = next(path for path in BASES if path.is_dir())
        _tmpfs(base, 16 << 20, "755")
        os.chdir(base)
        Path(OLD.name).mkdir()
        kernel.pivot_root(".", OLD.name)
        os.chdir("/")
        for folder in (SCRATCH, LOWER, Path("/dev"), Path("/proc"), Path("/var")):
            folder.mkdir()
        _tmpfs(SCRATCH, scratch_bytes, "755", scratch_files)
        (SCRATCH / "tmp").mkdir()
        (SCRATCH / "tmp").chmod(0o1777)
        _bind(SCRATCH / "tmp", TEMPORARY, writable=True)
        Path("/var/tmp").symlink_to(TEMPORARY)  # noqa: S108 - the new root's own
        self._copies: list[Path] = []
        self._filled: set[str] = set()

    def show(self, path: str, place: str = "", *, writable: bool = False) -> None:
        """A file or folder of the old root, at its own path or at another place."""
        _bind(self._sources[path], Path(place or path), writable=writable)

    def copy(self, path: str, place: str = "") -> str:
        """A folder that may be changed, where no change goes back; read-only if there is no room.

        Returns how it was done.
        """
        place = place or path
        lower, own = LOWER / str(len(self._copies)), SCRATCH / str(len(self._copies))
        _bind(self._sources[path], lower, writable=False)
        self._copies.append(lower)
        for folder in (own, own / "up", own / "work", Path(place)):
            folder.mkdir(parents=True, exist_ok=True)
        (own / "up").chmod(lower.stat().st_mode & 0o7777)
        options = f"lowerdir={lower},upperdir={own}/up,workdir={own}/work"
        for more in (",userxattr", ""):  # inside a user namespace; outside of one
            with contextlib.suppress(OSError):
                kernel.mount("overlay", place, "overlay", _QUIET, options + more)
                return "overlay"
        if path not in self._filled:  # the room is for one copy
            self._filled.add(path)
            with contextlib.suppress(OSError):  # old kernels make overlays for root alone
                _fill(own / "up", lower)
                _bind(own / "up", Path(place), writable=True)
                return "copied"
        self.show(path, place)
        return "read-only"

    def cover(self, path: str) -> None:
        """An empty folder in the place of one that is shown."""
        if Path(path).is_dir():
            kernel.mount("none", path, "tmpfs", _QUIET | kernel.READ_ONLY, "size=4k,mode=755")

    def devices(self, paths: Iterable[str]) -> None:
        """/dev with these devices alone, and shared memory as large as Docker's."""
        for path in paths:
            _bind(self._sources[path], Path(path), writable=True)
        for name, number in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            Path(f"/dev/{name}").symlink_to(f"/proc/self/fd{number}")
        shared = Path("/dev/shm")  # noqa: S108 - the new root's own
        shared.mkdir()
        _tmpfs(shared, SHARED_MEMORY_BYTES, "1777", self._files)

    def processes(self, *, own_network: bool) -> str:
        """/proc, without the switches of the kernel; returns whose processes it shows.

        own_network: it is no other's, so that its buffers may be made small.
        """
        shown = "its own"
        try:
            kernel.mount("proc", "/proc", "proc", _QUIET | kernel.NO_EXEC)
        except OSError:  # in a container that hides parts of /proc
            kernel.mount(f"{OLD}/proc", "/proc", flags=kernel.BIND | kernel.RECURSIVE)
            shown = "the machine's"
        for name in _TCP if own_network else ():
            with contextlib.suppress(OSError):
                # As bytes: an encoding could not be imported from here.
                Path(f"/proc/sys/net/ipv4/{name}").write_bytes(b"4096 65536 %d" % BUFFER_BYTES)
        for path in (Path("/proc") / name for name in _PROC_READ_ONLY):
            if path.exists():
                _bind(path, path, writable=False)
        return shown

    def close(self) -> None:
        """Take the old root away and make the new one read-only."""
        for path in (*self._copies, SCRATCH, OLD):
            kernel.unmount(str(path))
        for path in (*self._copies, LOWER, SCRATCH, OLD):
            path.rmdir()
        flags = kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | _QUIET
        kernel.mount("none", "/", flags=flags)


def _fill(folder: Path, source: Path) -> None:
    import shutil  # two milliseconds that most starts can save

    try:
        shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        raise OSError(str(error)) from error


def _bind(source: Path, target: Path, *, writable: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    kernel.mount(str(source), str(target), flags=kernel.BIND | kernel.RECURSIVE)
    kernel.seal(str(target), writable=writable)


def _tmpfs(target: Path, size: int | None, mode: str, files: int | None = None) -> None:
    room = (f",size={size}" if size else "") + (f",nr_inodes={files}" if files else "")
    kernel.mount("none", str(target), "tmpfs", _QUIET, f"mode={mode}{room}")
