"""`local-eval board`: all submissions of a store, or of a course, side by side."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.bundle_arguments import (
    add_bundle,
    add_running,
    is_of_programs,
    require_bundle,
)
from codabench_rehearsal.commands.evaluation_arguments import add_json, add_preset, add_store, say
from codabench_rehearsal.commands.site_arguments import add_site_challenge, require_site
from codabench_rehearsal.console import NO_STORE, PHASE
from codabench_rehearsal.console.arguments import seconds, seed
from codabench_rehearsal.console.command import Exit, Parser, console
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import PAGE, PROFILE, REPORTS, SUBMISSIONS, TEAMS, ZIP
from codabench_rehearsal.console.settings import is_settled
from codabench_rehearsal.console.words import shown

if TYPE_CHECKING:
    from evaluator.board.names import Teams
    from evaluator.board.result import Board
    from evaluator.store.store import Store

EXAMPLES = """\
examples:
  local-eval board                                     all submissions that were evaluated here
  local-eval board *.zip --html board.html             only these; a page that sorts
  local-eval board --teams teams.csv --anonymous --html board.html
  local-eval board --challenge bundle.zip --submissions handed_in/ --html board.html

Nothing is run without --challenge: figures come out of the store (local-eval ZIP fills it).
"""


def parser() -> Parser:
    """The command's options."""
    made = Parser("local-eval board", "Show all submissions side by side.", EXAMPLES)
    made.first(
        *("--html", "--json", "--corrupt", "--teams", "--anonymous", "--phase"),
        *("--challenge", "--submissions"),
    )
    add = made.add_argument
    add("zips", nargs="*", type=ZIP, metavar="submission.zip", help="only these (default: all)")
    add("--html", type=PAGE, metavar="FILE", help="also as a page")
    add_json(made, "also as JSON")
    add_force(made)
    add_preset(made)
    what = "team of each zip: CSV with columns zip and team"
    add("--teams", type=TEAMS, metavar="FILE.csv", help=what)
    add("--anonymous", action="store_true", help="letters in the place of names")
    what = "where the submissions' own pages are (default: beside the zips)"
    add("--reports", type=REPORTS, metavar="FOLDER", help=what)
    what = "answers under this seed (default: the one that most have)"
    add("--seed", type=seed, metavar="N", help=what)
    what = "answers on the data file whose fingerprint starts so (default: the same)"
    add("--fingerprint", metavar="START", help=what)
    add_store(made)
    what = "run everybody's zip through this bundle"
    add("--challenge", type=PROFILE, metavar="BUNDLE|1234", help=what)
    what = "where everybody's zips are"
    add("--submissions", type=SUBMISSIONS, metavar="FOLDER", help=what)
    what = "whose scores to show (default dev); of a bundle: its number or name"
    add("--phase", default=PHASE, help=what)
    group = add_bundle(made, phase=False, logs=False)
    what = "for the runs of each zip on corrupted images (default: as long as ten clean ones)"
    group.add_argument("--budget", type=seconds, metavar="TIME", help=what)
    group.add_argument("--column", metavar="KEY", help="the leaderboard's column")
    what = "images of the input data to corrupt (may be repeated)"
    group.add_argument("--perturb", action="append", default=[], metavar="GLOB", help=what)
    add_running(made)
    add_site_challenge(group)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Gather, write what was asked for, and show."""
    if options.html == STDOUT and options.json == STDOUT:
        raise EvaluationError("standard output (-) takes one of --html and --json: name a file")
    require_site(options)
    if options.challenge and is_of_programs(options.challenge):
        from codabench_rehearsal.commands.board_bundle import run_bundle

        return run_bundle(options, words)
    _refuse_profile(options)
    require_bundle(options)
    if options.submissions:
        raise EvaluationError("--submissions FOLDER goes with --challenge BUNDLE: name the bundle")
    if options.store == NO_STORE:
        raise EvaluationError("expected a store with answers, received --store none")
    return _of_store(options, words)


def _refuse_profile(options: argparse.Namespace) -> None:
    """Raise `EvaluationError` for a --challenge that was typed and is no bundle."""
    if options.challenge and not is_settled(options, "challenge"):
        raise EvaluationError(
            f"--challenge {shown(options.challenge)}: expected a bundle (a zip, or the folder of "
            "competition.yaml), or a challenge on a site with --bundle. A profile's board comes "
            "out of the store: leave --challenge out"
        )


def _of_store(options: argparse.Namespace, words: Sequence[str]) -> int:
    from codabench_rehearsal.commands.known import opened  # it starts numpy, as those below
    from evaluator.board.names import read_teams
    from evaluator.board.page import to_page
    from evaluator.board.terminal import board_parts
    from evaluator.store.store import find_store

    place = find_store(options.store)
    teams = read_teams(Path(options.teams)) if options.teams else None
    if not place.exists():
        raise EvaluationError(
            f"{place}: no store yet. Evaluate the submissions first: local-eval ZIP --data FILE"
        )
    with opened(place) as store:
        made = _gathered(store, options, words, teams)
    if options.html:
        folder = Path() if options.html == STDOUT else Path(options.html).absolute().parent
        write_or_print(options.html, to_page(made, folder))
    if options.json:
        write_or_print(options.json, made.to_json())
    if STDOUT not in (options.html, options.json):
        page = console()
        for part in board_parts(made):
            page.print(part)
    return Exit.FINE


def _gathered(
    store: Store, options: argparse.Namespace, words: Sequence[str], teams: Teams | None
) -> Board:
    from evaluator.board.gather import BoardOptions, board
    from evaluator.store.scores import read_phase

    return board(
        store,
        BoardOptions(
            preset=options.corrupt,
            phase=read_phase(options.phase),
            only=_only(store, options.zips),
            data=options.fingerprint or "",
            seed=options.seed,
            teams=teams,
            anonymous=options.anonymous,
            reports=(Path(options.reports),) if options.reports else (),
            command=shlex.join(["local-eval", *words]),
        ),
    )


def _only(store: Store, words: Sequence[str]) -> set[str] | None:
    """SHA-256 of the zips that are named; None where none is. Unknown ones are told."""
    from codabench_rehearsal.commands.known import contents, named, unknown

    if not words:
        return None
    found = set()
    for word in words:
        sha256 = contents(word)
        known = {one.sha256 for one in (store.find(sha256) if sha256 else named(store, word))}
        if not known:
            say(f"left out: {unknown(store, word)}")
        found |= known - {""}
    if not found:
        raise EvaluationError(
            "the store knows none of these zips: evaluate them first (local-eval ZIP --data FILE)"
        )
    return found
