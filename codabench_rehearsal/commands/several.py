"""What the commands that evaluate zips share: inputs made of their options, and their output."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.given import require_images, require_zip
from codabench_rehearsal.commands.parsers import DEFAULT_DATA, add_evaluation, expected, say
from codabench_rehearsal.console.command import console, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import ZIP
from codabench_rehearsal.console.temporary import IMAGES
from codabench_rehearsal.console.words import as_json

if TYPE_CHECKING:
    from rich.console import Console

    from codabench_rehearsal.challenge.profile import Challenge
    from codabench_rehearsal.images import Dataset
    from evaluator.options import Options

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
    add_evaluation(parser, asks=asks)


def read_inputs(
    options: argparse.Namespace, words: Sequence[str], chosen: Options, zips: Sequence[str]
) -> Inputs:
    """Load what the options name; chosen: what the command itself decides of the evaluation.

    Raises `EvaluationError` for a zip that is not there, `SubmissionError` for what is none.
    """
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.sandbox.places import chosen_python

    paths = [Path(name) for name in zips]
    for path in paths:
        if not path.exists():
            raise EvaluationError(f"{path}: no such file. Build one: make-submission WEIGHTS")
        require_zip(path)
    file = options.data or expected(DEFAULT_DATA, "images: --data FILE")
    require_images(file)
    challenge = load_challenge(options.challenge)
    python = chosen_python(options.python)
    if hasattr(options, "images"):  # else nothing is run
        _tell_first(f"runs with {python}", options)
    return Inputs(
        paths,
        _loaded(file, challenge, options.part),
        challenge,
        replace(
            chosen,
            corrupt=options.corrupt,
            images=getattr(options, "images", 0) or None,
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
        ),
    )


def read_several(options: argparse.Namespace, words: Sequence[str], chosen: Options) -> Inputs:
    """The same for the commands on several zips; what is to be known of the data is said."""
    inputs = read_inputs(options, words, chosen, options.zips)
    for note in inputs.data.notes:
        say(note)
    return inputs


def given_inputs(
    zips: Sequence[str | Path], images: Any, labels: Any, options: dict[str, Any]
) -> Inputs:
    """The inputs of a call in Python; see `evaluator.local_eval`."""
    from codabench_rehearsal.challenge.profile import load_challenge
    from evaluator.evaluate import as_dataset
    from evaluator.options import chosen

    named = chosen(**options)
    challenge = load_challenge(named.challenge)
    data = as_dataset(images, labels, challenge, named.part)
    return Inputs([Path(one) for one in zips], data, challenge, named)


def _loaded(file: str, challenge: Challenge, part: str | None) -> Dataset:
    from codabench_rehearsal.images.dataset import load_kept
    from codabench_rehearsal.images.keys import TO_REHEARSE
    from codabench_rehearsal.sandbox.server import default_cache
    from corruptions.kernels import announce_compiling

    announce_compiling(say)
    kept, shape, classes = default_cache() / IMAGES, challenge.shape, challenge.label_names
    return load_kept(file, kept, part=part, prefer=TO_REHEARSE, shape=shape, classes=classes)


def seen_in_training(inputs: Inputs) -> list[str]:
    """A warning if some zips have no split: their figures may be on images that they have learnt.

    Behind it, what a split has on both sides.
    """
    from codabench_rehearsal.images import DataError, read_split
    from evaluator.options import find_split

    splits = {path.name: find_split(path, inputs.options.split) for path in inputs.zips}
    said = []
    for split in sorted({split for split in splits.values() if split}):
        with suppress(DataError):  # a broken one is told where it is used
            said += [f"{note}." for note in read_split(split).notes]
    unknown = [name for name, split in splits.items() if split is None]
    if unknown and not inputs.options.held_out:
        said.insert(
            0,
            f"{UNSEEN} No split is known of {', '.join(unknown)}: trained on these images perhaps, "
            "so figures may flatter. The mark goes with --held-out (none was) or --split FILE "
            "(split.json beside the zip).",
        )
    return said


def tell_unseen(inputs: Inputs, options: argparse.Namespace) -> None:
    """Say so in the first line, or beside JSON on standard output."""
    for line in seen_in_training(inputs):
        _tell_first(line, options)


def tell_result(
    options: argparse.Namespace, show: Callable[[Console], None], to_json: Callable[[], str]
) -> None:
    """Print the result, write it as JSON, or print that alone: as `--json` says."""
    if options.json != "-":
        show(console())
    if not options.json:
        return
    text = to_json()
    if hasattr(options, "images"):  # with what ran the zips, where any may have been run
        from codabench_rehearsal.sandbox.places import chosen_python

        text = as_json({**json.loads(text), "python": chosen_python(options.python).path})
    write_or_print(options.json, text)


def _tell_first(line: str, options: argparse.Namespace) -> None:
    if options.json == "-":
        say(line)
    else:
        print_lines([line])
