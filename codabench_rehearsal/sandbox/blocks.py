"""The images on their way in: blocks of `.npy` files, made beside the child that answers them."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.room import allocate, room_for
from codabench_rehearsal.sandbox.run import POLL_SECONDS

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

    first: how many blocks the child was given before these. drafts: a folder that the child does not
    see: a block is filled damage by damage, and who watched would learn which images share one.
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
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Start making blocks."""
        self._thread.start()

    def end(self) -> None:
        """Stop making blocks; returns when the thread has ended."""
        self._stop.set()
        self._thread.join()

    @property
    def failed(self) -> bool:
        """Whether making a block raised."""
        return self._error is not None

    def raise_error(self) -> None:
        """Raise what making a block raised, if anything."""
        if self._error is not None:
            raise self._error

    def collect(self) -> None:
        """Count the answers that have come, and remove the blocks they answer."""
        while self.answered < self.made and self._is_answered(self.answered):
            block_path(self._source, self._first + self.answered).unlink(missing_ok=True)
            self.answered += 1

    def _is_answered(self, index: int) -> bool:
        return answer_path(self._answers, self._first + index).exists()

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
            self._error = error

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
