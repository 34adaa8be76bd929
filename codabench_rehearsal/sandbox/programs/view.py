"""What the command may see of the file system, as plain paths; nothing is changed here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

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
