"""`train-recipe picture DIR`: where a trained network looks."""

from __future__ import annotations

import argparse
from pathlib import Path

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.recipe_parsers import new_parser
from codabench_rehearsal.console.arguments import add_challenge, add_part, positive, seed
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.guard import DATA, PRESET, TRAINED, Writes, add_force
from codabench_rehearsal.recipes.loading import BACKENDS, loading_keras
from submission.training_folder import read_training_folder

EXAMPLES = """\
examples:
  train-recipe picture runs/gods --data training_set.npz --out where.png
  train-recipe picture runs/gods --data training_set.npz --corrupt an2dl-2024 --images 12
"""
_PICTURE = Writes("a picture", (".png",), only=True)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser(
        "train-recipe picture",
        "Draw class activation maps: which parts of an image speak for the answer.",
        EXAMPLES,
    )
    made.add_argument("folder", type=TRAINED, metavar="DIR", help="a training folder")
    made.add_argument("--data", type=DATA, metavar="FILE", required=True, help="images and labels")
    add_part(made, "val, else test")
    made.add_argument(
        "--out", type=_PICTURE, metavar="FILE.png", default="picture.png",
        help="default picture.png",
    )  # fmt: skip
    made.add_argument("--images", type=positive, default=8, metavar="N", help="default 8")
    made.add_argument(
        "--corrupt", type=PRESET, default="clean", metavar="PRESET", help="default clean"
    )
    made.add_argument("--seed", type=seed, default=0, help="which images (default 0)")
    made.add_argument("--backend", choices=BACKENDS, help="for Keras")
    add_force(made)
    add_challenge(made)
    return made


def run(options: argparse.Namespace) -> int:
    """Choose validation images of every class, damage them if asked, and draw."""
    out = Path(options.out)
    read_training_folder(Path(options.folder))  # a wrong name is told before Keras is loaded
    challenge = load_challenge(options.challenge)
    with loading_keras(options.backend):
        from codabench_rehearsal.recipes.looking import draw
    draw(
        Path(options.folder),
        options.data,
        out,
        challenge,
        part=options.part,
        preset=options.corrupt,
        images=options.images,
        seed=options.seed,
    )
    print(f"written: {out}")
    return Exit.FINE
