"""`make-submission --check-only ZIP --challenge BUNDLE`: the verdict, before the upload."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from codabench_rehearsal.commands.bundle_arguments import opened, read_running
from codabench_rehearsal.console.command import Exit, print_lines
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.reading import require_file


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
    from codabench_rehearsal.rehearsal.bundle_check import check_open_in_bundle
    from codabench_rehearsal.rehearsal.check import ignored_codes
    from codabench_rehearsal.rehearsal.predictions import opened_submission

    ignored = ignored_codes(options.ignore)
    with (
        opened(options, Path(options.challenge)) as setting,
        opened_submission(path, setting) as archive,
    ):
        how = read_running(options, setting, path, ignored)
        checked = replace(check_open_in_bundle(archive, setting, how), zip_name=str(path))
    if options.json != STDOUT:
        print_lines(checked.lines())
    if options.json:
        write_or_print(options.json, checked.to_json())
    strict = options.strict and any(one.severity == "warning" for one in checked.findings)
    return Exit.FINE if checked.is_fine and not strict else Exit.FINDINGS
