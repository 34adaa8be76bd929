"""The pictures that were blended into cells: C = (A - a B) / (1 - a), with B a cell of the file.

A blended outlier A = a B + (1 - a) C hides a picture C and a cell B. Without either, neither can be
had back. But fine detail tells which cell of the file lies behind an outlier, and a: a cell's
detail goes through the blend unchanged but for the factor a, and no other cell shares it. The cell
itself is then in the file already, with its true label; what is new is the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.images.cleaning import CleaningReport

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]

CLEARLY = 1.8
"""The best cell's correlation, in those of the second best, from which on it is taken: 2.5 and 6.5
for the two outliers of our data, where the cell is there, at most 1.3 once it is taken out."""

_BLUR = 2.0  # pixels: what is broader than that is not detail
_BLOCK = 512  # cells at a time


@dataclass(frozen=True, eq=False)
class Recovered:
    """A picture out of an outlier, uint8 `(h, w, 3)`, the id of the cell behind it, and its share."""

    picture: Images
    cell: int
    share: float


def recover_overlay(blended: Images, cell: Images, share: float) -> Images:
    """The picture C of A = share * B + (1 - share) * C, rounded; all uint8 `(h, w, 3)`."""
    left = blended.astype(np.float32) - np.float32(share) * cell
    picture: Images = np.clip(np.rint(left / np.float32(1 - share)), 0, 255).astype(np.uint8)
    return picture


def recovered_pictures(
    raw: Dataset, cleaned: Dataset, report: CleaningReport
) -> tuple[Recovered, ...]:
    """One for each kind of blended outlier that `report` names, where the cell behind it is found.

    raw: the images before cleaning, which hold the outliers; cleaned: where cells are looked for.
    """
    rows = {int(number): row for row, number in enumerate(raw.ids)}
    blended = [raw.images[rows[group.ids[0]]] for group in report.outliers]
    found = [_recover(image, cleaned) for image in blended]
    return tuple(one for one in found if one is not None)


def _recover(blended: Images, cleaned: Dataset) -> Recovered | None:
    correlations, shares = _compare(blended, cleaned.images)
    first, second = np.argsort(-correlations)[[0, min(1, len(correlations) - 1)]]
    share = float(shares[first])
    alone = correlations[first] > CLEARLY * correlations[second]
    if not alone or not 0.05 < share < 0.95:
        return None
    picture = recover_overlay(blended, cleaned.images[first], share)
    return Recovered(picture, int(cleaned.ids[first]), share)


def _compare(blended: Images, images: Images) -> tuple[Floats, Floats]:
    """Correlation of each cell's detail with the outlier's, and its share in it; `(n,)` each."""
    wanted = _detail(blended)
    products, squares = [], []
    for start in range(0, len(images), _BLOCK):
        details = np.stack([_detail(image) for image in images[start : start + _BLOCK]])
        products.append(details @ wanted)
        squares.append(np.einsum("np,np->n", details, details))
    product, square = np.concatenate(products), np.maximum(np.concatenate(squares), 1e-6)
    norm = np.maximum(np.sqrt(square * (wanted @ wanted)), np.float32(1e-6))
    return product / norm, product / square


def _detail(image: Images) -> Floats:
    import cv2

    values = image.astype(np.float32)
    detail: Floats = (values - cv2.GaussianBlur(values, (0, 0), _BLUR)).reshape(-1)
    return detail
