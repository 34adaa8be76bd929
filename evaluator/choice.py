"""Which images are evaluated: never those that the model was trained on, as far as is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.reading import first_file
from codabench_rehearsal.images import Dataset, clean, prefix_order, read_split
from codabench_rehearsal.images.splitting import SplitRecord

SplitKind = Literal["validation", "all", "held-out", "unknown"]


@dataclass(frozen=True)
class Choice:
    """The images to evaluate, in an order whose every prefix is stratified by class.

    split: "validation" (the held-out side of a known split), "all" (a split is known, and none of
    these images is in it), "held-out" (the user says that none was trained on), or "unknown" (no
    split: the model may have been trained on them).
    """

    data: Dataset
    split: SplitKind
    notes: tuple[str, ...]


def find_split(submission: Path, given: str | None) -> Path | None:
    """The split to use: `given`, or the one beside the zip; None for "none" or when there is none.

    Raises `EvaluationError` for a pipe, a device or a socket in its place.
    """
    if given == "none":
        return None
    if given is not None:
        return Path(given)
    beside = (
        submission.with_name(f"{submission.stem}.split.json"),
        submission.with_name("split.json"),
    )
    return first_file(beside, EvaluationError)


def choose(
    data: Dataset, split: Path | None, count: int | None, seed: int, *, held_out: bool = False
) -> Choice:
    """Pick the images: the validation side, cleaned, at most `count` of them.

    held_out: the user says that none of them was trained on; a split is believed before that.
    Raises `EvaluationError` when only training images are left, `DataError` for a broken split.
    """
    faint = _without_pixels(data)
    kind, kept, notes = _as_told(faint, split) if held_out else _by_split(faint, split)
    cleaned, report = clean(kept, near_threshold=None)
    if report.dropped:
        notes.append(f"{len(report.dropped):,} duplicate, conflicting or blended images left out")
    if len(cleaned) == 0:
        raise EvaluationError(f"no images left to evaluate in {data.source}")
    chosen = cleaned.ids[prefix_order(cleaned, seed)[:count]]
    place = np.argsort(data.ids)
    rows = place[np.searchsorted(data.ids, chosen, sorter=place)]
    return Choice(data.view(rows), kind, tuple(notes))


def _without_pixels(data: Dataset) -> Dataset:
    """The same data for all that goes by hashes, labels and ids: copies of it take no room."""
    black = np.zeros((1, 1, 1, data.image_shape[2]), np.uint8)
    dots = np.broadcast_to(black, (len(data), 1, 1, data.image_shape[2]))
    faint = Dataset(dots, data.labels, data.ids, data.notes, data.source)
    faint.__dict__["_fingerprints"] = data.fingerprints()
    return faint


def _by_split(data: Dataset, split: Path | None) -> tuple[SplitKind, Dataset, list[str]]:
    if split is None:
        return "unknown", data, []
    record = read_split(split)
    side = _sides(record, data)
    held_out, trained = side == "validation", side == "train"
    if held_out.any():
        left = f"{trained.sum():,} training images"
        unknown = (~held_out & ~trained).sum()
        if unknown:
            left += f" and {unknown:,} on neither side of the split"
        return "validation", data.subset(held_out), [f"{left} left out", *record.notes]
    if trained.any():
        raise EvaluationError(
            f"{trained.sum():,} of the {len(data):,} images in {data.source} are on the training "
            f"side of {split}, none on its validation side: give images that the model has not "
            "learnt."
        )
    return "all", data, [f"none of these images is in {split.name}: new to the model"]


def _as_told(data: Dataset, split: Path | None) -> tuple[SplitKind, Dataset, list[str]]:
    """All that no split has on its training side."""
    if split is None:
        return "held-out", data, []
    record = read_split(split)
    trained = _sides(record, data) == "train"
    others = "--split none if that is another model's split"
    if trained.all():
        raise EvaluationError(
            f"--held-out: expected images that were not trained on, but all {len(data):,} in "
            f"{data.source} are on the training side of {split}: give others, or {others}."
        )
    if not trained.any():
        return "held-out", data, []
    said = f"{trained.sum():,} images left out: on the training side of {split.name} ({others})"
    return "held-out", data.subset(~trained), [said, *record.notes]


def _sides(record: SplitRecord, data: Dataset) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    sides: np.ndarray[tuple[int], np.dtype[np.str_]] = record.side(data)
    return sides
