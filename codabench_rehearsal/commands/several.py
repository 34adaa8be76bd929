"""What the commands on several zips share: their options, and the inputs made of them."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.commands.given import require_images, require_zip
from codabench_rehearsal.commands.parsers import (
    DEFAULT_DATA,
    add_limits,
    add_order,
    add_store,
    expected,
    python_of,
    say,
    tell_python,
)
from codabench_rehearsal.console.arguments import (
    add_challenge,
    add_images,
    add_python,
    count,
    seed,
)
from codabench_rehearsal.console.command import console, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import DATA, JSON, PRESET, SPLIT, ZIP, Writes, add_force
from codabench_rehearsal.console.words import as_json
from evaluator.options import DEFAULT_IMAGES, Options

if TYPE_CHECKING:
    from rich.console import Console

    from codabench_rehearsal.images import Dataset

UNSEEN = "†"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the user gave. options: of every zip."""

    zips: list[Path]
    data: Dataset
    challenge: Challenge
    options: Options


def add_inputs(parser: argparse.ArgumentParser, *, asks: bool) -> None:
    """Add the zips and the options of their evaluation; asks: whether any of them may be run."""
    parser.add_argument("zips", nargs="+", type=ZIP, metavar="submission.zip")
    parser.add_argument(
        "--data", type=DATA, metavar="FILE", help="images and labels: .npz, .npy or a folder"
    )
    parser.add_argument(
        "--corrupt", type=PRESET, default="heavy", metavar="PRESET", help="default heavy"
    )
    if asks:
        parser.add_argument(
            "--images", type=count, default=DEFAULT_IMAGES, metavar="N",
            help=f"at most N images (default {DEFAULT_IMAGES}, 0: all)",
        )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, help="default 0")
    parser.add_argument(
        "--split", type=SPLIT, metavar="FILE|none", help="default: split.json beside each zip"
    )
    if asks:
        add_order(parser)
        add_limits(parser)
    add_images(parser)
    parser.add_argument(
        "--json", type=Writes(JSON), metavar="FILE",
        help="also write the result as JSON (- for standard output)",
    )  # fmt: skip
    add_force(parser)
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), help="default: the GPU where there is one"
    )
    add_store(parser)
    add_python(parser)
    add_challenge(parser)


def named_zips(options: argparse.Namespace) -> list[Path]:
    """The zips. Raises `EvaluationError` for one that is not there, `SubmissionError` for no zip."""
    zips = [Path(name) for name in options.zips]
    for path in zips:
        if not path.exists():
            raise EvaluationError(f"{path}: no such file. Build one: make-submission WEIGHTS")
        require_zip(path)
    return zips


def read_inputs(options: argparse.Namespace, words: Sequence[str], chosen: Options) -> Inputs:
    """Load what the options name; chosen: what the command itself decides of the evaluation."""
    zips = named_zips(options)
    challenge = load_challenge(options.challenge)
    file = options.data or expected(DEFAULT_DATA, "images: --data FILE")
    python = python_of(options)
    if hasattr(options, "images"):  # else nothing is run
        tell_python(options, python)
    require_images(file)
    from codabench_rehearsal.images import load
    from codabench_rehearsal.images.keys import TO_REHEARSE
    from corruptions.kernels import announce_compiling

    announce_compiling(say)
    shape, classes = challenge.shape, challenge.label_names
    data = load(file, part=options.part, prefer=TO_REHEARSE, shape=shape, classes=classes)
    for note in data.notes:
        say(note)
    images = getattr(options, "images", 0)
    given = replace(
        chosen,
        corrupt=options.corrupt,
        images=images or None,
        seed=options.seed,
        order_seed=getattr(options, "order_seed", None),
        seconds=getattr(options, "time_limit", None),
        memory_bytes=getattr(options, "memory_limit", None),
        split=options.split,
        challenge=options.challenge,
        device=options.device,
        python=None if python.is_own else python.path,
        store=options.store,
        part=options.part,
        held_out=options.held_out,
        command=shlex.join(["local-eval", *words]),
    )
    return Inputs(zips, data, challenge, given)


def seen_in_training(inputs: Inputs) -> list[str]:
    """A warning if some zips have no split: their figures may be on images that they have learnt.

    Before it, what a split has on both sides.
    """
    from evaluator.choice import find_split

    splits = {path.name: find_split(path, inputs.options.split) for path in inputs.zips}
    both = _on_both_sides({split for split in splits.values() if split})
    unknown = [name for name, split in splits.items() if split is None]
    if not unknown or inputs.options.held_out:
        return both
    names = ", ".join(unknown)
    said = (
        f"{UNSEEN} No split is known of {names}: trained on these images perhaps, so figures may "
        "flatter. The mark goes with --held-out (none was) or --split FILE (split.json beside the zip)."
    )
    return [said, *both]


def _on_both_sides(splits: set[Path]) -> list[str]:
    """A broken split is told where it is used."""
    from codabench_rehearsal.images import DataError, read_split

    found = []
    for split in sorted(splits):
        with suppress(DataError):
            found += [f"{note}." for note in read_split(split).notes]
    return found


def tell_unseen(inputs: Inputs, options: argparse.Namespace) -> None:
    """Say so in the first line, or beside JSON on standard output."""
    for line in seen_in_training(inputs):
        if options.json == "-":
            say(line)
        else:
            print_lines([line])


def tell_result(
    options: argparse.Namespace, show: Callable[[Console], None], to_json: Callable[[], str]
) -> None:
    """Print the result, write it as JSON, or print that alone: as `--json` says."""
    if options.json != "-":
        show(console())
    if options.json:
        write_or_print(options.json, _with_python(to_json(), options))


def _with_python(text: str, options: argparse.Namespace) -> str:
    """The result with what ran the zips, where any may have been run."""
    if not hasattr(options, "images"):
        return text
    document = {**json.loads(text), "python": python_of(options).path}
    return as_json(document)
