"""The arguments that say how a zip is checked, and which limits the platform is known to have."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

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
from codabench_rehearsal.console.guard import DATA, JSON, ZIP, Writes, add_force

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.profile import Challenge

_SIZES = {"zip": "the zip", "unpacked": "the zip unpacked", "file": "each file"}


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
    add("--seed", type=seed, default=0, help="of the drawn images (default 0)")
    add("--list-checks", action="store_true", help="print all checks and end")
    codes, ignored = "CODE[,CODE]", "leave findings out"
    add("--ignore", action="append", default=[], metavar=codes, help=ignored)
    add("--strict", action="store_true", help="warnings count as errors")
    json = "write what was found as JSON (- for standard output)"
    add("--json", type=Writes(JSON), metavar="FILE", help=json)
    add_force(group)
    add = parser.add_argument_group("what the platform is known to allow").add_argument
    add("--time-limit", type=seconds, metavar="S", help="seconds for the whole set")
    add("--memory-limit", type=memory, metavar="SIZE", help="such as 8GB")
    for name, what in _SIZES.items():
        add(f"--{name}-limit", type=size, metavar="SIZE", help=f"limit of {what}, as 100MB")
    add("--quota", type=size, metavar="SIZE", help="what is left of your quota")
    add_challenge(parser)


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
