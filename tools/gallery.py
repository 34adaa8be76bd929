"""Every corruption at every severity on one drawn cell: `python tools/gallery.py`.

Writes docs/gallery.md with the numbers of every table, and one picture a table beside it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

import corruptions
from codabench_rehearsal.images import synthetic
from corruptions.registry import (
    ALIASES,
    FAMILIES,
    OWN_TABLE,
    Corruption,
    Images,
    all_operators,
    run,
    tables,
)

DOCS = Path(__file__).parent.parent / "docs"
CELL, SEED = 11, 1  # which drawn cell, and the seed of the corruptions
LABEL, GAP, HEAD, ROWS = 150, 3, 22, 13
TITLES = {OWN_TABLE: "Our own operators: valid under every table"}
INTRODUCTION = """# Gallery

Every corruption of every severity table at severities 1 to 5, on one drawn cell (96x96), with its
numbers. Made by `python tools/gallery.py`; what the tables are for stands in
[corruptions.md](corruptions.md), how strong they are in [ssim_tables.png](ssim_tables.png).
"""


def by_family(table: str) -> list[Corruption]:
    """What a table registers itself."""
    found = [op for op in all_operators() if op.table == table]
    return sorted(found, key=lambda op: (FAMILIES.index(op.family), op.name))


def picture(image: Images, operators: list[Corruption]) -> Image.Image:
    """One row a corruption: clean, then severities 1 to 5; in panels side by side."""
    panels = -(-len(operators) // ROWS)
    rows = -(-len(operators) // panels)
    side = image.shape[1] + GAP
    width = LABEL + 6 * side
    sheet = Image.new("RGB", (panels * width, HEAD + rows * side), "white")
    pen = ImageDraw.Draw(sheet)
    for index, op in enumerate(operators):
        left, top = index // rows * width, HEAD + index % rows * side
        pen.text((left + 6, top + side / 2), op.name, "black", font(13), anchor="lm")
        levels = [image, *(run(op, params, image, SEED) for params in op.severities)]
        for place, shown in enumerate(levels):
            sheet.paste(Image.fromarray(shown[0]), (left + LABEL + place * side, top))
    for panel in range(panels):
        for place, head in enumerate(("clean", "1", "2", "3", "4", "5")):
            middle = panel * width + LABEL + place * side + side / 2
            pen.text((middle, HEAD / 2), head, "black", font(13), anchor="mm")
    return sheet


def font(size: int) -> Any:
    """Pillow's own."""
    return ImageFont.load_default(size)


def section(table: str, operators: list[Corruption], file: str) -> str:
    """A table's heading, picture and numbers, as Markdown."""
    sources = sorted({op.source.split(";")[0].split(" (")[0] for op in operators})
    lines = [
        f"\n## {TITLES.get(table, f'`{table}`')}\n",
        f"![{table}]({file})\n",
        "| corruption | what it does | severities 1 to 5 |",
        "|---|---|---|",
        *(f"| `{op.name}` | {summary(op)} | {numbers(op)} |" for op in operators),
        "\nSources: " + "; ".join(sources) + ".\n",
    ]
    return "\n".join(lines)


def summary(op: Corruption) -> str:
    """The docstring's first paragraph, and the second where it tells the numbers."""
    text = op.apply.__doc__ or getattr(corruptions, op.name).__doc__ or ""
    first, *rest = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    told = rest[:1] if rest and re.match(r"params|[a-z]+: ", rest[0]) else []
    return " ".join([first, *told]).replace("|", "\\|")


def numbers(op: Corruption) -> str:
    """The five parameters, short."""
    return ", ".join(short(params) for params in op.severities)


def short(params: Any) -> str:
    """One severity's parameters."""
    if is_dataclass(params):
        name = "magnitude" if hasattr(params, "magnitude") else "severity"
        return f"{name} {getattr(params, name):g}"
    if not isinstance(params, tuple):
        return f"{params:g}"
    if len(params) > 7:
        return f"{len(params)} zooms up to {max(params):g}"
    return "(" + ", ".join(f"{value:g}" for value in params) + ")"


def main() -> int:
    """Draw every table, then write the page."""
    image = synthetic(CELL + 1, seed=SEED).images[CELL:]
    page, weight = INTRODUCTION, 0
    for table in (table for table in tables() if table not in ALIASES):
        file = f"gallery-{table}.jpg"
        picture(image, by_family(table)).save(DOCS / file, quality=75, subsampling=0)
        page += section(table, by_family(table), file)
        weight += (DOCS / file).stat().st_size
    (DOCS / "gallery.md").write_text(page, encoding="utf-8")
    print(f"{DOCS / 'gallery.md'} and its pictures: {weight / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
