"""Which images of a data set are public and which hidden, and the damage of the hidden ones.

All of it hangs on one secret seed. What is public must not betray it, nor any hidden label: hidden
images stand in an order that says nothing of their classes, and no public file has row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.words import counted, few
from codabench_rehearsal.images.cleaning import CleaningReport, clean
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.images.splitting import prefix_order
from corruptions.chain import corrupt_mixed
from corruptions.presets import Preset

_ORDER = 1  # of the streams that are drawn from the seed
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    preset: the damage. hidden: images of each hidden set, or below 1 their share of the clean data.
    training: at most so many public images, None for all others. seed: secret.
    """

    preset: Preset
    hidden: float
    training: int | None
    seed: int


@dataclass(frozen=True)
class Hidden:
    """A hidden set as submissions see it: images uint8 (n, h, w, c), damaged; labels int64 (n,)."""

    images: NDArray[np.uint8]
    labels: Rows


@dataclass(frozen=True)
class Parts:
    """training: all that may be public, as it came, in the file's order. No image is in two parts.

    is_damaged: whether anything happens to hidden images. remarks: what cleaning left out, and what
    could not be told apart.
    """

    training: Dataset
    development: Hidden
    final: Hidden
    is_damaged: bool
    remarks: tuple[str, ...]


def draw_parts(data: Dataset, names: Sequence[str], how: Drawing) -> Parts:
    """Set two hidden sets aside, stratified by class, and damage them.

    names: the classes'. Copies and contradictions are left out before; images that look nearly
    alike are never hidden. Raises `DataError` where a class would be missing in a part,
    `CorruptionError`.
    """
    kept, report = clean(data)
    open_rows, remarks = _nearly_alike(kept, report)
    able = np.flatnonzero(~open_rows)
    count = round(how.hidden * len(kept)) if how.hidden < 1 else int(how.hidden)
    if count < 1 or 2 * count >= len(able):
        raise DataError(
            f"{data.source}: expected more than {counted(2 * count, 'image')} for two hidden sets "
            f"of {count:,}, received {len(able):,} that can be hidden; give --hidden a lower number"
        )
    order = able[prefix_order(kept.subset(able), how.seed)]
    shown = np.concatenate([order[2 * count :], np.flatnonzero(open_rows)])
    public = _public(kept, shown, how)
    sides = (order[:count], order[count : 2 * count])
    for part, labels in zip(
        ("the training images", "the development phase", "the final phase"),
        (public.labels, *(kept.labels[rows] for rows in sides)),
        strict=True,
    ):
        _require_classes(data.source, part, labels, names)
    first, second = (_damaged(kept, rows, how, at) for at, rows in enumerate(sides))
    is_damaged = any(condition.steps for condition in how.preset.conditions)
    return Parts(public, first, second, is_damaged, (*_left_out(report), *remarks))


def _nearly_alike(
    kept: Dataset, report: CleaningReport
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which rows look like others: hidden, they would be known from the public ones."""
    ids = {one for pair in report.near_duplicates for one in pair.ids}
    rows = np.isin(kept.ids, list(ids))
    listed = len(report.near_duplicates)
    remarks = [f"{counted(len(ids), 'image')} that look nearly like another: never hidden"]
    if report.near_count > listed:
        remarks.append(
            f"of {report.near_count:,} pairs that look nearly alike only the closest {listed:,} "
            "were told apart: hidden images may resemble public ones"
        )
    return rows, tuple(remarks if ids else ())


def _left_out(report: CleaningReport) -> tuple[str, ...]:
    dropped = len(report.dropped)
    what = "left out: copies, contradicting labels, outliers"
    return (f"{counted(dropped, 'image')} {what}",) if dropped else ()


def _public(kept: Dataset, shown: Rows, how: Drawing) -> Dataset:
    """The training images in the file's order, of which no drawing can be read."""
    if how.training is not None:
        shown = shown[prefix_order(kept.subset(shown), how.seed)[: how.training]]
    return kept.subset(np.sort(shown))


def _require_classes(source: str, part: str, labels: Rows, names: Sequence[str]) -> None:
    missing = [names[label] for label in sorted(set(range(len(names))) - set(labels.tolist()))]
    if missing:
        raise DataError(
            f"{source}: expected images of every class in {part} ({len(labels):,} images), "
            f"received none of {few(missing)}; raise --hidden or --images, or give more images"
        )


def _damaged(kept: Dataset, rows: Rows, how: Drawing, at: int) -> Hidden:
    """The images in a secret order: that of `prefix_order` follows the classes' shares."""
    shuffled = rows[np.random.default_rng((how.seed, _ORDER, at)).permutation(len(rows))]
    images = corrupt_mixed(kept.pictures(shuffled), how.preset, how.seed, kept.ids[shuffled])
    return Hidden(images, kept.labels[shuffled])
