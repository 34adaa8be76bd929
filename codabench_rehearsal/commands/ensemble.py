"""`local-eval ensemble`: which submissions would vote best together, from stored answers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from codabench_rehearsal.commands.evaluation_arguments import (
    add_inputs,
    read_several,
    tell_result,
    tell_unseen,
)
from codabench_rehearsal.console.arguments import positive
from codabench_rehearsal.console.command import Exit, Parser
from codabench_rehearsal.console.errors import EvaluationError

EXAMPLES = """\
examples:
  local-eval ensemble *.zip --data training_set.npz
  local-eval ensemble a.zip b.zip c.zip --corrupt an2dl-2024 --members 3

Only stored answers count, nothing is run: run local-eval on each zip first, with the same --data,
--corrupt and --seed. Half of the images choose the members, the other half scores the vote.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    what = "Find the submissions that vote best together; runs nothing."
    made = Parser("local-eval ensemble", what, EXAMPLES)
    add_inputs(made, asks=False)
    made.add_argument("--members", type=positive, metavar="N", help="at most so many (default 7)")
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Read the answers, choose, and show it."""
    from evaluator.comparison.compare import stored_answers
    from evaluator.comparison.vote import MOST_MEMBERS, greedy_vote, show
    from evaluator.options import Options

    if len(options.zips) < 2:
        raise EvaluationError("An ensemble needs candidates: give at least two zips.")
    inputs = read_several(options, words, Options(estimate=False))
    sheets = stored_answers(inputs.zips, inputs.data, inputs.options)
    vote = greedy_vote(sheets, options.members or MOST_MEMBERS)
    tell_unseen(inputs, options)
    tell_result(options, partial(show, vote), vote.to_json)
    return Exit.FINE
