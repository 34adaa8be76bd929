"""`local-eval record`: keep what the leaderboard showed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.commands.known import contents, label, named, only, opened, unknown
from codabench_rehearsal.commands.next_step import next_command
from codabench_rehearsal.commands.parsers import add_store, new_parser, say
from codabench_rehearsal.console.command import Exit, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.guard import ZIP
from codabench_rehearsal.console.words import quoted, shown
from evaluator.report.history_text import SHORT, compared, progress
from evaluator.store.score_text import read_date, read_images, read_phase, read_score
from evaluator.store.store import HistoryRow, Store, Submission, find_store

EXAMPLES = """\
examples:
  local-eval record submission.zip --score 0.89
  local-eval record submission.zip --score 0.8731 --phase final --date 2026-11-21 --hidden-images 2000
  local-eval record a1b2c3d4 --score 89%            by the start of its SHA-256, if the zip is gone
  local-eval record "our first try" --score 0.71 --name-only      the zip was never seen here

Type the score as the platform shows it, with all its decimals: how far it was rounded counts.
"""


@dataclass(frozen=True)
class Typed:
    """A score as the user typed it, read."""

    value: float
    decimals: int
    phase: str
    date: str
    hidden_images: int | None
    note: str

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser("local-eval record", "Keep what the leaderboard showed.", EXAMPLES)
    made.add_argument(
        "submission", type=ZIP, metavar="submission.zip",
        help="the zip, or how the store knows it",
    )  # fmt: skip
    made.add_argument("--score", required=True, metavar="FIGURE", help="0.89, 0,89 or 89%%")
    made.add_argument(
        "--phase", default="dev", help="default dev; each phase is a target of its own"
    )
    made.add_argument("--date", default="", help="when it was shown, such as 2026-11-21")
    made.add_argument("--hidden-images", default="", metavar="N", help="how many, if you know")
    made.add_argument("--note", default="", metavar="TEXT")
    made.add_argument(
        "--name-only",
        action="store_true",
        help="the zip is lost and was never seen here: keep the score under this name",
    )
    add_store(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Record, and say how right the prediction was."""
    typed = Typed(
        *read_score(options.score),
        read_phase(options.phase),
        read_date(options.date),
        read_images(options.hidden_images),
        options.note,
    )
    sha256 = "" if options.name_only else contents(options.submission)
    place = find_store(options.store)
    if not (sha256 or options.name_only or place.exists()):
        raise _unknown(None, options.submission)
    with opened(place) as store:
        submission = _submission(store, options, sha256)
        new = store.record_score(
            submission,
            typed.value,
            typed.decimals,
            typed.phase,
            date=typed.date,
            hidden_images=typed.hidden_images,
            note=typed.note,
        )
        history = store.history()
    rows = [row for row in history if row.submission.id == submission.id]
    in_phase = [row for row in history if row.score and row.score.phase == typed.phase]
    print_lines((*_said(_row(rows, typed), new=new), *progress(in_phase)))
    for doubt in _doubts(rows, typed, options):
        say(doubt)
    return Exit.FINE


def _submission(store: Store, options: argparse.Namespace, sha256: str) -> Submission:
    """The submission that is meant, added where it is new."""
    word = options.submission
    if options.name_only:
        if Path(word).is_file():
            say(f"{word} is here: without --name-only the estimate could use the score")
        return store.add_submission("", word)
    if sha256:
        path = Path(word)
        for doubt in (*_rebuilt(store, path, sha256, options), *_twins(store, path, options)):
            say(doubt)
        return store.add_submission(sha256, path.name, path.absolute())
    found = named(store, word)
    if not found:
        raise _unknown(store, word)
    return only([one for one in found if one.sha256] or found, word)


def _rebuilt(store: Store, path: Path, sha256: str, options: argparse.Namespace) -> Iterator[str]:
    """Whether another zip of that name may be the one that was uploaded."""
    known = [one for one in store.find(path.name) if one.sha256]
    if known and sha256 not in {one.sha256 for one in known}:
        forget = next_command("local-eval forget", [sha256[:SHORT]], options)
        score = ("--score", quoted(options.score))
        again = next_command("local-eval record", [known[-1].sha256[:SHORT]], options, *score)
        yield (
            f"this {shown(path.name)} is new here; the store knows another of that name, "
            f"{label(known[-1])}. If the score is that one's, mend it: {forget}, then {again}"
        )


def _twins(store: Store, path: Path, options: argparse.Namespace) -> Iterator[str]:
    """Whether scores that were kept without a zip are this one's."""
    for name in (path.name, path.stem):
        if named(store, name, name_only=True):
            forget = next_command("local-eval forget", [name], options, "--name-only")
            yield (
                f"scores of {shown(name)} are also kept by its name alone; if they are this zip's, "
                f"record them for it, then: {forget}"
            )


def _row(rows: Sequence[HistoryRow], typed: Typed) -> HistoryRow:
    """The row of the score that was just recorded, or was known; of several, the one of its date."""
    same = [
        (row.score.date == typed.date, row.score.id, row)
        for row in rows
        if row.score is not None
        and (row.score.phase, row.score.value, row.score.decimals)
        == (typed.phase, typed.value, typed.decimals)
    ]
    return max(same, key=lambda found: found[:2])[2]


def _said(row: HistoryRow, *, new: bool) -> Iterator[str]:
    own, score = row.submission, row.score
    phase = shown(score.phase) if score else ""
    done = "recorded" if new else "was known already"
    yield f"{label(own)}: {score} {done}, phase {phase}."
    if row.prediction is not None:
        yield compared(row.prediction, row)
    elif own.sha256:
        yield "No score had been predicted for it."
    if not own.sha256:
        yield "Without its zip the estimate cannot use the score; the history shows it."
    elif not row.answers:
        yield f"No answers of it are stored{_source(own)}"


def _source(own: Submission) -> str:
    """Where answers can come from, the end of a sentence."""
    if own.path and Path(own.path).is_file():
        return f": the next estimate asks it first, so leave {shown(own.path)} there."
    return ", and its zip is gone: the estimate cannot use the score."


def _doubts(rows: Sequence[HistoryRow], typed: Typed, options: argparse.Namespace) -> Iterator[str]:
    """What looks like a slip of the finger."""
    shown = [str(row.score) for row in rows if row.score and row.score.phase == typed.phase]
    if len(set(shown)) > 1:
        forget = next_command(
            "local-eval forget", [options.submission], options, "--score", "FIGURE"
        )
        yield (
            f"it has {len(shown)} scores in this phase: {', '.join(shown)}. If one is a slip: {forget}"
        )
    if typed.decimals < 2 and 0 < typed.value < 1:
        yield (
            f"{typed} stands for anything within {50 / 10**typed.decimals:.0f} points of it; if the "
            "platform showed more decimals, forget this one and record them"
        )


def _unknown(store: Store | None, word: str) -> EvaluationError:
    return EvaluationError(
        f"{unknown(store, word)}. Give the zip that was uploaded, or, if it is lost, keep the score "
        "under a name: local-eval record NAME --score FIGURE --name-only"
    )
