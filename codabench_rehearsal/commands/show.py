"""`local-eval show`: a contact sheet of what a preset does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from codabench_rehearsal.commands.evaluation_arguments import add_preset, say
from codabench_rehearsal.console.arguments import add_part, positive, seed
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.files import replacing
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import DATA, Writes

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
_PICTURE = Writes("a picture", tuple(_FORMATS), only=True)

EXAMPLES = """\
examples:
  local-eval show --corrupt heavy                        on drawn cells, into sheet.png
  local-eval show --corrupt fog:3 --data cells.npz --out fog.png
"""


def parser() -> Parser:
    """The command's options."""
    made = Parser("local-eval show", "Draw a contact sheet of what a preset does.", EXAMPLES)
    made.keeps("--images", "--seed", "--part")
    add = made.add_argument
    add_preset(made)
    add("--data", type=DATA, metavar="FILE", help="default: drawn cells")
    add_part(made, "train")
    usual = "sheet.png"
    add("--out", type=_PICTURE, default=usual, metavar="FILE.png", help=f"default {usual}")
    add_force(made)
    add("--images", type=positive, default=8, metavar="N", help="columns (default 8)")
    add("--seed", type=seed, default=0, help="default 0")
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Draw the sheet."""
    from codabench_rehearsal.images import load, prefix_order, synthetic
    from corruptions.chain import contact_sheet
    from corruptions.kernels import announce_compiling
    from corruptions.named import named
    from corruptions.validation import prepared

    announce_compiling(say)
    preset = named(options.corrupt)
    if options.data:
        data = load(options.data, part=options.part)
        for note in data.notes:
            say(note)
    else:
        data = synthetic(max(options.images, 8), options.seed)
    rows = prefix_order(data, options.seed)[: options.images]
    sheet = contact_sheet(prepared(data.images[rows]), preset, options.seed, columns=len(rows))
    with replacing(options.out) as file:
        sheet.save(file, _FORMATS[Path(options.out).suffix.lower()])
    count = f"{len(preset.conditions)} conditions on {len(rows)} images"
    print_lines([f"{options.out}: {preset.name}, {count}"])
    return Exit.FINE
