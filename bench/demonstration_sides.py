"""The demonstration's images: what a participant has, and what only the organiser has.

No image is on two sides. Models learn from `train`, the estimate asks about `validation`, scores
come from `hidden_a` and `hidden_b`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codabench_rehearsal.images import Dataset, clean, load, split
from codabench_rehearsal.images.splitting import Split

SEED = 5
HIDDEN, VALIDATION = 0.42, 0.28  # shares of all images, and of what is left then


@dataclass(frozen=True)
class Sides:
    """Four disjoint sides; each class has its share of every one."""

    train: Dataset
    validation: Dataset
    hidden_a: Dataset
    hidden_b: Dataset

    def own(self) -> Dataset:
        """What a participant has: train and validation in one set, as their file would be."""
        parts = (self.train, self.validation)
        return Dataset(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.ids for part in parts]),
            source=self.train.source,
        )

    def save_split(self, path: Path) -> None:
        """Write the `split.json` that goes with every model."""
        fraction = len(self.validation) / (len(self.train) + len(self.validation))
        Split(self.train, self.validation, SEED, fraction).save(path)


def sides_of(data: Dataset) -> Sides:
    """Clean and cut, seeded. Raises `DataError` for too few images."""
    kept, _ = clean(data)
    away = split(kept, HIDDEN, SEED)
    hidden = split(away.validation, 0.5, SEED + 1)
    own = split(away.train, VALIDATION, SEED + 2)
    return Sides(own.train, own.validation, hidden.train, hidden.validation)


def read_sides(path: Path) -> Sides:
    """Of a file. Raises `DataError`."""
    return sides_of(load(path))
