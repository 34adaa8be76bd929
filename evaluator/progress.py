"""What is shown while a submission runs: a line on a terminal; elsewhere that it waits for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from codabench_rehearsal.console.bar import Bar, Waiting, progress
from codabench_rehearsal.console.notebook import running_shell
from codabench_rehearsal.rehearsal.questions import LOADING
from codabench_rehearsal.sandbox.ingest import PredictProgress

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


class _Told(Display):
    """Moves a bar, and says that a zip does not answer."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._name = ""
        self._waiting = Waiting(self._say)
        self._sizes: list[int] = []
        self._before = 0

    def begin(self, sizes: Sequence[int], name: str) -> None:
        if name != self._name:
            self._name, self._waiting = name, Waiting(self._say)
        self._before += sum(self._sizes)
        self._sizes = list(sizes)
        self._bar.update(done=self._before, total=self._before + sum(sizes))

    def tell(self, progress: PredictProgress) -> None:
        super().tell(progress)
        stage = _STAGES.get(progress.stage, "running")
        call = f" {sum(self._sizes):,} images" if progress.stage == "predict" else ""
        done = self._before + sum(self._sizes[: progress.answered])
        self._bar.update(stage + call, done)

    def wait(self, progress: PredictProgress) -> None:
        self._waiting.tell(progress.waited, progress.due)

    def say(self, line: str) -> None:
        if line and self._bar.is_shown:
            self._bar.say(line)

    def _say(self, line: str) -> None:
        self._bar.say(f"local-eval: {self._name}: {line}")


Shown = Callable[[], AbstractContextManager[Display]]


@contextmanager
def silent() -> Iterator[Display]:
    """Show nothing."""
    yield Display()


@contextmanager
def waits() -> Iterator[Display]:
    """For calls in Python: a bar in a notebook; else only that a submission does not answer."""
    if running_shell() is None:
        yield _Told(Bar())
        return
    with on_terminal() as shown:
        yield shown


@contextmanager
def on_terminal() -> Iterator[Display]:
    """A bar over the answered images, with the child's stage and the time."""
    with progress("starting Python", counts=True) as bar:
        yield _Told(bar)
