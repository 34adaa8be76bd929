"""Walls that need no namespace: Landlock for the files, for signals and for local sockets.

Used where namespaces are refused (most containers, Ubuntu since 24.04). It needs only that the
process gave up gaining privileges, holds for all its children, and cannot be taken down again.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable

from codabench_rehearsal.sandbox.programs import kernel

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
