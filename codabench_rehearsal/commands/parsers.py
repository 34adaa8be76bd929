"""The options that the subcommands of `local-eval` share; numpy and the store come in later."""

from __future__ import annotations

import argparse
from pathlib import Path

from codabench_rehearsal.console import DEFAULT_IMAGES, PHASE
from codabench_rehearsal.console.arguments import (
    add_challenge,
    add_images,
    add_python,
    count,
    memory,
    positive,
    seconds,
    seed,
)
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.guard import DATA, JSON, PRESET, SPLIT, STORE, add_force

DEFAULT_ZIP, DEFAULT_DATA = "submission.zip", "training_set.npz"


def add_evaluation(parser: argparse.ArgumentParser, *, asks: bool = True) -> None:
    """Add the options of evaluating zips; asks: whether any of them may be run."""
    add = parser.add_argument
    add("--data", type=DATA, metavar="FILE", help="images and labels: .npz, .npy or a folder")
    add_preset(parser)
    if asks:
        what = f"at most N images (default {DEFAULT_IMAGES}, 0: all)"
        add("--images", type=count, default=DEFAULT_IMAGES, metavar="N", help=what)
    add("--seed", type=seed, default=0, help="default 0")
    what = "default: split.json beside the zip"
    add("--split", type=SPLIT, metavar="FILE|none", help=what)
    if asks:
        what = "ask in this order (the report's order_seed); default: a secret one"
        add("--order-seed", type=count, metavar="N", help=what)
        what = "seconds for one pass over the hidden set (default 600, Codabench's)"
        add("--time-limit", type=seconds, metavar="S", help=what)
        what = "such as 8GB (default 80%% of what is free)"
        add("--memory-limit", type=memory, metavar="SIZE", help=what)
    add_images(parser)
    add_json(parser, "also write the result as JSON")
    add_force(parser)
    add("--device", choices=("cpu", "gpu"), help="default: the GPU where there is one")
    add_store(parser)
    add_python(parser)
    add_challenge(parser)


def add_phase(parser: argparse.ArgumentParser) -> None:
    """Add --phase and --hidden-images: which score to expect."""
    what = f"whose hidden score to expect (default {PHASE}; or final)"
    parser.add_argument("--phase", default=PHASE, help=what)
    what = "images in that phase's hidden set"
    parser.add_argument("--hidden-images", type=positive, metavar="N", help=what)


def add_preset(parser: argparse.ArgumentParser) -> None:
    """Add --corrupt."""
    usual = "heavy"
    parser.add_argument(
        "--corrupt", type=PRESET, default=usual, metavar="PRESET", help=f"default {usual}"
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --json; what: is written there."""
    what = f"{what} (- for standard output)"
    parser.add_argument("--json", type=JSON, metavar="FILE", help=what)


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add --store."""
    what = "where answers and scores are kept (default .local-eval/, or $LOCAL_EVAL_STORE)"
    parser.add_argument("--store", type=STORE, metavar="FILE|FOLDER", help=what)


def say(line: str) -> None:
    """Tell the user something beside the result."""
    tell("local-eval", line)


def expected(name: str, otherwise: str) -> str:
    """A file of that name in the working folder; raises with what to give instead."""
    if not Path(name).exists():
        raise EvaluationError(f"there is no {name} in this folder. Give {otherwise}")
    return name
