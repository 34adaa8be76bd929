"""How our commands begin, speak and end: exit codes, and one line in the place of a traceback.

What is the user's to mend (a full disk, a folder that may only be read, a name too long) is told as
that; "a fault of ours" stays for what nobody but us can mend. SIGTERM and SIGHUP end a command like
Ctrl-C, with everything put away.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import FrameType, MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from codabench_rehearsal.console import completion
from codabench_rehearsal.console.errors import STANDARD_OUTPUT, UserError, of_the_machine
from codabench_rehearsal.console.parser import ONLY_TELL
from codabench_rehearsal.console.parser import Exit as Exit  # the commands have both from here
from codabench_rehearsal.console.parser import Parser as Parser
from codabench_rehearsal.console.slips import near_file
from codabench_rehearsal.console.temporary import PREFIX, remove_leftovers
from codabench_rehearsal.console.words import cleaned, one_line, ours

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE_SECONDS = 5.0  # that a first signal has for putting things away; a later one ends again
UNBROKEN = 1000  # columns of what is no terminal
_CLOSED = "standard output is closed: nothing is shown"
_ERRORS = "plain-signs"  # our handler of signs that an encoding lacks
_SIGNS = {"†": "(!)", "±": "+-", "…": "...", "→": "->", "←": "<-"}
_SIGNS |= {"\N{MULTIPLICATION SIGN}": "x", "\N{EN DASH}": "-", "\N{EM DASH}": "-"}
_USUAL: Mapping[signal.Signals, Any] = MappingProxyType(
    {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
)


def run_command(name: str, argv: Sequence[str] | None, body: Callable[[list[str]], int]) -> int:
    """Run a command's body on its words (None: the process's own); returns the exit code.

    The body reads the words too, so that nothing of it happens outside. Raises `SystemExit` as
    argparse does.
    """
    steady_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None and completion.is_asked():
        words = completion.typed_before()
    with Signals(last=argv is None):
        try:
            return _run(name, words, body)
        except KeyboardInterrupt as error:  # the exit code is what a shell expects
            if isinstance(error, EndedBySignal) and error.number != signal.SIGINT:
                tell(name, f"ended by {error}")
                return error.code
            with suppress(OSError, ValueError):
                print(file=sys.stderr)  # behind the ^C that the terminal shows
            tell(name, "interrupted")
            return Exit.INTERRUPTED


def console(**options: Any) -> Console:
    """A terminal that shows foreign text as it is: "[/red]" and ":smile:" are no orders to it.

    Nor are escape sequences: what is to be shown is cleaned once more as it is drawn. In a pipe no
    line is broken: whoever reads there searches it, or breaks it himself.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def render(self, *given: Any, **how: Any) -> Iterable[Segment]:
            for segment in super().render(*given, **how):
                text, style, control = segment
                yield segment if control else Segment(cleaned(text, keep="\n"), style)

    # Not what COLUMNS says: readline sets it for every child of a Python that has loaded it.
    if not options and not sys.stdout.isatty():
        options = {"width": UNBROKEN}
    # In a notebook rich would show by itself what it is to write into a file, and so all twice.
    return Plain(markup=False, emoji=False, highlight=False, force_jupyter=False, **options)


def tell(name: str, line: str) -> None:
    """Tell the user something beside the result, on standard error, as the command of that name."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{ours(f'{name}: {line}')}\n")
        sys.stderr.flush()


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of ours: a newline in a foreign name begins none of its own."""
    print("\n".join(map(cleaned, lines)), flush=True)


def is_closed(stream: IO[str]) -> bool:
    """Whether the caller closed this stream, so that `steady_streams` stands in for it."""
    return getattr(stream, "name", "") == os.devnull


def steady_streams() -> None:
    """Open streams that the caller closed, onto nothing; show signs that an encoding lacks.

    Without it, the next file opened would be the standard output of every child.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # open to the end
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    codecs.register_error(_ERRORS, _plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


class EndedBySignal(KeyboardInterrupt):
    """A signal ended the command. number: which; code: what a shell calls that, 128 + number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.code = 128 + number


class Signals:
    """While it is entered, three signals raise `EndedBySignal` in the main thread.

    Only what nobody has changed is changed: a SIGHUP that nohup ignores stays ignored, and a
    script's own handlers stay its own. A second signal within `PATIENCE_SECONDS` is passed over,
    as the first is at work. last: the process ends after this, so that a late Ctrl-C may end it at
    once and in silence; otherwise all is as it was before.
    """

    def __init__(self, *, last: bool) -> None:
        self._last = last
        self._since: float | None = None
        self._changed: list[signal.Signals] = []

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number, usual in _USUAL.items():
                if signal.getsignal(number) is usual or signal.getsignal(number) == usual:
                    self._changed.append(number)
                    signal.signal(number, self._raise)
        return self

    def __exit__(self, *_: object) -> None:
        silent = self._last and self._since is not None
        for number in self._changed:
            signal.signal(number, signal.SIG_DFL if silent else _USUAL[number])

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is not None and now - self._since < PATIENCE_SECONDS:
            return
        self._since = now
        raise EndedBySignal(number)


def _run(name: str, words: list[str], body: Callable[[list[str]], int]) -> int:
    try:
        _refuse_no_text(words)
        if not (ONLY_TELL.intersection(words) or completion.is_asked()):
            remove_leftovers()
        code = body(words)
        _flush()  # here, where a reader that has left is no fault
    except UserError as error:
        hint = near_file(words, str(error))
        tell(name, f"{error if error.keeps_lines else one_line(error)}{hint}")
        return Exit.USAGE
    except BrokenPipeError:
        _drop_output()  # the reader left; so do we
        return Exit.FINE
    except Exception as error:  # noqa: BLE001 - the last door: said in one line
        return _last_door(name, error)
    if is_closed(sys.stdout):
        tell(name, _CLOSED)
    return code


def _last_door(name: str, error: Exception) -> int:
    """Say an error that no room knew: the machine's or the user's where it is, else our fault."""
    if isinstance(error, OSError) and error.filename in (None, STANDARD_OUTPUT):
        _drop_output()  # it may be what failed; Python itself would complain of it as it ends
    if said := of_the_machine(error):
        tell(name, said)
        return Exit.USAGE
    about = " ".join(f"{type(error).__name__}: {error}".split())
    tell(name, f"a fault of ours ({about}). Please report it with {_keep_traceback()}")
    return Exit.OUR_FAULT


def _refuse_no_text(words: Sequence[str]) -> None:
    """Raise `OSError` for words that no file and no option can be called."""
    for word in words:
        try:
            fits = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise OSError(errno.EILSEQ, "expected text in the arguments, received", ascii(word))


def _flush() -> None:
    """Write out what was printed. Raises `OSError` that names standard output."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, STANDARD_OUTPUT) from None


def _drop_output() -> None:
    """Let what is still to be written go nowhere, or Python itself complains as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain_signs(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that the stream cannot show: "+-" for "±", the number of others."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    plain = (
        _SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs
    )
    return "".join(plain), error.end


def _keep_traceback() -> str:
    """The file that holds the traceback; its last lines where none can be written."""
    place: dict[str, Any] = {"prefix": f"{PREFIX}fault-", "suffix": ".txt", "delete": False}
    text: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    try:
        with tempfile.NamedTemporaryFile("w", **place, **text) as file:
            file.write(traceback.format_exc())
    except OSError:
        return " ".join(traceback.format_exc().split()[-60:])
    return str(file.name)
