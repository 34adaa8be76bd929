"""What is shown while a submission runs: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from sandbox.ingest import Progress
from submission.dry_run_progress import LOADING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_STAGES = {
    **LOADING,
    "loaded": "model loaded",
    "waiting": "making corrupted images",
    "predict": "predicting",
    "answer": "reading the answers",
    "answered": "reading the answers",
    "done": "scoring",
}


class Display:
    """Told of everything, shows nothing."""

    def begin(self, sizes: Sequence[int]) -> None:
        """Blocks of so many questions are asked next."""

    def tell(self, progress: Progress) -> None:
        """How far the child is with them."""

    def say(self, line: str) -> None:
        """A first answer, or what is done beside the submission."""


class _OnTerminal(Display):
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("starting Python", total=None)
        self._sizes: list[int] = []
        self._before = 0

    def begin(self, sizes: Sequence[int]) -> None:
        self._before += sum(self._sizes)
        self._sizes = list(sizes)
        self._bar.update(self._task, total=self._before + sum(sizes), completed=self._before)

    def tell(self, progress: Progress) -> None:
        stage = _STAGES.get(progress.stage, "running")
        call = f" {sum(self._sizes):,} images" if progress.stage == "predict" else ""
        done = self._before + sum(self._sizes[: progress.answered])
        self._bar.update(self._task, completed=done, description=stage + call)

    def say(self, line: str) -> None:
        if line:
            self._bar.console.print(line)


Shown = Callable[[], AbstractContextManager[Display]]


@contextmanager
def silent() -> Iterator[Display]:
    """Show nothing."""
    yield Display()


@contextmanager
def on_terminal() -> Iterator[Display]:
    """A bar over the answered images, with the child's stage and the time; on standard error."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from submission.command import console

    terminal = console(stderr=True)
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), TimeElapsedColumn())
    if not terminal.is_terminal:
        yield Display()
        return
    with Bar(*columns, console=terminal, transient=True) as bar:
        yield _OnTerminal(bar)
