"""`make-submission --check-only ZIP --challenge BUNDLE`: the verdict, before the upload."""

from __future__ import annotations

import argparse
from pathlib import Path

from codabench_rehearsal.commands.bundle_arguments import machine, opened
from codabench_rehearsal.console.command import Exit, print_lines
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.reading import require_file
from submission.archive import Archive
from submission.findings import has_errors


def run(options: argparse.Namespace) -> int:
    """Look into the zip, run it, and tell."""
    guard(options, unused=("out",))
    if not options.check_only or options.weights:
        raise SubmissionError(
            "--challenge BUNDLE: expected --check-only ZIP. A bundle says what a zip must hold, "
            "not how weights are packed: build the zip first."
        )
    path = Path(options.check_only)
    require_file(path, SubmissionError)
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.rehearsal.bundle_check import Wanted, check_in_bundle
    from codabench_rehearsal.rehearsal.check import ignored_codes
    from codabench_rehearsal.sandbox.places import chosen_python

    python = chosen_python(options.python)
    wanted = Wanted(
        machine=machine(options, python.path),
        workers=(options.worker,) if options.worker else (),
        run=not options.no_run,
        keep=Path(options.logs) if options.logs else None,
        ignored=ignored_codes(options.ignore),
    )
    with opened(options) as setting, Archive(path) as archive:
        checked = check_in_bundle(archive, setting, wanted)
    if options.json != STDOUT:
        if not options.no_run:
            print_lines([f"runs with {python}"])
        print_lines(checked.lines())
    if options.json:
        write_or_print(options.json, checked.to_json())
    strict = options.strict and any(one.severity == "warning" for one in checked.findings)
    return Exit.FINDINGS if strict or has_errors(checked.findings) else Exit.FINE
