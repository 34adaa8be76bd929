"""The child that answers, started only when something has to be asked."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import psutil

from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.cost import Bounds, Guard, guard
from codabench_rehearsal.sandbox.ingest import Block, Outcome, Request, Session
from evaluator.benchmark import Questions, fill_block
from evaluator.environment import chosen_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codabench_rehearsal.challenge.profile import Challenge
    from evaluator.book import Book
    from evaluator.options import Options
    from evaluator.plan import Plan
    from evaluator.progress import Display
    from submission.archive import Archive

MEMORY_SHARE = 0.25  # of what is free: a whole block in one predict call may use this much
BYTES_A_VALUE = 13  # one as uint8, three float32 copies on the way through a model
MOST_QUESTIONS = 4096  # in a block with a store: an interrupted run loses no more
FEWEST_QUESTIONS = 256  # in a block: calls are not free


class Asker:
    """Asks one submission. A context manager; `begin` may be called early, to load meanwhile.

    bounds: the limits that are known: the user's, else the challenge's. guard: what ends the child,
    once it is started.
    """

    def __init__(self, archive: Archive, challenge: Challenge, options: Options) -> None:
        self.archive, self.challenge, self.options = archive, challenge, options
        self._stack = ExitStack()
        self._session: Session | None = None
        self.bounds = Bounds(
            options.seconds or challenge.seconds, options.memory_bytes or challenge.memory_bytes
        )
        self.guard: Guard | None = None
        self.asked = 0  # questions of the benchmark
        self.fed = 0  # images fed in other ways, to see whether that is better
        self.calls = 0  # of predict

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def begin(self) -> Session:
        """Start the child if it has not been started."""
        if self._session is None:
            folder = self._stack.enter_context(TemporaryFolder("zip-")) / "zip"
            self.archive.extract(folder)
            self.guard = guard(self.bounds)
            request = self._request(folder, self.guard)
            self._session = self._stack.enter_context(Session(request))
        return self._session

    def ask(self, plan: Plan, questions: Questions, book: Book, display: Display) -> bool:
        """Ask, and write the answers down block by block; False when the submission failed."""
        blocks = questions.blocks(self._block_size(book))
        workers = min(os.cpu_count() or 1, 8)

        def fill(index: int, out: NDArray[np.uint8]) -> None:
            fill_block(plan.whole, blocks[index], out, workers)

        def answered(index: int, labels: NDArray[np.int64]) -> None:
            book.keep(blocks[index], labels)
            self.asked += len(labels)

        shape = plan.data.image_shape
        display.begin([len(block) for block in blocks], self.archive.path.name)
        shapes = [Block((len(block), *shape)) for block in blocks]
        complete = self.begin().pose(shapes, fill, display.tell, answered)
        self.calls += len(blocks)
        return complete is not None

    def finish(self) -> Outcome | None:
        """What came of it, once nothing more is asked; None if nothing was."""
        return None if self._session is None else self._session.finish()

    @property
    def _hidden(self) -> int:
        """How many images the platform is taken to ask at once."""
        return self.options.hidden_images or self.challenge.assumed_images

    def _block_size(self, book: Book) -> int:
        """As many images as fit, no more than the platform's one call has: its time is for those."""
        if self.options.block:
            return self.options.block
        free = psutil.virtual_memory().available * MEMORY_SHARE
        fitting = int(free / (BYTES_A_VALUE * np.prod(self.challenge.shape)))
        most = min(fitting, self._hidden, MOST_QUESTIONS if book.is_stored else fitting)
        return max(FEWEST_QUESTIONS, most)

    def _request(self, folder: Path, guard: Guard) -> Request:
        return Request(
            submission=folder,
            **self.challenge.asked(),
            working_folder=self.challenge.working_folder,
            device=chosen_device(self.options.device),
            python=self.options.python or sys.executable,
            images=self._hidden,
            limits=guard.limits,
            paced=self.bounds.seconds is not None,
        )


__all__ = ["Asker"]
