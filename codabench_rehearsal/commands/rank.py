"""`local-eval rank`: which submission to upload next."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.next_step import rehearsal_command
from codabench_rehearsal.commands.parsers import new_parser, say
from codabench_rehearsal.commands.several import (
    Inputs,
    add_inputs,
    read_inputs,
    tell_result,
    tell_unseen,
)
from codabench_rehearsal.console.arguments import positive
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import shown
from evaluator.options import NO_STORE, PHASE, Options
from evaluator.store.score_text import read_phase

if TYPE_CHECKING:
    from evaluator.comparison.ranking import Entry
    from evaluator.report.report import Report
    from evaluator.store.store import LeaderboardScore

EXAMPLES = """\
examples:
  local-eval rank *.zip --data training_set.npz
  local-eval rank *.zip --phase final --uploads-per-day 3

The zips are evaluated one after the other; what is stored is not asked again. Record what the
leaderboard shows (local-eval record ZIP --score 0.89): that is what the chances rest on.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser("local-eval rank", "Say which submission to upload next.", EXAMPLES)
    add_inputs(made, asks=True)
    made.add_argument(
        "--phase", default=PHASE, help="whose scores to expect (default dev; or final)"
    )
    made.add_argument(
        "--hidden-images", type=positive, metavar="N", help="images in that phase's hidden set"
    )
    made.add_argument(
        "--uploads-per-day", type=positive, metavar="N", help="what the platform allows"
    )
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Evaluate each zip, rank, and show it."""
    phase = read_phase(options.phase)
    inputs = read_inputs(options, words, Options(phase=phase, hidden_images=options.hidden_images))
    tell_unseen(inputs, options)
    scores = _recorded(inputs, phase)
    entries = [entry for entry in _entries(inputs, scores, options) if entry is not None]
    from evaluator.comparison.ranking import Uploads, rank, show, to_json, used_today

    uploads = Uploads(options.uploads_per_day, *used_today(scores, phase))
    ranking = rank(entries, phase, uploads)
    tell_result(options, partial(show, ranking), partial(to_json, ranking))
    return Exit.FINE if len(entries) == len(inputs.zips) else Exit.FINDINGS


def _recorded(inputs: Inputs, phase: str) -> tuple[LeaderboardScore, ...]:
    """The phase's scores; none where no store is kept or none was made yet."""
    from evaluator.store.store import Store, find_store

    if inputs.options.store == NO_STORE:
        return ()
    place = find_store(inputs.options.store)
    if not place.exists():
        return ()
    with Store.open(place) as store:
        return store.scores(phase)


def _entries(
    inputs: Inputs, scores: Sequence[LeaderboardScore], options: argparse.Namespace
) -> list[Entry | None]:
    """One a zip, None for one that fails: told on standard error. Raises where all fail."""
    from codabench_rehearsal.console.errors import DataError, SubmissionError
    from evaluator.ask import open_store
    from evaluator.evaluate import evaluate
    from evaluator.progress import on_terminal
    from evaluator.series import Series

    known = {score.submission.sha256: str(score) for score in scores}  # the latest of several
    found: list[Entry | None] = []
    with ExitStack() as stack:
        store = stack.enter_context(opened) if (opened := open_store(inputs.options)) else None
        series = Series(store, inputs.data, inputs.options, several=True)
        given = inputs.data, inputs.challenge, inputs.options, on_terminal, series
        for path in inputs.zips:
            try:
                report = evaluate(path, *given)
            except (SubmissionError, DataError) as error:  # its zip, or the split beside it
                say(f"{path.name} is left out: {error}")
                found.append(None)
                continue
            found.append(_entry(shown(path.name), report, known, options))
    if not any(found):
        raise EvaluationError("None of the submissions could be evaluated: nothing to rank.")
    return found


def _entry(
    name: str, report: Report, known: dict[str, str], options: argparse.Namespace
) -> Entry | None:
    from evaluator.comparison.ranking import Entry

    if report.scores is None or report.estimate is None:
        errors = [f"{f.code}: {f.message}" for f in report.findings if f.severity == "error"]
        why = errors[0] if errors else "it did not answer"
        say(f"{name} is left out: {why} ({rehearsal_command(report.source.path, options)})")
        return None
    sha256, scores = report.source.sha256, report.scores
    return Entry(
        name,
        sha256,
        report.estimate,
        scores.validation.accuracy,
        scores.benchmark.accuracy,
        known.get(sha256),
    )
