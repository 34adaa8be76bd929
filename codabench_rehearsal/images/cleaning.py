"""What is wrong with a dataset: copies, contradicting labels, blended outliers, near copies."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images.dataset import Dataset

# Grey levels between thumbnails. A copy saved as JPEG, brightened by 5 or shifted by one pixel is 1
# to 8 away from its original; different blood cells are at least 12 apart (measured).
NEAR = 8.0
GROUP = 20  # from so many identical images on, a group is no accident but an outlier
THUMB = 16
MOST_PAIRS = 10_000
_BLOCK = 1024
_Rows = NDArray[np.int64]
_Pairs = tuple[_Rows, _Rows, NDArray[np.float64]]


@dataclass(frozen=True)
class CopyGroup:
    """Identical images: their ids in the dataset's order, and the labels they carry, ascending."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


class NearPair(NamedTuple):
    """Two images that look nearly alike: their ids, their labels, their distance."""

    ids: tuple[int, int]
    labels: tuple[int, int]
    distance: float


@dataclass(frozen=True)
class CleaningReport:
    """What was found among `images` images; all rows are named by their ids.

    duplicates: identical images under one label; all but the first are dropped.
    conflicts: identical images under different labels; all are dropped.
    outliers: large groups of identical images, whatever their labels; all are dropped.
    isolated: what the isolation forest picked, if asked for; dropped.
    near_duplicates: pairs of remaining images within `near_threshold`, closest first; kept. There
        are `near_count` of them, more than listed beyond 10,000. None: not looked for.
    dropped: the ids that `clean` leaves out, ascending.
    """

    images: int
    duplicates: tuple[CopyGroup, ...]
    conflicts: tuple[CopyGroup, ...]
    outliers: tuple[CopyGroup, ...]
    isolated: tuple[int, ...]
    near_duplicates: tuple[NearPair, ...]
    near_count: int
    near_threshold: float | None
    dropped: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data that `json.dump` takes."""
        content = asdict(self)
        content["near_duplicates"] = [pair._asdict() for pair in self.near_duplicates]
        return content

    def lines(self) -> tuple[str, ...]:
        """Return the report for people, a line for each kind that was found."""
        kept = self.images - len(self.dropped)
        kinds = (
            _line(self.duplicates, "identical images, one label: all but the first dropped"),
            _line(self.conflicts, "identical images, different labels: all dropped"),
            *map(_outlier_line, self.outliers),
            f"{len(self.isolated)} unlike all others: dropped" if self.isolated else "",
            self._near_line(),
        )
        first = f"{self.images} images: {kept} kept, {len(self.dropped)} dropped"
        return (first, *(f"  {line}" for line in kinds if line))

    def _near_line(self) -> str:
        if self.near_threshold is None:
            return "near duplicates: not looked for"
        if not self.near_count:
            return ""
        closest = [list(pair.ids) for pair in self.near_duplicates[:3]]
        return (
            f"{self.near_count} pairs nearly alike (within {self.near_threshold:g} grey levels): "
            f"kept, look at {_some(closest, self.near_count)}"
        )


def clean(
    dataset: Dataset, *, near_threshold: float | None = NEAR, isolation: float = 0.0, seed: int = 0
) -> tuple[Dataset, CleaningReport]:
    """Leave out what should not be trained on, and say what that was.

    near_threshold: largest thumbnail distance of a near-duplicate pair in grey levels; None: skip.
    isolation: fraction of the remaining images, below 0.5, that an isolation forest (scikit-learn,
        with this `seed`) may call outliers; 0: no forest.
    Raises DataError for options outside these ranges, and if no image remains.
    """
    if near_threshold is not None and not 0 <= near_threshold <= 255:
        raise DataError(f"near_threshold must lie in 0..255 or be None, received {near_threshold}")
    if not 0 <= isolation < 0.5:
        raise DataError(f"isolation must lie in 0..0.5, received {isolation}; 0.01 is usual")
    copies, keep = _copies(dataset)
    isolated, left = np.zeros(0, np.int64), np.flatnonzero(keep)
    if isolation and len(left) > 1:
        isolated = left[_isolated_rows(dataset.images[left], isolation, seed)]
    keep[isolated] = False
    near, near_count = _near(dataset, np.flatnonzero(keep), near_threshold)
    if not keep.any():
        raise DataError(
            f"{dataset.source}: cleaning leaves none of {len(dataset)} images: all are copies "
            "of each other; check the file"
        )
    report = CleaningReport(
        images=len(dataset),
        **{kind: tuple(groups) for kind, groups in copies.items()},
        isolated=tuple(sorted(dataset.ids[isolated].tolist())),
        near_duplicates=near,
        near_count=near_count,
        near_threshold=near_threshold,
        dropped=tuple(sorted(dataset.ids[~keep].tolist())),
    )
    return dataset.subset(keep), report


class Pairs(NamedTuple):
    """Near-duplicate rows (first < second), closest first; `total` also counts those left out."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]
    total: int


def near_pairs(images: NDArray[np.uint8], threshold: float) -> Pairs:
    """Return all pairs of images whose thumbnails differ by at most `threshold` grey levels.

    images: uint8 (n, h, w, c). The distance is the root mean square difference of 16x16 grey
    thumbnails. Exact, no sampling: the means of two thumbnails differ by no more than that, so
    only neighbours in the order of the means are compared. At most 10,000 pairs are returned.
    """
    thumbs = _thumbnails(images)
    order = np.argsort(thumbs.mean(axis=1), kind="stable")
    thumbs = thumbs[order]
    means = thumbs.mean(axis=1)
    count, none = 0, np.zeros(0, np.int64)
    found = [(none, none, np.zeros(0))]
    for start in range(0, len(thumbs), _BLOCK):
        block = thumbs[start : start + _BLOCK]
        # The margin covers float32 rounding of the means.
        stop = int(np.searchsorted(means, means[start + len(block) - 1] + threshold + 0.01))
        first, second, distance = _compare(block, thumbs[start:stop], threshold)
        count += len(first)
        rows = np.sort(np.stack([order[start + first], order[start + second]]), axis=0)
        found.append(_closest(rows[0], rows[1], distance))
    columns = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(*_closest(*columns), count)


def _copies(dataset: Dataset) -> tuple[dict[str, list[CopyGroup]], NDArray[np.bool_]]:
    """Groups of identical images by kind, in the order of their first rows, and what to keep."""
    found: dict[str, list[CopyGroup]] = {"duplicates": [], "conflicts": [], "outliers": []}
    keep = np.ones(len(dataset), bool)
    same: dict[str, list[int]] = defaultdict(list)
    for row, pixels in enumerate(dataset.fingerprints()):
        same[pixels].append(row)
    for rows in (rows for rows in same.values() if len(rows) > 1):
        labels = np.unique(dataset.labels[rows]).tolist()
        kind = "conflicts" if len(labels) > 1 else "duplicates"
        kind = "outliers" if len(rows) >= GROUP else kind
        found[kind].append(CopyGroup(tuple(dataset.ids[rows].tolist()), tuple(labels)))
        keep[rows[1:] if kind == "duplicates" else rows] = False
    return found, keep


def _near(
    dataset: Dataset, rows: NDArray[np.int64], threshold: float | None
) -> tuple[tuple[NearPair, ...], int]:
    if threshold is None:
        return (), 0
    found = near_pairs(dataset.images[rows], threshold)
    pairs = np.stack([rows[found.first], rows[found.second]], axis=1)
    ids, labels = dataset.ids[pairs].tolist(), dataset.labels[pairs].tolist()
    distances = found.distance.round(3).tolist()
    together = zip(ids, labels, distances, strict=True)
    return tuple(NearPair((a, b), (c, d), e) for (a, b), (c, d), e in together), found.total


def _line(groups: tuple[CopyGroup, ...], what: str) -> str:
    if not groups:
        return ""
    rows = sum(len(group.ids) for group in groups)
    shown = [list(group.ids) for group in groups[:3]]
    return f"{rows} in {len(groups)} groups of {what}; ids {_some(shown, len(groups))}"


def _outlier_line(group: CopyGroup) -> str:
    count = len(group.labels)
    labels = f"label {group.labels[0]}" if count == 1 else f"{count} different labels"
    ids = f"ids {min(group.ids)}..{max(group.ids)}"
    return f"{len(group.ids)} times the same outlier under {labels}: all dropped; {ids}"


def _some(shown: list[list[int]], count: int) -> str:
    texts = [" = ".join(map(str, ids[:4])) + (" ..." if len(ids) > 4 else "") for ids in shown]
    return ", ".join(texts) + (", ..." if count > len(shown) else "")


def _isolated_rows(images: NDArray[np.uint8], fraction: float, seed: int) -> NDArray[np.int64]:
    """The rows least like the others, by tones, contrast, sharpness and saturation."""
    from sklearn.ensemble import IsolationForest  # slow to import, and off by default

    features = np.stack([_features(image) for image in images])
    forest = IsolationForest(n_estimators=200, contamination=fraction, random_state=seed)
    return np.flatnonzero(forest.fit_predict(features) == -1)


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    thumbs = np.empty((len(images), THUMB * THUMB), np.float32)
    for row, image in enumerate(images):
        small = cv2.resize(_grey(image), (THUMB, THUMB), interpolation=cv2.INTER_AREA)
        thumbs[row] = small.reshape(-1)
    return thumbs


def _compare(block: NDArray[np.float32], others: NDArray[np.float32], threshold: float) -> _Pairs:
    """Pairs of a row of `block` and a later row of `others`, which begins with `block`."""
    # Centred, so that |a|^2 + |b|^2 - 2ab loses little in float32; exact distances follow.
    centre = others.mean(axis=0)
    left, right = block - centre, others - centre
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    limit = (threshold + 0.05) ** 2 * THUMB * THUMB
    first, second = np.nonzero(np.triu(squares <= limit, 1))
    distance = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):  # bounded memory however many candidates
        part = slice(start, start + _BLOCK)
        difference = block[first[part]].astype(np.float64) - others[second[part]]
        distance[part] = np.sqrt((difference**2).mean(axis=1))
    near = distance <= threshold
    return first[near], second[near], distance[near]


def _closest(first: _Rows, second: _Rows, distance: NDArray[np.float64]) -> _Pairs:
    order = np.lexsort((second, first, distance))[:MOST_PAIRS]
    return first[order], second[order], distance[order]


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[..., 0])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _features(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    colour = image if image.shape[2] == 3 else image.repeat(3, axis=2)
    grey = _grey(colour)
    pixels = colour.reshape(-1, 3)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    spread = pixels.max(axis=1).astype(np.float64) - pixels.min(axis=1)
    quantiles = np.percentile(grey, [1, 10, 25, 50, 75, 90, 99])
    summary = [np.log1p(edges.var()), spread.mean(), spread.std()]
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), quantiles, summary])
