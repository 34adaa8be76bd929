"""Two sides that share no image, and an order whose every beginning represents the whole.

Both follow a hash of (seed, pixels), so they do not depend on the order of the rows in the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.fields import told
from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.console.reading import read_json
from codabench_rehearsal.images.dataset import Dataset

SCHEMA = 1
_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Split:
    """Two sides of one dataset, in the dataset's order; no image is on both."""

    train: Dataset
    validation: Dataset
    seed: int
    fraction: float

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `split.json` atomically: schema, seed, fraction and the hashes of both sides."""
        content = {
            "schema": SCHEMA,
            "seed": self.seed,
            "fraction": self.fraction,
            "train": sorted(set(self.train.fingerprints())),
            "validation": sorted(set(self.validation.fingerprints())),
        }
        write_text(path, json.dumps(content, indent=1) + "\n")


@dataclass(frozen=True)
class SplitRecord:
    """What a `split.json` says: the image hashes of both sides; seed and fraction if given.

    No hash is on both sides: what the file has on both was learnt, and is in `train` alone; `notes`
    says so.
    """

    train: frozenset[str]
    validation: frozenset[str]
    seed: int | None = None
    fraction: float | None = None
    notes: tuple[str, ...] = ()

    def side(self, dataset: Dataset) -> NDArray[np.str_]:
        """Return "train", "validation" or "neither" for every image, as a str array (n,)."""
        sides = dict.fromkeys(self.train, "train") | dict.fromkeys(self.validation, "validation")
        words = [sides.get(pixels, "neither") for pixels in dataset.fingerprints()]
        return np.array(words, dtype="<U10")


def split(dataset: Dataset, fraction: float = 0.2, seed: int = 0) -> Split:
    """Put about `fraction` of every class on the validation side, identical images together.

    A class with two different images or more gets at least one on each side; a class with one
    keeps it in training. Raises DataError for a fraction outside 0..1 or a side without images.
    """
    if not 0 < fraction < 1:
        raise DataError(f"fraction must lie between 0 and 1, received {fraction}; 0.2 is usual")
    groups = _groups_by_class(dataset, seed)
    held_out = {pixels for label in groups for pixels in _hold_out(groups[label], fraction)}
    mask = np.array([pixels in held_out for pixels in dataset.fingerprints()], dtype=bool)
    if mask.all() or not mask.any():
        raise DataError(
            f"expected a class with two different images or more, received {len(dataset)} images "
            f"in {len(groups)} classes; splitting needs more of them"
        )
    return Split(dataset.subset(~mask), dataset.subset(mask), seed, fraction)


def read_split(path: str | os.PathLike[str]) -> SplitRecord:
    """Read a `split.json`. Raises DataError if it is missing or broken."""
    file = Path(path)
    unread = ": cannot be read: {}"
    malformed = ": expected JSON, received something else ({})"
    with told(file, DataError, malformed=malformed, unreadable=unread):
        content = read_json(file, wrong=DataError)
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected a JSON object, received {type(content).__name__}")
    if content.get("schema") != SCHEMA:
        raise DataError(
            f"{file}: expected schema {SCHEMA}, received {content.get('schema')!r}; "
            "write it with this version's Split.save"
        )
    train, validation = (_hashes(content, side, file) for side in ("train", "validation"))
    seed, fraction, both = content.get("seed"), content.get("fraction"), len(train & validation)
    are = "1 image is" if both == 1 else f"{both:,} images are"
    return SplitRecord(
        train,
        validation - train,
        seed if isinstance(seed, int) else None,
        float(fraction) if isinstance(fraction, int | float) and abs(fraction) <= 1 else None,
        (f"{are} on both sides of {file.name}: trained on, so left out",) if both else (),
    )


def prefix_order(dataset: Dataset, seed: int = 0) -> NDArray[np.int64]:
    """Return all rows, int64 (n,), in an order whose every prefix is stratified by class.

    A prefix of k rows holds k times each class's share of the whole, to about one image.
    The order depends on seed, pixels, labels and ids, not on the order of the rows.
    """
    keys = [_key(seed, pixels) for pixels in dataset.fingerprints()]
    ranked = sorted(
        range(len(dataset)), key=lambda row: (keys[row], dataset.labels[row], dataset.ids[row])
    )
    order = np.array(ranked, dtype=np.int64)
    # The j-th of a class's m images is due at (j + 1/2) / m of the way (Sainte-Lague's method).
    due = np.empty(len(dataset))
    for label in np.unique(dataset.labels):
        rows = order[dataset.labels[order] == label]
        due[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(due[order], kind="stable")]


def _key(seed: int, pixels: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{pixels}".encode(), digest_size=16).digest()


def _groups_by_class(dataset: Dataset, seed: int) -> dict[int, list[tuple[str, int]]]:
    """For every class its different images with their copies' count, in the seeded order.

    An image under several labels counts for the lowest of them.
    """
    counts: dict[str, int] = defaultdict(int)
    labels: dict[str, int] = {}
    for pixels, label in zip(dataset.fingerprints(), dataset.labels.tolist(), strict=True):
        counts[pixels] += 1
        labels[pixels] = min(label, labels.get(pixels, label))
    groups: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for pixels in sorted(counts, key=lambda pixels: _key(seed, pixels)):
        groups[labels[pixels]].append((pixels, counts[pixels]))
    return groups


def _hold_out(groups: list[tuple[str, int]], fraction: float) -> Iterable[str]:
    """The first groups that together hold about `fraction` of the class's images."""
    wanted = max(fraction * sum(count for _, count in groups), 0.5)
    held = 0
    for pixels, count in groups[:-1]:  # the last group always stays in training
        if held + count / 2 > wanted:
            if held == 0:
                yield pixels
            return
        held += count
        yield pixels


def _hashes(content: dict[str, Any], side: str, file: Path) -> frozenset[str]:
    values = content.get(side)
    if not isinstance(values, list):
        raise DataError(f"{file}: expected a list of image hashes under {side!r}")
    for value in values:
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            raise DataError(
                f"{file}: expected hashes of 32 hex digits under {side!r}, received {value!r}; "
                "take them from Dataset.fingerprints()"
            )
    return frozenset(values)
