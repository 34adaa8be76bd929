"""`local-eval submission.zip`: the rehearsal itself."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.given import require_images, require_zip
from codabench_rehearsal.commands.next_step import next_command
from codabench_rehearsal.commands.parsers import (
    DEFAULT_DATA,
    DEFAULT_ZIP,
    add_limits,
    add_order,
    add_store,
    expected,
    new_parser,
    python_of,
    say,
    tell_python,
)
from codabench_rehearsal.console.arguments import (
    add_challenge,
    add_images,
    add_python,
    count,
    positive,
    seed,
    share,
)
from codabench_rehearsal.console.command import Exit, console, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import write_or_print, write_text
from codabench_rehearsal.console.guard import (
    DATA,
    JSON,
    PAGE,
    PRESET,
    SPLIT,
    ZIP,
    Writes,
    add_force,
)
from codabench_rehearsal.sandbox.server import default_cache
from evaluator.options import PHASE, Options
from evaluator.store.score_text import read_phase
from submission.findings import has_errors

if TYPE_CHECKING:
    from codabench_rehearsal.sandbox.places import Python
    from evaluator.report.report import Report

EXAMPLES = """\
examples:
  local-eval                                       submission.zip and training_set.npz, here
  local-eval submission.zip --data training_set.npz --corrupt heavy
  local-eval submission.zip --data cells.npz --corrupt fog:3 --images 200 --json report.json
  local-eval submission.zip --data cells.npz --part test --held-out    images it never learnt
  local-eval submission.zip --html report.html     the page to look at and to pass on
  local-eval record submission.zip --score 0.89    what the leaderboard said: sharpens the estimate
  local-eval rank a.zip b.zip c.zip                which one to submit next
  local-eval compare a.zip b.zip                   better, worse, or not resolved
  local-eval ensemble *.zip                        the best vote of what is answered already
  local-eval history                               predicted against actual; forget, import history.csv
  local-eval inspect training_set.npz --out clean.npz    find duplicates, conflicts, outliers
  local-eval show --corrupt heavy --out sheet.png        see what a preset does

presets: light, medium, heavy, an2dl-2024; or a corruption (fog:3), a chain (fog:3+shot_noise:2),
or a TOML file of your own (docs/presets.md)
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser(
        "local-eval",
        "Run a submission as the platform would, on clean and on corrupted images.",
        EXAMPLES,
    )
    made.add_argument("submission", nargs="?", type=ZIP, metavar="submission.zip")
    made.add_argument(
        "--data", type=DATA, metavar="FILE", help="images and labels: .npz, .npy or a folder"
    )
    made.add_argument(
        "--corrupt", type=PRESET, default="heavy", metavar="PRESET", help="default heavy"
    )
    made.add_argument(
        "--images",
        type=count,
        default=1000,
        metavar="N",
        help="at most N images (default 1000, 0: all)",
    )
    made.add_argument("--seed", type=seed, default=0, help="default 0")
    add_order(made)
    made.add_argument(
        "--split", type=SPLIT, metavar="FILE|none", help="default: split.json beside the zip"
    )
    add_images(made)
    made.add_argument(
        "--json", type=Writes(JSON), metavar="FILE",
        help="also write the report as JSON (- for standard output)",
    )  # fmt: skip
    made.add_argument(
        "--html", type=Writes(PAGE), metavar="FILE",
        help="also write the report as a page (report.html)",
    )  # fmt: skip
    add_force(made)
    made.add_argument(
        "--device", choices=("cpu", "gpu"), help="default: the GPU where there is one"
    )
    made.add_argument(
        "--no-estimate",
        action="store_true",
        help="expect no hidden score: ask only the preset's conditions",
    )
    made.add_argument(
        "--phase", default=PHASE, help="whose hidden score to expect (default dev; or final)"
    )
    made.add_argument(
        "--hidden-images", type=positive, metavar="N", help="images in that phase's hidden set"
    )
    made.add_argument(
        "--tolerance", type=share, default=0.1, metavar="SHARE",
        help="stop when finite local images make up less of the estimate's variance (default 0.1)",
    )  # fmt: skip
    made.add_argument("--full", action="store_true", help="every image under every condition")
    made.add_argument(
        "--sweep", action="store_true", help="the 19 corruptions at all five severities too"
    )
    made.add_argument(
        "--trained-on", metavar="NAMES",
        help="damages that the training used, such as fog,rand_augment (default: NAME.recipe.json)",
    )  # fmt: skip
    add_store(made)
    made.add_argument("--block", type=positive, metavar="N", help="images in one predict call")
    add_limits(made)
    add_python(made)
    add_challenge(made)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Rehearse and report."""
    submission = Path(options.submission or expected(DEFAULT_ZIP, "a zip: local-eval ZIP"))
    require_zip(submission)  # first: who gives a data set here is told so at once
    data_file = options.data or expected(DEFAULT_DATA, "images: --data FILE")
    require_images(data_file)
    challenge = load_challenge(options.challenge)
    if not submission.exists():
        raise EvaluationError(f"{submission}: no such file. Build one: make-submission WEIGHTS")
    python = python_of(options)
    tell_python(options, python)
    from codabench_rehearsal.images.dataset import load_kept
    from codabench_rehearsal.images.keys import TO_REHEARSE
    from corruptions.compiling import announce_compiling
    from evaluator.evaluate import evaluate
    from evaluator.progress import on_terminal

    kept = default_cache() / "images"
    shape, classes = challenge.shape, challenge.label_names
    data = load_kept(
        data_file, kept, part=options.part, prefer=TO_REHEARSE, shape=shape, classes=classes
    )
    chosen = _chosen(options, words, python)
    announce_compiling(say)
    report = evaluate(submission, data, challenge, chosen, on_terminal)
    _tell(report, options)
    failed = report.scores is None or has_errors(report.findings)
    return Exit.FINDINGS if failed else Exit.FINE


def _chosen(options: argparse.Namespace, words: Sequence[str], python: Python) -> Options:
    """The evaluation's options, from the command's."""
    return Options(
        corrupt=options.corrupt,
        images=options.images or None,
        seed=options.seed,
        order_seed=options.order_seed,
        split=options.split,
        challenge=options.challenge,
        device=options.device,
        block=options.block,
        seconds=options.time_limit,
        memory_bytes=options.memory_limit,
        command=shlex.join(["local-eval", *words]),
        store=options.store,
        estimate=not options.no_estimate,
        tolerance=options.tolerance,
        full=options.full,
        sweep=options.sweep,
        phase=read_phase(options.phase),
        hidden_images=options.hidden_images,
        python=None if python.is_own else python.path,
        trained_on=tuple(options.trained_on.split(",")) if options.trained_on else None,
        part=options.part,
        held_out=options.held_out,
    )


def _tell(report: Report, options: argparse.Namespace) -> None:
    """Write and print the report, as the options say."""
    # Files first: who reads the text may leave early.
    if options.html:
        write_text(options.html, report.to_page())
    if options.json:
        write_or_print(options.json, report.to_json())
    if options.json != "-":
        from evaluator.report.terminal import show

        show(report, console())
        if report.estimate is not None:
            print_lines([_after_upload(report.source.path, options)])


def _after_upload(zip_path: str, options: argparse.Namespace) -> str:
    """What to type once the leaderboard shows a score; the word stands where its figure goes."""
    command = next_command("local-eval record", [zip_path], options, "--score", "SCORE")
    return f"after the upload: {command}"
