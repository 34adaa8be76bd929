"""Batches for training: balanced, copied, augmented, and prepared ahead in threads.

What an epoch holds depends on (data, system, seed, number of the epoch) only: each batch draws from
a generator of its own, so threads and interruptions change nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes.augment import Targets, augmented
from codabench_rehearsal.recipes.backbones import preprocessing
from codabench_rehearsal.recipes.system import Chain, System
from submission.model_page import MODES, mode_of

Images = NDArray[Any]  # uint8 or float32
Batch = tuple[Images, Targets]
Rows = NDArray[np.int64]

MOST_THREADS = 4  # NumPy and OpenCV let go of the interpreter, but not all the time
AHEAD = 2  # batches beside those in work
_ORDER, _BATCH, _FIXED = range(3)  # what a generator is for


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """An epoch, image by image: its row, which copy it belongs to, whether it fills up a class."""

    rows: Rows
    copies: Rows
    filled: NDArray[np.bool_]


class Feed:
    """Training batches of a data set, as a system wants them.

    An epoch holds every image once for each of `system.copies`, all in one shuffled order; the last
    batch may be smaller. With `system.balance` each class is first filled up to the largest one by
    images drawn from it anew, as evenly as may be, and changed by that chain. A chain that mixes
    images mixes those of one copy in one batch.

    data: uint8 `(n, h, w, 3)` with labels below `classes`. pictures: what the overlays blend in
    beside their own, uint8 `(k, h, w, 3)`. threads: None for half of the processors, 4 at most;
    they change no byte. One epoch at a time; as a context manager it leaves no thread behind.
    waited: seconds that `next()` kept its caller waiting, over all epochs.
    """

    def __init__(
        self,
        data: Dataset,
        system: System,
        classes: int,
        seed: int,
        *,
        pictures: NDArray[np.uint8] | None = None,
        threads: int | None = None,
    ) -> None:
        self.waited = 0.0
        self._data, self._system, self._seed = data, system, seed
        self._pictures = pictures
        self._targets = one_hot(data.labels, classes)
        self._threads = threads or max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
        self._running: Generator[Batch, None, None] | None = None

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        counts, each = np.bincount(self._data.labels), len(self._data)
        if self._system.balance:
            each = int(np.count_nonzero(counts) * counts.max(initial=0))
        return -(-len(self._system.copies) * each // self._system.batch)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch: images `(b, h, w, 3)` and targets float32 `(b, classes)`.

        number: from 0. Images are uint8 in 0..255, or float32 where the backbone wants them
        preprocessed. An error in a thread is raised here. Ends the epoch before, if it runs.
        """
        self.close()
        self._running = self._epoch(number)
        return self._running

    def close(self) -> None:
        """End the running epoch, and its threads."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def plan(self, number: int) -> EpochPlan:
        """What an epoch shows, in its order."""
        rng = _generator(self._seed, _ORDER, number)
        own, none = np.arange(len(self._data)), np.zeros(0, np.int64)
        parts = []
        for copy in range(len(self._system.copies)):
            more = _filling(self._data.labels, rng) if self._system.balance else none
            rows = np.append(own, more)
            parts.append((rows, np.full(len(rows), copy), np.arange(len(rows)) >= len(own)))
        rows, copies, filled = map(np.concatenate, zip(*parts, strict=True))
        order = rng.permutation(len(copies))
        return EpochPlan(rows[order], copies[order], filled[order])

    def _epoch(self, number: int) -> Generator[Batch, None, None]:
        since = time.perf_counter()
        plan = self.plan(number)
        left = iter(range(self.steps))
        pool = ThreadPoolExecutor(self._threads, "feed")
        ready: deque[Future[Batch]] = deque()
        try:
            while True:
                while (
                    len(ready) < self._threads + AHEAD and (index := next(left, None)) is not None
                ):
                    ready.append(pool.submit(self._batch, plan, number, index))
                if not ready:
                    return
                batch = ready.popleft().result()
                self.waited += time.perf_counter() - since
                yield batch
                since = time.perf_counter()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, plan: EpochPlan, number: int, index: int) -> Batch:
        size = self._system.batch
        part = slice(index * size, (index + 1) * size)
        rows, copies = plan.rows[part], plan.copies[part]
        rng = _generator(self._seed, _BATCH, number, index)
        images, targets = self._data.images[rows], self._targets[rows]
        chains = [(self._system.balance, plan.filled[part])]
        chains += [(chain, copies == copy) for copy, chain in enumerate(self._system.copies)]
        for chain, at in chains:
            if chain and at.any():
                images[at], targets[at] = augmented(
                    chain, images[at], targets[at], rng, self._pictures
                )
        return _preprocessed(images, self._system), targets


def fixed(
    data: Dataset,
    system: System,
    classes: int,
    seed: int,
    chain: Chain,
    *,
    pictures: NDArray[np.uint8] | None = None,
) -> Batch:
    """A whole set in its own order, augmented once by `chain` and preprocessed as in training.

    Images `(n, h, w, 3)` and targets float32 `(n, classes)`, as of `Feed.epoch`; the same inputs
    give the same bytes. Chains that mix images mix `system.batch` neighbours.
    """
    images, targets = data.images.copy(), one_hot(data.labels, classes)
    for start in range(0, len(data), system.batch):
        part, rng = slice(start, start + system.batch), _generator(seed, _FIXED, start)
        images[part], targets[part] = augmented(chain, images[part], targets[part], rng, pictures)
    return _preprocessed(images, system), targets


def one_hot(labels: NDArray[np.int64], classes: int) -> Targets:
    """Float32 `(n, classes)` with a 1 in each label's place."""
    return np.eye(classes, dtype=np.float32)[labels]


def _preprocessed(images: NDArray[np.uint8], system: System) -> Images:
    """As the zip's model.py does it before the network; uint8 where there is nothing to do."""
    name = preprocessing(system.backbone)
    mode = mode_of(name) if name else "none"
    return images if mode == "none" else np.ascontiguousarray(MODES[mode].apply(images))


def _filling(labels: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """Rows that fill up the classes; none of a class comes twice more than another of it."""
    none = np.zeros(0, np.int64)
    drawn, most = [none], np.bincount(labels).max(initial=0)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        lacking = most - len(rows)
        rounds = [rng.permutation(rows) for _ in range(-(-lacking // len(rows)))]
        drawn.append(np.concatenate([none, *rounds])[:lacking])
    return np.concatenate(drawn)


def _generator(seed: int, *place: int) -> np.random.Generator:
    return np.random.default_rng((*place, seed % 2**64))  # any integer is a seed
