"""What is shown while a dry run goes on: one line on a terminal; else only that it waits long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from codabench_rehearsal.console.patience import Waiting, say_on_stderr
from codabench_rehearsal.sandbox.ingest import PredictProgress

Tell = Callable[[str, PredictProgress], None]
Shown = Callable[[str], AbstractContextManager[Tell]]

LOADING = {  # stage of the child: words
    "start": "starting Python",
    "import": "importing the submission",
    "class": "importing the submission",
    "init": "loading the model",
    "method": "loading the model",
}
_QUESTIONS = {
    "first": "the images at once",
    "again": "the same again",
    "order": "in another order",
    "small": "in small blocks",
    "middle": "in a larger block",
    "large": "in a large block",
    "float32": "as float32",
    "float64": "as float64",
}


@contextmanager
def silent(_place: str) -> Iterator[Tell]:
    """Show nothing."""
    yield lambda _question, _progress: None


@contextmanager
def on_terminal(place: str) -> Iterator[Tell]:
    """A spinner with the question and the time on standard error; gone when it is done.

    A submission that does not answer for long is told in lines that stay, off a terminal too.
    """
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from codabench_rehearsal.console.command import console

    terminal = console(stderr=True)
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, TimeElapsedColumn())
    with Bar(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as bar:
        task = bar.add_task(f"dry run {place}: starting Python", total=None)
        say = bar.console.print if terminal.is_terminal else say_on_stderr
        waiting = Waiting(lambda line: say(f"dry run {place}: {line}"))

        def tell(question: str, progress: PredictProgress) -> None:
            waiting.tell(progress.waited, progress.due)
            doing = LOADING.get(progress.stage) or _QUESTIONS.get(question, f"as {question}")
            bar.update(task, description=f"dry run {place}: {doing}")

        yield tell
