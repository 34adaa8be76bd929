"""`local-eval history`: what was predicted against what the leaderboard showed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import add_json, add_store, say
from codabench_rehearsal.commands.known import opened
from codabench_rehearsal.commands.site_arguments import add_record_http
from codabench_rehearsal.console.command import Exit, Parser, console, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import SPREADSHEET, TABLE
from codabench_rehearsal.console.words import shown
from evaluator.report.history import LEGEND, beside, lines, progress, table, to_json

if TYPE_CHECKING:
    from evaluator.store.store import HistoryRow

EXAMPLES = """\
examples:
  local-eval history
  local-eval history --phase dev --csv history.csv
  local-eval history --json - | jq .summary
  local-eval history --sync 1234       first the scores of your submissions to codabench.org's 1234
"""
BEGIN = """\
Nothing here yet ({place}). To begin:
  local-eval submission.zip --data training_set.npz    rehearse, and see what score to expect
  local-eval record submission.zip --score 0.89        after the upload: what the leaderboard showed
  local-eval import history.csv                        scores that you kept in a spreadsheet"""


def parser() -> Parser:
    """The command's options."""
    what = "Show what was predicted against what the leaderboard showed."
    made = Parser("local-eval history", what, EXAMPLES)
    made.keeps("--phase")
    add = made.add_argument
    add("--phase", help="only this phase, such as dev")
    add("--csv", type=TABLE, metavar="FILE", help="also as CSV (- for standard output)")
    what = "also as a spreadsheet (needs openpyxl)"
    add("--xlsx", type=SPREADSHEET, metavar="FILE", help=what)
    what = "first fetch the scores of your own submissions to this challenge from its site"
    add("--sync", metavar="1234|ADDRESS", help=what)
    add_record_http(made)
    add_json(made, "also as JSON")
    add_force(made)
    add_store(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Read, write what was asked for, and show."""
    from evaluator.report.spreadsheet import csv_text, export_xlsx
    from evaluator.store.scores import read_phase
    from evaluator.store.store import find_store

    targets = _targets(options)
    if options.sync:
        _synced(options, targets)
    phase = None if options.phase is None else read_phase(options.phase)
    place = find_store(options.store)
    everything = _read(place)
    rows = [row for row in everything if phase in (None, _phase(row))]
    if options.csv:
        write_or_print(options.csv, csv_text(rows))
    if options.json:
        write_or_print(options.json, to_json(rows))
    if options.xlsx:
        export_xlsx(rows, options.xlsx)
    for path in targets:
        if path not in (None, STDOUT):
            say(f"{path} written, rows: {len(rows)}")
    if STDOUT not in targets:
        _show(rows, everything, place)
    return Exit.FINE


def _targets(options: argparse.Namespace) -> tuple[str | None, ...]:
    """Where it is written. Raises `EvaluationError` for two outputs on standard output."""
    targets = (options.csv, options.xlsx, options.json)
    if targets.count(STDOUT) > 1 or options.xlsx == STDOUT:
        raise EvaluationError(
            "standard output (-) takes one of --csv and --json; give the others a file's name"
        )
    return targets


def _synced(options: argparse.Namespace, targets: Sequence[str | None]) -> None:
    """Fetch the site's scores first, and tell what was taken."""
    from codabench_rehearsal.commands.site_sync import run as sync

    told = sync(options)
    if STDOUT not in targets:
        print_lines(told)
        return
    for line in told:
        say(line)


def _read(place: Path) -> tuple[HistoryRow, ...]:
    """The history; empty where there is no store, and none is made."""
    if not place.exists():
        return ()
    with opened(place) as store:
        return store.history()


def _phase(row: HistoryRow) -> str | None:
    """The phase of a row's score, else of its prediction."""
    known = row.score or row.prediction
    return known.phase if known else None


def _show(rows: Sequence[HistoryRow], everything: Sequence[HistoryRow], place: Path) -> None:
    if not everything:
        print_lines(BEGIN.format(place=shown(place)).splitlines())
        return
    if not rows:
        phases = sorted({shown(phase) for row in everything if (phase := _phase(row))})
        known = ", ".join(phases) or "no phase yet"
        print_lines([f"Nothing of that phase in {place}. It knows: {known}."])
        return
    from rich.text import Text

    page = console()
    legend = [LEGEND] if any(row.prediction for row in rows) else []
    with page.capture() as drawn:
        page.print(table(rows))
        for line in (*legend, *beside(rows), *lines(rows), *progress(rows)):
            page.print(Text(line))
    print(drawn.get(), end="", flush=True)  # rich itself would end a closed pipe with an error
