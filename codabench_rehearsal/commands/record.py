"""`local-eval record`: keep what the leaderboard showed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import add_store, say
from codabench_rehearsal.commands.given import next_command
from codabench_rehearsal.commands.known import contents, named, only, opened, unknown
from codabench_rehearsal.console import DEFAULT_CHALLENGE, PHASE
from codabench_rehearsal.console.arguments import add_challenge
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.roles import CLASS_SCORES, ZIP
from codabench_rehearsal.console.words import quoted, shown
from evaluator.report.history import NOT_MINE, SHORT, compared, label, progress, shown_beside

if TYPE_CHECKING:
    from evaluator.store.columns import Columns
    from evaluator.store.rows import ClassScores
    from evaluator.store.store import HistoryRow, LeaderboardScore, Store, Submission

EXAMPLES = """\
examples:
  local-eval record submission.zip --score 0.89
  local-eval record submission.zip --score 0.8731 --phase final --date 2026-11-21
  local-eval record a1b2c3d4 --score 89%            by the start of its SHA-256, if the zip is gone
  local-eval record baseline.zip --score 0.61 --not-mine      the organisers', or a colleague's
  local-eval record "our first try" --score 0.71 --name-only      the zip was never seen here

A leaderboard of several columns, and recall by class on the hidden set:
  local-eval record submission.zip --score accuracy=0.89 --score macro-F1=0.86
  local-eval record submission.zip --score 0.89 --class-scores recall.csv

Type the score as the platform shows it, with all its decimals: how far it was rounded counts.
"""


@dataclass(frozen=True)
class Recorded:
    """A score that is kept.

    row: the submission, the score, and what had been predicted of it. is_new: False where it was
    known already. lines: how right the prediction was, and what the score is good for, in words.
    doubts: what looks like a slip.
    """

    row: HistoryRow
    is_new: bool
    lines: tuple[str, ...]
    doubts: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((*self.lines, *self.doubts))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows


def record(
    submission: str | Path,
    score: str | float | Mapping[str, str | float],
    *,
    phase: str = PHASE,
    date: str = "",
    hidden_images: int | None = None,
    note: str = "",
    name_only: bool = False,
    mine: bool = True,
    class_scores: str | Path | Mapping[str, str | float] | None = None,
    challenge: str = DEFAULT_CHALLENGE,
    store: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Recorded:
    """Keep what the leaderboard showed: `record("submission.zip", "0.8900")`.

    submission: the zip, or how the store knows it. score: best as text, for how far it was rounded
    counts; `{"accuracy": "0.89", "macro-F1": "0.86"}` of a leaderboard of several columns. phase,
    date, hidden_images, note: as of `local-eval record`. name_only: the zip was never seen here.
    mine: False for the organisers' baseline or a colleague's zip: the estimate uses it, and it is
    no upload and no best of yours. class_scores: recall by class on the hidden set, or a file of
    it. challenge: whose metric and classes these are. store: a file or folder, None for the
    project's. Raises `EvaluationError`, or `SubmissionError` for an unknown challenge.
    """
    options = argparse.Namespace(
        submission=str(submission),
        score=[f"{n}={v}" for n, v in score.items()]
        if isinstance(score, Mapping)
        else [str(score)],
        phase=phase,
        date=str(date),
        hidden_images=str(hidden_images or ""),
        note=note,
        name_only=name_only,
        not_mine=not mine,
        class_scores=class_scores,
        challenge=challenge,
        store=store if store is None else str(store),
        columns=columns,
    )
    return _record(options)


def parser() -> Parser:
    """The command's options."""
    made = Parser("local-eval record", "Keep what the leaderboard showed.", EXAMPLES)
    add = made.add_argument
    what = "the zip, or how the store knows it"
    add("submission", type=ZIP, metavar="submission.zip", help=what)
    what = "0.89, 0,89 or 89%%; NAME=FIGURE for each column, if the leaderboard has several"
    add("--score", required=True, action="append", metavar="FIGURE", help=what)
    what = "recall of every class on the hidden set: CSV of class and recall, or JSON"
    add("--class-scores", type=CLASS_SCORES, metavar="FILE", help=what)
    what = f"default {PHASE}; each phase is a target of its own"
    add("--phase", default=PHASE, help=what)
    add("--date", default="", help="when it was shown, such as 2026-11-21")
    add("--hidden-images", default="", metavar="N", help="how many, if you know")
    add("--note", default="", metavar="TEXT")
    what = "the zip is lost and was never seen here: keep the score under this name"
    add("--name-only", action="store_true", help=what)
    what = "the organisers' baseline, or a colleague's: used, but no upload and no best of yours"
    add("--not-mine", action="store_true", help=what)
    add_store(made)
    add_challenge(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Record, and say how right the prediction was."""
    done = _record(options)
    print_lines(done.lines)
    for doubt in done.doubts:
        say(doubt)
    return Exit.FINE


def _record(options: argparse.Namespace) -> Recorded:
    from evaluator.store.scores import read_date, read_images, read_phase, read_score
    from evaluator.store.store import find_store

    score_text, columns, classes = _shown(options)
    value, decimals = read_score(score_text)
    phase, date = read_phase(options.phase), read_date(options.date)
    hidden_images = read_images(options.hidden_images)
    sha256 = "" if options.name_only else contents(options.submission)
    place = find_store(options.store)
    if not (sha256 or options.name_only or place.exists()):
        raise _unknown(None, options.submission)
    with opened(place) as store:
        own, doubts = _submission(store, options, sha256)
        new = store.record_score(
            own,
            value,
            decimals,
            phase,
            date=date,
            hidden_images=hidden_images,
            note=options.note,
            mine=not options.not_mine,
            columns=columns,
            class_scores=classes,
        )
        history = store.history()
    in_phase = [row for row in history if row.score and row.score.phase == phase]
    of_own = [(row, row.score) for row in in_phase if row.score and row.submission.id == own.id]
    same = [
        (score.date == date, score.id, row, score)
        for row, score in of_own
        if (score.value, score.decimals) == (value, decimals)
    ]
    _, _, row, score = max(same, key=lambda found: found[:2])  # of several, the one of its date
    doubts += _slips([str(score) for _, score in of_own], score, options)
    doubts += _others(history, own, score)
    lines = (*_said(row, score, new=new), *progress(in_phase))
    return Recorded(row, new, lines, tuple(doubts))


def _shown(options: argparse.Namespace) -> tuple[str, Columns, ClassScores | None]:
    """The score's text, the leaderboard's other columns, and recall by class."""
    texts = options.score
    if columns := getattr(options, "columns", None):
        from evaluator.store.leaderboard import checked_columns

        return texts[0], checked_columns(columns), None
    if len(texts) == 1 and "=" not in texts[0] and options.class_scores is None:
        return texts[0], (), None  # of any challenge
    from codabench_rehearsal.challenge.profile import load_challenge
    from evaluator.store.leaderboard import named_scores, read_class_scores

    challenge = load_challenge(options.challenge)
    text, columns = named_scores(texts, challenge)
    given = options.class_scores
    return text, columns, None if given is None else read_class_scores(given, challenge)


def _submission(
    store: Store, options: argparse.Namespace, sha256: str
) -> tuple[Submission, list[str]]:
    """The submission that is meant, added where it is new; and what is doubtful of that."""
    word = options.submission
    if options.name_only:
        here = f"{word} is here: without --name-only the estimate could use the score"
        return store.add_submission("", word), [here] if Path(word).is_file() else []
    if sha256:
        path = Path(word)
        doubts = [*_rebuilt(store, path, sha256, options), *_twins(store, path, options)]
        return store.add_submission(sha256, path.name, path.absolute()), doubts
    found = named(store, word)
    if not found:
        raise _unknown(store, word)
    return only([one for one in found if one.sha256] or found, word), []


def _rebuilt(store: Store, path: Path, sha256: str, options: argparse.Namespace) -> Iterator[str]:
    """Whether another zip of that name may be the one that was uploaded."""
    known = [one for one in store.find(path.name) if one.sha256]
    if known and sha256 not in {one.sha256 for one in known}:
        forget = next_command("local-eval forget", [sha256[:SHORT]], options)
        scores = [word for text in options.score for word in ("--score", quoted(text))]
        again = next_command("local-eval record", [known[-1].sha256[:SHORT]], options, *scores)
        yield (
            f"this {shown(path.name)} is new here; the store knows another of that name, "
            f"{label(known[-1])}. If the score belongs to that one: {forget}, then {again}"
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


def _said(row: HistoryRow, score: LeaderboardScore, *, new: bool) -> Iterator[str]:
    own, done = row.submission, "recorded" if new else "was known already"
    whose = "" if score.mine else f", {NOT_MINE}"
    yield f"{label(own)}: {score} {done}, phase {shown(score.phase)}{whose}."
    if beside := shown_beside(score):
        yield f"Also on the leaderboard: {beside}."
    if row.prediction is not None:
        yield compared(row.prediction, row)
    elif own.sha256:
        yield "No score was predicted for it before."
    if not own.sha256:
        yield "Without its zip the estimate cannot use the score; the history shows it."
    elif not row.answers:
        yield f"Its answers are not in the store{_source(own)}"


def _source(own: Submission) -> str:
    """Where answers can come from, the end of a sentence."""
    if own.path and Path(own.path).is_file():
        return f": the next estimate runs it first, so leave {shown(own.path)} there."
    return ", and its zip is gone: the estimate cannot use the score."


def _slips(
    known: Sequence[str], score: LeaderboardScore, options: argparse.Namespace
) -> Iterator[str]:
    """What looks like a slip of the finger. known: all scores of the submission in the phase."""
    if len(set(known)) > 1:
        words = ("--score", "FIGURE")
        forget = next_command("local-eval forget", [options.submission], options, *words)
        scores = f"{len(known)} scores in this phase: {', '.join(known)}"
        yield f"it has {scores}. If one is a mistake: {forget}"
    if score.decimals < 2 and 0 < score.value < 1:
        points = f"{50 / 10**score.decimals:.0f} points"
        yield (
            f"{score} may be rounded from anything within {points} of it; if the platform showed "
            "more decimals, forget this one and record all of them"
        )


def _others(history: Sequence[HistoryRow], own: Submission, score: LeaderboardScore) -> list[str]:
    """Whether the zip is another's by what was recorded of it before."""
    scores = [row.score for row in history if row.score and row.submission.id == own.id]
    if score.mine and not all(one.mine for one in scores):
        return ["its other scores are kept as not yours: if this one is not, repeat it, --not-mine"]
    return []


def _unknown(store: Store | None, word: str) -> EvaluationError:
    return EvaluationError(
        f"{unknown(store, word)}. Give the zip that was uploaded, or, if it is lost, keep the "
        "score under a name: local-eval record NAME --score FIGURE --name-only"
    )
