"""Run a condition: its steps in order, each with its own place in the chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.arguments import check_images, prepared, restored
from corruptions.presets import BLENDS, Condition, Preset, Step
from corruptions.registry import DEFAULT_TABLE, OWN_TABLE, Images, corrupt, get, names
from corruptions.streams import streams


def corrupt_condition(
    images: Images,
    condition: Condition,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
) -> Images:
    """Apply a condition to uint8 images as `corrupt` takes them; the clean condition gives a copy.

    Grey or small images are prepared before the first step and turned back after the last. The
    result depends on (seed, operator, image id, step) only. Raises `CorruptionError`.
    """
    if not condition.steps:
        return images.copy()
    shape = check_images(images).shape
    images = prepared(images)
    for place, step in enumerate(condition.steps):
        if condition.pictures and step.corruption in BLENDS:
            images = _blend(images, condition.pictures, step, seed, ids, place)
        else:
            images = corrupt(
                images, step.corruption, step.severity, seed, ids, table=condition.table, step=place
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


def condition_revision(condition: Condition) -> str:
    """The condition's operators with parameters and revisions, as text: part of a stored answer's key."""
    operators = [(get(step.corruption, condition.table), step.severity) for step in condition.steps]
    revision = "+".join(
        f"{op.table}/{op.name}:{op.severities[s - 1]}@{op.revision}" for op, s in operators
    )
    if not any(step.corruption in BLENDS for step in condition.steps) or not condition.pictures:
        return revision
    from corruptions.pictures import pictures_revision

    return f"{revision}|pictures@{pictures_revision(condition.pictures)}"


def validate(preset: Preset) -> None:
    """Check what needs the registry: names of corruptions and tables, and picture folders.

    Raises `CorruptionError` that names the preset and the condition, with the nearest known names.
    """
    for condition in preset.conditions:
        try:
            _validate(condition)
        except CorruptionError as error:
            raise CorruptionError(
                f"Preset {preset.name}, condition {condition.name!r}: {error}"
            ) from error


def _validate(condition: Condition) -> None:
    names(condition.table)  # raises for an unknown table
    for step in condition.steps:
        get(step.corruption, condition.table)
    if condition.pictures:
        from corruptions.pictures import picture_files

        picture_files(condition.pictures)


# Many corruptions of one set, and one corruption of a set that does not fit into memory.


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
    change: Condition,
    seed: int = 0,
    first_id: int = 0,
) -> Iterator[Images]:
    """Apply a condition batch by batch, for data larger than memory; the bytes are those of one piece.

    batches: uint8 images as `corrupt` takes them; their images are numbered from `first_id` on. A condition is one
    of a preset's: `resolve("fog:3").conditions[0]`. Raises `CorruptionError`.
    """
    # MERGED

    for images in batches:
        ids = np.arange(first_id, first_id + len(images), dtype=np.int64)
        first_id += len(images)
        yield corrupt_condition(images, change, seed, ids)


def corrupt_mixed(
    images: Images,
    preset: Preset,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
) -> Images:
    """Each image under one condition of a preset, drawn by the conditions' weights: for training.

    images: uint8, as `corrupt` takes them. A condition depends on (seed, preset, image id) only. Returns a new uint8 array of the same shape.
    Raises `CorruptionError`.
    """
    # MERGED

    numbered = np.arange(len(images)) if ids is None else np.asarray(ids)
    if numbered.shape != (len(images),):
        raise CorruptionError(f"ids: expected shape ({len(images)},), received {numbered.shape}.")
    weights = np.cumsum([condition.weight for condition in preset.conditions])
    drawn = streams(seed, f"preset {preset.name}", numbered.astype(np.int64)).uniform()
    chosen = np.searchsorted(weights / weights[-1], drawn)
    changed = np.empty_like(images)
    for index in np.unique(chosen):
        rows = np.flatnonzero(chosen == index)
        changed[rows] = corrupt_condition(
            images[rows], preset.conditions[index], seed, numbered[rows]
        )
    return changed
