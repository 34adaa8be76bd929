"""Where a shell leads standard output: never into what is read, nor into a file that is replaced."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from codabench_rehearsal.console.files import FileError, is_stream


def refuse_shown(read: Iterable[tuple[str, Path]], replaced: Iterable[tuple[str, Path]]) -> None:
    """Raise `FileError` where standard output is one of these files, each with what messages call it."""
    try:
        shown = os.fstat(1).st_mode
    except OSError:  # closed
        return
    if not stat.S_ISREG(shown):
        return
    for what, path in read:
        if is_same(path, 1):
            raise FileError(
                f"standard output goes into {what} ({path}), which this command reads: send it elsewhere."
            )
    for option, path in replaced:
        if is_same(path, 1) and not is_stream(path):
            raise FileError(
                f"standard output and {option} name one file, {path}: give each its own."
            )


def is_same(one: Path, other: Path | int) -> bool:
    """Whether two names, or a name and an open file, stand for one file or folder that is there."""
    try:
        return os.path.samestat(one.stat(), os.stat(other))  # noqa: PTH116 - a number too
    except OSError:
        return False
