"""What is shown while a submission runs: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from sandbox.ingest import Progress

Tell = Callable[[Progress], None]
Shown = Callable[[Sequence[int]], AbstractContextManager[Tell]]

_STAGES = {
    "start": "starting Python",
    "import": "importing the submission",
    "class": "importing the submission",
    "init": "loading the model",
    "method": "loading the model",
    "loaded": "model loaded",
    "waiting": "making corrupted images",
    "predict": "predicting",
    "answer": "reading the answers",
    "answered": "reading the answers",
    "done": "scoring",
}


@contextmanager
def silent(_sizes: Sequence[int]) -> Iterator[Tell]:
    """Show nothing."""
    yield lambda _: None


@contextmanager
def on_terminal(sizes: Sequence[int]) -> Iterator[Tell]:
    """A bar over the answered images, with the child's stage and the time; on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import (
        Progress as Bar,
    )

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("starting Python", total=sum(sizes))

        def tell(progress: Progress) -> None:
            stage = _STAGES.get(progress.stage, "running")
            call = f" {sum(sizes):,} images" if progress.stage == "predict" else ""
            bar.update(task, completed=sum(sizes[: progress.answered]), description=stage + call)

        yield tell
