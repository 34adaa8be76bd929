"""A contact sheet: what each condition of a preset does to a few images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.chain import corrupt_condition

if TYPE_CHECKING:
    from PIL.Image import Image

    from corruptions.presets import Condition, Preset
    from corruptions.registry import Images

_LABEL_WIDTH = 230
_GAP = 2
_ROWS = 14  # of one panel
_INK, _PALE, _PAPER = (0, 0, 0), (110, 110, 110), (255, 255, 255)


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
