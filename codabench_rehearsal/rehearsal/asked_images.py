"""The images that a dry run asks about: a few of each class, and some as dark or bright as they get."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import first_file
from codabench_rehearsal.images import Dataset, clean, prefix_order, read_split, synthetic
from codabench_rehearsal.images.kinds import ALL

DRAWN = 96
SMALLEST_DRAWN, LARGEST_DRAWN = 16, 256  # sides in pixels
MOST_GIVEN = 200
# The hidden set holds nearly black and nearly white images; models that look at the brightest
# value of a batch show themselves there.
_DARK = tuple((factor, 0) for factor in (0.01, 0.2, 0.4, 0.6, 0.75))
_BRIGHTNESS = (*_DARK, (0.35, 100), (0.3, 110), (0.2, 140), (0.5, 127), (0.25, 191), (0.05, 240))


def drawn_secret() -> int:
    """A new secret for an order, from 0."""
    return secrets.randbits(53)


@dataclass(frozen=True)
class Images:
    """What is asked about. values: uint8 (n, h, w, c). odd: rows that are changed copies.

    labels: int64 (n,) when the images are real and labelled, else None. note: for people. secret: of
    the order in which they are asked about, the same in every place; the rows themselves follow a seed
    and the classes, which are no secret.
    """

    values: NDArray[np.uint8]
    odd: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    note: str
    secret: int = field(default_factory=drawn_secret)

    @property
    def plain(self) -> NDArray[np.int64]:
        """The rows that are not odd ones."""
        return np.setdiff1d(np.arange(len(self.values)), self.odd)


def drawn_images(challenge: Challenge, seed: int) -> Images:
    """Drawn cells in the challenge's size; their labels mean nothing to a model of real ones."""
    height, width, channels = challenge.shape
    side = min(max(height, width, SMALLEST_DRAWN), LARGEST_DRAWN)
    drawn = synthetic(DRAWN, seed, side, min(challenge.classes, len(ALL)), balanced=True).images
    times = -(-max(height, width) // side)  # larger ones are drawn small and enlarged
    if times > 1:
        drawn = drawn.repeat(times, axis=1).repeat(times, axis=2)
    values = drawn[:, :height, :width]
    if channels == 1:
        values = values.mean(axis=3, keepdims=True).astype(np.uint8)
    note = f"{DRAWN} drawn images: labelled ones (--data) would show a wrong scale as well"
    return _shuffled(values, None, note, seed)


def given_images(
    data: Dataset, splits: Sequence[Path], seed: int, *, held_out: bool = False
) -> Images:
    """At most 200 of the user's own, evenly of each class.

    splits: the `split.json` files of the networks: images on a training side are left out.
    held_out: the user says that none was trained on. The note holds the data's own notes too.
    """
    kept, note, more = _not_learnt(data, splits, held_out=held_out)
    kept, report = clean(kept, near_threshold=None)
    if report.dropped:
        more += (f"{len(report.dropped):,} duplicate, conflicting or blended images left out",)
    if said := "; ".join(line.removesuffix(".") for line in (*data.notes, *more)):
        note = f"{note} ({said})"
    order = _evenly(kept.labels[prefix_order(kept, seed)])[:MOST_GIVEN]
    chosen = kept.subset(prefix_order(kept, seed)[order])
    note = f"{len(chosen)} images of {data.source}, {note}"
    return _shuffled(chosen.images, chosen.labels, note, seed)


def splits_beside(zip_path: Path) -> tuple[Path, ...]:
    """The split that lies beside a zip, if there is one. Raises `SubmissionError` for a pipe in its place."""
    beside = (zip_path.with_name(f"{zip_path.stem}.split.json"), zip_path.with_name("split.json"))
    found = first_file(beside, SubmissionError)
    return () if found is None else (found,)


def _not_learnt(
    data: Dataset, splits: Sequence[Path], *, held_out: bool
) -> tuple[Dataset, str, tuple[str, ...]]:
    """What no split has on its training side; everything where no split is known. And notes."""
    if not splits:
        unknown = "which the model may have learnt (no split is known; --held-out if it has not)"
        return data, "held out, as you say" if held_out else unknown, ()
    records = [read_split(split) for split in splits]
    more = tuple(note for record in records for note in record.notes)
    sides = [record.side(data) for record in records]
    learnt = np.any([side == "train" for side in sides], axis=0)
    new = np.any([side == "validation" for side in sides], axis=0) & ~learnt
    names = ", ".join(split.name for split in splits)
    if learnt.all():
        return data, f"which the model has learnt (all are on the training side of {names})", more
    if held_out:
        return data.subset(~learnt), f"held out, as you say, none learnt by {names}", more
    if new.any():
        return data.subset(new), f"held out by {names}", more
    return data.subset(~learnt), f"none of them in {names}", more


def _evenly(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in an order that takes one of each class in turn."""
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        mine = labels == label
        turn[mine] = np.arange(mine.sum())
    return np.argsort(turn, kind="stable")


def _shuffled(
    plain: NDArray[np.uint8], labels: NDArray[np.int64] | None, note: str, seed: int
) -> Images:
    odd = np.stack(
        [
            (plain[i % len(plain)] * factor + offset).clip(0, 255).astype(np.uint8)
            for i, (factor, offset) in enumerate(_BRIGHTNESS)
        ]
    )
    order = np.random.default_rng(seed).permutation(len(plain) + len(odd))
    values = np.concatenate([plain, odd])[order]
    truth = None if labels is None else np.concatenate([labels, labels[: len(odd)]])
    if truth is not None and len(truth) < len(order):  # fewer images than odd ones
        truth = np.resize(truth, len(order))
    where = np.flatnonzero(order >= len(plain))
    return Images(values, where, None if truth is None else truth[order], note)
