"""Many corruptions of one set, and one corruption of a set that does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.presets import Cell, Preset
from corruptions.registry import DEFAULT_TABLE, OWN_TABLE, Images, corrupt, get, names
from corruptions.streams import streams


def table_names(table: str = DEFAULT_TABLE) -> tuple[str, ...]:
    """The corruptions of a severity table alone: the 19 of ImageNet-C for `imagecorruptions`."""
    return tuple(name for name in names(table) if get(name, table).table != OWN_TABLE)


def corrupt_all(
    images: Images,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
    *,
    table: str = DEFAULT_TABLE,
    severities: Iterable[int] = (1, 2, 3, 4, 5),
) -> Iterator[tuple[str, int, Images]]:
    """Every corruption of a table at every severity, one at a time: (name, severity, images).

    images: uint8, as `corrupt` takes them. Only one corrupted copy exists at a time unless you
    keep them. Raises `CorruptionError` as `corrupt` does.
    """
    for name in table_names(table):
        for severity in severities:
            yield name, severity, corrupt(images, name, severity, seed, ids, table=table)


def corrupt_stream(
    batches: Iterable[Images],
    change: Cell,
    seed: int = 0,
    first_id: int = 0,
) -> Iterator[Images]:
    """Apply a cell batch by batch, for data larger than memory; the bytes are those of one piece.

    batches: uint8 images as `corrupt` takes them; their images are numbered from `first_id` on. A cell is one
    of a preset's: `resolve("fog:3").cells[0]`. Raises `CorruptionError`.
    """
    from corruptions.chain import corrupt_cell

    for images in batches:
        ids = np.arange(first_id, first_id + len(images), dtype=np.int64)
        first_id += len(images)
        yield corrupt_cell(images, change, seed, ids)


def corrupt_mixed(
    images: Images,
    preset: Preset,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
) -> Images:
    """Each image under one cell of a preset, drawn by the cells' weights: for training.

    images: uint8, as `corrupt` takes them. A cell depends on (seed, preset, image id) only. Returns a new uint8 array of the same shape.
    Raises `CorruptionError`.
    """
    from corruptions.chain import corrupt_cell

    numbered = np.arange(len(images)) if ids is None else np.asarray(ids)
    if numbered.shape != (len(images),):
        raise CorruptionError(f"ids: expected shape ({len(images)},), received {numbered.shape}.")
    weights = np.cumsum([cell.weight for cell in preset.cells])
    drawn = streams(seed, f"preset {preset.name}", numbered.astype(np.int64)).uniform()
    chosen = np.searchsorted(weights / weights[-1], drawn)
    changed = np.empty_like(images)
    for index in np.unique(chosen):
        rows = np.flatnonzero(chosen == index)
        changed[rows] = corrupt_cell(images[rows], preset.cells[index], seed, numbered[rows])
    return changed
