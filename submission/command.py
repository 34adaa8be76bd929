"""How our commands end: exit codes, and one line for a user's mistake instead of a traceback."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path


class Exit(IntEnum):
    """Exit codes of all commands."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    OUR_FAULT = 3
    INTERRUPTED = 130


def run_command(name: str, body: Callable[[], int], mistakes: tuple[type[Exception], ...]) -> int:
    """Run a command's body. `mistakes` are the errors that are the user's to mend."""
    try:
        code = body()
        sys.stdout.flush()  # here, where a reader that has left is no fault
    except mistakes as error:
        sys.stderr.write(f"{name}: {error}\n")
        return Exit.USAGE
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{name}: interrupted\n")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; so do we
        return Exit.FINE
    except Exception as error:  # noqa: BLE001 - the last door: said in one line, kept in a file
        sys.stderr.write(f"{name}: a fault of ours ({type(error).__name__}: {error}). ")
        sys.stderr.write(f"Please report it with {_keep_traceback()}\n")
        return Exit.OUR_FAULT
    return code


def _keep_traceback() -> Path:
    with tempfile.NamedTemporaryFile(
        "w", prefix="rehearsal-fault-", suffix=".txt", delete=False
    ) as file:
        file.write(traceback.format_exc())
    return Path(file.name)
