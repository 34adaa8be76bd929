"""`codabench-challenge check`: what the site would refuse, and what participants will meet."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import add_json
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import BUNDLE
from codabench_rehearsal.console.words import as_json, counted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.checks.subject import BundleFinding

EXAMPLES = """\
examples:
  codabench-challenge check bundle.zip
  codabench-challenge check my_challenge/ --json found.json
  codabench-challenge check --list-checks

Exit code 1: the site would refuse it, or fail every submission. Nothing in it is executed, and what
lies in zips of data is not unpacked.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    what = "Find what the site would refuse in a bundle, and what participants will run into."
    made = Parser("codabench-challenge check", what, EXAMPLES)
    add = made.add_argument
    add("bundle", nargs="?", type=BUNDLE, metavar="BUNDLE", help="a zip, or its folder")
    add("--list-checks", action="store_true", help="print every check with its advice, and end")
    add_json(made, "also write what was found as JSON")
    add_force(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Look, and tell."""
    from codabench_rehearsal.challenge.checks.subject import check_bundle

    if options.list_checks:
        print_lines(_table())
        return Exit.FINE
    if options.bundle is None:
        raise SubmissionError("Expected a bundle: codabench-challenge check BUNDLE.")
    found = check_bundle(options.bundle.path)
    counts = Counter(one.severity for one in found)
    if options.json:
        document = {"bundle": str(options.bundle), "findings": [asdict(one) for one in found]}
        write_or_print(options.json, as_json({"schema": 1, **document}))
    if options.json != STDOUT:
        print_lines(_lines(str(options.bundle), found))
    return Exit.FINDINGS if counts["error"] else Exit.FINE


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
    return f"{', '.join(said) or 'nothing found'}: nothing that the site is known to refuse"


def _table() -> Iterator[str]:
    from codabench_rehearsal.challenge.checks.subject import checks

    for one in checks():
        yield f"{one.code} {one.severity:8} {one.name.replace('_', ' ')}"
        yield f"     {one.advice}"
