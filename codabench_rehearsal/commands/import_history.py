"""`local-eval import`: scores that were kept in a spreadsheet."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import add_store
from codabench_rehearsal.commands.known import opened
from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.roles import HISTORY
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import shown
from evaluator.report.history import label, progress

if TYPE_CHECKING:
    from evaluator.store.importing import Imported
    from evaluator.store.store import LeaderboardScore, Store

EXAMPLES = """\
examples:
  local-eval import history.csv --dry-run      what would be taken, and why not the rest
  local-eval import history.csv
  local-eval import final.csv --phase final    the phase of rows that name none (default dev)

The file is CSV with a header, such as submission,score,phase,date. Commas, semicolons or tabs;
0.89, 0,89 or 89 %. Zips beside the file, or in this folder, are found by name. docs/history.md
"""
FOUND = "some rows were left out"
_SHOWN = 20  # lines of each list


def parser() -> Parser:
    """The command's options."""
    made = Parser("local-eval import", "Record the scores of a spreadsheet.", EXAMPLES, FOUND)
    what = "a table of submissions and scores"
    made.add_argument("history", type=HISTORY, metavar="history.csv", help=what)
    what = f"of rows that name none (default {PHASE})"
    made.add_argument("--phase", default=PHASE, help=what)
    made.add_argument("--dry-run", action="store_true", help="say it only; keep nothing")
    add_store(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Import, and say what was taken and what was not."""
    from evaluator.store.importing import import_csv
    from evaluator.store.scores import read_phase
    from evaluator.store.store import find_store

    phase, place = read_phase(options.phase), find_store(options.store)
    _check_readable(Path(options.history))
    with _copy(place) if options.dry_run else opened(place) as store:
        known = {score.id for score in store.scores()}
        done = import_csv(store, options.history, phase)
        taken = [score for score in store.scores() if score.id not in known]
        rows = store.history()
    print_lines((*_said(done, taken, dry_run=options.dry_run), *progress(rows)))
    return Exit.FINDINGS if done.refused else Exit.FINE


def _check_readable(path: Path) -> None:
    """A wrong name is to leave no empty store behind. Raises `EvaluationError`."""
    require_file(path, EvaluationError)
    try:
        path.open("rb").close()
    except OSError as error:
        raise EvaluationError(
            f"{path}: {error.strerror}. Give a CSV file with a submission and a score in each row"
        ) from error


@contextmanager
def _copy(place: Path) -> Iterator[Store]:
    """A passing copy of the store: what an import would do is found by doing it there."""
    from evaluator.store.schema import said

    with TemporaryFolder("import-") as folder:
        copy = folder / "store.sqlite"
        if place.exists():
            with (
                opened(place),
                said(place),
                closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        with opened(copy) as store:
            yield store


def _said(done: Imported, taken: Sequence[LeaderboardScore], *, dry_run: bool) -> Iterator[str]:
    begin = "Only tried (--dry-run): nothing is kept. " if dry_run else ""
    yield (
        f"{begin}Scores recorded: {done.added}; known already: {done.known}; rows without a score: "
        f"{done.unscored}; left out: {len(done.refused)}."
    )
    yield from _few([f"  {label(s.submission)}: {s}, phase {shown(s.phase)}" for s in taken])
    if done.refused:
        yield "Left out:"
        yield from _few([f"  {shown(reason)}" for reason in done.refused])
    if done.by_name:
        yield (
            "Known by name only, so that the estimate cannot use them: their zips are neither "
            "beside the file nor in this folder, or one name stands for several scores."
        )
        yield from _few([f"  {shown(name)}" for name in done.by_name])


def _few(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more"
