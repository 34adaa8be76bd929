"""What the ingestion program notes about a submission, apart from its answers.

Its own word only: the submission runs in the same process. Standard library, Python 3.9 too.
"""

import atexit
import contextlib
import os
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEAVING_SECONDS = 2.0  # for what the submission left running to end by itself
MOST_NAMES = 20
METADATA = Path("/app/output/metadata")
_HERE = ("127.", "::1", "localhost")
Files = dict[str, tuple[int, int]]


def watch_network() -> list[str]:
    """The hosts that Python code tries to reach from now on; this machine itself does not count."""
    hosts: list[str] = []

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.getaddrinfo") or len(hosts) >= MOST_NAMES:
            return
        address = arguments[1] if event == "socket.connect" else (arguments[0],)
        if not isinstance(address, tuple) or not address[0]:
            return  # a socket of this machine
        host = str(address[0])
        if host not in hosts and not host.startswith(_HERE):
            hosts.append(host)

    sys.addaudithook(heard)
    return hosts


def listing(folder: Path) -> Files:
    """Name, size and time of every file below a folder."""
    found: Files = {}
    waiting = [str(folder)]
    while waiting:  # no walk of the library's: it calls itself, and folders may be thousands deep
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # gone, made unreadable, or with a path that is too long
            continue
        for entry in entries:
            if entry.name == "__pycache__":
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                found[os.path.relpath(entry.path, folder)] = (facts.st_size, facts.st_mtime_ns)
    return found


def changes(submission: Path, before: Files, folder: str) -> dict[str, Any]:
    """Which of the submission's files changed or went, which are new, and where it has moved to.

    moved_to: "." for the submission's own folder, "" where it stayed in `folder`. metadata: whether
    a file of the name that the platform writes there itself lies in the output.
    """
    after = listing(submission)
    try:
        now = str(Path.cwd())
    except OSError:
        now = "a folder that is gone"
    return {
        "changed": sorted(n for n in before if before[n] != after.get(n))[:MOST_NAMES],
        "added": sorted(n for n in after if n not in before)[:MOST_NAMES],
        "metadata": METADATA.is_file(),
        "moved_to": "" if now == folder else "." if now == str(submission) else now,
    }


def peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # not Linux
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Leaving:
    """Does what Python does at its end, but does not wait for ever.

    finish: called once, with the names of the threads and processes that would not end.
    """

    def __init__(self, finish: Callable[[dict[str, list[str]]], None]) -> None:
        self._finish = finish

    def wait(self) -> None:
        """Wait for threads and run what was registered for the exit; may end the process."""
        watch = threading.Timer(LEAVING_SECONDS, self._give_up)
        watch.daemon = True
        watch.start()
        threading._shutdown()  # type: ignore[attr-defined]  # it has no public name
        atexit._run_exitfuncs()
        watch.cancel()
        self._finish(left_running())

    def _give_up(self) -> None:
        self._finish(left_running())
        os._exit(0)


def left_running() -> dict[str, list[str]]:
    """The threads for which Python would wait, and the processes that this one started."""
    ours = (threading.main_thread(), threading.current_thread())
    threads = [t.name for t in threading.enumerate() if t not in ours and not t.daemon]
    return {"threads": threads[:MOST_NAMES], "processes": living_children()[:MOST_NAMES]}


def living_children() -> list[str]:
    """The commands of the processes that this one started and that still run."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in path.read_text(encoding="ascii").split():
            command = command_of(pid)
            if command and "resource_tracker" not in command:  # Python's own; it ends with us
                found.append(command[:200])
    return found


def command_of(pid: str) -> str:
    """A process's command line; nothing for one that has ended."""
    try:
        words = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode("utf-8", "replace").strip()
