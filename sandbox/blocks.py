"""The images on their way in: blocks of `.npy` files, made beside the child that answers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.run import POLL_SECONDS

BLOCKS_AHEAD = 2
Fill = Callable[[int, NDArray[np.uint8]], None]


def block_path(folder: Path, index: int) -> Path:
    """Where block `index` is put for the child."""
    return folder / f"block-{index:04d}.npy"


def answer_path(folder: Path, index: int) -> Path:
    """Where the child puts the answers to block `index`."""
    return folder / f"answers-{index:04d}.npy"


def write_json(path: Path, value: object) -> None:
    """Write JSON in one step: the child must never see half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


class Feeder:
    """Makes blocks for the child in a thread, at most `BLOCKS_AHEAD` before they are answered."""

    def __init__(
        self, fill: Fill, shape: Sequence[int], sizes: Sequence[int], source: Path, output: Path
    ) -> None:
        self._fill, self._shape, self._sizes = fill, tuple(shape), sizes
        self._source, self._output = source, output
        self.count = len(sizes)
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
        while self.answered < self.made and answer_path(self._output, self.answered).exists():
            block_path(self._source, self.answered).unlink(missing_ok=True)
            self.answered += 1

    def _run(self) -> None:
        try:
            for index, size in enumerate(self._sizes):
                while index - self.answered >= BLOCKS_AHEAD and not self._stop.wait(POLL_SECONDS):
                    pass
                if self._stop.is_set():
                    return
                self._make(index, size)
                self.made = index + 1
        except BaseException as error:  # noqa: BLE001 - re-raised in the caller's thread
            self._error = error

    def _make(self, index: int, size: int) -> None:
        """Fill the file in place: a block may be as large as memory allows once, not twice."""
        path = block_path(self._source, index)
        part = path.with_suffix(".part")
        images = np.lib.format.open_memmap(
            part, mode="w+", dtype=np.uint8, shape=(size, *self._shape)
        )
        self._fill(index, images)
        images.flush()
        del images
        part.replace(path)
