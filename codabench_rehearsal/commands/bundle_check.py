"""`make-submission --check-only ZIP --challenge BUNDLE|1234`: the verdict, before the upload."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.setting import Setting, site_setting
from codabench_rehearsal.challenge.site.address import is_address
from codabench_rehearsal.commands.bundle_arguments import opened_challenge, read_running
from codabench_rehearsal.commands.site_arguments import bundle_beside, known_challenge
from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.command import print_lines, tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.words import shown

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked


def run(options: argparse.Namespace) -> BundleChecked:
    """Look into the zip, run it, and tell."""
    if not options.check_only or options.weights:
        raise SubmissionError(
            f"--challenge {shown(options.challenge)}: expected --check-only ZIP. A bundle, "
            "or a site, says what a zip must hold, not how weights are packed: build the zip first."
        )
    path = Path(options.check_only)
    require_file(path, SubmissionError)
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.rehearsal.bundle.check import check_open_in_bundle
    from codabench_rehearsal.rehearsal.check import ignored_codes
    from codabench_rehearsal.rehearsal.predictions.packed import opened_submission

    ignored = ignored_codes(options.ignore)
    with _setting(options) as setting, opened_submission(path, setting) as archive:
        how = read_running(options, setting, path, ignored)
        checked = replace(check_open_in_bundle(archive, setting, how), zip_name=str(path))
    if options.json != STDOUT:
        print_lines(checked.lines())
    if options.json:
        write_or_print(options.json, checked.to_json())
    return checked


@contextmanager
def _setting(options: argparse.Namespace) -> Iterator[Setting]:
    """The bundle; or what a site says, and beside it the bundle that --bundle names."""
    if bundle_beside(options) or not is_address(options.challenge):
        with opened_challenge(options, "make-submission") as setting:
            yield setting
        return
    found = known_challenge(options, "make-submission")
    options.no_run = True
    tell("make-submission", "a site shows no programs, so nothing is run (--bundle BUNDLE: it is)")
    yield site_setting(found, None if options.phase == PHASE else options.phase)
