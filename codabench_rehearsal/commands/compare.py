"""`local-eval compare`: submissions held against the first one, on the same images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.evaluation_arguments import (
    Inputs,
    add_inputs,
    add_workers,
    given_inputs,
    placed,
    read_several,
    seen_in_training,
    tell_result,
)
from codabench_rehearsal.console.command import Exit, Parser
from codabench_rehearsal.console.roles import Writes

if TYPE_CHECKING:
    from evaluator.comparison.standings import Comparison
    from evaluator.progress import Shown

EXAMPLES = """\
examples:
  local-eval compare old.zip new.zip --data training_set.npz       is new better than old?
  local-eval compare old.zip a.zip b.zip c.zip --images 0 --plot forest.png
  local-eval compare submission.zip                                benchmark against clean images
  local-eval compare old.zip new.zip --trained-on new.zip=fog,rand_augment

The others are compared with the first zip. Answers in the store are not run again.
"""
_PLOT = Writes("a plot", (".png", ".svg"), only=True)


def compare(
    zips: Sequence[str | Path],
    images: Any = None,
    labels: Any = None,
    *,
    workers: int = 1,
    **options: Any,
) -> Comparison:
    """Hold submissions against the first one: `compare(["old.zip", "new.zip"], images, labels)`.

    images, labels, options: as of `local_eval`; `trained_on` here maps a zip's name to names, or is
    a tuple of names for all. workers: submissions at a time. What comes back prints as text and
    shows as a table. Raises `EvaluationError`, `DataError`, `CorruptionError` or `SubmissionError`
    for what cannot be used.
    """
    from evaluator.progress import waits

    used = options.pop("trained_on", None) or ()
    given = used.items() if isinstance(used, dict) else [("", used)] if used else []
    said = [f"{name}={','.join(names)}".removeprefix("=") for name, names in given]
    inputs = given_inputs(zips, images, labels, options | {"estimate": False})
    with placed(argparse.Namespace(workers=workers), inputs.options) as several:
        return _compared(inputs, said, waits, several)


def parser() -> Parser:
    """The command's options."""
    what = "Compare submissions with the first one, on the same images."
    made = Parser("local-eval compare", what, EXAMPLES)
    made.first(
        *("--data", "--corrupt", "--images", "--held-out", "--trained-on"),
        *("--workers", "--plot", "--json"),
    )
    add_inputs(made, asks=True)
    add_workers(made)
    what = "a forest plot: .png or .svg"
    made.add_argument("--plot", type=_PLOT, metavar="FILE", help=what)
    what = (
        "augmentation used in training, as fog,rand_augment (default: recipe.json beside the zip)"
    )
    made.add_argument("--trained-on", action="append", default=[], metavar="[ZIP=]NAMES", help=what)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Ask what is missing, compare, and show it."""
    from evaluator.comparison.forest import check_plot, save_plot
    from evaluator.comparison.standings import show
    from evaluator.options import Options
    from evaluator.progress import on_terminal

    if options.plot:  # before anything is asked, which may take minutes
        check_plot(Path(options.plot), len(options.zips))
    inputs = read_several(options, words, Options(estimate=False))
    with placed(options, inputs.options) as workers:
        comparison = _compared(inputs, options.trained_on, on_terminal, workers)
    tell_result(options, partial(show, comparison), comparison.to_json)
    if options.plot:
        save_plot(comparison, Path(options.plot))
    return Exit.FINE


def _compared(inputs: Inputs, trained_on: Sequence[str], shown: Shown, workers: int) -> Comparison:
    from evaluator.comparison.compare import answered, compare
    from evaluator.comparison.hidden import above_first
    from evaluator.together import answered_together

    notes = [*seen_in_training(inputs), *_shared(inputs, trained_on)]
    given = inputs.zips, inputs.data, inputs.challenge, inputs.options, shown
    sheets = answered(*given) if workers == 1 else answered_together(*given, workers)
    found = compare(sheets, notes)
    hidden = above_first(inputs.zips, inputs.data, inputs.challenge, inputs.options)
    pairs = zip(found.pairs, hidden, strict=True)
    return replace(found, pairs=tuple(replace(pair, hidden=share) for pair, share in pairs))


def _shared(inputs: Inputs, given: Sequence[str]) -> Iterator[str]:
    """A warning for each submission whose training shares damage with the benchmark."""
    from corruptions.named import parse
    from evaluator.report.training import read_given, shared_training, warning

    preset = parse(inputs.options.corrupt)
    said = read_given(given, inputs.zips)
    for path in dict.fromkeys(inputs.zips):
        if names := shared_training(path, preset, said.get(path)):
            yield warning(path.name, names, preset)
