"""Run a cell: its steps in order, each with its own place in the chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.arguments import check_images, prepared, restored
from corruptions.presets import BLENDS, Cell, Preset, Step
from corruptions.registry import Images, corrupt, get, names


def corrupt_cell(
    images: Images,
    cell: Cell,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
) -> Images:
    """Apply a cell to uint8 images as `corrupt` takes them; the clean cell gives a copy.

    Grey or small images are prepared before the first step and turned back after the last. The
    result depends on (seed, operator, image id, step) only. Raises `CorruptionError`.
    """
    if not cell.steps:
        return images.copy()
    shape = check_images(images).shape
    images = prepared(images)
    for place, step in enumerate(cell.steps):
        if cell.pictures and step.corruption in BLENDS:
            images = _blend(images, cell.pictures, step, seed, ids, place)
        else:
            images = corrupt(
                images, step.corruption, step.severity, seed, ids, table=cell.table, step=place
            )
    return restored(images, shape)


def _blend(
    images: Images,
    folder: str,
    step: Step,
    seed: int,
    ids: NDArray[np.int64] | Sequence[int] | None,
    place: int,
) -> Images:
    from corruptions.overlay import blend_from  # here: the registry loads operators in its order

    return blend_from(folder, images, step.corruption, step.severity, seed, ids, place)


def cell_revision(cell: Cell) -> str:
    """The cell's operators with parameters and revisions, as text: part of a stored answer's key."""
    operators = [(get(step.corruption, cell.table), step.severity) for step in cell.steps]
    revision = "+".join(
        f"{op.table}/{op.name}:{op.severities[s - 1]}@{op.revision}" for op, s in operators
    )
    if not any(step.corruption in BLENDS for step in cell.steps) or not cell.pictures:
        return revision
    from corruptions.pictures import pictures_revision

    return f"{revision}|pictures@{pictures_revision(cell.pictures)}"


def validate(preset: Preset) -> None:
    """Check what needs the registry: names of corruptions and tables, and picture folders.

    Raises `CorruptionError` that names the preset and the cell, with the nearest known names.
    """
    for cell in preset.cells:
        try:
            _validate(cell)
        except CorruptionError as error:
            raise CorruptionError(f"Preset {preset.name}, cell {cell.name!r}: {error}") from error


def _validate(cell: Cell) -> None:
    names(cell.table)  # raises for an unknown table
    for step in cell.steps:
        get(step.corruption, cell.table)
    if cell.pictures:
        from corruptions.pictures import picture_files

        picture_files(cell.pictures)
