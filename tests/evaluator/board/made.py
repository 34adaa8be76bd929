"""Stores with synthetic submissions: who is better is known, nothing is run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corruptions.presets import resolve
from evaluator.dealing import deal
from evaluator.plan import CLEAN
from evaluator.store.measured import FindingLine, Measured
from evaluator.store.rows import Prediction, Run, condition_text
from evaluator.store.store import Store

DATA = "f" * 32
CLASSES = 8
LOST = 0.15  # of accuracy under damage
SPREAD = 0.25  # of the images' difficulty


@dataclass(frozen=True, eq=False)
class World:
    """Images, and the questions on them. labels: `(n,)`; dealt: conditions of each, `(n, d)`."""

    labels: NDArray[np.int64]
    texts: tuple[str, ...]
    dealt: NDArray[np.int64]
    hard: NDArray[np.float64]


def world(images: int, preset: str = "light", seed: int = 0) -> World:
    """A data set without pixels."""
    conditions = resolve(preset).conditions
    weights = np.array([one.weight for one in conditions])
    rng = np.random.default_rng(seed)
    draws = min(resolve(preset).draws, len(conditions))
    return World(
        rng.integers(CLASSES, size=images),
        tuple(condition_text(one) for one in (CLEAN, *conditions)),
        1 + deal(images, weights, draws, seed),
        rng.normal(0, SPREAD, images),
    )


def sha_of(name: str) -> str:
    """A zip's hash."""
    return hashlib.sha256(name.encode()).hexdigest()


def answer(
    store: Store,
    drawn: World,
    name: str,
    skill: float,
    *,
    rows: slice = slice(None),
    environment: str = "python 3.11",
    data: str = DATA,
    path: str = "",
) -> Run:
    """Let a submission of that accuracy on clean images answer some rows."""
    sha256 = sha_of(name)
    store.add_submission(sha256, name, path)
    store.put_truth(data, "cells.npz", np.arange(len(drawn.labels)), drawn.labels)
    rng = np.random.default_rng(int(sha256[:8], 16))
    asked = np.zeros((len(drawn.labels), len(drawn.texts)), bool)
    asked[np.arange(len(asked))[:, None], drawn.dealt] = True
    asked[:, 0] = True
    chosen = np.zeros(len(asked), bool)
    chosen[rows] = True
    block = []
    for place, text in enumerate(drawn.texts):
        ids = np.flatnonzero(asked[:, place] & chosen)
        share = np.clip(skill - LOST * (place > 0) - drawn.hard[ids], 0, 1)
        right = rng.random(len(ids)) < share
        labels = np.where(right, drawn.labels[ids], (drawn.labels[ids] + 1) % CLASSES)
        block.append((text, ids, labels))
    run = Run(sha256, environment, data, 0)
    store.put_block(run, block)
    return run


def filled(path: Path, skills: Sequence[float], images: int = 200, preset: str = "light") -> Store:
    """An open store of submissions `s000.zip` ... of these skills, each fully known."""
    store, drawn = Store.open(path), world(images, preset)
    for number, skill in enumerate(skills):
        name = f"s{number:03d}.zip"
        answer(store, drawn, name, skill)
        known(store, name, skill)
    return store


def known(store: Store, name: str, skill: float) -> None:
    """What a rehearsal and a leaderboard say of it beside its answers."""
    own = store.find(sha_of(name))[0]
    found = (FindingLine("S301", "warning", "weights.h5 is large"),)
    store.put_measured(own.sha256, Measured(2_500_000, 1.5, 0.8, 700_000_000, "validation", found))
    expected = Prediction("dev", skill - 0.1, skill - 0.2, skill, 0.9, 0, "drawn")
    store.record_prediction(own, expected)
    day = f"2024-11-{1 + int(own.sha256, 16) % 28:02d}"
    store.record_score(own, round(skill - 0.1, 4), 4, date=day)
