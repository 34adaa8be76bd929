"""Conditions on images: on all, on a stream, mixed; every corruption; and a sheet to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.between import plain
from corruptions.presets import BLENDS, Condition, Preset
from corruptions.registry import DEFAULT_TABLE, OWN_TABLE, Corruption, corrupt, get, names
from corruptions.streams import streams
from corruptions.validation import Ids, Images, check_ids, check_images, prepared, restored

if TYPE_CHECKING:
    from PIL.Image import Image

_LABEL_WIDTH, _GAP = 230, 2  # pixels of a contact sheet
_ROWS = 14  # of one of its panels
_INK, _PALE, _PAPER = (0, 0, 0), (110, 110, 110), (255, 255, 255)


def corrupt_condition(
    images: Images, condition: Condition, seed: int = 0, ids: Ids = None
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
        name, severity = step.corruption, step.severity
        if condition.pictures and name in BLENDS:
            from corruptions.overlay import blend_from

            images = blend_from(condition.pictures, images, name, severity, seed, ids, place)
        else:
            table = condition.table
            images = corrupt(images, name, severity, seed, ids, table=table, step=place)
    return restored(images, shape)


corrupt_cell = corrupt_condition  # its former name, for one more version


def condition_revision(condition: Condition) -> str:
    """The operators with parameters and revisions, as text: part of a stored answer's key."""
    operators = [(get(step.corruption, condition.table), step.severity) for step in condition.steps]
    revision = "+".join(
        f"{op.table}/{op.name}:{_parameters(op, severity)}@{op.revision}"
        for op, severity in operators
    )
    if not any(step.corruption in BLENDS for step in condition.steps) or not condition.pictures:
        return revision
    from corruptions.pictures import pictures_revision

    return f"{revision}|pictures@{pictures_revision(condition.pictures)}"


def _parameters(operator: Corruption, severity: float) -> str:
    """As text; between whole severities with the severity, by which they are found again."""
    found = f"{operator.at(severity)}"
    return found if isinstance(plain(severity), int) else f"{plain(severity):g}={found}"


def validate(preset: Preset) -> None:
    """Check what needs the registry: names of corruptions and tables, and picture folders.

    Raises `CorruptionError` that names the preset and the condition, with the nearest known names.
    """
    for condition in preset.conditions:
        try:
            names(condition.table)  # raises for an unknown table
            for step in condition.steps:
                get(step.corruption, condition.table)
            if condition.pictures:
                from corruptions.pictures import picture_files

                picture_files(condition.pictures)
        except CorruptionError as error:
            where = f"Preset {preset.name}, condition {condition.name!r}"
            raise CorruptionError(f"{where}: {error}") from error


def table_names(table: str = DEFAULT_TABLE) -> tuple[str, ...]:
    """The corruptions of a severity table alone: the 19 of ImageNet-C for `imagecorruptions`."""
    return tuple(name for name in names(table) if get(name, table).table != OWN_TABLE)


def corrupt_all(
    images: Images,
    seed: int = 0,
    ids: Ids = None,
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
    batches: Iterable[Images], change: Condition, seed: int = 0, first_id: int = 0
) -> Iterator[Images]:
    """Apply a condition batch by batch, for data larger than memory; the bytes of one piece.

    batches: uint8 images as `corrupt` takes them; their images are numbered from `first_id` on.
    change: a condition of a preset's, as `resolve("fog:3").conditions[0]`. Raises
    `CorruptionError`.
    """
    for images in batches:
        ids = np.arange(first_id, first_id + len(images), dtype=np.int64)
        first_id += len(images)
        yield corrupt_condition(images, change, seed, ids)


def corrupt_mixed(images: Images, preset: Preset, seed: int = 0, ids: Ids = None) -> Images:
    """Each image under one condition of a preset, drawn by the conditions' weights: for training.

    images: uint8, as `corrupt` takes them. A condition depends on (seed, preset, image id) only.
    Returns a new uint8 array of the same shape. Raises `CorruptionError`.
    """
    if ids is not None and np.shape(ids) != (len(images),):
        raise CorruptionError(f"ids: expected shape ({len(images)},), received {np.shape(ids)}.")
    numbered = check_ids(ids, len(images))
    weights = np.cumsum([condition.weight for condition in preset.conditions])
    drawn = streams(seed, f"preset {preset.name}", numbered).uniform()
    chosen = np.searchsorted(weights / weights[-1], drawn)
    changed = np.empty_like(images)
    for index in np.unique(chosen):
        rows = np.flatnonzero(chosen == index)
        changed[rows] = corrupt_condition(
            images[rows], preset.conditions[index], seed, numbered[rows]
        )
    return changed


def contact_sheet(images: Images, preset: Preset, seed: int = 0, columns: int = 8) -> Image:
    """Draw one row a condition under a row of clean images, labelled with chain, severity, family.

    Many conditions are laid out in panels side by side, each with the clean images on top.

    images: uint8 `(n, h, w, 3)`; the first `columns` of them are shown. Returns an RGB picture.
    Raises `CorruptionError` without images, and as `corrupt_condition` does.
    """
    if len(images) == 0 or columns < 1:
        raise CorruptionError("A contact sheet needs at least one image and one column.")
    shown = images[:columns]
    clean = ("clean", "", shown)
    rows = [
        (condition.name, _note(condition), corrupt_condition(shown, condition, seed))
        for condition in preset.conditions
    ]
    panels = -(-len(rows) // _ROWS)
    height = -(-len(rows) // panels)
    starts = range(0, len(rows), height)
    return _side_by_side([_compose([clean, *rows[s : s + height]]) for s in starts])


def _note(condition: Condition) -> str:
    return f"{condition.family}, severity {condition.severity}, weight {condition.weight:.1%}"


def _side_by_side(panels: list[Image]) -> Image:
    from PIL import Image

    width, height = sum(panel.width for panel in panels), max(panel.height for panel in panels)
    sheet = Image.new("RGB", (width, height), _PAPER)
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index * panels[0].width, 0))
    return sheet


def _compose(rows: list[tuple[str, str, Images]]) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    count, height, width = rows[0][2].shape[:3]
    size = (_LABEL_WIDTH + count * (width + _GAP), len(rows) * (height + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for index, (name, note, images) in enumerate(rows):
        top = index * (height + _GAP)
        label = name.replace("+", "\n+ ")
        pen.multiline_text((4, top + 2), label, _INK, font)
        pen.text((4, top + height - 2), note, _PALE, font, anchor="ls")
        strip = np.pad(images, ((0, 0), (0, 0), (0, _GAP), (0, 0)), constant_values=255)
        sheet.paste(Image.fromarray(np.concatenate(strip, axis=1)), (_LABEL_WIDTH, top))
    return sheet
