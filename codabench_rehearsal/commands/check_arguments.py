"""The arguments that say how a zip is checked, and which limits the platform is known to have."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from codabench_rehearsal.challenge.profile import Challenge, SizeLimits
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
from codabench_rehearsal.console.guard import DATA, JSON, ZIP, add_force
from codabench_rehearsal.rehearsal.check import known_to_us
from submission.checks.subject import all_checks
from submission.findings import known_codes, run_codes


def add_checking(parser: argparse.ArgumentParser) -> None:
    """Add all options of checking."""
    group = parser.add_argument_group("checking")
    group.add_argument(
        "--check-only", type=ZIP, metavar="ZIP", help="check this zip, build nothing"
    )
    group.add_argument("--no-run", action="store_true", help="look into the zip, do not run it")
    group.add_argument(
        "--data", type=DATA, metavar="FILE",
        help="labelled images for the dry run: .npz, .npy or a folder",
    )  # fmt: skip
    add_images(parser)
    group.add_argument(
        "--server", action=argparse.BooleanOptionalAction,
        help="dry run under the server's own versions too; built at the first use, used ever after",
    )  # fmt: skip
    group.add_argument(
        "--with", dest="packages", action="append", default=[], metavar="PACKAGE",
        help="a package that the server has beside them, as scipy==1.13 (may be repeated)",
    )  # fmt: skip
    add_python(group)
    group.add_argument("--docker", metavar="IMAGE", help="dry run in this docker image too")
    group.add_argument(
        "--hidden-images",
        type=positive,
        metavar="N",
        help="size of the hidden set (default: the challenge's, else 2000)",
    )
    group.add_argument("--seed", type=seed, default=0, help="of the drawn images (default 0)")
    group.add_argument("--list-checks", action="store_true", help="print all checks and end")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="CODE[,CODE]", help="leave findings out"
    )
    group.add_argument("--strict", action="store_true", help="warnings count as errors")
    group.add_argument(
        "--json", type=JSON, metavar="FILE",
        help="write what was found as JSON (- for standard output)",
    )  # fmt: skip
    add_force(group)
    _add_limits(parser)
    add_challenge(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the platform is known to allow")
    group.add_argument("--time-limit", type=seconds, metavar="S", help="seconds for the whole set")
    group.add_argument("--memory-limit", type=memory, metavar="SIZE", help="such as 8GB")
    for name, what in (("zip", "the zip"), ("unpacked", "the zip unpacked"), ("file", "each file")):
        group.add_argument(
            f"--{name}-limit", type=size, metavar="SIZE", help=f"limit of {what}, as 100MB"
        )
    group.add_argument("--quota", type=size, metavar="SIZE", help="what is left of your quota")


def with_limits(challenge: Challenge, options: argparse.Namespace) -> Challenge:
    """The challenge with the limits and packages that the options know better."""
    known = challenge.sizes
    sizes = SizeLimits(
        options.zip_limit or known.zip_bytes,
        options.unpacked_limit or known.unpacked_bytes,
        options.file_limit or known.file_bytes,
        options.quota or known.quota_bytes,
    )
    packages = (*challenge.packages, *options.packages)
    return replace(challenge, sizes=sizes, packages=packages)


def ignored_codes(options: argparse.Namespace) -> frozenset[str]:
    """The codes of --ignore. Raises `SubmissionError` for one that there is not."""
    given = [code for several in options.ignore for code in several.split(",")]
    if not any(code.strip() for code in given):
        return frozenset()
    return known_codes(given, known_to_us())


def table_of_checks() -> Iterator[str]:
    """One line a code: static checks, packing's assumptions, and what a run finds."""
    rows = {check.code: (check.severity, check.name, check.advice) for check in all_checks()}
    rows |= {line.code: (line.severity, line.name, line.advice) for line in run_codes()}
    for code, (severity, name, advice) in sorted(rows.items()):
        yield f"{code} {severity:8} {name.replace('_', ' ')}: {advice}"
