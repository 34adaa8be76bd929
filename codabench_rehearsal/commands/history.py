"""`local-eval history`: what was predicted against what the leaderboard showed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    from rich.console import RenderableType

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


@dataclass(frozen=True)
class History:
    """What was predicted against what the leaderboard showed.

    rows: one a score or prediction, of the phase that was asked for. known: rows of the store, of
    whatever phase. phases: that it knows. place: of the store.
    """

    rows: tuple[HistoryRow, ...]
    known: int
    phases: tuple[str, ...]
    place: Path

    def __str__(self) -> str:
        from evaluator.report.terminal import to_text

        return to_text(self.parts()) if self.rows else "\n".join(self.nothing())

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def to_json(self) -> str:
        """The history as JSON (docs/history.md)."""
        return to_json(self.rows)

    def parts(self) -> Iterator[RenderableType]:
        """What a terminal shows, in order."""
        from rich.text import Text

        rows = self.rows
        yield table(rows)
        legend = [LEGEND] if any(row.prediction for row in rows) else []
        for line in (*legend, *beside(rows), *lines(rows), *progress(rows)):
            yield Text(line)

    def nothing(self) -> list[str]:
        """What to say in the place of rows."""
        if not self.known:
            return BEGIN.format(place=shown(self.place)).splitlines()
        phases = ", ".join(self.phases) or "no phase yet"
        return [f"Nothing of that phase in {shown(self.place)}. It knows: {phases}."]


def history(phase: str | None = None, *, store: str | Path | None = None) -> History:
    """What was predicted against what the leaderboard showed: `history()`, `history("final")`.

    phase: only this one. store: a file or folder, None for the project's. What comes back prints as
    a table. Raises `EvaluationError` for no phase's name and for a store that cannot be read.
    """
    from evaluator.store.scores import read_phase
    from evaluator.store.store import find_store

    wanted = None if phase is None else read_phase(phase)
    place = find_store(store if store is None else str(store))
    everything = _read(place)
    rows = tuple(row for row in everything if wanted in (None, _phase(row)))
    phases = sorted({shown(phase) for row in everything if (phase := _phase(row))})
    return History(rows, len(everything), tuple(phases), place)


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

    targets = _targets(options)
    if options.sync:
        _synced(options, targets)
    found = history(options.phase, store=options.store)
    if options.csv:
        write_or_print(options.csv, csv_text(found.rows))
    if options.json:
        write_or_print(options.json, found.to_json())
    if options.xlsx:
        export_xlsx(found.rows, options.xlsx)
    for path in targets:
        if path not in (None, STDOUT):
            say(f"{path} written, rows: {len(found.rows)}")
    if STDOUT not in targets:
        _show(found)
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


def _show(found: History) -> None:
    if not found.rows:
        print_lines(found.nothing())
        return
    page = console()
    with page.capture() as drawn:
        for part in found.parts():
            page.print(part)
    print(drawn.get(), end="", flush=True)  # rich itself would end a closed pipe with an error
