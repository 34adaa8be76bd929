"""The arguments of `make-submission`: what goes into a zip, and how it is checked."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.bundle_arguments import add_bundle
from codabench_rehearsal.commands.given import require_weights
from codabench_rehearsal.console.arguments import (
    add_challenge,
    add_images,
    add_python,
    memory,
    positive,
    seconds,
    seed,
    size,
)
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import DATA, INCLUDED, JSON, MODULE, WEIGHTS, ZIP
from submission.model_page import mode_of
from submission.training_folder import (
    ENSEMBLES,
    OUTPUTS,
    SCALES,
    TTAS,
    Packing,
    read_training_folder,
    split_in,
)

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.profile import Challenge

# Options that set up our model.py; a model.py of the user's own decides about them itself.
_OF_OURS = (
    *("scale", "preprocess", "resize", "ensemble", "member_weights"),
    *("tta", "output", "batch_size"),
)
_EACH = ("scale", "preprocess", "resize", "tta", "output")  # of one network or of all
_SIZES = {"zip": "the zip", "unpacked": "the zip unpacked", "file": "each file"}


def add_packing(parser: argparse.ArgumentParser) -> None:
    """Add the weights and all options of packing; read them with `packing`."""
    several = "saved weights or training folders; several make an ensemble"
    parser.add_argument("weights", nargs="*", type=WEIGHTS, metavar="WEIGHTS|DIR", help=several)
    # Else argparse takes the -1..1 of "--scale -1..1" for an option; it has no public way for it.
    parser._negative_number_matcher = re.compile(r"^-(\d+|\d*\.\d+|1\.\.1)$")
    add = parser.add_argument_group("packing").add_argument
    add("--scale", choices=SCALES, help="what the model was trained on (default 0..255)")
    application = (
        "the preprocess_input of a Keras application, as resnet50; or caffe, torch, tf, none"
    )
    add("--preprocess", type=_mode, metavar="NAME", help=application)
    add("--resize", type=positive, metavar="N", help="resize images to N x N first (bilinear)")
    add("--ensemble", choices=ENSEMBLES, help="how networks are joined")
    names, counts = ("--member-weights", "--weights"), "how much each network counts, as 2 1 1"
    add(*names, dest="member_weights", nargs="+", type=_numbers, metavar="W", help=counts)
    add("--tta", choices=TTAS, help="views of each image to average over")
    output = (
        f"what the last layer gives, {', '.join(OUTPUTS)}; or which of several outputs it is, by "
        "its name or number (default: see each answer)"
    )
    add("--output", metavar="KIND|NAME", help=output)
    add("--batch-size", type=positive, metavar="N", help="images at a time (default 64)")
    add("--model", type=MODULE, metavar="FILE.py", help="your own model.py instead of ours")
    further = "a further file; Python files are imported before the weights are loaded"
    add("--include", type=INCLUDED, action="append", default=[], metavar="FILE", help=further)
    shrink = "leave out optimizer state and compile settings, deflate where it pays"
    add("--shrink", action="store_true", help=shrink)
    add("--float16", action="store_true", help="store the weights in half the bytes")


def add_checking(parser: argparse.ArgumentParser) -> None:
    """Add all options of checking."""
    group = parser.add_argument_group("checking")
    add = group.add_argument
    add("--check-only", type=ZIP, metavar="ZIP", help="check this zip, build nothing")
    add("--no-run", action="store_true", help="look into the zip, do not run it")
    images = "labelled images for the dry run: .npz, .npy or a folder"
    add("--data", type=DATA, metavar="FILE", help=images)
    add_images(parser)
    server = "dry run under the server's own versions too; built at the first use, used ever after"
    add("--server", action=argparse.BooleanOptionalAction, help=server)
    package = "a package that the server has beside them, as scipy==1.13 (may be repeated)"
    add("--with", dest="packages", action="append", default=[], metavar="PACKAGE", help=package)
    add_python(group)
    add("--docker", metavar="IMAGE", help="dry run in this docker image too")
    hidden = "size of the hidden set (default: the challenge's, else 2000)"
    add("--hidden-images", type=positive, metavar="N", help=hidden)
    add("--seed", type=seed, default=0, help="of the made-up images (default 0)")
    add("--list-checks", action="store_true", help="print all checks and end")
    codes, ignored = "CODE[,CODE]", "leave findings out"
    add("--ignore", action="append", default=[], metavar=codes, help=ignored)
    add("--strict", action="store_true", help="warnings count as errors")
    json = "write what was found as JSON (- for standard output)"
    add("--json", type=JSON, metavar="FILE", help=json)
    add_force(group)
    add = parser.add_argument_group("what the platform is known to allow").add_argument
    add("--time-limit", type=seconds, metavar="TIME", help="for the whole set, such as 90 or 20m")
    add("--memory-limit", type=memory, metavar="SIZE", help="such as 8GB")
    for name, what in _SIZES.items():
        add(f"--{name}-limit", type=size, metavar="SIZE", help=f"limit of {what}, as 100MB")
    add("--quota", type=size, metavar="SIZE", help="what is left of your quota")
    add_challenge(parser, bundles=True)
    add_bundle(parser)


def packing(options: argparse.Namespace) -> Packing:
    """What to pack. Raises `SubmissionError` for files that are missing and for what cannot be."""
    _refuse_contradictions(options)
    if not options.weights and not options.model:
        raise SubmissionError("give the weights or a training folder: make-submission WEIGHTS|DIR.")
    if not options.model:  # a model.py of the user's own may load anything
        for name in options.weights:
            require_weights(Path(name))
    parts = [_of_one(Path(name)) for name in options.weights]
    joined = _joined(parts, options)
    if options.scale:
        joined = replace(joined, scale=options.scale, preprocess=None, scale_given=True)
    if options.preprocess:
        mode = None if options.preprocess == "none" else options.preprocess
        joined = replace(joined, scale=SCALES[0], preprocess=mode, scale_given=True)
    given = {name: getattr(options, name) for name in ("resize", "tta", "output", "batch_size")}
    return replace(
        joined,
        **{name: value for name, value in given.items() if value is not None},
        include=(*joined.include, *map(Path, options.include)),
        model=Path(options.model) if options.model else None,
        member_weights=_member_weights(parts, joined, options),
        shrink=options.shrink,
        float16=options.float16,
    )


def with_limits(challenge: Challenge, options: argparse.Namespace) -> Challenge:
    """The challenge with the limits and packages that the options know better."""
    given = {
        "zip_bytes": options.zip_limit,
        "unpacked_bytes": options.unpacked_limit,
        "file_bytes": options.file_limit,
        "quota_bytes": options.quota,
    }
    sizes = replace(challenge.sizes, **{name: size for name, size in given.items() if size})
    return replace(challenge, sizes=sizes, packages=(*challenge.packages, *options.packages))


def table_of_checks() -> Iterator[str]:
    """One line a code: static checks, packing's assumptions, and what a run finds."""
    from submission.checks.subject import all_checks  # hundreds of functions: not for --help
    from submission.findings import run_codes

    rows = {check.code: (check.severity, check.name, check.advice) for check in all_checks()}
    rows |= {code: (line.severity, line.name, line.advice) for code, line in run_codes().items()}
    for code, (severity, name, advice) in sorted(rows.items()):
        yield f"{code} {severity:8} {name.replace('_', ' ')}: {advice}"


def _refuse_contradictions(options: argparse.Namespace) -> None:
    if options.scale and options.preprocess:
        raise SubmissionError(
            "--scale and --preprocess exclude each other: --preprocess takes 0..255 and scales "
            "itself."
        )
    ours = [name for name in _OF_OURS if getattr(options, name) is not None]
    if options.model and ours:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in ours)
        raise SubmissionError(
            f"--model ships your own model.py, which decides itself about {names}: leave out one "
            "or the other."
        )


def _of_one(path: Path) -> Packing:
    """The packing of one argument: a training folder, or weights with the split beside them."""
    if path.is_dir():
        return read_training_folder(path)
    if not path.exists():
        raise SubmissionError(f"{path}: no such file or folder.")
    return Packing(weights=(path,), splits=split_in(path.parent), scale_given=False)


def _joined(parts: Sequence[Packing], options: argparse.Namespace) -> Packing:
    """One packing of several: each part's settings stay with its own networks."""
    if not parts:
        return Packing(weights=(), scale_given=False)
    paths = [path for part in parts for path in part.weights]
    _refuse_twice(paths)
    splits = tuple(dict.fromkeys(split for part in parts for split in part.splits))
    without = [path for part in parts if not part.splits for path in part.weights]
    return Packing(
        weights=tuple(paths),
        **{name: _same_or_each(parts, name) for name in _EACH},
        ensemble=options.ensemble or _ensemble(parts),
        include=tuple(path for part in parts for path in part.include),
        splits=splits,
        no_split=tuple(without) if splits else (),
        scale_given=all(part.scale_given for part in parts),
        augmentation=tuple(dict.fromkeys(name for part in parts for name in part.augmentation)),
    )


def _same_or_each(parts: Sequence[Packing], name: str) -> Any:
    """A setting's one value where all networks share it, else a tuple with one for each."""
    values = tuple(value for part in parts for value in part.each(getattr(part, name)))
    return values[0] if len(set(values)) == 1 else values


def _ensemble(parts: Sequence[Packing]) -> str:
    """What the folders that hold ensembles say, where they agree; the mean where none says."""
    said = {part.ensemble for part in parts if len(part.weights) > 1 or len(parts) == 1}
    if len(said) > 1:
        raise SubmissionError(
            "the training folders name different ensembles: say --ensemble mean or --ensemble vote."
        )
    return said.pop() if said else ENSEMBLES[0]


def _member_weights(
    parts: Sequence[Packing], joined: Packing, options: argparse.Namespace
) -> tuple[float, ...] | None:
    if options.member_weights is None:
        own = [part.member_weights for part in parts]
        if len(own) > 1 and any(own):
            raise SubmissionError(
                "a training folder has member_weights of its own, which say nothing about the "
                f"others: give {len(joined.weights)} numbers with --member-weights."
            )
        return own[0] if own else None
    numbers = tuple(number for several in options.member_weights for number in several)
    if len(numbers) != len(joined.weights):
        raise SubmissionError(
            f"--member-weights has {len(numbers)} numbers for {len(joined.weights)} networks: "
            "give one for each, in the order of the weights."
        )
    return numbers


def _refuse_twice(paths: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise SubmissionError(
                f"{path} is given twice: give it once, with more weight by --member-weights."
            )
        seen.add(path.resolve())


def _mode(text: str) -> str:
    try:
        return mode_of(text)
    except SubmissionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _numbers(text: str) -> list[float]:
    """An argument type: one number above 0, or several between commas."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(
            f"expected numbers above 0, received {text!r}; the files go before them"
        )
    return [int(number) if number.is_integer() else number for number in numbers]
