"""`local-eval forget`: take a score, answers, or a whole submission out of the store."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import add_store
from codabench_rehearsal.commands.given import next_command
from codabench_rehearsal.commands.known import contents, named, only, opened, unknown
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.roles import ZIP
from codabench_rehearsal.console.words import shown
from evaluator.report.history import SHORT, label

if TYPE_CHECKING:
    from evaluator.store.store import HistoryRow, LeaderboardScore, Store, Submission

EXAMPLES = """\
examples:
  local-eval forget submission.zip --score 0.98       a score that was mistyped
  local-eval forget submission.zip --answers          it is run anew; its scores stay
  local-eval forget a1b2c3d4                          all of one, by the start of its SHA-256
"""


def parser() -> Parser:
    """The command's options."""
    what = "Take a submission out of the store, or one of its scores, or its answers. Files stay."
    made = Parser("local-eval forget", what, EXAMPLES, "nothing was forgotten, for want of --yes")
    made.keeps("--phase")
    what = "the zip, or how the store knows it"
    made.add_argument("submission", type=ZIP, metavar="submission.zip", help=what)
    part = made.add_mutually_exclusive_group()
    part.add_argument("--score", metavar="FIGURE", help="only this score")
    part.add_argument("--answers", action="store_true", help="only its answers")
    made.add_argument("--phase", help="with --score: of this phase")
    what = "the one of this name whose zip was never seen"
    made.add_argument("--name-only", action="store_true", help=what)
    what = "forget it; else it is only said what would go"
    made.add_argument("--yes", action="store_true", help=what)
    add_store(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Say what goes, and remove it where the user said so."""
    from evaluator.store.store import find_store

    if options.phase and not options.score:
        raise EvaluationError("--phase says of which phase a --score is: give both, or neither")
    place = find_store(options.store)
    if not place.exists():
        raise EvaluationError(
            f"{place}: there is no store yet, so nothing to forget. Is it elsewhere? --store FILE"
        )
    with opened(place) as store:
        what, forget = _chosen(store, options, _submission(store, options))
        print_lines([what])
        if not options.yes:  # nobody is asked: a notebook would wait for ever
            again = next_command("local-eval forget --yes", [options.submission], options)
            print_lines(["Nothing was forgotten yet.", f"next: {again}"])
            return Exit.FINDINGS
        gone = forget()
    print("Forgotten." if gone else "It was gone already.", flush=True)
    return Exit.FINE


def _submission(store: Store, options: argparse.Namespace) -> Submission:
    word = options.submission
    sha256 = "" if options.name_only else contents(word)
    found = store.find(sha256) if sha256 else named(store, word, name_only=options.name_only)
    if found:
        return only(found, word)
    if sha256 and (others := store.find(word)):
        other, further = others[-1].sha256[:SHORT], () if others[-1].sha256 else ("--name-only",)
        raise EvaluationError(
            f"{word}: this zip was never seen here. Another of that name was: "
            f"{next_command('local-eval forget', [other or others[-1].name], options, *further)}"
        )
    raise EvaluationError(f"{unknown(store, word)}. local-eval history lists them")


def _chosen(
    store: Store, options: argparse.Namespace, own: Submission
) -> tuple[str, Callable[[], bool]]:
    """What goes, in words, and what removes it."""
    rows = [row for row in store.history() if row.submission.id == own.id]
    if options.score:
        scores = _scores(rows, options)
        words = f"{label(own)}: the score {_named(scores)} goes; the rest stays."
        return words, lambda: sum(map(store.forget, scores)) > 0
    answers = f"its {rows[0].answers:,} answers"
    if options.answers:
        if not rows[0].answers:
            raise EvaluationError(f"{label(own)} has no stored answers: there is nothing to forget")
        return f"{label(own)}: {answers} go; its scores stay.", lambda: store.forget_answers(own)
    known = [row.score for row in rows if row.score is not None]
    with_scores = f"its scores {_named(known)}" if known else "no score"
    return (
        f"{label(own)} goes, with {answers} and {with_scores}. No file is touched.",
        lambda: store.forget(own),
    )


def _scores(rows: Sequence[HistoryRow], options: argparse.Namespace) -> list[LeaderboardScore]:
    """The scores of this value in one phase. Raises `EvaluationError`."""
    from evaluator.store.scores import read_phase, read_score

    value, _ = read_score(options.score)
    known = [row.score for row in rows if row.score is not None]
    found = [score for score in known if score.value == value]
    if options.phase:
        found = [score for score in found if score.phase == read_phase(options.phase)]
    if not found:
        raise EvaluationError(
            f"{label(rows[0].submission)} has no such score; known: {_named(known) or 'none'}"
        )
    if len({score.phase for score in found}) > 1:
        raise EvaluationError(f"that is the score in several phases, {_named(found)}: give --phase")
    return found


def _named(scores: Sequence[LeaderboardScore]) -> str:
    return ", ".join(f"{score} ({shown(score.phase)})" for score in scores)
