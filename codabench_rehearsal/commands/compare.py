"""`local-eval compare`: submissions held against the first one, on the same images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from codabench_rehearsal.commands.parsers import new_parser
from codabench_rehearsal.commands.several import (
    Inputs,
    add_inputs,
    read_inputs,
    seen_in_training,
    tell_result,
)
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.guard import Kind, Writes
from evaluator.options import Options

EXAMPLES = """\
examples:
  local-eval compare old.zip new.zip --data training_set.npz       is new better than old?
  local-eval compare old.zip a.zip b.zip c.zip --images 0 --plot forest.png
  local-eval compare submission.zip                                benchmark against clean images
  local-eval compare old.zip new.zip --trained-on new.zip=fog,rand_augment

The first zip is the one that the others are held against. What is stored is not asked again.
"""
_PLOT = Kind("a plot", (".png", ".svg"), only=True)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser(
        "local-eval compare",
        "Hold submissions against the first one, on the same images.",
        EXAMPLES,
    )
    add_inputs(made, asks=True)
    made.add_argument(
        "--plot", type=Writes(_PLOT), metavar="FILE", help="a forest plot: .png or .svg"
    )
    made.add_argument(
        "--trained-on", action="append", default=[], metavar="[ZIP=]NAMES",
        help="augmentation used in training, as fog,rand_augment (default: recipe.json beside the zip)",
    )  # fmt: skip
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Ask what is missing, compare, and show it."""
    _check_plot(options)
    inputs = read_inputs(options, words, Options(estimate=False))
    notes = [*seen_in_training(inputs), *_shared(inputs, options.trained_on)]
    from evaluator.answering import answered
    from evaluator.comparison.compare import compare
    from evaluator.comparison.comparison import show
    from evaluator.progress import on_terminal

    sheets = answered(inputs.zips, inputs.data, inputs.challenge, inputs.options, on_terminal)
    comparison = compare(sheets, notes)
    tell_result(options, partial(show, comparison), comparison.to_json)
    if options.plot:
        from evaluator.comparison.forest import save_plot

        save_plot(comparison, Path(options.plot))
    return Exit.FINE


def _check_plot(options: argparse.Namespace) -> None:
    """Before anything is asked, which may take minutes."""
    if not options.plot:
        return
    from evaluator.comparison.forest import check_plot

    check_plot(Path(options.plot), len(options.zips))


def _shared(inputs: Inputs, given: Sequence[str]) -> Iterator[str]:
    """A warning for each submission whose training shares damage with the benchmark."""
    from corruptions.presets import resolve
    from evaluator.report.training import read_given, shared_training, warning

    preset = resolve(inputs.options.corrupt)
    said = read_given(given, inputs.zips)
    for path in dict.fromkeys(inputs.zips):
        names = shared_training(path, preset, said.get(path))
        if names:
            yield warning(path.name, names, preset)
