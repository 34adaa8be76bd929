"""What walls without namespaces refuse to honest programs as well, and the platform's container does not.

Where Landlock and seccomp must do alone (most containers, Colab) a child has no /tmp and no network of
its own, no sockets with names, and none of the platform's folders. What fails for that says nothing.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from codabench_rehearsal.sandbox.isolation import LOCAL_REFUSED, other_paths

if TYPE_CHECKING:
    from codabench_rehearsal.sandbox.outcome import Outcome, Problem

_FAMILY = f"[Errno {errno.EAFNOSUPPORT}]"
_DENIED = f"[Errno {errno.EACCES}]"
_PLATFORMS = re.compile(r"/app/(program|input_data|output|ingested_program)\b")
_SHARED = re.compile(re.escape(_DENIED) + r"[^'\"]*['\"](/tmp|/var/tmp|/dev/shm)(/[^'\"]*)?['\"]")
_NO_SOCKET = re.compile(r"\bsocket\.py\b.*\n\w*Error: " + re.escape(_DENIED) + r"[^'\n]*\n", re.S)
# One that waited for a thread or process which met the wall, and said so in the log alone.
_WAITED = re.compile(r"EOFError|Connection\w+|Broken\w+|RuntimeError|TimeoutError|Empty")


def refused_here(outcome: Outcome, problem: Problem, own: Iterable[str]) -> str:
    """What of this machine's walls explains the problem; "" where nothing does.

    own: the job's folders, whose rules are the platform's.
    """
    limits, said = outcome.result.limits, f"{problem.message}\n{problem.trace}"
    if other_paths(limits) and _PLATFORMS.search(problem.message):
        return "the platform's folders in /app"
    if limits.get("files", "").startswith("no mount namespace") and _is_shared(problem, own):
        return "files in /tmp and /dev/shm, which are the whole machine's here,"
    waited = problem.stage in ("time", "exit") or _WAITED.fullmatch(problem.kind)
    met = _FAMILY in said or (waited and _FAMILY in outcome.result.log)
    if limits.get("sockets", "").startswith(LOCAL_REFUSED) and met:
        return "local sockets, such as multiprocessing.Manager's,"
    outward = outcome.seen.hosts or not limits.get("network", "").startswith("no network namespace")
    if not outward and _NO_SOCKET.search(said):
        return "sockets that stay on the machine"
    return ""


def _is_shared(problem: Problem, own: Iterable[str]) -> bool:
    """Whether a file in the folders that all programs share was refused, and none of the job's own."""
    found = _SHARED.search(problem.message)
    path = f"{found[1]}{found[2] or ''}/" if found else ""
    return bool(path) and not any(path.startswith(f"{folder}/") for folder in own)
