"""What became of an upload: followed to its end, fetched, recorded, told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.console.bar import progress
from codabench_rehearsal.console.command import Exit, print_lines, tell
from codabench_rehearsal.console.errors import SubmissionError, UserError
from codabench_rehearsal.console.words import marked, quoted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.client import Site
    from codabench_rehearsal.challenge.site.profile import SiteChallenge
    from codabench_rehearsal.challenge.site.results import Outcome
    from codabench_rehearsal.challenge.site.uploads import Upload

Say = Callable[[list[str]], None]
BACK = "codabench-challenge status"


def waited(site: Site, done: Upload, queue: str = "") -> Outcome:
    """Follow a submission to its end, on one line; Ctrl-C leaves it running."""
    from codabench_rehearsal.challenge.site.results import follow

    begun, waits = time.monotonic(), f", queue {shown(queue)}" if queue else ""
    try:
        with progress(f"submission {done.submission}") as bar:
            last = ["?"]

            def heard(found: Outcome | None) -> None:
                last[0] = shown(found.status) if found else f"{last[0]} (no answer now)"
                bar.update(f"submission {done.submission} on {site.host}: {last[0]}{waits}")

            return follow(site, done.submission, heard)
    except KeyboardInterrupt:
        minutes = f"{(time.monotonic() - begun) / 60:.0f} min"
        tell("upload", f"submission {done.submission} goes on there (waited {minutes}): {BACK}")
        raise
    except UserError as error:
        raise SubmissionError(f"{error} Submission {done.submission} is there: {BACK}") from None


def concluded(
    site: Site, done: Upload, outcome: Outcome, challenge: SiteChallenge, say: Say
) -> int:
    """Fetch what there is, record the score, tell; returns the exit code."""
    from codabench_rehearsal.challenge.site import results as site_results
    from codabench_rehearsal.commands.site_scores import keep_score

    tasks = site_results.ask_tasks(site, outcome)
    say([site_results.told(outcome, site), *site_results.told_tasks(tasks, site)])
    status = site_results.status_of(outcome, tasks)
    is_finished = status == "Finished"
    if is_finished:
        say(list(keep_score(done, outcome, challenge)))
    folder = site_results.results_folder(Path(done.zip), done.submission)
    try:
        notes = list(site_results.fetch_results(site, outcome, folder, tasks))
    except UserError as error:  # a full disk, a folder that may only be read: the score is kept
        notes = [str(error)]
    say([f"   logs and results: {folder}", *(f"   {note}" for note in notes)])
    if not is_finished:
        say(_why(folder, tasks))
    replace(done, stage="ended", status=status).keep()
    return Exit.FINE if is_finished else Exit.FINDINGS


def _why(folder: Path, tasks: Sequence[Outcome]) -> list[str]:
    """The end of the log of what failed first, and the command that explains it."""
    from codabench_rehearsal.challenge.site.results import last_words, task_folders

    each = zip(task_folders(folder, tasks), tasks, strict=True)
    failed = next((place for place, one in each if one.status != "Finished"), folder)
    last = last_words(failed)
    shown_log = marked(last) if last else []
    return [*shown_log, f"what it means: local-eval explain {quoted(failed)}"]


def to_stdout(lines: list[str]) -> None:
    """Results, where the command's own go."""
    if lines:
        print_lines(lines)


def to_stderr(lines: list[str]) -> None:
    """Results, where standard output is taken by JSON."""
    for line in lines:
        tell("upload", line)
