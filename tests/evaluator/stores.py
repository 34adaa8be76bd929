"""Helpers for tests of the store: keys, answers, and children that use a store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from evaluator.store.rows import ImageLabels
from evaluator.store.store import Run, Store

ROOT = Path(__file__).parents[2]
SHA = "a" * 64
RUN = Run(SHA, "keras 3.4.1, python 3.11.7", "f" * 32, 0)


@dataclass(frozen=True)
class Key:
    """Whose answers, under which condition."""

    run: Run
    condition: str


KEY = Key(RUN, "tiny/fog:(1.5, 2)@1")


def store_at(path: Path) -> Store:
    """An open store that knows one submission."""
    store = Store.open(path)
    store.add_submission(SHA, "submission.zip")
    return store


def labels_of(condition: int, count: int) -> NDArray[np.int64]:
    """The labels that test children put for a condition: known to both sides."""
    return np.random.default_rng(condition).integers(0, 8, count)


def key_of(condition: int) -> Key:
    """The key under which test children put a condition."""
    return Key(RUN, f"condition {condition}")


def put(store: Store, key: Key, ids: ArrayLike, labels: ArrayLike) -> int:
    """Keep answers to one condition; how many contradict stored ones."""
    return store.put_block(key.run, [(key.condition, ids, labels)])


def put_all(
    store: Store, block: Sequence[tuple[Key, ArrayLike, ArrayLike]], known: int | None = None
) -> int:
    """Keep a block of answers of one run."""
    told = [(key.condition, ids, labels) for key, ids, labels in block]
    return store.put_block(block[0][0].run, told, known)


def stored(store: Store, key: Key) -> ImageLabels:
    """All answers under a key, read as an evaluation reads them."""
    return store.run_answers(key.run).of(key.condition)


def answered(store: Store, key: Key, ids: ArrayLike) -> NDArray[np.int64] | None:
    """The labels of these images in this order; None unless all are stored."""
    labels, there = stored(store, key).find(np.asarray(ids, np.int64))
    return labels if there.all() else None


def missing(store: Store, key: Key, ids: ArrayLike) -> NDArray[np.int64]:
    """Those of these images, in this order, that have no stored answer."""
    wanted = np.asarray(ids, np.int64)
    return wanted[~stored(store, key).find(wanted)[1]]


def counts(store: Store, run: Run) -> dict[str, int]:
    """The conditions of a run that have answers, and how many each."""
    found = store.run_answers(run)
    return dict(zip(found.conditions, found.counts.tolist(), strict=True))


def child(code: str, *words: object) -> subprocess.Popen[str]:
    """Start Python on some code, in the repository, with its output in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_mount(options: str, folder: Path, code: str) -> str:
    """Run code with `folder` mounted anew, in a mount namespace of its own; skip where there is none.

    options: of mount(8), such as "-t tmpfs -o size=300k none" or "-o bind,ro FOLDER".
    """
    script = f'mount {options} "$0" || exit 77; exec "$1" -c "$2" "$0"'
    words = ["unshare", "-rm", "sh", "-c", script, str(folder), sys.executable, code]
    try:
        done = subprocess.run(
            words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip("no unshare(1) here")
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_if_on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder pass for one on a network file system; "" for local."""
    found: Callable[[Path], str] = lambda _: kind  # noqa: E731 - two modules take the same stand-in
    monkeypatch.setattr("evaluator.store.file.network_kind", found)
    monkeypatch.setattr("evaluator.store.mending.network_kind", found)
