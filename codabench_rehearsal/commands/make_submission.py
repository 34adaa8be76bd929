# PYTHON_ARGCOMPLETE_OK
"""`make-submission`: build the zip from saved weights, or check one that exists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.commands.bundle_arguments import is_of_programs, require_bundle
from codabench_rehearsal.commands.given import (
    next_command,
    rehearsal_command,
    require_images,
    require_zip,
)
from codabench_rehearsal.commands.packing_arguments import (
    add_checking,
    add_packing,
    packing,
    table_of_checks,
    with_limits,
)
from codabench_rehearsal.commands.site_arguments import require_site
from codabench_rehearsal.commands.site_upload import Ready, add_upload, is_fine, send, target
from codabench_rehearsal.console.command import Exit, Parser, print_lines, run_command, tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.roles import ARCHIVE, Output
from codabench_rehearsal.console.settings import read_options
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import as_json, human_bytes
from submission.archive import Archive
from submission.findings import has_errors
from submission.training_folder import Packing

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked
    from codabench_rehearsal.rehearsal.check import Checked
    from codabench_rehearsal.rehearsal.rehearse import RunOptions
    from codabench_rehearsal.sandbox.places import Python
    from submission.packager import Packed

EXAMPLES = """\
examples:
  make-submission weights.keras --scale 0..1       trained on images / 255
  make-submission runs/baseline --data cells.npz   a training folder with recipe.json
  make-submission a.keras b.keras --ensemble mean --tta flips
  make-submission weights.keras --model my_model.py --include layers.py
  make-submission --check-only submission.zip --zip-limit 100MB --time-limit 600
  make-submission --check-only submission.zip --challenge bundle.zip     in any challenge
  make-submission --check-only submission.zip --upload 1234 --wait       then to codabench.org

The weights are rewritten for the server's Keras where it is older than yours. The zip is looked
into, and then run in a child process on a few images (--no-run: not); with --server under the
server's own versions too. Rehearse it on bad images with: local-eval submission.zip
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("make-submission", argv, _read_and_run)


def new_parser() -> Parser:
    """The command's options."""
    what = "Build the zip that the platform wants, and find what it would punish."
    parser, usual = Parser("make-submission", what, EXAMPLES, "errors were found"), "submission.zip"
    parser.first(
        *("--data", "--scale", "--preprocess", "--model", "--out"),
        *("--check-only", "--server", "--challenge"),
    )
    parser.add_argument(
        "--out", type=ARCHIVE, default=usual, metavar="ZIP", help=f"default {usual}"
    )
    add_packing(parser)
    add_checking(parser)
    add_upload(parser)
    return parser


def _read_and_run(words: list[str]) -> int:
    options = read_options(new_parser(), words)  # weights may stand between options
    if options.list_checks:
        print_lines(table_of_checks())
        return Exit.FINE
    if options.data:
        require_images(options.data)
    where = target(options)
    checked = _checked(options)
    strict = options.strict and any(f.severity == "warning" for f in checked.findings)
    fine = not strict and is_fine(checked)
    code = Exit.FINE if fine else Exit.FINDINGS
    if where is None:
        return code
    path = Path(options.check_only or options.out)
    return send(where, Ready(path, checked.sha256, checked.size, fine), options).code


def _checked(options: argparse.Namespace) -> Checked | BundleChecked:
    """Check or make the zip, and tell."""
    if is_of_programs(options.challenge):
        from codabench_rehearsal.commands.bundle_check import run

        guard(options, outputs=_store(options), unused=("out", "store"))
        require_site(options)
        return run(options)
    return _check(options) if options.check_only else _make(options)


def _check(options: argparse.Namespace) -> Checked:
    guard(options, outputs=_store(options), unused=("out", "store"))
    require_bundle(options)
    require_site(options)
    challenge = with_limits(load_challenge(options.challenge), options)
    if options.weights:
        raise SubmissionError("--check-only takes no weights: it checks the zip as it is.")
    require_zip(Path(options.check_only), challenge.module)
    python = _python(options)
    # It starts numpy and the sandbox: not for --help.
    from codabench_rehearsal.rehearsal.check import check_open, ignored_codes

    ignored = ignored_codes(options.ignore)
    with Archive(options.check_only) as archive:
        wanted = _run_options(options, python)
        checked = check_open(archive, challenge, wanted, ignored=ignored, say=_say)
    head = [*_runs_with(python), *checked.lines_of_zip()]
    _tell(options, head, checked, [*_next(checked, challenge, options)])
    return checked


def _make(options: argparse.Namespace) -> Checked:
    """Build a draft, look into it, run it; it gets its name when no errors were found."""
    # It knows how networks are rewritten: not for --help.
    from submission.packager import Packed, beside, read_for

    wanted, out = packing(options), Path(options.out)
    guard(
        options,
        inputs=read_for(wanted),
        outputs={**beside(wanted, options.out), **_store(options)},
        unused=("store",),
    )
    require_bundle(options)
    require_site(options)
    challenge = with_limits(load_challenge(options.challenge), options)
    python = _python(options)
    from codabench_rehearsal.rehearsal.check import check_open, ignored_codes

    ignored, how = ignored_codes(options.ignore), _run_options(options, python, wanted)
    with Packed(wanted, challenge, out) as packed:
        checked = check_open(
            packed.archive,
            challenge,
            how,
            out=out,
            assumed=packed.findings,
            ignored=ignored,
            say=_say,
        )
        if not has_errors(checked.findings):
            packed.publish()
    smaller = _smaller(wanted, challenge, checked)
    tail = [*smaller, *_end(packed, checked, options), *_next(checked, challenge, options)]
    head = [*_runs_with(python), *checked.lines_of_zip(), *packed_text(packed)]
    _tell(options, head, checked, tail, packed)
    return checked


def _store(options: argparse.Namespace) -> dict[str, Output]:
    """The store's files, which no zip and no list of findings may be: a score goes there."""
    from evaluator.store.file import as_outputs  # it starts SQLite: not for --help

    return as_outputs(options.store)


def _python(options: argparse.Namespace) -> Python | None:
    """What runs the zip here; None where nothing is run."""
    if options.no_run:
        return None
    from codabench_rehearsal.sandbox.places import chosen_python

    return chosen_python(options.python)


def _run_options(
    options: argparse.Namespace, python: Python | None, wanted: Packing | None = None
) -> RunOptions | None:
    if python is None:
        return None
    from codabench_rehearsal.rehearsal.rehearse import RunOptions

    names = {field.name for field in fields(RunOptions)} - {"python", "splits"}
    same = {name: getattr(options, name) for name in names}
    return RunOptions(**same, python=python.path, splits=None if wanted is None else wanted.splits)


def _smaller(wanted: Packing, challenge: Challenge, checked: Checked) -> Iterator[str]:
    """What --shrink and --float16 changed in the answers, by the same zip without them."""
    if checked.rehearsal is None or not (wanted.shrink or wanted.float16):
        return
    from codabench_rehearsal.rehearsal.rehearse import compare
    from submission.packager import Packed

    whole = replace(wanted, shrink=False, float16=False, splits=())
    with (
        TemporaryFolder("compare-") as place,
        Packed(whole, challenge, place / "before.zip") as before,
    ):
        line = compare(before.archive, checked.rehearsal)
    if line:
        yield line


def _tell(
    options: argparse.Namespace,
    head: Sequence[str],
    checked: Checked,
    tail: Sequence[str],
    packed: Packed | None = None,
) -> None:
    if options.json != "-":
        print_lines([*head, *checked.lines(), *tail])
    if options.json:
        document = checked.document()
        if packed is not None:
            document["zip"] = str(packed.zip_path) if packed.zip_path else None
            document["backports"] = {
                name: {
                    "saved_with": done.saved_with,
                    "target": done.target,
                    "changes": len(done.changes),
                }
                for name, done in packed.backports.items()
            }
        write_or_print(options.json, as_json(document))


def _say(line: str) -> None:
    tell("make-submission", line)


def _runs_with(python: Python | None) -> list[str]:
    """The first line: which Python the zip meets here."""
    return [f"runs with {python}"] if python else []


def packed_text(packed: Packed) -> Iterator[str]:
    """What was rewritten or made smaller."""
    for name, done in packed.backports.items():
        if done.changes:
            count = len(done.changes)
            yield (
                f"{name}: saved by Keras {done.saved_with}, rewritten for Keras {done.target} "
                f"({count} changes)"
            )
    for name, less in packed.shrunk.items():
        parts = [f"{human_bytes(less.state)} of optimizer state left out"] if less.state else []
        parts += ["compile settings left out"] if less.compiled else []
        if less.rounding:
            share = f"{100 * less.rounding:.2g} %"
            told = f"float16 changes weights by up to {share} of the largest, in {less.rounded}"
            parts.append(told)
        sizes = f"{human_bytes(less.before)} -> {human_bytes(less.after)}"
        sizes += f", {human_bytes(less.zipped)} in the zip" if less.zipped < less.after else ""
        yield f"{name}: {sizes} ({', '.join(parts) or 'nothing to leave out'})"


def _end(packed: Packed, checked: Checked, options: argparse.Namespace) -> Iterator[str]:
    """What was written."""
    if packed.zip_path is None:
        yield f"Nothing was written to {options.out}: fix the errors above."
        if checked.rehearsal is not None:
            yield "To have the zip all the same: --no-run."
    elif packed.split:
        yield f"The split is in {packed.split}: keep it beside the zip."


def _next(checked: Checked, challenge: Challenge, options: argparse.Namespace) -> Iterator[str]:
    """What to type next, nothing after errors: the server's own versions first, if not tried."""
    if has_errors(checked.findings):
        return
    named = challenge.tensorflow or challenge.keras
    if checked.rehearsal and named and not checked.ready and options.server is None:
        command, files = "make-submission --check-only", [checked.zip_name]
        yield f"next: {next_command(command, files, options, '--server')}"
    yield f"next: {rehearsal_command(checked.zip_name, options)}"


if __name__ == "__main__":
    sys.exit(main())
