"""`local-eval inspect`: what is wrong with a data file: labels, duplicates, conflicts, outliers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from codabench_rehearsal.commands.evaluation_arguments import add_json, say
from codabench_rehearsal.commands.given import require_images
from codabench_rehearsal.console.arguments import add_part
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import ARRAYS, DATA, PROFILE
from codabench_rehearsal.console.words import as_json

EXAMPLES = """\
examples:
  local-eval inspect training_set.npz                    counts, duplicates, conflicts, outliers
  local-eval inspect training_set.npz --out clean.npz    and the data without them
"""


def parser() -> Parser:
    """The command's options."""
    what = "Count the classes; find stray labels, duplicates, label conflicts and blended outliers."
    made = Parser("local-eval inspect", what, EXAMPLES, "something is to be cleaned away")
    made.keeps("--part")
    add = made.add_argument
    add("data", type=DATA, metavar="FILE", help="images and labels: .npz, .npy or a folder")
    add_part(made, "train")
    what = "whose classes these are (default: unknown)"
    add("--challenge", type=PROFILE, metavar="NAME|FILE.toml", help=what)
    add("--out", type=ARRAYS, metavar="FILE.npz", help="write the cleaned data")
    add_json(made, "write what was found as JSON")
    add_force(made)
    what = "also drop this share of odd single images, by isolation forest (default 0: off)"
    add("--isolation", type=float, default=0.0, metavar="SHARE", help=what)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Look, report, and write the cleaned data if asked."""
    require_images(options.data)
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.images import clean, load, save
    from codabench_rehearsal.images.counting import count_classes

    names = load_challenge(options.challenge).label_names if options.challenge else ()
    data = load(options.data, part=options.part, classes=names or None, strays=True)
    classes = count_classes(data, names)
    cleaned, report = clean(data, isolation=options.isolation)
    if options.json:
        found = {**report.to_json(), "classes": classes.to_json()}
        write_or_print(options.json, as_json(found))
    if options.json != "-":
        print_lines([*data.notes, *classes.lines(), *report.lines()])
    if options.out:
        save(cleaned, options.out)
        say(f"{len(cleaned):,} images written to {options.out}")
    return Exit.FINDINGS if report.dropped or classes.wrong else Exit.FINE
