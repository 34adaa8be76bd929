"""Set up the child process from inside, then become the command.

`launch.py PARENT_PID COMMAND...`: dies with its parent (Linux), is the kernel's first choice when
memory runs out, leaves no core files. Standard library only; runs in the server's Python too.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Be killed when the parent dies; leave at once if it is dead already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def be_first_to_go() -> None:
    """Ask the kernel's memory killer to take this process before any other."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - no pathlib for one write
            file.write("1000")
    except OSError:
        pass  # not Linux, or not allowed: the parent still watches the memory


def main() -> None:
    """Prepare, then exec the command."""
    die_with(int(sys.argv[1]))
    be_first_to_go()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted


main()
