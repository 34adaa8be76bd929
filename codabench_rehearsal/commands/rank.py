"""`local-eval rank`: which submission to upload next."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.commands.evaluation_arguments import (
    Inputs,
    add_inputs,
    add_phase,
    add_workers,
    given_inputs,
    placed,
    read_several,
    say,
    tell_result,
    tell_unseen,
)
from codabench_rehearsal.commands.given import rehearsal_command
from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.arguments import positive
from codabench_rehearsal.console.command import Exit, Parser
from codabench_rehearsal.console.errors import DataError, EvaluationError, SubmissionError
from codabench_rehearsal.console.words import shown

if TYPE_CHECKING:
    from evaluator.comparison.ranking import Entry, Ranking
    from evaluator.expectation import Series
    from evaluator.progress import Shown
    from evaluator.report.report import Report
    from evaluator.store.store import LeaderboardScore

    LeftOut = Callable[[str], object]

EXAMPLES = """\
examples:
  local-eval rank *.zip --data training_set.npz
  local-eval rank *.zip --phase final --uploads-per-day 3
  local-eval rank *.zip --workers 2            two at a time: one loads while the other runs

Answers in the store are not run again. Record what the
leaderboard shows (local-eval record ZIP --score 0.89): that is what the chances rest on.
"""


def rank(
    zips: Sequence[str | Path],
    images: Any = None,
    labels: Any = None,
    *,
    uploads_per_day: int | None = None,
    workers: int = 1,
    **options: Any,
) -> Ranking:
    """Say which submission to upload next: `rank(["a.zip", "b.zip"], images, labels)`.

    images, labels, options: as of `local_eval`. uploads_per_day: what the platform allows. A zip
    that fails is left out, with a warning. Raises `EvaluationError` where all fail, and as
    `local_eval` does.
    """
    from evaluator.progress import waits

    inputs = given_inputs(zips, images, labels, options)
    given = argparse.Namespace(uploads_per_day=uploads_per_day, workers=workers)
    return _ranking(inputs, given, waits, warnings.warn)


def parser() -> Parser:
    """The command's options."""
    made = Parser(
        "local-eval rank", "Say which submission to upload next.", EXAMPLES, "a zip was left out"
    )
    made.first(
        *("--data", "--corrupt", "--images", "--held-out", "--phase"),
        *("--uploads-per-day", "--workers", "--json"),
    )
    add_inputs(made, asks=True)
    add_phase(made)
    what = "what the platform allows"
    made.add_argument("--uploads-per-day", type=positive, metavar="N", help=what)
    add_workers(made)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Evaluate each zip, rank, and show it."""
    from evaluator.comparison.ranking import show
    from evaluator.options import Options
    from evaluator.progress import on_terminal

    chosen = Options(
        phase=options.phase, hidden_images=options.hidden_images, believe=options.believe
    )
    inputs = read_several(options, words, chosen)
    tell_unseen(inputs, options)
    ranking = _ranking(inputs, options, on_terminal, say)
    tell_result(options, partial(show, ranking), ranking.to_json)
    return Exit.FINE if len(ranking.entries) == len(inputs.zips) else Exit.FINDINGS


def _ranking(
    inputs: Inputs, options: argparse.Namespace, display: Shown, left_out: LeftOut
) -> Ranking:
    from evaluator.together import kept_for_now

    with placed(options, inputs.options) as workers:
        if workers == 1:
            return _ranked(inputs, {}, options, display, left_out)
        with kept_for_now(inputs.options) as kept:
            inputs = replace(inputs, options=kept)
            found = _asked_first(inputs, workers, display)
            return _ranked(inputs, found, options, display, left_out)


def _asked_first(inputs: Inputs, workers: int, display: Shown) -> dict[Path, Report]:
    """Ask all of them, several at a time; the reports of those that failed, which are kept."""
    from evaluator.together import evaluated_together

    with display() as beside:
        given = inputs.zips, inputs.data, inputs.challenge, inputs.options, workers, beside
        return evaluated_together(*given)


def _ranked(
    inputs: Inputs,
    failed: Mapping[Path, Report],
    options: argparse.Namespace,
    display: Shown,
    left_out: LeftOut,
) -> Ranking:
    from evaluator.comparison.ranking import Uploads, rank, used_today

    phase = inputs.options.phase
    scores = _recorded(inputs, phase)
    known = {score.submission.sha256: str(score) for score in scores}  # the latest of several
    entries = []
    with _series(inputs) as series:
        for path, report in _reports(inputs, failed, series, display, left_out):
            if entry := _entry(path, report, known):
                entries.append(entry)
            else:
                left_out(f"{shown(path.name)} is left out: {_why(report, options)}")
    if not entries:
        raise EvaluationError("None of the submissions could be evaluated: nothing to rank.")
    uploads = Uploads(options.uploads_per_day, *used_today(scores, phase))
    return rank(entries, phase, uploads, series.ahead)


def _recorded(inputs: Inputs, phase: str) -> tuple[LeaderboardScore, ...]:
    """The phase's scores; none where no store is kept or none was made yet."""
    from evaluator.store.store import Store, find_store

    if inputs.options.store == NO_STORE or not (place := find_store(inputs.options.store)).exists():
        return ()
    with Store.open(place) as store:
        return store.scores(phase)


@contextmanager
def _series(inputs: Inputs) -> Iterator[Series]:
    from evaluator.ask import open_store
    from evaluator.expectation import Series

    with ExitStack() as stack:
        store = stack.enter_context(opened) if (opened := open_store(inputs.options)) else None
        yield Series(store, inputs.data, inputs.options, several=True)


def _reports(
    inputs: Inputs,
    failed: Mapping[Path, Report],
    series: Series,
    display: Shown,
    left_out: LeftOut,
) -> Iterator[tuple[Path, Report]]:
    """One a zip; what is wrong with one, or with the split beside it, is told.

    failed: of zips that have been tried.
    """
    from evaluator.evaluate import evaluate

    given = inputs.data, inputs.challenge, inputs.options, display, series
    for path in inputs.zips:
        try:
            report = failed.get(path) or evaluate(path, *given)
        except (SubmissionError, DataError) as error:
            left_out(f"{path.name} is left out: {error}")
        else:
            yield path, report


def _entry(path: Path, report: Report, known: dict[str, str]) -> Entry | None:
    from evaluator.comparison.ranking import Entry

    sha256, scores = report.source.sha256, report.scores
    if scores is None or report.estimate is None or report.on_library is None:
        return None
    accuracies = scores.validation.accuracy, scores.benchmark.accuracy
    recorded = known.get(sha256)
    return Entry(
        shown(path.name), sha256, report.estimate, *accuracies, recorded, report.on_library
    )


def _why(report: Report, options: argparse.Namespace) -> str:
    errors = [f"{one.code}: {one.message}" for one in report.findings if one.severity == "error"]
    why = errors[0] if errors else "it gave no answers"
    return f"{why} ({rehearsal_command(report.source.path, options)})"
