"""What became of a submission on the site: its status, its scores, its logs.

In a phase of several tasks the site makes a submission of each, and a parent of them all: the logs
are theirs, the parent's scores are theirs side by side, and it is called Finished when all have
ended, however they did.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import tables, whole
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.profile import moment
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.files import replacing, written
from codabench_rehearsal.console.words import as_json, shown

GONE = "removed"  # a task whose submission the site has no more
ENDED = ("Finished", "Failed", "Cancelled", GONE)
POLLS = (3.0, 5.0, 10.0, 20.0)  # seconds between questions, the last one ever after
MOST_TASKS = 100
MOST_SILENT = 30  # questions in a row without an answer, each with its own tries
LARGEST_LOG, LARGEST_RESULT = 64 << 20, 512 << 20  # bytes
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")
_FIGURE = re.compile(r"-?\d{1,12}(\.\d{1,20})?")


@dataclass(frozen=True)
class Outcome:
    """A submission as the site tells it.

    scores: column and figure, as text with all its decimals; of a parent each column once a task.
    said: the platform's message. children: their numbers, in a phase of several tasks. task: the
    one that it is of.
    """

    number: int
    status: str
    said: str
    scores: tuple[tuple[str, str], ...]
    created: dt.datetime | None
    filename: str
    children: tuple[int, ...] = ()
    task: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED

    def score(self, column: str) -> str:
        """The figure of a column, the only one where there is but one; "" for none, or several."""
        known = [figure for key, figure in self.scores if key == column]
        if not known and len(self.scores) == 1:
            known = [self.scores[0][1]]
        return known[0] if len(known) == 1 else ""


Heard = Callable[[Outcome | None], None]  # None: no answer this time


def read_outcome(row: Mapping[str, Any]) -> Outcome:
    """A submission out of the site's JSON; figures that are none are left out."""
    scores = [
        (str(one.get("column_key")), figure_of(one.get("score")))
        for one in tables(row.get("scores"))
    ]
    return Outcome(
        number=whole(row.get("id"), 0),
        status=str(row.get("status") or "unknown"),
        said=str(row.get("status_details") or ""),
        scores=tuple((key, figure) for key, figure in scores if _FIGURE.fullmatch(figure)),
        created=moment(row.get("created_when")),
        filename=str(row.get("filename") or ""),
        children=tuple(one for one in _listed(row.get("children")) if type(one) is int),
        task=str(next(iter(tables([row.get("task")])), {}).get("name") or ""),
    )


def figure_of(value: object) -> str:
    """A score as text with all its decimals, as 0.00001 of 1e-05; other things as they are."""
    with suppress(ArithmeticError, ValueError):
        number = Decimal(str(value))
        if number.is_finite() and abs(number.adjusted()) < 20:
            return f"{number if number else abs(number):f}"
    return str(value)


def _listed(value: object) -> list[object]:
    return value[:MOST_TASKS] if isinstance(value, list) else []


def ask_tasks(site: Site, outcome: Outcome) -> tuple[Outcome, ...]:
    """What became of each task, () in a phase of one; one that is not there any more is `GONE`.

    Raises `SiteError`.
    """
    return tuple(_ask_task(site, number) for number in outcome.children)


def _ask_task(site: Site, number: int) -> Outcome:
    try:
        return ask_outcome(site, number)
    except SiteError as error:
        if error.status != 404:
            raise
    return Outcome(number, GONE, "the site has it no more", (), None, "")


def status_of(outcome: Outcome, tasks: Sequence[Outcome]) -> str:
    """How it ended: of several tasks that of the first which did not finish, one that is known."""
    ends = [one.status for one in tasks if one.status != "Finished"]
    return next((one for one in ends if one != GONE), ends[0] if ends else outcome.status)


def ask_outcome(site: Site, number: int) -> Outcome:
    """What the site says of a submission now. Raises `SiteError`."""
    given = site.get(f"/api/submissions/{number}/")
    if not isinstance(given, dict) or whole(given.get("id"), 0) != number:
        raise SiteError(f"{site.host}: expected submission {number}, received something else.")
    return read_outcome(given)


def follow(site: Site, number: int, heard: Heard) -> Outcome:
    """Ask until it has ended. heard: hears of each answer.

    Raises `SiteError` for a submission that is not there, and where nobody answers for long.
    """
    asked, silent = 0, 0
    while True:
        try:
            found = ask_outcome(site, number)
        except SiteError as error:
            silent += 1
            refused = 400 <= error.status < 500 and error.status != 429
            if refused or silent >= MOST_SILENT:
                raise
            heard(None)
        else:
            silent = 0
            heard(found)
            if found.has_ended:
                return found
        site.clock.sleep(POLLS[min(asked, len(POLLS) - 1)])
        asked += 1


def results_folder(zip_path: Path, number: int) -> Path:
    """Where the results of a submission are put: beside its zip."""
    return zip_path.parent / f"{zip_path.stem}.submission-{number}"


def fetch_results(
    site: Site,
    outcome: Outcome,
    folder: Path,
    tasks: Sequence[Outcome] = (),
    told: Callable[[int], object] = lambda _count: None,
) -> Iterator[str]:
    """Write scores, logs, detailed results and scoring's output; what there is to say of it.

    folder: made where it is missing, not those above it. Each of several tasks has one inside it,
    `task-1` and so on. told: hears how many bytes have come, part by part. Raises `FileError`; what
    the site does not give is said. After a file that is too slow no other is asked for.
    """
    _describe(outcome, folder)
    inside = task_folders(folder, tasks)
    for task, place in zip(tasks, inside, strict=True):
        _describe(task, place)
    each = [(task, place, f"{place.name}: ") for task, place in zip(tasks, inside, strict=True)]
    for one, place, label in each or [(outcome, folder, "")]:
        if one.status == GONE:
            continue
        slow = yield from _fetched_files(site, one, place, label, told)
        if slow:
            yield "the files after it are not asked for: the same upload with --wait asks again"
            return


def _describe(outcome: Outcome, folder: Path) -> None:
    with written(folder):
        folder.mkdir(exist_ok=True)
    with replacing(folder / "submission.json") as file:
        file.write(as_json(_document(outcome)).encode())


def task_folders(folder: Path, tasks: Sequence[Outcome]) -> list[Path]:
    """Where the results of each task are put."""
    return [folder / f"task-{at}" for at in range(1, len(tasks) + 1)]


def _fetched_files(
    site: Site, outcome: Outcome, folder: Path, label: str, told: Callable[[int], object]
) -> Generator[str, None, bool]:
    """Fetch what is offered, and say what is not; whether it was too slow to go on."""
    try:
        given = site.get(f"/api/submissions/{outcome.number}/get_details/")
    except SiteError as error:
        why = "the phase hides logs and results" if error.status == 403 else str(error)
        yield f"{label}no logs: {why}"
        return error.slow
    for name, url, limit in _offered(given if isinstance(given, dict) else {}):
        try:
            with replacing(folder / name) as file:
                site.download(url, file, limit, told)
        except SiteError as error:
            yield f"{label}{name} is not fetched: {error}"
            if error.slow:
                return True
    return False


def _document(outcome: Outcome) -> dict[str, Any]:
    created = outcome.created.isoformat() if outcome.created else None
    keys = Counter(key for key, _ in outcome.scores)
    scores = {key: figure for key, figure in outcome.scores if keys[key] == 1}
    return {"schema": 1, **vars(outcome), "scores": scores, "created": created}


def _offered(given: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Names of ours, addresses of theirs, and how large each may be."""
    for at, log in enumerate(tables(given.get("logs"))[:20]):
        name, url = str(log.get("name")), log.get("data_file")
        if isinstance(url, str):
            plain = name if _PLAIN.fullmatch(name) else f"log-{at}"
            yield f"{plain}.txt", url, LARGEST_LOG
    for key, name in (
        ("detailed_result", "detailed_results.html"),
        ("scoring_result", "scoring_output.zip"),
    ):
        if isinstance(url := given.get(key), str):
            yield name, url, LARGEST_RESULT


def last_words(folder: Path) -> str:
    """The end of the log that tells most of a failure, as the programs wrote it; "" for none."""
    logs = sorted(folder.glob("*stderr*.txt"), key=_rank)
    texts = (path.read_bytes()[-4000:].decode("utf-8", "replace").strip() for path in logs)
    return next(("\n".join(text.splitlines()[-12:]) for text in texts if text), "")


def _rank(path: Path) -> int:
    """Ingestion's log before scoring's, which fails for want of what ingestion left."""
    return 0 if "ingestion" in path.name else 1 if "prediction" in path.name else 2


def told(outcome: Outcome, site: Site) -> str:
    """Status and message in words."""
    said = f": {site.plain(outcome.said)}" if outcome.said else ""
    return f"submission {outcome.number} {shown(outcome.status)}{said}"


def told_tasks(tasks: Sequence[Outcome], site: Site) -> Iterator[str]:
    """A line for each task: how it ended, and its figures."""
    for at, one in enumerate(tasks, 1):
        figures = "".join(f", {shown(key)} {figure}" for key, figure in one.scores)
        said = f": {site.plain(one.said)}" if one.said else ""
        yield f"   task {at} ({shown(one.task)}) {shown(one.status)}{figures}{said}"
