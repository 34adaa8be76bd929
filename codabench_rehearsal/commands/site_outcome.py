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
from codabench_rehearsal.console.words import human_bytes, marked, quoted, shown

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
    """Fetch what there is, record the score, tell; returns the exit code.

    Where the store refuses the score the upload stays open: `status` tries again.
    """
    from codabench_rehearsal.challenge.site import results as site_results

    tasks = site_results.ask_tasks(site, outcome)
    say([site_results.told(outcome, site), *site_results.told_tasks(tasks, site)])
    if not all(task.has_ended for task in tasks):  # one is run anew
        say([f"   not all tasks have ended: {BACK}"])
        return Exit.FINE
    status = site_results.status_of(outcome, tasks)
    is_finished, is_kept = status == "Finished", True
    if is_finished:
        is_kept = _kept(done, outcome, challenge, say)
    elif status == site_results.GONE:
        figure = outcome.score(challenge.main)
        what = f"it has {figure} for all: local-eval record, if you go by it" if figure else "none"
        say([f"   not recorded, for a task is gone, and how it ended is not known; {what}"])
    folder = site_results.results_folder(Path(done.zip), done.submission)
    say([f"   logs and results: {folder}", *_fetched(site, done, outcome, tasks, folder)])
    if not is_finished:
        say(_why(folder, tasks))
    if not is_kept:
        return Exit.USAGE
    replace(done, stage="ended", status=outcome.status).keep()
    return Exit.FINE if is_finished else Exit.FINDINGS


def _kept(done: Upload, outcome: Outcome, challenge: SiteChallenge, say: Say) -> bool:
    """Record the score, or say why not; False where that may be mended."""
    from codabench_rehearsal.commands.site_scores import keep_score

    try:
        say(list(keep_score(done, outcome, challenge)))
    except UserError as error:
        tell("upload", f"submission {done.submission}: its score is not recorded: {error} {BACK}")
        return False
    return True


def _fetched(
    site: Site, done: Upload, outcome: Outcome, tasks: Sequence[Outcome], folder: Path
) -> list[str]:
    """Fetch logs and results, on one line that moves; what there is to say of it."""
    from codabench_rehearsal.challenge.site.results import fetch_results

    doing, come = f"logs and results of submission {done.submission}", [0]
    with progress(doing) as bar:

        def told(count: int) -> None:
            come[0] += count
            bar.update(f"{doing}: {human_bytes(come[0])}")

        try:
            notes = list(fetch_results(site, outcome, folder, tasks, told))
        except UserError as error:  # a full disk, a folder that may only be read: the score is kept
            notes = [str(error)]
    return [f"   {note}" for note in notes]


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
