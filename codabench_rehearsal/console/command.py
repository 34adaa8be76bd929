"""How our commands begin, speak and end: exit codes, and one line in the place of a traceback.

What is the user's to mend (a full disk, a folder that may only be read, a name too long) is told as
that; "a fault of ours" stays for what nobody but us can mend.
"""

from __future__ import annotations

import argparse
import codecs
import errno
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TextIO, cast

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.room import FULL, full_temporary, no_room
from codabench_rehearsal.console.signals import Ended, Signals
from codabench_rehearsal.console.temporary import remove_leftovers
from codabench_rehearsal.console.words import cleaned, one_line, ours, shown

if TYPE_CHECKING:
    from rich.console import Console

CLOSED = "standard output is closed: nothing is shown"
_OUTPUT = "standard output"
_ERRORS = "plain-signs"  # our handler of signs that an encoding lacks
_SIGNS = {"†": "(!)", "±": "+-", "…": "...", "→": "->", "←": "<-", "×": "x", "–": "-", "—": "-"}  # noqa: RUF001  the signs themselves
_OURS = Path(__file__).resolve().parents[2]  # the rooms' folder
_ADVICE = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EACCES: "allow it, or choose another place",
    errno.EPERM: "allow it, or choose another place",
    errno.EROFS: "choose a place that may be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "expected a file, received a folder",
    errno.ENOTDIR: "expected a folder, received a file",
    errno.ENOTEMPTY: "another program writes there: choose another place",
    errno.EEXIST: "another program wrote it meanwhile: run the command again",
    errno.ENOENT: "it is missing, or was removed meanwhile",
    errno.ESTALE: "it was removed meanwhile: run the command again",
    errno.EFBIG: "this machine allows no file so large (ulimit -f)",
    errno.ELOOP: "mend the links that lead in a circle",
    errno.EIO: "the disk refused: check it",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: end some programs",
    errno.ENOMEM: "the memory is full: end some programs",
    errno.EAGAIN: "no process can be started: end some programs, or raise the limit (ulimit -u)",
}


class Exit(IntEnum):
    """Exit codes of all commands."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    OUR_FAULT = 3
    INTERRUPTED = 130


def run_command(
    name: str,
    argv: Sequence[str] | None,
    body: Callable[[list[str]], int],
    mistakes: tuple[type[Exception], ...],
) -> int:
    """Run a command's body on its words (None: the process's own); returns the exit code.

    The body reads the words too, so that nothing of it happens outside. mistakes: the errors that
    are the user's to mend. Raises `SystemExit` as argparse does.
    """
    steady_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    with Signals(last=argv is None):
        try:
            return _run(name, words, body, mistakes)
        except KeyboardInterrupt as error:
            return _interrupted(name, error)


def _run(
    name: str,
    words: list[str],
    body: Callable[[list[str]], int],
    mistakes: tuple[type[Exception], ...],
) -> int:
    expected: tuple[type[Exception], ...] = (UserError, *mistakes)
    try:
        _refuse_no_text(words)
        remove_leftovers()
        code = body(words)
        _flush()  # here, where a reader that has left is no fault
    except expected as error:
        whole = getattr(error, "keeps_lines", not isinstance(error, UserError))
        said = str(error) if whole else one_line(error)
        _tell(f"{name}: {said}")
        return Exit.USAGE
    except BrokenPipeError:
        _drop_output()  # the reader left; so do we
        return Exit.FINE
    except Exception as error:  # noqa: BLE001 - the last door: said in one line
        return _last_door(name, error)
    if is_closed(sys.stdout):
        _tell(f"{name}: {CLOSED}")
    return code


def _interrupted(name: str, error: KeyboardInterrupt) -> int:
    """One line, and the exit code that a shell expects of a command ended by that signal."""
    if isinstance(error, Ended) and error.number != signal.SIGINT:
        _tell(f"{name}: ended by {error}")
        return error.code
    _tell(f"\n{name}: interrupted")
    return Exit.INTERRUPTED


def console(**options: Any) -> Console:
    """A terminal that shows foreign text as it is: "[/red]" and ":smile:" are no orders to it.

    Nor are escape sequences: what is to be shown is cleaned once more as it is drawn.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def render(self, *given: Any, **how: Any) -> Iterable[Segment]:
            for segment in super().render(*given, **how):
                text, style, control = segment
                yield segment if control else Segment(cleaned(text, keep="\n"), style)

    return Plain(markup=False, emoji=False, highlight=False, **options)


class Parser(argparse.ArgumentParser):
    """As argparse's, with its words about what was typed, or what `*` stood for, on one line."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and end with code 2."""
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: error: {one_line(message)}\n")


def tell(name: str, line: str) -> None:
    """Tell the user something beside the result, on standard error, as the command of that name."""
    _tell(f"{name}: {line}")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of ours on standard output: a newline in a foreign name begins none of its own."""
    print("\n".join(map(cleaned, lines)), flush=True)


def is_closed(stream: IO[str]) -> bool:
    """Whether the caller closed this stream, so that `steady_streams` stands in for it."""
    return getattr(stream, "name", "") == os.devnull


def steady_streams() -> None:
    """Open streams that the caller closed, onto nothing; show signs that an encoding lacks otherwise.

    Without it, the next file opened would be the standard output of every child.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so this one
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    codecs.register_error(_ERRORS, _plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _nowhere(mode: str) -> TextIO:
    return cast(TextIO, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123  open to the end


def _plain_signs(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that the stream cannot show: "+-" for "±", the number of an unknown one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    plain = (
        _SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs
    )
    return "".join(plain), error.end


def _refuse_no_text(words: Sequence[str]) -> None:
    """Raise `OSError` for words that no file and no option can be called."""
    for word in words:
        try:
            fits = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise OSError(errno.EILSEQ, "expected text in the arguments, received", ascii(word))


def _last_door(name: str, error: Exception) -> int:
    """Say an error that no room knew: the machine's or the user's where it is, else our fault."""
    if isinstance(error, OSError) and error.filename in (None, _OUTPUT):
        _drop_output()  # it may be what failed; Python itself would complain of it as it ends
    said = _of_the_machine(error)
    if said:
        _tell(f"{name}: {said}")
        return Exit.USAGE
    about = " ".join(f"{type(error).__name__}: {error}".split())
    _tell(f"{name}: a fault of ours ({about}). Please report it with {_keep_traceback()}")
    return Exit.OUR_FAULT


def _of_the_machine(error: Exception) -> str:
    """What the system refused, where and what to do; "" where that is not to blame."""
    if isinstance(error, MemoryError):
        return "there is not enough memory here for this: end some programs, or take fewer images."
    if isinstance(error, ImportError) and "failed to map segment" in str(error):
        return "there is not enough memory here to load a library: raise the limit (ulimit -v), or end some programs."
    if isinstance(error, RecursionError):
        return "something that was given is nested too deeply to be read: is it the right file?"
    if not isinstance(error, OSError):
        return ""
    if error.errno == errno.EILSEQ:
        return f"{error.strerror} {error.filename}: leave such signs out."
    if "temporary directory" in (error.strerror or ""):
        return "no temporary folder can be written to: make room in /tmp, or set TMPDIR to another."
    return _refused(error, _place_of(error))


def _place_of(error: OSError) -> str:
    """The file that an error is about, "" where it names none."""
    if error.errno in FULL and isinstance(error.filename2, str):
        return error.filename2  # a copy's target
    return error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename or "")


def _refused(error: OSError, place: str) -> str:
    missing = error.errno == errno.ENOENT and (not place or _OURS in Path(place).parents)
    if error.errno not in _ADVICE or missing:
        return ""
    if error.errno in FULL and place != _OUTPUT and (full := full_temporary(place)):
        return f"{no_room(full)}."
    where = f"{shown(place)}: " if place else "a temporary folder or standard output: "
    return f"{where}{error.strerror}. What to do: {_ADVICE[error.errno]}."


def _flush() -> None:
    """Write out what was printed. Raises `OSError` that names standard output."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, _OUTPUT) from None


def _drop_output() -> None:
    """Let what is still to be written go nowhere, or Python itself complains as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(line: str) -> None:
    """One message on standard error, without orders to the terminal in foreign names."""
    begin = "\n" if line.startswith("\n") else ""  # after the ^C that the terminal shows
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{begin}{ours(line.removeprefix(begin))}\n")
        sys.stderr.flush()


def _keep_traceback() -> str:
    """The file that holds the traceback; its last lines where none can be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="rehearsal-fault-", suffix=".txt", delete=False,
            encoding="utf-8", errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(traceback.format_exc())
    except OSError:
        return " ".join(traceback.format_exc().split()[-60:])
    return file.name
