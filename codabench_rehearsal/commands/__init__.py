"""The commands: argv in, exit code out."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

_SCRIPTS = ("make-submission", "local-eval", "train-recipe", "codabench-challenge")


def _told_briefly(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Ctrl-C while a command's modules are still being read, before it can catch anything."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write(f"\n{Path(sys.argv[0]).name}: interrupted\n")


if Path(sys.argv[0] if sys.argv else "").name in _SCRIPTS:
    sys.excepthook = _told_briefly
