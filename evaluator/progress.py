"""What is shown while a submission runs: one line on a terminal; elsewhere only that it waits for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from codabench_rehearsal.console.patience import Waiting, say_on_stderr
from codabench_rehearsal.rehearsal.dry_run_progress import LOADING
from codabench_rehearsal.sandbox.ingest import PredictProgress

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

    def begin(self, sizes: Sequence[int], name: str) -> None:
        """Blocks of so many questions are asked next; name: of the zip."""

    def tell(self, progress: PredictProgress) -> None:
        """How far the child is with them."""
        self.wait(progress)

    def wait(self, progress: PredictProgress) -> None:
        """How long it has not answered, whatever it is asked."""

    def say(self, line: str) -> None:
        """A first answer, or what is done beside the submission."""


class _Waiting(Display):
    """Says that a zip does not answer, and nothing else."""

    def __init__(self) -> None:
        self._name, self._waiting = "", Waiting(self._told)

    def begin(self, sizes: Sequence[int], name: str) -> None:  # noqa: ARG002  # a bar needs them
        if name != self._name:
            self._name, self._waiting = name, Waiting(self._told)

    def wait(self, progress: PredictProgress) -> None:
        self._waiting.tell(progress.waited, progress.due)

    def _told(self, line: str) -> None:
        self._put(f"local-eval: {self._name}: {line}")

    def _put(self, line: str) -> None:
        say_on_stderr(line)


class _OnTerminal(_Waiting):
    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("starting Python", total=None)
        self._sizes: list[int] = []
        self._before = 0

    def begin(self, sizes: Sequence[int], name: str) -> None:
        super().begin(sizes, name)
        self._before += sum(self._sizes)
        self._sizes = list(sizes)
        self._bar.update(self._task, total=self._before + sum(sizes), completed=self._before)

    def tell(self, progress: PredictProgress) -> None:
        super().tell(progress)
        stage = _STAGES.get(progress.stage, "running")
        call = f" {sum(self._sizes):,} images" if progress.stage == "predict" else ""
        done = self._before + sum(self._sizes[: progress.answered])
        self._bar.update(self._task, completed=done, description=stage + call)

    def say(self, line: str) -> None:
        if line:
            self._bar.console.print(line)

    def _put(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False)


Shown = Callable[[], AbstractContextManager[Display]]


@contextmanager
def silent() -> Iterator[Display]:
    """Show nothing."""
    yield Display()


@contextmanager
def waits() -> Iterator[Display]:
    """Show nothing but that a submission does not answer, on standard error."""
    yield _Waiting()


@contextmanager
def on_terminal() -> Iterator[Display]:
    """A bar over the answered images, with the child's stage and the time; on standard error."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from codabench_rehearsal.console.command import console

    terminal = console(stderr=True)
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), TimeElapsedColumn())
    if not terminal.is_terminal:
        yield _Waiting()
        return
    with Bar(*columns, console=terminal, transient=True) as bar:
        yield _OnTerminal(bar)
