"""What packing did, as text for a terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.commands.next_step import next_command, rehearsal_command
from codabench_rehearsal.console.words import human_bytes
from codabench_rehearsal.rehearsal.checked import Checked
from codabench_rehearsal.rehearsal.checked_text import files_text
from submission.findings import has_errors
from submission.packager import Packed
from submission.shrink import Shrunk


def packed_text(packed: Packed) -> list[str]:
    """The files, and what was rewritten or made smaller."""
    return [*files_text(packed.size, packed.files), *_rewritten(packed), *_shrunk(packed)]


def end_text(packed: Packed, options: argparse.Namespace, *, ran: bool) -> Iterator[str]:
    """What was written."""
    if packed.zip_path is None:
        yield f"Nothing was written to {options.out}: mend the errors above."
        if ran:
            yield "To have the zip all the same: --no-run."
        return
    if packed.split:
        yield f"The split is in {packed.split}: keep it beside the zip."


def next_text(checked: Checked, challenge: Challenge, options: argparse.Namespace) -> Iterator[str]:
    """What to type next, nothing after errors: the server's own versions first where it ran without."""
    if has_errors(checked.findings):
        return
    named = challenge.tensorflow or challenge.keras
    if checked.runs and named and not checked.ready and options.server is None:
        yield f"next: {next_command('make-submission --check-only', [checked.zip_name], options, '--server')}"
    yield f"next: {rehearsal_command(checked.zip_name, options)}"


def _rewritten(packed: Packed) -> Iterator[str]:
    for name, done in packed.backports.items():
        if done.changes:
            count = len(done.changes)
            yield f"{name}: saved by Keras {done.saved_with}, rewritten for Keras {done.target} ({count} changes)"


def _shrunk(packed: Packed) -> Iterator[str]:
    for name, done in packed.shrunk.items():
        parts = [f"{human_bytes(done.state)} of optimizer state left out"] if done.state else []
        parts += ["compile settings left out"] if done.compiled else []
        parts += [_rounded(done)] if done.rounding else []
        sizes = f"{human_bytes(done.before)} -> {human_bytes(done.after)}"
        sizes += f", {human_bytes(done.zipped)} in the zip" if done.zipped < done.after else ""
        yield f"{name}: {sizes} ({', '.join(parts) or 'nothing to leave out'})"


def _rounded(done: Shrunk) -> str:
    share = f"{100 * done.rounding:.2g} %"
    return f"float16 changes weights by up to {share} of the largest, in {done.rounded}"
