"""Run a docker command, and end its container when told to or when the parent is gone.

`docker_guard.py NAME COMMAND...`: killing docker's client leaves the container running, so somebody
has to be left who removes it. SIGTERM ends both. Standard library only.
"""

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.5


def outlive_the_parent() -> None:
    """Undo a wish to die with the parent (Linux), which a launcher may have made for us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)


def end(number: int, *_: object) -> None:
    """Raise SystemExit, once: a second signal must not break off what the first one began."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def watch(process: "subprocess.Popen[bytes]", parent: int) -> int:
    """Wait for the client's end; raises SystemExit when it has to be ended."""
    while os.getppid() == parent:
        try:
            return process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    sys.exit(1)


def main() -> int:
    """Run the command; returns its exit code."""
    parent, name, command = os.getppid(), sys.argv[1], sys.argv[2:]
    outlive_the_parent()
    signal.signal(signal.SIGTERM, end)
    process = subprocess.Popen(command)  # noqa: S603 - the user's own docker
    try:
        return watch(process, parent)
    finally:
        if process.poll() is None:
            # The client first: it must not make the container after it was removed.
            process.kill()
            process.wait()
            remove = [*command[: command.index("run")], "rm", "--force", name]
            subprocess.run(remove, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - the same


sys.exit(main())
