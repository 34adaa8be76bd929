"""Submissions that read the label out of an image's corner, and images that have it there."""

from __future__ import annotations

import zipfile
from pathlib import Path

from codabench_rehearsal.images import Dataset, synthetic
from evaluator.store.store import Store, find_store
from submission.archive import sha256_of

# The true label stands in the corner of every image that `marked` made; strong noise hides it.
SOURCE = """
import numpy as np
class Model:
    def predict(self, X):
        corner = X[:, :{side}, :{side}].reshape(len(X), -1).astype(float).mean(1)
        return np.clip(np.round(corner / 30), 0, 7).astype(int)
"""


def marked(count: int) -> Dataset:
    """Drawn conditions whose corner tells the label."""
    data = synthetic(count, seed=5)
    images = data.images.copy()
    images[:, :24, :24] = (30 * data.labels)[:, None, None, None]
    return Dataset(images, data.labels, data.ids)


DATA = marked(96)


def submission(folder: Path, side: int = 24, source: str = SOURCE) -> Path:
    """A zip that reads the corner; the smaller the side, the worse it does."""
    path = folder / f"side{side}.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", source.format(side=side))
    return path


def recorded(path: Path, score: float) -> None:
    """Record a score as `local-eval record` does."""
    with Store.open(find_store()) as store:
        known = store.add_submission(sha256_of(path), path.name, path)
        store.record_score(known, score, 2)
