"""`local-eval`: run a submission as the platform would, on corrupted images; inspect data; show presets."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cells.errors import DataError
from corruptions.errors import CorruptionError
from evaluator.errors import EvaluationError
from sandbox.job import SandboxError
from submission.arguments import add_challenge, count, positive, seconds, size, write_or_print
from submission.challenge import load_challenge
from submission.command import Exit, run_command
from submission.errors import SubmissionError
from submission.findings import has_errors

MISTAKES = (DataError, CorruptionError, EvaluationError, SubmissionError, SandboxError)
EXAMPLES = """\
examples:
  local-eval                                       submission.zip and training_set.npz, here
  local-eval submission.zip --data training_set.npz --corrupt heavy
  local-eval submission.zip --data cells.npz --corrupt fog:3 --images 200 --json report.json
  local-eval inspect training_set.npz --out clean.npz    find duplicates, conflicts, outliers
  local-eval show --corrupt heavy --out sheet.png        see what a preset does

presets: light, medium, heavy, an2dl-2024; or a corruption (fog:3), a chain (fog:3+shot_noise:2),
or a TOML file of your own (docs/presets.md)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words[0] if words else ""
    body: Callable[[], int]
    if command == "inspect":
        inspected = _inspect_parser().parse_args(words[1:])
        body = lambda: _inspect(inspected)  # noqa: E731 - one of three bodies
    elif command == "show":
        shown = _show_parser().parse_args(words[1:])
        body = lambda: _show(shown)  # noqa: E731
    else:
        options = _parser().parse_args(words)
        body = lambda: _evaluate(options, words)  # noqa: E731
    return run_command("local-eval", body, MISTAKES)


def _parser() -> argparse.ArgumentParser:
    parser = _new_parser(
        "local-eval", "Run a submission as the platform would, on clean and on corrupted images."
    )
    parser.add_argument("submission", nargs="?", metavar="submission.zip")
    parser.add_argument("--data", metavar="FILE", help="images and labels: .npz, .npy or a folder")
    parser.add_argument("--corrupt", default="heavy", metavar="PRESET", help="default heavy")
    parser.add_argument(
        "--images",
        type=count,
        default=1000,
        metavar="N",
        help="at most N images (default 1000, 0: all)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--split", metavar="FILE|none", help="default: split.json beside the zip")
    parser.add_argument(
        "--json", metavar="FILE", help="also write the report as JSON (- for standard output)"
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), help="default: the GPU where there is one"
    )
    parser.add_argument("--block", type=positive, metavar="N", help="images in one predict call")
    parser.add_argument("--time-limit", type=seconds, metavar="S", help="seconds for the whole run")
    parser.add_argument("--memory-limit", type=size, metavar="SIZE", help="such as 8GB")
    add_challenge(parser)
    return parser


def _inspect_parser() -> argparse.ArgumentParser:
    parser = _new_parser(
        "local-eval inspect", "Find duplicates, label conflicts and blended outliers."
    )
    parser.add_argument("data", metavar="FILE")
    parser.add_argument("--out", metavar="FILE.npz", help="write the cleaned data")
    parser.add_argument(
        "--json", metavar="FILE", help="write what was found as JSON (- for standard output)"
    )
    parser.add_argument(
        "--isolation", type=float, default=0.0, metavar="SHARE",
        help="also drop this share of odd single images, by isolation forest (default 0: off)",
    )  # fmt: skip
    return parser


def _show_parser() -> argparse.ArgumentParser:
    parser = _new_parser("local-eval show", "Draw a contact sheet of what a preset does.")
    parser.add_argument("--corrupt", default="heavy", metavar="PRESET", help="default heavy")
    parser.add_argument("--data", metavar="FILE", help="default: drawn cells")
    parser.add_argument("--out", default="sheet.png", metavar="FILE.png", help="default sheet.png")
    parser.add_argument(
        "--images", type=positive, default=8, metavar="N", help="columns (default 8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    return parser


def _new_parser(name: str, what: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=name,
        description=what,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _evaluate(options: argparse.Namespace, words: list[str]) -> int:
    submission = Path(options.submission or _expected("submission.zip", "a zip: local-eval ZIP"))
    data_file = options.data or _expected("training_set.npz", "images: --data FILE")
    challenge = load_challenge(options.challenge)
    if not submission.is_file():
        raise EvaluationError(f"{submission}: no such file. Build one: make-submission WEIGHTS")
    from cells import load
    from corruptions.compiling import announce_compiling
    from evaluator.evaluate import Options, evaluate
    from evaluator.progress import on_terminal

    data = load(data_file, shape=challenge.shape, classes=challenge.classes)
    chosen = Options(
        corrupt=options.corrupt,
        images=options.images or None,
        seed=options.seed,
        split=options.split,
        challenge=options.challenge,
        device=options.device,
        block=options.block,
        seconds=options.time_limit,
        memory_bytes=options.memory_limit,
        command=shlex.join(["local-eval", *words]),
    )
    announce_compiling(_say)
    report = evaluate(submission, data, challenge, chosen, on_terminal)
    if options.json != "-":
        from rich.console import Console

        from evaluator.report import show

        show(report, Console())
    if options.json:
        write_or_print(options.json, report.to_json())
    return Exit.FINDINGS if has_errors(report.findings) else Exit.FINE


def _inspect(options: argparse.Namespace) -> int:
    import json

    from cells import clean, load, save

    data = load(options.data)
    cleaned, report = clean(data, isolation=options.isolation)
    if options.json:
        write_or_print(options.json, json.dumps(report.to_json(), indent=1) + "\n")
    if options.json != "-":
        print("\n".join([*data.notes, *report.lines()]))
    if options.out:
        save(cleaned, options.out)
        sys.stderr.write(f"{len(cleaned):,} images written to {options.out}\n")
    return Exit.FINDINGS if report.dropped else Exit.FINE


def _show(options: argparse.Namespace) -> int:
    from cells import load, prefix_order, synthetic
    from corruptions.chain import validate
    from corruptions.compiling import announce_compiling
    from corruptions.presets import resolve
    from corruptions.sheet import contact_sheet
    from evaluator.benchmark import as_rgb

    announce_compiling(_say)
    preset = resolve(options.corrupt)
    validate(preset)
    data = load(options.data) if options.data else synthetic(max(options.images, 8), options.seed)
    rows = prefix_order(data, options.seed)[: options.images]
    sheet = contact_sheet(as_rgb(data.images[rows]), preset, options.seed, columns=len(rows))
    sheet.save(options.out)
    print(f"{options.out}: {preset.name}, {len(preset.cells)} cells on {len(rows)} images")
    return Exit.FINE


def _say(line: str) -> None:
    sys.stderr.write(f"local-eval: {line}\n")


def _expected(name: str, otherwise: str) -> str:
    if not Path(name).exists():
        raise EvaluationError(f"there is no {name} in this folder. Give {otherwise}")
    return name


if __name__ == "__main__":
    sys.exit(main())
