"""`codabench-challenge check`: what the site would refuse, and what participants will meet."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.address import is_address
from codabench_rehearsal.commands.bundle_arguments import (
    add_bundle,
    add_running,
    opened,
    read_running,
)
from codabench_rehearsal.commands.evaluation_arguments import add_json
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import BUNDLE, ZIP
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import as_json, counted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.checks.subject import BundleFinding
    from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked

EXAMPLES = """\
examples:
  codabench-challenge check bundle.zip
  codabench-challenge check my_challenge/ --json found.json
  codabench-challenge check bundle.zip --run --phase 0     the bundle's own sample submission too
  codabench-challenge check --list-checks

Without --run nothing in it is executed, and what lies in zips of data is not unpacked.
"""


def parser() -> Parser:
    """The command's options."""
    what = "Find what the site would refuse in a bundle, and what participants will run into."
    found = "the site would refuse it, or fail every submission"
    made = Parser("codabench-challenge check", what, EXAMPLES, found)
    made.first(
        *("--run", "--submission", "--phase", "--python", "--server"),
        *("--docker", "--list-checks", "--json"),
    )
    add = made.add_argument
    add("bundle", nargs="?", type=BUNDLE, metavar="BUNDLE", help="a zip, or its folder")
    add("--list-checks", action="store_true", help="print every check with its advice, and end")
    what = "run the bundle's own sample submission as the platform would"
    add("--run", action="store_true", help=what)
    what = "this submission instead of the bundle's own"
    add("--submission", type=ZIP, metavar="ZIP", help=what)
    add_json(made, "also write what was found as JSON")
    add_force(made)
    add_bundle(made, "with --run")
    add_running(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Look, and tell."""
    from codabench_rehearsal.challenge.checks.subject import check_bundle

    if options.list_checks:
        print_lines(_table())
        return Exit.FINE
    if options.bundle is None:
        raise SubmissionError("Expected a bundle: codabench-challenge check BUNDLE.")
    if is_address(options.bundle):
        raise SubmissionError(
            f"{shown(options.bundle)}: expected a bundle; a site shows no files to look into. What "
            f"it tells: codabench-challenge show {shown(options.bundle)}."
        )
    found = check_bundle(options.bundle.path)
    ran = _sample(options) if options.run or options.submission else None
    has_errors = any(one.severity == "error" for one in found) or bool(ran and not ran.ready)
    if options.json:
        document = {"bundle": str(options.bundle), "findings": [asdict(one) for one in found]}
        sample = {"sample": ran.document()} if ran else {}
        write_or_print(options.json, as_json({"schema": 1, **document, **sample}))
    if options.json != STDOUT:
        print_lines(_lines(str(options.bundle), found))
        if ran:
            print_lines(ran.lines())
    return Exit.FINDINGS if has_errors else Exit.FINE


def _sample(options: argparse.Namespace) -> BundleChecked:
    """Run the given submission, or the bundle's own; raises `SubmissionError` where it has none."""
    from codabench_rehearsal.challenge.samples import samples
    from codabench_rehearsal.rehearsal.bundle.check import check_open_in_bundle
    from submission.archive import Archive

    with opened(options, options.bundle.path) as setting, TemporaryFolder("sample-") as folder:
        if options.submission:
            path, name = options.submission.path, str(options.submission)
        else:
            own = samples(setting, folder)
            if not own:
                raise SubmissionError(
                    f"{shown(options.bundle)}: it holds no sample submission that could be found; "
                    "name one: --submission ZIP."
                )
            path, name = own[0].path, own[0].name
        with Archive(path) as archive:
            how = read_running(options, setting, path)
            checked = check_open_in_bundle(archive, setting, how)
        return replace(checked, zip_name=name)


def _lines(bundle: str, found: Sequence[BundleFinding]) -> Iterator[str]:
    last = ""
    for at, one in enumerate(found):
        yield f"{one.severity:8} {one.code}  {one.message}"
        last = one.advice
        after = found[at + 1] if at + 1 < len(found) else None
        if after is None or (after.code, after.severity, after.advice) != (
            *(one.code, one.severity),
            last,
        ):
            yield f"               {last}"  # once for several of a kind
    yield f"{shown(bundle)}: {_verdict(found)}"


def _verdict(found: Sequence[BundleFinding]) -> str:
    counts = Counter(one.severity for one in found)
    said = [counted(counts[one], one) for one in ("error", "warning", "note") if counts[one]]
    if counts["error"]:
        return f"{', '.join(said)}: the site would refuse it, or fail every submission"
    return f"{', '.join(said) or 'nothing wrong found'}; the site would take it, as far as is known"


def _table() -> Iterator[str]:
    from codabench_rehearsal.challenge.checks.subject import checks

    for one in checks():
        yield f"{one.code} {one.severity:8} {one.name.replace('_', ' ')}"
        yield f"     {one.advice}"
