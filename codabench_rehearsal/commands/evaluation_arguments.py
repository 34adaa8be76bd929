"""What the subcommands of `local-eval` share: options, inputs made of them, and how they answer.

numpy and the store come in when images are loaded.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.given import require_images, require_zip
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
from codabench_rehearsal.console.command import console, print_lines, tell
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.notebook import in_python
from codabench_rehearsal.console.roles import BELIEVED, DATA, JSON, PRESET, SPLIT, STORE, ZIP
from codabench_rehearsal.console.temporary import IMAGES
from codabench_rehearsal.console.words import as_json

if TYPE_CHECKING:
    from rich.console import Console

    from codabench_rehearsal.challenge.profile import Challenge
    from codabench_rehearsal.images import Dataset
    from evaluator.options import Options

DEFAULT_ZIP, DEFAULT_DATA = "submission.zip", "training_set.npz"
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
    what = "the zips, each as it would be uploaded"
    parser.add_argument("zips", nargs="+", type=ZIP, metavar="submission.zip", help=what)
    add_evaluation(parser, asks=asks)


def add_evaluation(
    parser: argparse.ArgumentParser, *, asks: bool = True, bundles: bool = False
) -> None:
    """Add the options of evaluating zips; asks: whether any of them may be run.

    bundles: whether the challenge may be a bundle.
    """
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
        what = "run the images in this order (the report's order_seed); default: a secret one"
        add("--order-seed", type=count, metavar="N", help=what)
        what = "for the whole hidden set, such as 90 or 20m (default 10m, Codabench's)"
        add("--time-limit", type=seconds, metavar="TIME", help=what)
        what = "such as 8GB (default 80%% of what is free)"
        add("--memory-limit", type=memory, metavar="SIZE", help=what)
    add_images(parser)
    add_json(parser, "also write the result as JSON")
    add_force(parser)
    add("--device", choices=("cpu", "gpu"), help="default: the GPU where there is one")
    add_store(parser)
    add_python(parser)
    add_challenge(parser, bundles=bundles)


def add_phase(parser: argparse.ArgumentParser) -> None:
    """Add --phase, --hidden-images and --believe: which score to expect."""
    what = f"whose hidden score to expect (default {PHASE}; or final)"
    parser.add_argument("--phase", default=PHASE, help=what)
    what = "images in that phase's hidden set"
    parser.add_argument("--hidden-images", type=positive, metavar="N", help=what)
    what = "how sure you are that the hidden set is like a preset, as an2dl-2024:0.6; or nothing"
    default = "default: what the challenge's profile says"
    meta = "PRESET[:CONFIDENCE]"
    parser.add_argument(
        "--believe", type=BELIEVED, action="append", metavar=meta, help=f"{what}; {default}"
    )


def add_workers(parser: argparse.ArgumentParser, what: str = "submissions") -> None:
    """Add --workers and --cluster; what: is asked at a time."""
    what = f"{what} at a time on this machine (default 1); figures stay the same"
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help=what)
    add_cluster(parser)


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add --cluster."""
    what = "run on the workers of this Dask scheduler, as tcp://10.0.0.1:8786 (docs/cluster.md)"
    parser.add_argument("--cluster", metavar="ADDRESS", help=what)


@contextmanager
def placed(options: argparse.Namespace, chosen: Options) -> Iterator[int]:
    """How many children answer at a time, here or on the cluster that the options name.

    chosen: the options of the evaluation. Raises `EvaluationError` where the cluster cannot be had.
    """
    if not chosen.cluster:
        yield options.workers
        return
    from evaluator.cluster import opened

    with opened(chosen) as cluster:
        for note in cluster.notes:
            say(note)
        yield len(cluster.workers)


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


def add_store(parser: argparse._ActionsContainer) -> None:
    """Add --store."""
    what = "where answers and scores are kept (default .local-eval/, or $LOCAL_EVAL_STORE)"
    parser.add_argument("--store", type=STORE, metavar="FILE|FOLDER", help=what)


def read_inputs(
    options: argparse.Namespace, words: Sequence[str], chosen: Options, zips: Sequence[str]
) -> Inputs:
    """Load what the options name; chosen: what the command itself decides of the evaluation.

    Raises `EvaluationError` for a zip that is not there, `SubmissionError` for what is none.
    """
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.sandbox.places import chosen_python
    from evaluator.options import believing

    challenge = load_challenge(options.challenge)  # before advice on files that it does not want
    paths = [Path(name) for name in zips]
    for path in paths:
        if not path.exists():
            raise EvaluationError(f"{path}: no such file. Build one: make-submission WEIGHTS")
        require_zip(path)
    challenge = load_challenge(options.challenge)
    file = options.data or expected(DEFAULT_DATA, "images: --data FILE")
    require_images(file)
    chosen = believing(chosen, challenge)
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
            cluster=getattr(options, "cluster", None),
        ),
    )


def read_several(options: argparse.Namespace, words: Sequence[str], chosen: Options) -> Inputs:
    """The same for the commands on several zips; what is to be known of the data is said."""
    inputs = read_inputs(options, words, chosen, options.zips)
    for note in inputs.data.notes:
        say(note)
    return inputs


def given_inputs(
    zips: str | Path | Sequence[str | Path], images: Any, labels: Any, options: dict[str, Any]
) -> Inputs:
    """The inputs of a call in Python; see `evaluator.local_eval`."""
    from codabench_rehearsal.challenge.profile import load_challenge
    from evaluator.evaluate import as_dataset
    from evaluator.options import believing, chosen

    if isinstance(zips, str | Path):  # one name is no list of letters
        zips = [zips]
    named = chosen(**options)
    challenge = load_challenge(named.challenge)
    data = as_dataset(images, labels, challenge, named.part)
    return Inputs([Path(one) for one in zips], data, challenge, believing(named, challenge))


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
            f"{UNSEEN} No split is known of {', '.join(unknown)}: it may be trained on these "
            "images, so figures may be too high. If it was not, say --held-out; or name the split: "
            "--split FILE (split.json beside the zip).",
        )
    return said if inputs.options.command else [in_python(line) for line in said]


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


def say(line: str) -> None:
    """Tell the user something beside the result."""
    tell("local-eval", line)


def expected(name: str, otherwise: str) -> str:
    """A file of that name in the working folder; raises with what to give instead."""
    if not Path(name).exists():
        raise EvaluationError(f"there is no {name} in this folder. Give {otherwise}")
    return name


def _loaded(file: str, challenge: Challenge, part: str | None) -> Dataset:
    from codabench_rehearsal.images.dataset import load_kept
    from codabench_rehearsal.images.keys import TO_REHEARSE
    from codabench_rehearsal.sandbox.server import default_cache
    from corruptions.kernels import announce_compiling

    announce_compiling(say)
    kept, shape, classes = default_cache() / IMAGES, challenge.shape, challenge.label_names
    return load_kept(file, kept, part=part, prefer=TO_REHEARSE, shape=shape, classes=classes)


def _tell_first(line: str, options: argparse.Namespace) -> None:
    if options.json == "-":
        say(line)
    else:
        print_lines([line])
