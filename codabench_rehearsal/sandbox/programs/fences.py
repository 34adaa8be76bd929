"""Walls that need no namespace: Landlock for files, signals and local sockets, seccomp for calls.

Where namespaces are refused (most containers, Ubuntu since 24.04) they stand alone. They need only
that the process gave up gaining privileges, hold for all its children, and cannot be taken down.
No more calls are refused everywhere than Docker's own filter refuses, and tracing: what works on
the platform works here. Outside of namespaces of its own a child also loses what reaches other
processes of this machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from codabench_rehearsal.sandbox.programs import kernel

# Numbers of (x86_64, aarch64); those above 424 are the same on all machines.
_CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),  # it makes sockets past the filter
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
}
# System V's memory, semaphores and queues, POSIX queues, which any process of the user may join;
# secret memory.
_SHARED = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "memfd_secret": (447, 447),  # its pages are shown nowhere
}
_SOCKET, _CLONE, _CLONE3, _PRCTL, _KILL = (41, 198), (56, 220), (435, 435), (157, 167), (62, 129)
_SETSOCKOPT, _SOL_SOCKET, _BUFFER_SIZES = (54, 208), 1, (7, 8)
LOCAL, INTERNET, NETLINK = 1, (2, 10), 16
_NEW_SPACES = 0x7E020000  # every kind of namespace that clone can make
_A_THREAD, _SAME_FILES = 0x10000, 0x400
_ALL_PROCESSES = 0xFFFFFFFF  # -1
_SET_DUMPABLE = 4
_CLOSE_RANGE, _FILES_OF_ITS_OWN = 436, 2
_OTHER_CALLS = 0x40000000  # x32: the same calls under other numbers
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Where they lie in seccomp's data.
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_ENDS = {
    "allow": _ALLOW,
    "forbid": _REFUSE | errno.EPERM,
    "absent": _REFUSE | errno.ENOSYS,
    "done": _REFUSE,  # nothing happens, and no error is told
    "no socket": _REFUSE | errno.EACCES,
    "no family": _REFUSE | errno.EAFNOSUPPORT,
}
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_REMOVE_FILE, _MAKE_FILE, _TRUNCATE, _RESOLVE_SOCKET = 1 << 5, 1 << 8, 1 << 14, 1 << 16
_ON_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE
_VIEW = _EXECUTE | _READ | _LIST
_BY_NAME = _READ | _WRITE | _TRUNCATE | _MAKE_FILE | _REMOVE_FILE
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}  # by version of Landlock
_SCOPED, _SCOPED_SINCE = 3, 6  # no signals to, no abstract sockets of processes outside
_SOCKETS_SINCE = 9  # sockets that are files are found only where this domain made them
_LENGTHS = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}  # of the kernel's structure


def landlock_version() -> int:
    """The kernel's version of Landlock; raises OSError where it has none."""
    if not kernel.LINUX:
        raise OSError("Landlock is Linux's")
    return kernel.call(kernel.LANDLOCK_CREATE, None, 0, 1)


def confine(readable: Iterable[str], writable: Iterable[str], by_name: str) -> dict[str, bool]:
    """From now on: nothing but these files and folders, and those to read only.

    by_name: a folder shared with others, where files are made and opened and never listed.
    Returns what else holds: "signals" stay inside, "sockets" reach none outside.
    """
    version = landlock_version()
    handled, scoped = _RIGHTS[min(version, 3)], _SCOPED if version >= _SCOPED_SINCE else 0
    sockets = version >= _SOCKETS_SINCE
    try:
        rules = _rules(handled | (_RESOLVE_SOCKET if sockets else 0), scoped, version)
    except OSError:
        if not sockets:
            raise
        sockets, rules = False, _rules(handled, scoped, version)
    try:
        for paths, rights in ((readable, _VIEW), (writable, handled), ([by_name], _BY_NAME)):
            for path in paths:
                _allow(rules, path, rights & handled)
        kernel.call(kernel.LANDLOCK_RESTRICT, rules, 0)
    finally:
        os.close(rules)
    return {"signals": bool(scoped), "sockets": sockets}


class _Step(NamedTuple):
    """One instruction; true, false: the end to go to, "" for the next step, +n to skip n steps."""

    kind: int
    value: int
    true: str | int = ""
    false: str | int = ""


def refuse(*, families: tuple[int, ...], shared: bool, outside: bool) -> None:
    """From now on: only these families of sockets, and none of the calls above.

    shared: System V's and POSIX's named objects are refused, and larger buffers of sockets not
    given: memory that belongs to no process. outside: other processes of this machine are in sight,
    so signals to all are refused. Raises OSError where it cannot be had.
    """
    if kernel.MACHINE not in kernel.AUDIT_ARCH or not kernel.LINUX:
        raise OSError(f"no seccomp filter is known for {kernel.MACHINE}")
    at = list(kernel.AUDIT_ARCH).index(kernel.MACHINE)
    calls = {**_CALLS, **(_SHARED if shared else {})}
    steps = [
        _Step(_LOAD, _ARCHITECTURE),
        _Step(_EQUAL, kernel.AUDIT_ARCH[kernel.MACHINE], "", "forbid"),
        _Step(_LOAD, _NUMBER),
        _Step(_AT_LEAST, _OTHER_CALLS, "forbid"),
        *(_Step(_EQUAL, numbers[at], "forbid") for numbers in calls.values()),
        _Step(_EQUAL, _CLONE3[at], "absent"),  # its flags are out of sight; glibc then takes clone
        *_when(_CLONE[at], _clone()),
        *_when(_PRCTL[at], _stay_readable()),
        *_when(_CLOSE_RANGE, _close_for_all()),
        *(_when(_KILL[at], _kill_all()) if outside else ()),
        *(_when(_SETSOCKOPT[at], _keep_buffers()) if shared else ()),
        *_when(_SOCKET[at], _sockets(families)),
        _Step(_RETURN, _ALLOW),
    ]
    _install(steps)


def _when(number: int, steps: list[_Step]) -> list[_Step]:
    """Steps for one call alone; each way through them must come to an end."""
    return [_Step(_EQUAL, number, "", len(steps)), *steps]


def _clone() -> list[_Step]:
    """No new namespaces, and no thread whose open files nobody would look for."""
    return [
        _Step(_LOAD, _FIRST),
        _Step(_ANY_BIT, _NEW_SPACES, "forbid"),
        _Step(_ANY_BIT, _A_THREAD, "", "allow"),
        _Step(_ANY_BIT, _SAME_FILES, "allow", "forbid"),
    ]


def _close_for_all() -> list[_Step]:
    """Nor one that parts with the others' files; programs then close their files one by one."""
    return [_Step(_LOAD, _THIRD), _Step(_ANY_BIT, _FILES_OF_ITS_OWN, "absent", "allow")]


def _stay_readable() -> list[_Step]:
    """Not to be read by us, who count its files, is what no process may choose."""
    return [
        _Step(_LOAD, _FIRST),
        _Step(_EQUAL, _SET_DUMPABLE, "", "allow"),
        _Step(_LOAD, _SECOND),
        _Step(_EQUAL, 0, "forbid", "allow"),
    ]


def _kill_all() -> list[_Step]:
    return [_Step(_LOAD, _FIRST), _Step(_EQUAL, _ALL_PROCESSES, "forbid", "allow")]


def _keep_buffers() -> list[_Step]:
    """The kernel, too, gives less than was asked for without a word."""
    return [
        _Step(_LOAD, _SECOND),
        _Step(_EQUAL, _SOL_SOCKET, "", "allow"),
        _Step(_LOAD, _THIRD),
        *(_Step(_EQUAL, option, "done") for option in _BUFFER_SIZES),
        _Step(_RETURN, _ALLOW),
    ]


def _sockets(families: tuple[int, ...]) -> list[_Step]:
    """An absent network is told as forbidden, an unknown family as one that this kernel lacks."""
    known = [_Step(_EQUAL, family, "allow") for family in families]
    closed = [_Step(_EQUAL, family, "no socket") for family in INTERNET if family not in families]
    return [_Step(_LOAD, _FIRST), *known, *closed, _Step(_RETURN, _ENDS["no family"])]


def _install(steps: list[_Step]) -> None:
    ends = {name: len(steps) + n for n, name in enumerate(_ENDS)}
    code = b"".join(_packed(at, step, ends) for at, step in enumerate(steps))
    code += b"".join(struct.pack("HBBI", _RETURN, 0, 0, value) for value in _ENDS.values())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    kernel.prctl(kernel.PR_SECCOMP, 2, ctypes.c_char_p(program))


def _packed(at: int, step: _Step, ends: dict[str, int]) -> bytes:
    jumps = [
        ends[where] - at - 1 if isinstance(where, str) and where else int(where or 0)
        for where in (step.true, step.false)
    ]
    return struct.pack("HBBI", step.kind, *jumps, step.value)


def _rules(handled: int, scoped: int, version: int) -> int:
    wanted = struct.pack("QQQ", handled, 0, scoped)[: _LENGTHS.get(version, 24)]
    return kernel.call(kernel.LANDLOCK_CREATE, wanted, len(wanted), 0)


def _allow(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(f"/proc/self/fd/{place}"):  # noqa: PTH112 - of an open file
                rights &= _ON_FILES
            kernel.call(kernel.LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)
