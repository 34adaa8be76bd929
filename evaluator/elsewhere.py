"""Where submissions are asked if not here: places by the names that `Options.cluster` gives them.

Whoever asks knows a place by this protocol alone; who opens one (`cluster.connected`) names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.executor import Executor
from codabench_rehearsal.sandbox.ingest import Request
from submission.archive import Archive

_OPEN: dict[str, Elsewhere] = {}


class Elsewhere(Protocol):
    """A place with machines of one environment: what a submission meets, as a store's text."""

    @property
    def environment(self) -> str: ...  # noqa: D102 - see the class

    def executor(
        self, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> AbstractContextManager[Executor]:
        """Have one submission answer works there. request: without its folder and limits."""


@contextmanager
def named(name: str, place: Elsewhere) -> Iterator[None]:
    """Let `elsewhere` find a place, for as long as the context is."""
    _OPEN[name] = place
    try:
        yield
    finally:
        del _OPEN[name]


def elsewhere(name: str) -> Elsewhere:
    """The open place of that name."""
    return _OPEN[name]
