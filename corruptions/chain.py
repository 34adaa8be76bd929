"""Run a cell: its steps in order, each with its own place in the chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from corruptions.presets import Cell
from corruptions.registry import Images, corrupt, get


def corrupt_cell(
    images: Images,
    cell: Cell,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
) -> Images:
    """Apply a cell to uint8 `(n, h, w, 3)` images; the clean cell gives a copy.

    The result depends on (seed, operator, image id, step) only. Raises `CorruptionError`.
    """
    if not cell.steps:
        return images.copy()
    for place, step in enumerate(cell.steps):
        images = corrupt(
            images, step.corruption, step.severity, seed, ids, table=cell.table, step=place
        )
    return images


def cell_revision(cell: Cell) -> str:
    """The cell's operators with parameters and revisions, as text: part of a stored answer's key."""
    operators = [(get(step.corruption, cell.table), step.severity) for step in cell.steps]
    return "+".join(f"{op.name}:{op.severities[s - 1]}@{op.revision}" for op, s in operators)
