"""Where the store is, and whether that is a network folder."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = ".local-eval"
FILE = "store.sqlite"
VARIABLE = "LOCAL_EVAL_STORE"
# statfs(2) and Linux's magic.h. SQLite's write-ahead log needs memory shared by all its readers,
# which none of these gives; FUSE is Google Drive in Colab, 9p is Windows' disks under WSL.
NETWORK_KINDS: Mapping[int, str] = MappingProxyType(
    {
        0x6969: "NFS",
        0x517B: "SMB",
        0xFF534D42: "CIFS",
        0xFE534D42: "SMB2",
        0x65735546: "FUSE",
        0x01021997: "9p",
        0x5346414F: "AFS",
        0x73757245: "Coda",
        0x00C36400: "Ceph",
        0x0BD00BD0: "Lustre",
        0x47504653: "GPFS",
        0x19830326: "BeeGFS",
        0xAAD7AAEA: "PanFS",
        0x786F4256: "VirtualBox shared folder",
    }
)


def find_store(option: str | None = None) -> Path:
    """The store's file: `option`, else $LOCAL_EVAL_STORE, else the project's.

    Both may name a file, or a folder, in which the file is `store.sqlite`. The project is the
    nearest folder, from the working one upwards, that has a `.local-eval/`; else the working one.
    Nothing is made here.
    """
    given = option or os.environ.get(VARIABLE)
    if given:
        path = Path(given).expanduser()
        folder = path.is_dir() or given.endswith(("/", os.sep))
        return (path / FILE if folder else path).absolute()
    here = Path.cwd()
    places = (folder / FOLDER for folder in (here, *here.parents))
    return next((place for place in places if place.is_dir()), here / FOLDER) / FILE


def network_kind(folder: Path) -> str:
    """Which network file system a folder is on: "NFS", "SMB" ...; "" for a local or unknown one."""
    return NETWORK_KINDS.get(_magic(folder), "")


def _magic(folder: Path) -> int:
    """The file system's number from statfs(2); 0 where it cannot be asked, as on macOS."""
    if not sys.platform.startswith("linux"):
        return 0
    answer = ctypes.create_string_buffer(1024)  # struct statfs is 120 bytes; f_type comes first
    try:
        failed = ctypes.CDLL(None).statfs(os.fsencode(folder), answer)
    except (OSError, AttributeError):
        return 0
    return 0 if failed else ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
