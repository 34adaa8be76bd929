"""`local-eval ZIP --challenge BUNDLE`: clean as the platform runs it, and on damaged input data."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from codabench_rehearsal.commands.bundle_arguments import opened_challenge, read_running
from codabench_rehearsal.commands.evaluation_arguments import DEFAULT_ZIP, expected, say
from codabench_rehearsal.console.command import Exit, console
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT, write_or_print, write_text
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.settings import is_settled

# What a bundle decides, or what is asked in another way there.
_OTHERS = (
    *("data", "images", "part", "held_out", "split", "order_seed", "hidden_images", "believe"),
    *("no_estimate", "tolerance", "full", "sweep", "trained_on", "block", "device", "cluster"),
    *("until", "reference", "workers"),
)


def run(options: argparse.Namespace, words: Sequence[str], parser: argparse.ArgumentParser) -> int:
    """Rehearse in the bundle, and report."""
    _refuse_others(options, parser)
    path = Path(options.submission or expected(DEFAULT_ZIP, "a zip: local-eval ZIP"))
    require_file(path, SubmissionError)
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.rehearsal.predictions.packed import opened_submission
    from evaluator.bundles.benchmark import Wanted, evaluate_in_bundle

    wanted = Wanted(
        corrupt=options.corrupt,
        seed=options.seed,
        budget=options.budget,
        column=options.column or "",
        perturb=tuple(options.perturb),
        store=options.store,
        command=shlex.join(["local-eval", *words]),
        logs=Path(options.logs) if options.logs else None,
        given=path,
    )
    with (
        opened_challenge(options, "local-eval") as setting,
        opened_submission(path, setting) as archive,
    ):
        how = read_running(options, setting, path)
        report = evaluate_in_bundle(
            archive.path, setting.bundle, setting.phase, setting.worker, how.machine, wanted, say
        )
    if options.html:
        write_text(options.html, report.to_page())
    if options.json:
        write_or_print(options.json, report.to_json())
    if options.json != STDOUT:
        report.show(console())
    return Exit.FINDINGS if report.failed else Exit.FINE


def _refuse_others(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Raise `SubmissionError` for options that say nothing with a bundle."""
    for name in _OTHERS:
        typed = not is_settled(options, name)  # a project's defaults are of other challenges too
        if typed and getattr(options, name) != parser.get_default(name):
            flag = f"--{name.replace('_', '-')}"
            raise SubmissionError(
                f"{flag} does not go with --challenge BUNDLE: the bundle has the data and decides "
                "how it is scored."
            )
