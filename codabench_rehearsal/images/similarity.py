"""Which images look nearly alike, and which look like no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

THUMB = 16
MOST_PAIRS = 10_000
_BLOCK = 1024


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
    found, count = [], 0
    for start in range(0, len(thumbs), _BLOCK):
        block = thumbs[start : start + _BLOCK]
        # The margin covers float32 rounding of the means.
        stop = int(np.searchsorted(means, means[start + len(block) - 1] + threshold + 0.01))
        first, second, distance = _compare(block, thumbs[start:stop], threshold)
        count += len(first)
        rows = np.sort(np.stack([order[start + first], order[start + second]]), axis=0)
        found.append(_closest(rows[0], rows[1], distance))
    return _merge(found, count)


def isolated_rows(images: NDArray[np.uint8], fraction: float, seed: int) -> NDArray[np.int64]:
    """Return the `fraction` of rows that an isolation forest finds the least like the others.

    The forest sees 16 simple figures an image: tones, contrast, sharpness and saturation.
    """
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


def _compare(
    block: NDArray[np.float32], others: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
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


def _closest(
    first: NDArray[np.int64], second: NDArray[np.int64], distance: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((second, first, distance))[:MOST_PAIRS]
    return first[order], second[order], distance[order]


def _merge(
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]], count: int
) -> Pairs:
    if not found:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 0)
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(*_closest(first, second, distance), count)


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
