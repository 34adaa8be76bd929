"""Calls of the Linux kernel that Python has no name for. Each raises OSError when refused."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import sys

MACHINE = os.uname().machine
LINUX = sys.platform == "linux"
# Numbers that differ by machine; those above 424 are the same on all.
_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "socket": 41, "ptrace": 101, "readv": 310},
    "aarch64": {"clone": 220, "pivot_root": 41, "socket": 198, "ptrace": 117, "readv": 270},
}
NUMBERS = _NUMBERS.get(MACHINE, {}) if LINUX else {}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 442, 444, 445, 446

NEW_MOUNTS, NEW_IPC, NEW_USER = 0x20000, 0x8000000, 0x10000000
NEW_PIDS, NEW_NET = 0x20000000, 0x40000000
_SIGCHLD = 17

READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
_ATTR_READ_ONLY, _ATTR_NO_SUID, _AT_RECURSIVE, _AT_HERE = 1, 2, 0x8000, -100
_DETACH = 2

PR_DEATH_SIGNAL, PR_SECCOMP, PR_DROP_CAPABILITY = 1, 22, 24
PR_SUBREAPER, PR_NO_NEW_PRIVILEGES = 36, 38

_libc = ctypes.CDLL(None, use_errno=True)
_holding = ctypes.PyDLL(None, use_errno=True)  # keeps Python's lock, which a fork needs


def reason(error: BaseException) -> str:
    """What an error says, without its number."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _checked(answer: int, what: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


def call(number: int, *values: object) -> int:
    """A raw system call; integers are passed as longs."""
    words = [ctypes.c_long(v) if isinstance(v, int) else v for v in values]
    return _checked(_libc.syscall(ctypes.c_long(number), *words), f"system call {number}")


def prctl(option: int, *values: object) -> None:
    """Change something of this process itself; the manual page tells the options."""
    words = [ctypes.c_ulong(v) if isinstance(v, int) else v for v in values]
    words += [ctypes.c_ulong(0)] * (4 - len(words))
    _checked(_libc.prctl(option, *words), f"prctl {option}")


def fork_into(namespaces: int) -> int:
    """Fork with the child in new namespaces; the child's process number, 0 in the child."""
    if "clone" not in NUMBERS:
        raise OSError(f"namespaces are not tried on {sys.platform}, {MACHINE}")
    number, flags = ctypes.c_long(NUMBERS["clone"]), ctypes.c_long(namespaces | _SIGCHLD)
    zero = ctypes.c_long(0)
    return _checked(_holding.syscall(number, flags, zero, zero, zero, zero), "clone")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Put a file system, or a part of one, at a place; the manual page tells the flags."""
    words = [os.fsencode(text) for text in (source, target, kind)]
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options)), f"mount on {target}")


def unmount(target: str) -> None:
    """Take a mount and all below it out of sight; it goes when nobody uses it any more."""
    _checked(_libc.umount2(os.fsencode(target), _DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one at `old` below it."""
    call(NUMBERS["pivot_root"], os.fsencode(new), os.fsencode(old))


def seal(target: str, *, writable: bool = False) -> None:
    """Make a mount and all below read-only (unless writable), without set-user-id programs."""
    attributes = _ATTR_NO_SUID | (0 if writable else _ATTR_READ_ONLY)
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    try:
        call(MOUNT_SETATTR, _AT_HERE, os.fsencode(target), _AT_RECURSIVE, wanted, len(wanted))
    except OSError:  # before Linux 5.12: this mount alone, and its own flags must be repeated
        kept = os.statvfs(target).f_flag & (NO_SUID | NO_DEV | NO_EXEC | 1024 | 2048)
        flags = kept | REMOUNT | BIND | NO_SUID | (0 if writable else READ_ONLY)
        mount("none", target, flags=flags)


def raise_loopback() -> None:
    """Let the processes of a new network namespace talk to each other, as in any container."""
    internet, datagrams, set_flags, up = 2, 2, 0x8914, 1
    socket = _checked(_libc.socket(internet, datagrams, 0), "socket")
    try:
        fcntl.ioctl(socket, set_flags, struct.pack("16sh14x", b"lo", up))
    finally:
        os.close(socket)
