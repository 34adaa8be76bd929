"""A container without Docker, for the bare worker: a process that sees `/app/...` and little else.

Where we are root, mount and process namespaces: what it leaves behind ends with it, what is read only
is so for root, too. Elsewhere plain folders stand for `/app`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Mode = Literal["ro", "rw"]
Binds = Mapping[str, tuple[Path, Mode]]  # "/app/..." -> what is there
MOST_MEMORY = 8 << 30  # bytes: the platform has no limit, this machine has
WORKING_FOLDER = "/app/program"
ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "http_proxy": "",
    "https_proxy": "",
}
NONE = "-all"  # capabilities of root inside
DOCKERS = f"{NONE},+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+setfcap"
# What a container sees: the machine as it is, /app, its own processes and Docker's 64 MB of /dev/shm.
NAMESPACE = """
set -e
view="$1"; binds="$2"; folder="$3"; caps="$4"; shift 4
mount -t tmpfs -o size=1m none "$view"
for d in /*; do
    if [ -L "$d" ]; then cp -P "$d" "$view/"; continue; fi
    [ -d "$d" ] && [ "$d" != /app ] || continue
    mkdir "$view$d"
    [ "$d" = /proc ] || mount --rbind "$d" "$view$d"
done
mount -t proc proc "$view/proc"
if [ -d "$view/dev/shm" ]; then mount -t tmpfs -o size=64m none "$view/dev/shm"; fi
mkdir "$view/app"
while IFS="|" read -r from to mode; do
    [ -n "$from" ] || continue
    mkdir -p "$view$to"
    mount --bind "$from" "$view$to"
    [ "$mode" = rw ] || mount -o remount,bind,ro "$view$to"
done < "$binds"
cd "$view$folder"
exec chroot "$view" bash -c 'cd "$0" && exec setpriv --bounding-set="$1" --no-new-privs prlimit --as="$2" --fsize=2147483648 --core=0 -- "${@:3}"' "$folder" "$caps" "$@"
"""


@dataclass(frozen=True)
class Container:
    """One run's surroundings.

    place: an empty folder of its own. capabilities: for `setpriv --bounding-set`. memory: address
    space of each process in bytes. shown: whether `/app` is `/app` (`sees_app`), else `place/app`.
    """

    place: Path
    binds: Binds
    capabilities: str = NONE
    memory: int = MOST_MEMORY
    shown: bool = True

    def start(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start it with nothing to read; output and errors go to the log. End it with `ended`."""
        words = self._namespaced(command) if self.shown else self._plain(command)
        folder = self.place if self.shown else self.place / WORKING_FOLDER.removeprefix("/")
        with log.open("wb") as file:
            return subprocess.Popen(
                words,
                cwd=folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _namespaced(self, command: Sequence[str]) -> list[str]:
        view, table = self.place / "view", self.place / "binds"
        view.mkdir()
        rows = (f"{source}|{target}|{mode}\n" for target, (source, mode) in self.binds.items())
        table.write_text("".join(rows))
        unshare = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        given = [str(view), str(table), WORKING_FOLDER, self.capabilities, str(self.memory)]
        return [*unshare, "bash", "-c", NAMESPACE, "bash", *given, *command]

    def _plain(self, command: Sequence[str]) -> list[str]:
        """Links under one folder; nothing there is read only to its owner."""
        for to, (path, _) in self.binds.items():
            target = self.place / to.removeprefix("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
        return ["prlimit", f"--as={self.memory}", "--", *command]


def ended(child: subprocess.Popen[bytes]) -> None:
    """End a container: its process namespace ends with it, else its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@cache
def sees_app() -> bool:
    """Whether processes here can be shown `/app/...`; else plain folders stand for it."""
    if not all(shutil.which(name) for name in ("unshare", "setpriv", "prlimit", "bash")):
        return False
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "program").mkdir()
        container = Container(place, {WORKING_FOLDER: (place / "program", "ro")})
        child = container.start(["/bin/true"], place / "log")
        try:
            return child.wait(20.0) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            ended(child)
