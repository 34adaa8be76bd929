"""The images on their way in: blocks of `.npy` files, made beside the child that answers them.

How long a child may take: a platform's limit is for one pass over its hidden images. A block of no
more images than that may take as long, a larger one longer in proportion; what comes between the
blocks (images still being made, the caller's own thinking) is nobody's time. Where the platform's
limit is known, the blocks of one question together may not take longer than they would there: that
is the pace. Where it is not, the limit only ends a child that hangs.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.room import allocate, room_for
from codabench_rehearsal.sandbox.run import POLL_SECONDS, Running

BLOCKS_AHEAD = 2
SPARE_BYTES = 1 << 20  # beside a block: for the answers to it, and for what the child notes
LOOK_SECONDS = POLL_SECONDS / 5  # between looks at whether a block is answered
Fill = Callable[[int, NDArray[Any]], None]


@dataclass(frozen=True)
class Block:
    """What one call of `predict` is given: an array of this shape, images first, and dtype."""

    shape: tuple[int, ...]
    dtype: str = "uint8"

    @property
    def count(self) -> int:
        """The number of images."""
        return self.shape[0]

    @property
    def bytes(self) -> int:
        """What its values take on disk."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def block_path(folder: Path, index: int) -> Path:
    """Where block `index` is put for the child."""
    return folder / f"block-{index:04d}.npy"


def answer_path(folder: Path, index: int) -> Path:
    """Where the child puts the answers to block `index`."""
    return folder / f"answers-{index:04d}.npy"


def write_json(path: Path, value: object) -> None:
    """Write JSON in one step: the child must never see half of it."""
    part = path.with_suffix(".part")
    with room_for(path.parent):
        part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def mapped(path: Path, block: Block) -> np.memmap[Any, np.dtype[Any]]:
    """A new `.npy` file as an array that may be filled: its room is taken before it is mapped.

    Raises `NoRoomError` where the disk has not so much.
    """
    dtype = np.dtype(block.dtype)
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    with path.open("xb") as file, room_for(path.parent, block.bytes + SPARE_BYTES):
        np.lib.format.write_array_header_1_0(file, {**facts, "shape": block.shape})
        file.flush()
        start = file.tell()
        allocate(file.fileno(), start + block.bytes + SPARE_BYTES)
        file.truncate(start + block.bytes)
    return np.memmap(path, dtype, "r+", start, block.shape)


class Feeder:
    """Makes blocks for the child in a thread, at most `BLOCKS_AHEAD` before they are answered.

    Use as a context manager: leaving it stops the thread, and raises what making a block raised.
    first: how many blocks the child was given before these. drafts: a folder that the child does
    not see: a block is filled damage by damage, and who watched would learn which images share one.
    """

    def __init__(
        self,
        fill: Fill,
        blocks: Sequence[Block],
        first: int,
        source: Path,
        drafts: Path,
        answers: Path,
    ) -> None:
        self._fill, self._blocks, self._first = fill, blocks, first
        self._source, self._drafts, self._answers = source, drafts, answers
        self.count = len(blocks)
        self.made = 0
        self.answered = 0
        self.error: BaseException | None = None  # what making a block raised
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error is not None and error is None:
            raise self.error

    def collect(self) -> None:
        """Count the answers that have come, and remove the blocks they answer."""
        while self.answered < self.made:
            index = self._first + self.answered
            if not answer_path(self._answers, index).exists():
                return
            block_path(self._source, index).unlink(missing_ok=True)
            self.answered += 1

    def _run(self) -> None:
        try:
            for index, block in enumerate(self._blocks):
                while index - self.answered >= BLOCKS_AHEAD and not self._stop.wait(LOOK_SECONDS):
                    pass
                if self._stop.is_set():
                    return
                self._make(index, block)
                self.made = index + 1
        except BaseException as error:  # noqa: BLE001 - re-raised in the caller's thread
            self.error = error

    def _make(self, index: int, block: Block) -> None:
        """Fill the file in place: a block may be as large as memory allows once, not twice."""
        path = block_path(self._source, self._first + index)
        part = self._drafts / path.name
        images = mapped(part, block)
        self._fill(index, images)
        images.flush()
        del images
        with suppress(OSError):  # what lies there before its question is put is no answer
            answer_path(self._answers, self._first + index).unlink()
        part.replace(path)


class Clock:
    """The time of one child: what it may still take, and what our own clock saw of it.

    limit: seconds for a pass; None for no limit. usual: the images of a pass; None where every
    question is one. paced: whether a question's blocks are held to that pace together.
    waited: the child's seconds since the last answer. due: how many it may wait; None for any.
    started: the wall clock at its start. spans: for each answered block the seconds from its
    question to its answer. first: seconds from the start to the first answer.
    """

    def __init__(
        self, running: Running, limit: float | None, usual: int | None, *, paced: bool
    ) -> None:
        self._running, self._limit, self._usual, self._paced = running, limit, usual, paced
        self._counts: Sequence[int] = ()
        self._done = 0  # blocks of this question
        self._left = 0.0
        self._looked = self._asked = running.seconds
        self.waited = 0.0
        self.due: float | None = limit
        self.started = time.time() - running.seconds
        self.spans: list[float] = []
        self.first: float | None = None

    def begin(self, counts: Sequence[int]) -> None:
        """A question of blocks with so many images; until here the child had nothing to do."""
        self._counts, self._done = counts, 0
        self._left = self._share(sum(counts))
        self._looked = self._asked = self._running.seconds
        self._next()

    def answered(self, count: int) -> None:
        """So many of the question's blocks are answered by now."""
        now = self._running.seconds
        self.spans += [now - self._asked] * (count - self._done)
        self.first = now if self.first is None else self.first
        self._done = count
        self._next()

    def look(self, *, idle: bool) -> None:
        """Count the time since the last look; idle: the child had nothing to do in it."""
        now = self._running.seconds
        spent, self._looked = now - self._looked, now
        if idle:
            self._running.allow(spent)
        else:
            self.waited += spent
            self._left -= spent

    def _next(self) -> None:
        self.waited = 0.0
        if self._limit is None or self._done >= len(self._counts):
            return
        due = self._share(self._counts[self._done])
        self.due = min(due, max(self._left, 0.0)) if self._paced else due
        self._running.grant(self.due)

    def _share(self, images: int) -> float:
        """The time for so many images, no less than a pass has."""
        limit = self._limit or 0.0
        return limit * max(images / self._usual, 1.0) if self._usual else limit
