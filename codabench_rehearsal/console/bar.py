"""What is shown while something takes long: a line on a terminal, a word where nothing answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from codabench_rehearsal.console.command import console

if TYPE_CHECKING:
    from rich.progress import Progress

SLOW_SECONDS = 2.0
TOLD = (60.0, 120.0, 300.0)  # seconds without an answer
TOLD_EVERY = 600.0  # beyond


class Bar:
    """A line on standard error that is gone when all is done; shown on a terminal alone."""

    def __init__(self, shown: Progress | None = None) -> None:
        self._shown = shown

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it."""
        return self._shown is not None

    def update(
        self,
        doing: str | None = None,
        done: float | None = None,
        total: float | None = None,
        note: str | None = None,
    ) -> None:
        """Say what is being done, and how much of it is; None: as it was. note: at the end."""
        if self._shown is not None:
            (task,) = self._shown.task_ids
            said: dict[str, Any] = {} if note is None else {"note": note}
            self._shown.update(task, description=doing, completed=done, total=total, **said)

    def say(self, line: str) -> None:
        """A line that stays, off a terminal too; nothing where standard error is closed."""
        if self._shown is not None:
            self._shown.console.print(line)
        elif sys.stderr is not None and not sys.stderr.closed:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


@contextmanager
def progress(
    doing: str, *, counts: bool = False, noted: bool = False, into: TextIO | None = None
) -> Iterator[Bar]:
    """A `Bar` with the time that has passed. counts: with how much is done of how much.

    noted: with the notes that it is told in the place of the time. into: a terminal, None for
    standard error, above which what is printed meanwhile is then shown.
    """
    terminal = console(file=into) if into else console(stderr=True)
    if not terminal.is_terminal:
        yield Bar()
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)
    end = TextColumn("{task.fields[note]}", markup=False) if noted else TimeElapsedColumn()
    columns = (SpinnerColumn(), words, *([BarColumn()] if counts else []), end)
    with Progress(
        *columns,
        console=terminal,
        transient=True,
        redirect_stdout=into is None,
        redirect_stderr=into is None,
    ) as shown:
        shown.add_task(doing, total=None, note="")
        yield Bar(shown)


@contextmanager
def said_when_slow(doing: str) -> Iterator[None]:
    """Say what is being done, once, if it takes over two seconds at a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(SLOW_SECONDS, lambda: sys.stderr.write(f"{doing} ...\n"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Waiting:
    """Says that a submission has not answered for long, and when it will be ended; in logs as well.

    After 60, 120 and 300 seconds, then every 600, each once for a submission: one that takes 70
    seconds for every block is told once, not a hundred times. say: takes a line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._next = TOLD[0]

    def tell(self, waited: float, due: float | None) -> None:
        """waited: seconds since the last answer. due: after how many it is ended, or None."""
        if waited < self._next:
            return
        ended = "" if due is None else f"; ended at {due:.0f} s"
        self._say(f"no answer for {waited:.0f} s{ended}")
        later = (after for after in TOLD if after > waited)
        self._next = next(later, TOLD_EVERY * (waited // TOLD_EVERY + 1))
