"""Small disks in memory, in a namespace of mounts that goes with the process that made them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

# Mounts a tmpfs of so many bytes at a place, fills all but so many of them, and becomes the command.
_ON_A_SMALL_DISK = """
import os, subprocess, sys
place, size, left, *command = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", place], check=True)
for folder in filter(None, os.environ.pop("MADE", "").split(":")):
    os.mkdir(os.path.join(place, folder))
files = os.statvfs(place)
room = files.f_bavail * files.f_frsize - int(left)
with open(os.path.join(place, "filler"), "wb") as file:
    os.posix_fallocate(file.fileno(), 0, room) if room > 0 else None
    code = subprocess.run(command, check=False).returncode
names = sorted(os.path.relpath(os.path.join(where, name), place) for where, folders, files in os.walk(place) for name in [*folders, *files])
os.write(3, "\\n".join(names).encode())
os._exit(code if code >= 0 else 128 - code)
"""


@cache
def can_mount() -> bool:
    """Whether this process may make mounts that nobody else sees."""
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"],
            capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


def on_a_small_disk(
    command: list[str], place: Path, size: int, left: int, folder: Path, environment: dict[str, str]
) -> tuple[int, str, str, list[str]]:
    """Run a command with a disk of `size` bytes, `left` of them free, over the folder `place`.

    Returns the exit code (128 + number for a signal), both streams, and what then lies on the disk.
    """
    told, tell = os.pipe()
    words = [
        "unshare",
        "--mount",
        sys.executable,
        "-c",
        _ON_A_SMALL_DISK,
        str(place),
        str(size),
        str(left),
    ]
    # As descriptor 3, whatever its number is here.
    shell = ["bash", "-c", f'exec 3>&{tell}; exec "$@"', "bash", *words, *command]
    done = subprocess.run(
        shell, cwd=folder, env=environment, pass_fds=(tell,), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    os.close(tell)
    with os.fdopen(told, encoding="utf-8") as file:
        names = file.read().splitlines()
    return done.returncode, done.stdout, done.stderr, names
