"""`local-eval ensemble`: which submissions would vote best together, from stored answers."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.evaluation_arguments import (
    Inputs,
    add_inputs,
    given_inputs,
    read_several,
    seen_in_training,
    tell_result,
    tell_unseen,
)
from codabench_rehearsal.console.arguments import positive
from codabench_rehearsal.console.command import Exit, Parser
from codabench_rehearsal.console.errors import EvaluationError

if TYPE_CHECKING:
    from evaluator.comparison.vote import Vote

EXAMPLES = """\
examples:
  local-eval ensemble *.zip --data training_set.npz
  local-eval ensemble a.zip b.zip c.zip --corrupt an2dl-2024 --members 3

Only stored answers count, nothing is run: run local-eval on each zip first, with the same --data,
--corrupt and --seed. Half of the images choose the members, the other half scores the vote.
"""


def ensemble(
    zips: Sequence[str | Path],
    images: Any = None,
    labels: Any = None,
    *,
    members: int | None = None,
    **options: Any,
) -> Vote:
    """Find the submissions that vote best together: `ensemble(["a.zip", "b.zip"], images, labels)`.

    images, labels, options: as of `local_eval`, which has to have asked each zip with the same;
    nothing is run here. members: at most so many. What comes back prints as text. A zip without a
    split is told in a warning. Raises `EvaluationError` for fewer than two zips and where answers
    are missing, and as `local_eval` does.
    """
    _require_several(zips)
    inputs = given_inputs(zips, images, labels, {"images": None, **options, "estimate": False})
    for line in seen_in_training(inputs):
        warnings.warn(line, stacklevel=2)
    return _vote(inputs, members)


def parser() -> Parser:
    """The command's options."""
    what = "Find the submissions that vote best together; runs nothing."
    made = Parser("local-eval ensemble", what, EXAMPLES)
    made.first(
        *("--data", "--corrupt", "--seed", "--part", "--held-out"),
        *("--members", "--store", "--json"),
    )
    add_inputs(made, asks=False)
    made.add_argument("--members", type=positive, metavar="N", help="at most so many (default 7)")
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Read the answers, choose, and show it."""
    from evaluator.comparison.vote import show
    from evaluator.options import Options

    _require_several(options.zips)
    inputs = read_several(options, words, Options(estimate=False))
    vote = _vote(inputs, options.members)
    tell_unseen(inputs, options)
    tell_result(options, partial(show, vote), vote.to_json)
    return Exit.FINE


def _vote(inputs: Inputs, members: int | None) -> Vote:
    from evaluator.comparison.compare import stored_answers
    from evaluator.comparison.vote import MOST_MEMBERS, greedy_vote

    sheets = stored_answers(inputs.zips, inputs.data, inputs.options)
    return greedy_vote(sheets, members or MOST_MEMBERS)


def _require_several(zips: Sequence[object]) -> None:
    if isinstance(zips, str) or len(zips) < 2:
        raise EvaluationError("An ensemble needs candidates: give at least two zips.")
