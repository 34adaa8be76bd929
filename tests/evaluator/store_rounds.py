"""Programs for children of the store's tests: writers that are killed, writers that race.

Run in a child of its own, because it forks: `python -c "from tests.evaluator.store_rounds import ..."`.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.store.store import Store
from tests.evaluator.stores import answered, as_if_on, key_of, labels_of, put, put_all, store_at

IMAGES = np.arange(300)
BLOCK = 15  # conditions in a transaction
LONGEST = 0.06  # seconds until a writer is killed


def kill_rounds(path: str, journal: str, rounds: int, seed: int) -> None:
    """Kill a writer `rounds` times at random moments; after each, the store must be whole.

    Every third round begins without a file, so that its making is interrupted too.
    """
    _choose(journal)
    rng, file, block = random.Random(seed), Path(path), 0
    for number in range(rounds):
        if number % 3 == 0:
            for old in file.parent.glob("*"):
                old.unlink()
            block = 0
        block = _killed(file, block, rng.random() * LONGEST)
        _check(file, block, journal)
    sys.stdout.write("whole\n")


def race(path: str, journal: str, writers: int, conditions: int) -> None:
    """Let some writers make and fill one store at the same time; all of it must be there."""
    _choose(journal)
    file, start = Path(path), time.monotonic() + 0.1
    children = [_forked(partial(_write_share, file, w, conditions, start)) for w in range(writers)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * writers
    with Store.open(file) as store:
        for condition in range(writers * conditions):
            found = answered(store, key_of(condition), IMAGES)
            assert found is not None
            assert (found == _labels(condition)).all()
        shared = answered(store, key_of(-1), IMAGES)
        assert shared is not None
        assert (shared == labels_of(10**6, len(IMAGES))).all()
    sys.stdout.write("whole\n")


def _choose(journal: str) -> None:
    if journal == "delete":
        as_if_on("NFS", pytest.MonkeyPatch())


def _forked(body: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        body()
        code = 0
    finally:
        os._exit(code)


def _killed(file: Path, block: int, seconds: float) -> int:
    """Start a writer at `block`, kill it; the block after the last one that it said was kept."""
    ours, theirs = os.pipe()
    child = _forked(lambda: _write_on(file, block, theirs))
    os.close(theirs)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as said:
        return block + len(said.read())


def _write_on(file: Path, block: int, said: int) -> None:
    """One block of conditions after the other, each in one transaction; a byte for each that is kept.

    With next to no cache, SQLite writes into the file all through the transaction.
    """
    store = store_at(file)
    store._db.execute("PRAGMA cache_size = 2")
    for at in count(block):
        put_all(
            store,
            [(key_of(condition), IMAGES, _labels(condition)) for condition in _conditions(at)],
        )
        os.write(said, b".")


def _check(file: Path, kept: int, journal: str) -> None:
    """All blocks before `kept` are there and right; the next one is there wholly or not at all."""
    with Store.open(file) as store:
        assert store.notes == () or journal == "delete", store.notes
        assert store.journal == journal
        found = [
            answered(store, key_of(c), IMAGES) for b in range(kept + 1) for c in _conditions(b)
        ]
        for condition, labels in enumerate(found):
            assert labels is None or (labels == _labels(condition)).all()
        there = [labels is not None for labels in found]
        assert all(there[: kept * BLOCK]), "an acknowledged block is lost"
        assert len(set(there[kept * BLOCK :])) == 1, "half of a block is there"
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [p.name for p in file.parent.glob("*damaged*")] == []


def _conditions(block: int) -> range:
    return range(block * BLOCK, (block + 1) * BLOCK)


def _labels(condition: int) -> NDArray[np.int64]:
    return labels_of(condition, len(IMAGES))


def _write_share(file: Path, writer: int, conditions: int, start: float) -> None:
    """One writer's conditions, and its part of a condition that all of them write."""
    time.sleep(max(0.0, start - time.monotonic()))
    with store_at(file) as store:
        for number in range(conditions):
            condition = writer * conditions + number
            put(store, key_of(condition), IMAGES, _labels(condition))
            part = np.random.default_rng(condition).permutation(IMAGES)[: 20 * number]
            put(store, key_of(-1), part, labels_of(10**6, len(IMAGES))[part])
        put(store, key_of(-1), IMAGES, labels_of(10**6, len(IMAGES)))
