"""What is shown while something takes long: a line on a terminal, a bar in a notebook, else a word.

On a terminal the line is gone when all is done. What a notebook shows, it also stores: so there it
is painted over in its place, at most every two seconds, and ends as one line.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from codabench_rehearsal.console.command import console
from codabench_rehearsal.console.notebook import (
    Place,
    place_in,
    running_shell,
    started_by_notebook,
)
from codabench_rehearsal.console.words import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

SLOW_SECONDS = 2.0
PAINTED_EVERY = 2.0  # seconds, in a notebook
TOLD = (60.0, 120.0, 300.0)  # seconds without an answer
TOLD_EVERY = 600.0  # beyond
_LINE = 79  # characters of a line that is written over


class Bar:
    """Where nobody watches: nothing moves, but lines are said."""

    is_shown = False  # whether anybody sees it

    def update(
        self,
        doing: str | None = None,
        done: float | None = None,
        total: float | None = None,
        note: str | None = None,
    ) -> None:
        """Say what is being done, and how much of it is; None: as it was. note: at the end."""

    def say(self, line: str) -> None:
        """A line that stays, off a terminal too; nothing where standard error is closed."""
        if sys.stderr is not None and not sys.stderr.closed:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class _OnTerminal(Bar):
    is_shown = True

    def __init__(self, shown: Progress) -> None:
        self._shown = shown

    def update(
        self,
        doing: str | None = None,
        done: float | None = None,
        total: float | None = None,
        note: str | None = None,
    ) -> None:
        (task,) = self._shown.task_ids
        said: dict[str, Any] = {} if note is None else {"note": note}
        self._shown.update(task, description=doing, completed=done, total=total, **said)

    def say(self, line: str) -> None:
        self._shown.console.print(line)


class _Painted(Bar):
    """Painted over in its place, seldom. paint: takes the line, how much is done, what was said."""

    is_shown = True

    def __init__(self, doing: str, paint: Callable[[str, float | None, str], None]) -> None:
        self._paint = paint
        self._doing, self._note, self._said = doing, "", ""
        self._done, self._total = 0.0, 0.0
        self._started, self._last = time.monotonic(), -PAINTED_EVERY
        self.update()

    def update(
        self,
        doing: str | None = None,
        done: float | None = None,
        total: float | None = None,
        note: str | None = None,
    ) -> None:
        self._doing = self._doing if doing is None else doing
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total
        self._note = self._note if note is None else note
        if time.monotonic() - self._last >= PAINTED_EVERY:
            self._last = time.monotonic()
            share = self._done / self._total if self._total else None
            self._paint(f"{self._doing}{self._figures(self.seconds)}", share, self._said)

    def say(self, line: str) -> None:
        self._said = line
        self.update()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def end(self, how: str, spent: float = 0.0) -> str:
        """The line that is left. how: "done" or "ended". spent: seconds before it."""
        return f"{how}{self._figures(self.seconds + spent)}"

    def _figures(self, seconds: float) -> str:
        counted = f": {self._done:,.0f} of {self._total:,.0f}" if self._total else ""
        note = f", {self._note}" if self._note else ""
        return f"{counted}, {seconds:.0f} s{note}"


@contextmanager
def progress(
    doing: str, *, counts: bool = False, noted: bool = False, into: TextIO | None = None
) -> Iterator[Bar]:
    """A `Bar` with the time that has passed. counts: with how much is done of how much.

    noted: with the notes that it is told in the place of the time. into: a terminal, None for
    standard error, above which what is printed meanwhile is then shown.
    """
    if into is None and (shell := running_shell()) is not None:
        with _in_notebook(doing, place_in(shell)) as bar:
            yield bar
        return
    terminal = console(file=into) if into else console(stderr=True)
    if not (terminal.is_terminal and terminal.file.isatty()):  # FORCE_COLOR alone makes none
        yield Bar()
    elif started_by_notebook():
        with _written_over(doing, terminal.file) as bar:
            yield bar
    else:
        how = {"counts": counts, "noted": noted, "redirect": into is None}
        with _on_terminal(doing, terminal, **how) as bar:
            yield bar


@contextmanager
def _on_terminal(
    doing: str, terminal: Console, *, counts: bool, noted: bool, redirect: bool
) -> Iterator[Bar]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)
    end = TextColumn("{task.fields[note]}", markup=False) if noted else TimeElapsedColumn()
    columns = (SpinnerColumn(), words, *([BarColumn()] if counts else []), end)
    with Progress(
        *columns,
        console=terminal,
        transient=True,
        redirect_stdout=redirect,
        redirect_stderr=redirect,
    ) as shown:
        shown.add_task(doing, total=None, note="")
        yield _OnTerminal(shown)


@contextmanager
def _in_notebook(doing: str, place: Place) -> Iterator[Bar]:
    """A bar of plain HTML, which every notebook draws; a line of text is left of it."""

    def paint(line: str, share: float | None, said: str) -> None:
        value = "" if share is None else f' value="{share:.3f}"'
        lines = "<br>".join(html.escape(one_line(text)) for text in (line, said) if text)
        place.paint(one_line(line), f'<progress max="1"{value}></progress> {lines}')

    bar, how = _Painted(doing, paint), "ended"
    try:
        yield bar
        how = "done"
    finally:
        last = bar.end(how, place.spent)
        place.paint(last, f"<small>{html.escape(last)}</small>")
        place.spent += bar.seconds


@contextmanager
def _written_over(doing: str, stream: Any) -> Iterator[Bar]:
    """A line that a carriage return begins anew: a notebook keeps the last one only."""

    def paint(line: str, _share: float | None, _said: str) -> None:
        stream.write(f"\r{one_line(line)[:_LINE]:{_LINE}}")
        stream.flush()

    bar, how = _Painted(doing, paint), "ended"
    try:
        yield bar
        how = "done"
    finally:
        stream.write(f"\r{bar.end(how):{_LINE}}\n")
        stream.flush()


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
