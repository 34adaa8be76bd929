"""`make-submission`: build the zip from saved weights, or check one that exists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from codabench_rehearsal.commands.check_arguments import (
    add_checking,
    ignored_codes,
    table_of_checks,
    with_limits,
)
from codabench_rehearsal.commands.given import require_images, require_zip
from codabench_rehearsal.commands.next_step import next_command, rehearsal_command
from codabench_rehearsal.commands.packing_arguments import add_packing, packing
from codabench_rehearsal.console.command import Exit, Parser, print_lines, run_command, tell
from codabench_rehearsal.console.errors import SubmissionError, UserError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.guard import ARCHIVE, guard
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import as_json, human_bytes
from codabench_rehearsal.rehearsal.check import Checked, Checking, as_lines, files_text
from submission.archive import Archive
from submission.findings import Finding, has_errors
from submission.packager import Packed, beside, pack, read_for
from submission.shrink import Shrunk
from submission.training_folder import Packing

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.rehearse import Rehearser


EXAMPLES = """\
examples:
  make-submission weights.keras --scale 0..1       trained on images / 255
  make-submission runs/baseline --data cells.npz   a training folder with recipe.json
  make-submission a.keras b.keras --ensemble mean --tta flips
  make-submission weights.keras --model my_model.py --include layers.py
  make-submission --check-only submission.zip --zip-limit 100MB --time-limit 600

The weights are rewritten for the server's Keras where it is older than yours. The zip is looked
into, and then run in a child process on a few images (--no-run: not); with --server under the
server's own versions too. Rehearse it on bad images with: local-eval submission.zip
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("make-submission", argv, _read_and_run, (UserError,))


def _read_and_run(words: list[str]) -> int:
    return _run(new_parser().parse_intermixed_args(words))  # weights may stand between options


def new_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = Parser(
        prog="make-submission",
        description="Build the zip that the platform wants, and find what it would punish.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--out", type=ARCHIVE, default="submission.zip", metavar="ZIP",
        help="default submission.zip",
    )  # fmt: skip
    add_packing(parser)
    add_checking(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.list_checks:
        print_lines(table_of_checks())
        return Exit.FINE
    guard(options, unused=("out",) if options.check_only else ())
    if options.data:
        require_images(options.data)
    challenge = with_limits(load_challenge(options.challenge), options)
    checked = _check(options, challenge) if options.check_only else _make(options, challenge)
    return _code(checked.findings, strict=options.strict)


def _check(options: argparse.Namespace, challenge: Challenge) -> Checked:
    if options.weights:
        raise SubmissionError("--check-only takes no weights: it checks the zip as it is.")
    require_zip(Path(options.check_only), challenge.module)
    rehearse = None if options.no_run else _rehearser(options, challenge)
    with Archive(options.check_only) as archive:
        checked = Checking(challenge, rehearse, ignored_codes(options)).whole(archive)
    head = [*_runs_with(rehearse), *checked.lines_of_zip()]
    _tell(options, head, checked, [*next_text(checked, challenge, options)])
    return checked


def _make(options: argparse.Namespace, challenge: Challenge) -> Checked:
    """Build the zip beside its place; it gets there when neither the checks nor a run find errors."""
    wanted, out = packing(options), Path(options.out)
    guard(options, inputs=read_for(wanted), outputs=beside(wanted, out))
    rehearse = None if options.no_run else _rehearser(options, challenge, wanted)
    checking = Checking(challenge, rehearse, ignored_codes(options))
    packed = pack(wanted, challenge, out, judge=checking.findings)
    name, files = str(packed.zip_path or out), dict(packed.files)
    assumed = ("S501",) if checking.scale_is_right else ()
    findings = checking.keep([f for f in packed.findings if f.code not in assumed])
    checked = checking.result(name, packed.sha256, packed.size, files, findings)
    smaller = _smaller(wanted, challenge, rehearse, checking)
    ran = checking.rehearsal is not None
    ending = [
        *smaller,
        *end_text(packed, options, ran=ran),
        *next_text(checked, challenge, options),
    ]
    _tell(options, [*_runs_with(rehearse), *packed_text(packed)], checked, ending, packed)
    return checked


def _rehearser(
    options: argparse.Namespace, challenge: Challenge, wanted: Packing | None = None
) -> Rehearser:
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.rehearsal.rehearse import Rehearser, Wishes

    given = None if wanted is None else wanted.split
    splits = (given,) if isinstance(given, Path) else given
    wishes = Wishes(
        data=options.data,
        seed=options.seed,
        time_limit=options.time_limit,
        memory_limit=options.memory_limit,
        hidden_images=options.hidden_images,
        server=options.server,
        docker=options.docker,
        python=_python(options.python),
        packages=tuple(options.packages),
        splits=splits if wanted is None else splits or (),
        part=options.part,
        held_out=options.held_out,
    )
    return Rehearser(wishes, challenge, _say)


def _python(given: str | None) -> str:
    from codabench_rehearsal.sandbox.job import SandboxError
    from codabench_rehearsal.sandbox.places import chosen_python

    try:
        return chosen_python(given).path
    except SandboxError as error:
        raise SubmissionError(f"--python: {error}") from None


def _runs_with(rehearse: Rehearser | None) -> list[str]:
    """The first line: which Python the zip meets here."""
    return [f"runs with {rehearse.python}"] if rehearse else []


def _smaller(
    wanted: Packing, challenge: Challenge, rehearse: Rehearser | None, checking: Checking
) -> list[str]:
    """What --shrink and --float16 changed in the answers, by the same zip without them."""
    if rehearse is None or checking.rehearsal is None or not (wanted.shrink or wanted.float16):
        return []
    with TemporaryFolder("compare-") as place:
        whole = replace(wanted, shrink=False, float16=False, split=None)
        before = pack(whole, challenge, place / "before.zip").zip_path
        line = rehearse.compare(before, checking.rehearsal) if before else ""
    return [line] if line else []


def _tell(
    options: argparse.Namespace,
    head: Sequence[str],
    checked: Checked,
    tail: Sequence[str],
    packed: Packed | None = None,
) -> None:
    if options.json != "-":
        print_lines([*head, *as_lines(checked), *tail])
    if options.json:
        document = checked.document() | _about_packing(packed)
        write_or_print(options.json, as_json(document))


def _about_packing(packed: Packed | None) -> dict[str, object]:
    if packed is None:
        return {}
    return {
        "zip": str(packed.zip_path) if packed.zip_path else None,
        "backports": {
            name: {
                "saved_with": done.saved_with,
                "target": done.target,
                "changes": len(done.changes),
            }
            for name, done in packed.backports.items()
        },
    }


def _say(line: str) -> None:
    tell("make-submission", line)


def _code(findings: Sequence[Finding], *, strict: bool) -> int:
    bad = has_errors(findings) or (strict and any(f.severity == "warning" for f in findings))
    return Exit.FINDINGS if bad else Exit.FINE


if __name__ == "__main__":
    sys.exit(main())


# What packing did, as text for a terminal.


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
