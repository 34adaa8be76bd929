"""`local-eval submission.zip`: the rehearsal itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.bundle_arguments import (
    add_bundle,
    add_versions,
    is_of_programs,
    require_bundle,
)
from codabench_rehearsal.commands.evaluation_arguments import (
    DEFAULT_ZIP,
    add_evaluation,
    add_phase,
    add_workers,
    expected,
    placed,
    read_inputs,
)
from codabench_rehearsal.commands.given import next_command, require_zip
from codabench_rehearsal.commands.site_arguments import add_site_challenge, require_site
from codabench_rehearsal.console.arguments import positive, seconds, share, within
from codabench_rehearsal.console.command import Exit, Parser, console, print_lines
from codabench_rehearsal.console.files import write_or_print, write_text
from codabench_rehearsal.console.roles import PAGE, ZIP

if TYPE_CHECKING:
    from evaluator.report.report import Report

EXAMPLES = """\
examples:
  local-eval                                       submission.zip and training_set.npz, here
  local-eval submission.zip --data training_set.npz --corrupt heavy
  local-eval submission.zip --data cells.npz --corrupt fog:3 --images 200 --json report.json
  local-eval submission.zip --data cells.npz --part test --held-out    images it was not trained on
  local-eval submission.zip --until 0.9 --corrupt fog,contrast   the severity that it still stands
  local-eval submission.zip --html report.html     the page to look at and to pass on
  local-eval submission.zip --challenge bundle.zip     in any Codabench challenge

presets: light, medium, heavy, an2dl-2024; or a corruption (fog:3, fog:2.5; fog: all severities), a
chain (fog:3+shot_noise:2), a TOML file of your own, a function of your own (module:function:3);
docs/presets.md
"""


def parser() -> Parser:
    """The command's options."""
    what = "Run a submission as the platform would, on clean and on corrupted images."
    made = Parser("local-eval", what, EXAMPLES, "the zip fails, or errors were found")
    made.first(
        *("--data", "--corrupt", "--images", "--held-out", "--challenge"),
        *("--python", "--html", "--json"),
    )
    add = made.add_argument
    what = "the zip (default: submission.zip in this folder)"
    add("submission", nargs="?", type=ZIP, metavar="submission.zip", help=what)
    add_evaluation(made, bundles=True)
    what = "also write the report as a page; into a folder: under the zip's name"
    add("--html", type=PAGE, metavar="FILE", help=what)
    what = "expect no hidden score: run only the preset's conditions"
    add("--no-estimate", action="store_true", help=what)
    add_phase(made)
    what = "stop when more images would take less than this share off the variance (default 0.1)"
    add("--tolerance", type=share, default=0.1, metavar="SHARE", help=what)
    add("--full", action="store_true", help="every image under every condition")
    what = "the 19 corruptions at all five severities too"
    add("--sweep", action="store_true", help=what)
    what = "corruptions that the training used, as fog,rand_augment (default: NAME.recipe.json)"
    add("--trained-on", metavar="NAMES", help=what)
    what = "search, for each corruption, the severity at which accuracy falls below this, as 0.9"
    add("--until", type=within, metavar="ACCURACY", help=what)
    what = "show errors relative to this zip's, on the same images"
    add("--reference", type=ZIP, metavar="baseline.zip", help=what)
    add("--block", type=positive, metavar="N", help="images in one predict call")
    add_workers(made, "blocks of images")
    group = add_bundle(made, phase=False)
    add_versions(group)
    add = group.add_argument
    what = "for all runs on corrupted images, such as 90 or 5m (default: ten clean ones)"
    add("--budget", type=seconds, metavar="TIME", help=what)
    add("--column", metavar="KEY", help="the leaderboard's column (default: the first shown)")
    what = "which images of the input data to corrupt, as 'test/*.png' (may be repeated)"
    add("--perturb", action="append", default=[], metavar="PATTERN", help=what)
    add_site_challenge(group)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Rehearse and report."""
    require_site(options)
    if is_of_programs(options.challenge):
        from codabench_rehearsal.commands.bundle_evaluate import run as run_in_bundle

        return run_in_bundle(options, words, parser())
    require_bundle(options)
    from evaluator.evaluate import evaluate
    from evaluator.options import Options
    from evaluator.progress import on_terminal
    from submission.findings import has_errors

    chosen = Options(
        block=options.block,
        estimate=not options.no_estimate,
        tolerance=options.tolerance,
        full=options.full,
        sweep=options.sweep,
        phase=options.phase,
        hidden_images=options.hidden_images,
        believe=options.believe,
        until=options.until,
        reference=options.reference,
        trained_on=tuple(options.trained_on.split(",")) if options.trained_on else None,
    )
    if options.reference:
        require_zip(Path(options.reference))
    given = options.submission or expected(DEFAULT_ZIP, "a zip: local-eval ZIP")
    inputs = read_inputs(options, words, chosen, [given])
    data, challenge, how = inputs.data, inputs.challenge, inputs.options
    with placed(options, how) as workers:
        how = replace(how, workers=workers)
        report = evaluate(inputs.zips[0], data, challenge, how, on_terminal)
    _tell(report, options)
    failed = report.scores is None or has_errors(report.findings)
    return Exit.FINDINGS if failed else Exit.FINE


def _tell(report: Report, options: argparse.Namespace) -> None:
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
