"""`make-submission`: build the zip from saved weights, or check one that exists."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from submission.archive import Archive
from submission.arguments import add_challenge, size, write_or_print
from submission.challenge import Challenge, SizeLimits, load_challenge
from submission.checks.registry import Check, all_checks, examine
from submission.command import Exit, run_command
from submission.errors import SubmissionError
from submission.findings import Finding, has_errors
from submission.listing import as_text, files_text, findings_text
from submission.packager import Packed, pack
from submission.training_folder import SCALES, Packing, read_training_folder

EXAMPLES = """\
examples:
  make-submission weights.keras --scale 0..1       trained on images / 255
  make-submission runs/baseline                    a training folder with recipe.json
  make-submission weights.keras --model my_model.py --include layers.py
  make-submission --check-only submission.zip --zip-limit 100MB

The weights are rewritten for the server's Keras where it is older than yours. Nothing in the zip
is executed here; rehearse it with: local-eval submission.zip
"""
UNCHECKED = "Not checked: the server's memory, time limit, upload limit and packages are not known."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(argv)
    return run_command("make-submission", lambda: _run(options), (SubmissionError,))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make-submission",
        description="Build the zip that the platform wants, and find what it would punish.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "weights", nargs="*", metavar="WEIGHTS|DIR", help="weights, or a training folder"
    )
    parser.add_argument(
        "--out", default="submission.zip", metavar="ZIP", help="default submission.zip"
    )
    parser.add_argument(
        "--scale", choices=SCALES, help="what the model was trained on (default 0..255)"
    )
    parser.add_argument("--model", metavar="FILE.py", help="your own model.py instead of ours")
    parser.add_argument(
        "--include", action="append", default=[], metavar="FILE", help="a further file"
    )
    parser.add_argument("--check-only", metavar="ZIP", help="check this zip, build nothing")
    parser.add_argument("--list-checks", action="store_true", help="print all checks and end")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument(
        "--json", metavar="FILE", help="write what was found as JSON (- for standard output)"
    )
    for name, what in (("zip", "the zip"), ("unpacked", "the zip unpacked"), ("file", "each file")):
        parser.add_argument(
            f"--{name}-limit", type=size, metavar="SIZE", help=f"limit of {what}, as 100MB"
        )
    add_challenge(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.list_checks:
        print("\n".join(_check_line(check) for check in all_checks()))
        return Exit.FINE
    challenge = _with_limits(load_challenge(options.challenge), options)
    if options.check_only:
        return _check(options, challenge)
    packed = pack(_packing(options), challenge, Path(options.out))
    _tell(options, as_text(packed), _document(packed))
    return _code(packed.findings, strict=options.strict)


def _check_line(check: Check) -> str:
    return f"{check.code} {check.severity:8} {check.name.replace('_', ' ')}: {check.advice}"


def _check(options: argparse.Namespace, challenge: Challenge) -> int:
    if options.weights:
        raise SubmissionError("--check-only takes no weights: it checks the zip as it is.")
    with Archive(options.check_only) as archive:
        findings = examine(archive, challenge)
        files = {member.name: member.size for member in archive.members}
        listed = files_text(archive.size, files)
        document = {
            "schema": 1,
            "zip": options.check_only,
            "sha256": archive.sha256,
            "bytes": archive.size,
            "files": files,
            "findings": [asdict(finding) for finding in findings],
        }
    verdict = "has errors" if has_errors(findings) else "looks right"
    verdict = f"{options.check_only} {verdict}. {UNCHECKED}"
    text = "\n".join([*listed, *findings_text(findings), verdict])
    _tell(options, text, document)
    return _code(findings, strict=options.strict)


def _packing(options: argparse.Namespace) -> Packing:
    if not options.weights:
        raise SubmissionError("give the weights or a training folder: make-submission WEIGHTS|DIR.")
    given = [Path(name) for name in options.weights]
    missing = next((path for path in given if not path.exists()), None)
    if missing is not None:
        raise SubmissionError(f"{missing}: no such file or folder.")
    if len(given) == 1 and given[0].is_dir():
        packing = read_training_folder(given[0])
    else:
        beside = given[0].with_name("split.json")
        split = beside if beside.is_file() else None
        packing = Packing(weights=tuple(given), split=split, scale_given=False)
    if options.scale:
        packing = replace(packing, scale=options.scale, scale_given=True)
    include = (*packing.include, *(Path(name) for name in options.include))
    model = Path(options.model) if options.model else None
    return replace(packing, include=include, model=model)


def _with_limits(challenge: Challenge, options: argparse.Namespace) -> Challenge:
    known = challenge.sizes
    sizes = SizeLimits(
        options.zip_limit or known.zip_bytes,
        options.unpacked_limit or known.unpacked_bytes,
        options.file_limit or known.file_bytes,
    )
    return replace(challenge, sizes=sizes)


def _tell(options: argparse.Namespace, text: str, document: dict[str, object]) -> None:
    if options.json != "-":
        print(text)
    if options.json:
        write_or_print(options.json, json.dumps(document, indent=1) + "\n")


def _document(packed: Packed) -> dict[str, object]:
    return {
        "schema": 1,
        "zip": str(packed.zip_path) if packed.zip_path else None,
        "sha256": packed.sha256,
        "bytes": packed.size,
        "files": dict(packed.files),
        "backports": {
            name: {
                "saved_with": done.saved_with,
                "target": done.target,
                "changes": len(done.changes),
            }
            for name, done in packed.backports.items()
        },
        "findings": [asdict(finding) for finding in packed.findings],
    }


def _code(findings: Sequence[Finding], *, strict: bool) -> int:
    bad = has_errors(findings) or (strict and any(f.severity == "warning" for f in findings))
    return Exit.FINDINGS if bad else Exit.FINE


if __name__ == "__main__":
    sys.exit(main())
