"""Walls that need no namespace: a seccomp filter for the network, Landlock for the files.

Used where namespaces are refused (most containers, Ubuntu since 24.04). Both need only that the process
gave up gaining privileges, hold for all its children, and cannot be taken down again.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from sandbox.programs import kernel

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_IO_URING_SETUP = 425  # it makes sockets past the filter
_OTHER_CALLS = 0x40000000  # x32: the same calls under other numbers
_UNIX, _NETLINK = 1, 16  # sockets that reach this machine's own processes and kernel only

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_TRUNCATE = 1 << 14
_ON_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE
_VIEW = _EXECUTE | _READ | _LIST
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}  # by version of Landlock
_SCOPED = 3  # no signals to, no abstract sockets of processes outside


def refuse_network() -> None:
    """From now on: no sockets but local ones, no io_uring, no reading of other processes' memory."""
    numbers = kernel.NUMBERS
    if not numbers:
        raise OSError(f"no seccomp filter is known for {kernel.MACHINE}")
    steps = [
        (_LOAD, 4, "", ""),
        (_EQUAL, kernel.AUDIT_ARCH[kernel.MACHINE], "", "no"),
        (_LOAD, 0, "", ""),
        (_AT_LEAST, _OTHER_CALLS, "no", ""),
        *((_EQUAL, n, "no", "") for n in (_IO_URING_SETUP, numbers["ptrace"])),
        *((_EQUAL, numbers["readv"] + n, "no", "") for n in (0, 1)),  # process_vm_readv, _writev
        (_EQUAL, numbers["socket"], "", "yes"),
        (_LOAD, 16, "", ""),
        *((_EQUAL, family, "yes", "") for family in (_UNIX, _NETLINK)),
    ]
    ends = {"no": len(steps), "yes": len(steps) + 1, "": -1}
    code = b"".join(_step(at, step, ends) for at, step in enumerate(steps))
    code += struct.pack("HBBI", _RETURN, 0, 0, _REFUSE) + struct.pack("HBBI", _RETURN, 0, 0, _ALLOW)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    kernel.prctl(kernel.PR_SECCOMP, 2, ctypes.c_char_p(program))


def _step(at: int, step: tuple[int, int, str, str], ends: dict[str, int]) -> bytes:
    kind, value, true, false = step
    jumps = [ends[name] - at - 1 if name else 0 for name in (true, false)]
    return struct.pack("HBBI", kind, *jumps, value)


def landlock_version() -> int:
    """The kernel's version of Landlock; raises OSError where it has none."""
    if not kernel.LINUX:
        raise OSError("Landlock is Linux's")
    return kernel.call(kernel.LANDLOCK_CREATE, None, 0, 1)


def confine_files(readable: Iterable[str], writable: Iterable[str]) -> None:
    """From now on: nothing but these files and folders, and those to read only."""
    version = landlock_version()
    handled = _RIGHTS[min(version, 3)]
    scoped = _SCOPED if version >= 6 else 0
    wanted = struct.pack("QQQ", handled, 0, scoped)[
        : {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}.get(version, 24)
    ]
    rules = kernel.call(kernel.LANDLOCK_CREATE, wanted, len(wanted), 0)
    try:
        for path in readable:
            _allow(rules, path, _VIEW & handled)
        for path in writable:
            _allow(rules, path, handled)
        kernel.call(kernel.LANDLOCK_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(f"/proc/self/fd/{place}"):  # noqa: PTH112 - of an open file
                rights &= _ON_FILES
            kernel.call(kernel.LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)
