"""`local-eval board --challenge BUNDLE`: everybody's zip through it, one after the other."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from codabench_rehearsal.commands.bundle_arguments import opened_challenge, read_running
from codabench_rehearsal.commands.evaluation_arguments import say
from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.command import Exit, console
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.words import shown


def run_bundle(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run what the store lacks, compare, and show it. Exit code 1 where a zip has no score."""
    _refuse_others(options)
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.challenge.worker.job import Machine
    from evaluator.board.challenge_board import Course, challenge_board
    from evaluator.board.challenge_page import challenge_parts, to_page
    from evaluator.board.names import read_teams
    from evaluator.bundles.benchmark import Wanted

    teams = read_teams(Path(options.teams)) if options.teams else None
    zips = _zips(options)
    wanted = Wanted(
        corrupt=options.corrupt,
        seed=options.seed or 0,
        budget=options.budget,
        column=options.column or "",
        perturb=tuple(options.perturb),
        store=options.store,
        command=shlex.join(["local-eval", *words]),
    )
    with opened_challenge(options, "local-eval board") as setting:

        def machine_of(path: Path) -> Machine:
            return read_running(options, setting, path).machine

        course = Course(
            *(setting.bundle, setting.phase, setting.worker, wanted, machine_of, teams),
            anonymous=options.anonymous,
            told=say,
        )
        made = challenge_board(zips, course)
    if options.html:
        write_or_print(options.html, to_page(made))
    if options.json:
        write_or_print(options.json, made.to_json())
    if STDOUT not in (options.html, options.json):
        page = console()
        for part in challenge_parts(made):
            page.print(part)
    return Exit.FINDINGS if made.failed else Exit.FINE


def _zips(options: argparse.Namespace) -> list[Path]:
    """Those that are named, and those of the folder. Raises `EvaluationError`."""
    from evaluator.board.challenge_board import zips_in

    zips = [Path(one) for one in options.zips]
    zips += zips_in(Path(options.submissions)) if options.submissions else []
    for path in zips:
        if not path.is_file():
            raise EvaluationError(f"{shown(path)}: no such file. Give a zip that was handed in")
    return list(dict.fromkeys(zips))


def _refuse_others(options: argparse.Namespace) -> None:
    """Raise `EvaluationError` for options that say nothing with a bundle."""
    if not options.submissions and not options.zips:
        raise EvaluationError(
            "expected everybody's zips: --submissions FOLDER, or name them before --challenge"
        )
    for name in ("reports", "fingerprint"):
        if getattr(options, name):
            raise EvaluationError(f"--{name} does not go with a bundle's board: leave it out")
    if options.store == NO_STORE:
        raise EvaluationError(
            "expected a store, received --store none: runs are compared out of it, and an "
            "interrupted board goes on from there"
        )
