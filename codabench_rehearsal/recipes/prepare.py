"""From a file's images to the sides that a system trains and validates on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import DataError, Dataset, clean, split
from codabench_rehearsal.images.cleaning import CleaningReport
from codabench_rehearsal.images.splitting import Split
from codabench_rehearsal.recipes.system import RecipeError, System

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Recovered = tuple[Images, int, float]  # a picture (h, w, 3), the id of the cell behind, its share

CLEARLY = 1.8
"""The best cell's correlation, in those of the second best, from which on it is taken: 2.5 and 6.5
for the two outliers of our data, where the cell is there, at most 1.3 once it is taken out."""

_BLUR = 2.0  # pixels: what is broader than that is not detail
_BLOCK = 512  # cells at a time


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a system trains with.

    train, validation, test: cleaned, resized, not balanced; test: None where none is held out.
    split: training against all that is held out, of the images as they come, for split.json.
    weights: float32 `(classes,)`, inverse to each class's frequency in training, 1 in the mean over
    its images, 0 for a class without images; None without class weights. pictures: what lay over
    the blended outliers, uint8 `(k, h, w, 3)` of the same size; None where nothing was recovered.
    lines: what was done, for people.
    """

    train: Dataset
    validation: Dataset
    test: Dataset | None
    split: Split
    weights: Floats | None
    lines: tuple[str, ...]
    pictures: Images | None = None


def prepare(system: System, data: Dataset, classes: int, seed: int) -> Prepared:
    """Clean, split off what is held out, resize, weigh the classes.

    The same data, values and seed give the same sides. Raises `RecipeError` for labels
    beyond `classes` and too little data; `DataError` as `images.clean` does.
    """
    _check(system, data, classes)
    cleaned, report = clean(data, near_threshold=None, isolation=system.isolation, seed=seed)
    sides, test = _sides(system, cleaned, seed)
    validation = sides.validation if test is None else test.train
    tested = None if test is None else _resized(test.validation, system.side)
    weights = class_weights(sides.train.labels, classes) if system.class_weights else None
    found = recovered_pictures(data, cleaned, report) if system.recover else ()
    pictures = resized(np.stack([one for one, *_ in found]), system.side) if found else None
    lines = (
        *(line for line in report.lines() if "near duplicates" not in line),
        *_lines(system, data, (sides.train, validation, tested), weights, classes),
        *(_recovery_lines(report, found) if system.recover else ()),
    )
    kept = [_resized(one, system.side) for one in (sides.train, validation)]
    return Prepared(kept[0], kept[1], tested, sides, weights, lines, pictures)


def resized(images: Images, side: int | None) -> Images:
    """Square images of that side; None: as they come. uint8 `(n, h, w, 3)` in and out.

    Bilinear between pixel centres, without smoothing: what the zip's model.py does at prediction,
    to within the rounding.
    """
    if side is None or images.shape[1:3] == (side, side):
        return images
    import cv2

    small: Images = np.empty((len(images), side, side, images.shape[3]), np.uint8)
    for image, target in zip(images, small, strict=True):
        smaller = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        target[...] = smaller.reshape(target.shape)  # OpenCV drops the axis of a single channel
    return small


def class_weights(labels: NDArray[np.int64], classes: int) -> Floats:
    """Float32 `(classes,)`: inverse to each label's frequency, 1 in the mean over the labels.

    A class without labels has 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def recovered_pictures(
    raw: Dataset, cleaned: Dataset, report: CleaningReport
) -> tuple[Recovered, ...]:
    """The pictures that were blended into cells, where the cell behind them is found.

    A blended outlier A = a B + (1 - a) C hides a picture C and a cell B. Without either, neither
    can be had back. But fine detail tells which cell of the file lies behind an outlier, and a: a
    cell's detail goes through the blend unchanged but for the factor a, and no other cell shares
    it. The cell itself is then in the file already, with its true label; what is new is the
    picture. raw: the images before cleaning, which hold the outliers that `report` names; cleaned:
    where cells are looked for.
    """
    rows = {int(number): row for row, number in enumerate(raw.ids)}
    blended = [raw.images[rows[group.ids[0]]] for group in report.outliers]
    found = [_recover(image, cleaned) for image in blended]
    return tuple(one for one in found if one is not None)


def recover_overlay(blended: Images, cell: Images, share: float) -> Images:
    """The picture C of A = share * B + (1 - share) * C, rounded; all uint8 `(h, w, 3)`."""
    left = blended.astype(np.float32) - np.float32(share) * cell
    picture: Images = np.clip(np.rint(left / np.float32(1 - share)), 0, 255).astype(np.uint8)
    return picture


def _check(system: System, data: Dataset, classes: int) -> None:
    if data.images.shape[3] != 3 and system.recover:
        raise RecipeError(f"{data.source}: pictures are recovered of colour images only.")
    if len(data) and not 0 <= data.labels.min() <= data.labels.max() < classes:
        raise RecipeError(
            f"{data.source}: expected labels 0..{classes - 1}, received "
            f"{data.labels.min()}..{data.labels.max()}: is it the right --challenge?"
        )


def _sides(system: System, cleaned: Dataset, seed: int) -> tuple[Split, Split | None]:
    """Training against all that is held out, and that again: validation against test, or None."""
    held = system.validation + system.test
    try:
        sides = split(cleaned, held, seed)
        last = split(sides.validation, system.test / held, seed) if system.test else None
    except DataError as error:
        raise RecipeError(
            f"{len(cleaned)} images are too few to train on and to hold out {held:.0%}: {error}."
        ) from error
    if len(np.unique(sides.train.labels)) < 2:
        raise RecipeError("All training images carry one label: there is nothing to tell apart.")
    return sides, last


def _resized(data: Dataset, side: int | None) -> Dataset:
    images = resized(data.images, side)
    return data if images is data.images else replace(data, images=images)


def _lines(
    system: System,
    data: Dataset,
    sides: tuple[Dataset, Dataset, Dataset | None],
    weights: Floats | None,
    classes: int,
) -> Iterator[str]:
    train, validation, test = sides
    tested = "" if test is None else f", {len(test):,} to test in the end"
    yield f"{len(train):,} images to train on, {len(validation):,} to validate{tested}"
    counts = np.bincount(train.labels, minlength=classes)
    yield f"training images by class: {', '.join(map(str, counts.tolist()))}"
    if missing := np.flatnonzero(counts == 0).tolist():
        yield f"no image to train on in class {missing}"
    height, width = data.images.shape[1:3]
    if system.side is not None and (height, width) != (system.side, system.side):
        yield f"resized from {height}x{width} to {system.side}x{system.side}, bilinear"
    if weights is not None:
        yield f"class weights: {', '.join(f'{weight:.2f}' for weight in weights)}"


def _recovery_lines(report: CleaningReport, found: Sequence[Recovered]) -> Iterator[str]:
    said = [
        f"a picture over cell {cell}, which has {share:.0%} of the blend"
        for _, cell, share in found
    ]
    if lost := len(report.outliers) - len(found):
        said.append(f"{lost} without a cell of this file behind them")
    yield f"blended outliers: {'; '.join(said) or 'none in this file'}"


def _recover(blended: Images, cleaned: Dataset) -> Recovered | None:
    correlations, shares = _compare(blended, cleaned.images)
    first, second = np.argsort(-correlations)[[0, min(1, len(correlations) - 1)]]
    share = float(shares[first])
    alone = correlations[first] > CLEARLY * correlations[second]
    if not alone or not 0.05 < share < 0.95:
        return None
    picture = recover_overlay(blended, cleaned.images[first], share)
    return picture, int(cleaned.ids[first]), share


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
